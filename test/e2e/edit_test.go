package e2e_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"hither/test/harness"
)

// editable is what can be edited of an invitation, as every side sees it.
type editable struct {
	ExpiresOn time.Time `json:"expires_on"`
	Locale    string    `json:"locale"`
	Note      string    `json:"note"`
	Status    string    `json:"status"`
}

func editableOf(t *testing.T, answer harness.Answer) editable {
	t.Helper()
	var got editable
	if err := json.Unmarshal(answer.Result, &got); err != nil {
		t.Fatalf("%v: %s", err, answer.Body)
	}
	return got
}

// TestEditingAnInvitation edits all that a pending invitation has, in both forms:
// nobody is mailed but where that is asked for, and then by a link that alone works.
// What is over is not edited, and says why.
func TestEditingAnInvitation(t *testing.T) {
	t.Parallel()
	m := harness.Mailbox(t)
	seed := newSeed().Account("a", "owner@a.test").User("guest@a.test").User("other@a.test")
	s := newSite(t, seed, mailing(m, "--resend-pause=0s")...)
	owner, guest, a := s.as("owner@a.test"), s.as("guest@a.test"), harness.ID("a")
	row := owner.OK(t, http.MethodPost, "/organizations/"+a+"/invites", object{
		"invited_member_email": "guest@a.test", "roles": []string{viewer}, "note": "See www.evil.example\nfor more", "locale": "de",
	}).Row(t).ID
	invite, member := "/organizations/"+a+"/invites/"+row, "/accounts/"+a+"/members/"+row
	first := m.Await(t, 1)[0]
	if !strings.Contains(first.Text, "Nachricht an Sie") || !strings.Contains(first.Text, "> for more") || !strings.Contains(first.HTML, "for more") {
		t.Errorf("the note is not in the mail:\n%s", first.Text)
	}
	if strings.Contains(first.Text, "www.evil") || strings.Contains(first.HTML, "www.evil") {
		t.Errorf("KF-57: the note makes a link:\n%s", first.Text)
	}

	ends := time.Now().Add(30 * 24 * time.Hour).UTC().Truncate(time.Second)
	got := editableOf(t, owner.OK(t, http.MethodPatch, invite, object{"expires_on": ends, "locale": "en", "note": "Hello,\nGuest"}))
	if got.Note != "Hello,\nGuest" || got.Locale != "en" || !got.ExpiresOn.Equal(ends) {
		t.Errorf("edited: %+v", got)
	}
	for _, seen := range []harness.Answer{owner.OK(t, http.MethodGet, invite, nil), owner.OK(t, http.MethodGet, member, nil), guest.OK(t, http.MethodGet, "/user/invites/"+row, nil)} {
		if side := editableOf(t, seen); side.Note != "Hello,\nGuest" || !side.ExpiresOn.Equal(ends) {
			t.Errorf("seen: %s", seen.Body)
		}
	}
	// In the newer form, what is left out stays, and null takes away.
	got = editableOf(t, owner.OK(t, http.MethodPut, member, object{"note": nil, "roles": []string{manager}}))
	if got.Note != "" || got.Locale != "en" || !got.ExpiresOn.Equal(ends) {
		t.Errorf("edited in the newer form: %+v", got)
	}
	if page := editableOf(t, guest.OK(t, http.MethodGet, "/user/invites/"+row, nil)); page.Note != "" {
		t.Errorf("the note stays: %+v", page)
	}
	for what, body := range map[string]object{
		"/expires_on": {"expires_on": time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)}, "/note": {"note": strings.Repeat("x", 501)},
		"/locale": {"locale": "not a tag"}, "/roles/0": {"roles": []string{harness.ID("nothing")}},
	} {
		if answer := owner.Refused(t, http.MethodPatch, invite, body, http.StatusBadRequest, 1001); !strings.Contains(string(answer.Body), what) {
			t.Errorf("%v: %s, want it to point to %s", body, answer.Body, what)
		}
	}

	owner.OK(t, http.MethodPatch, invite, object{"note": "Second", "resend": true})
	mails := m.Await(t, 2)
	if len(mails) != 2 { // the edits before this one mailed nobody
		t.Fatalf("there are %d mails, want 2", len(mails))
	}
	if second := mails[1]; second.Link(base, "/i/") == first.Link(base, "/i/") || !strings.Contains(second.Text, "> Second") ||
		!strings.Contains(second.Text, "Message to you") {
		t.Errorf("the second mail:\n%s", second.Text)
	}

	// What is over is over.
	guest.OK(t, http.MethodPatch, "/user/invites/"+row, object{"status": "accepted"})
	says := func(answer harness.Answer, want string) {
		t.Helper()
		if !strings.Contains(answer.Errors[0].Message, want) {
			t.Errorf("got %s, want %q", answer.Body, want)
		}
	}
	says(owner.Refused(t, http.MethodPatch, invite, object{"note": "x"}, http.StatusBadRequest, 1201), "accepted already; edit the member")
	owner.Refused(t, http.MethodPut, member, object{"note": "x"}, http.StatusBadRequest, 1201)
	owner.Refused(t, http.MethodPut, member, object{"resend": true}, http.StatusBadRequest, 1201)
	gone := owner.OK(t, http.MethodPost, "/accounts/"+a+"/members", object{"email": "other@a.test", "roles": []string{viewer}}).Row(t).ID
	owner.OK(t, http.MethodDelete, "/organizations/"+a+"/invites/"+gone, nil)
	edit, again := "/organizations/"+a+"/invites/"+gone, "/organizations/"+a+"/invites/"+gone+"/resend"
	says(owner.Refused(t, http.MethodPatch, edit, object{"note": "x"}, http.StatusNotFound, 1003), "withdrawn already; invite the address anew")
	says(owner.Refused(t, http.MethodPost, again, object{}, http.StatusNotFound, 1003), "withdrawn already; invite the address anew")
	// Nobody else learns that, nor whether there was one.
	invited := s.as("other@a.test")
	invited.Refused(t, http.MethodPatch, edit, object{"note": "x"}, http.StatusNotFound, 7003)
	nobodys := invited.Must(t, http.MethodPatch, "/user/invites/"+strings.Repeat("0", 32), object{"status": "accepted"})
	if got := invited.Must(t, http.MethodPatch, "/user/invites/"+gone, object{"status": "accepted"}); !bytes.Equal(got.Body, nobodys.Body) {
		t.Errorf("to the invited: %s, want what nobody's gets, %s", got.Body, nobodys.Body)
	}
}

// TestWithdrawingWithANotice withdraws in silence, and with a notice in both forms:
// one mail and no second one, and none of the invitation that waited to be sent.
func TestWithdrawingWithANotice(t *testing.T) {
	t.Parallel()
	m := harness.Mailbox(t)
	s := newSite(t, newSeed().Account("a", "owner@a.test").User("member@a.test").Member("a", "member@a.test", viewer), mailing(m)...)
	owner, a := s.as("owner@a.test"), harness.ID("a")
	invites, members := "/organizations/"+a+"/invites/", "/accounts/"+a+"/members/"
	silent, told := invite(t, owner, "a", "silent@a.test"), invite(t, owner, "a", "told@a.test")
	m.Await(t, 2)
	m.Answers(func(harness.Mail) error { return harness.Refuse(451, "later") })
	late := invite(t, owner, "a", "late@a.test")
	awaitState(t, s.Server, "deferred")
	m.Answers(nil)

	owner.OK(t, http.MethodDelete, invites+silent, nil)
	owner.OK(t, http.MethodDelete, invites+told+"?notify=true", nil)
	owner.OK(t, http.MethodDelete, invites+told+"?notify=true", nil)
	m.Await(t, 3)
	owner.OK(t, http.MethodDelete, members+late+"?notify=true", nil)
	mails := m.Await(t, 4)
	s.Run(t, "outbox", "retry", late+"-invitation-1")
	for _, row := range outbox(t, s.Server, "dropped") {
		if row.ID != late+"-invitation-1" {
			t.Errorf("dropped: %+v", row)
		}
	}
	for i, want := range []string{"silent@a.test", "told@a.test", "told@a.test", "late@a.test"} {
		subject, withdrawn := mails[i].Subject(), i > 1
		if i > 1 && mails[i].To[0] != want || strings.Contains(subject, "was withdrawn") != withdrawn {
			t.Errorf("mail %d: %q to %s, want to %s", i, subject, mails[i].To, want)
		}
		if withdrawn && (mails[i].Link(base, "/i/") != "" || !strings.Contains(mails[i].Text, "a has withdrawn") || !strings.Contains(mails[i].HTML, "a has withdrawn") ||
			!strings.HasPrefix(mails[i].Header.Get("List-Unsubscribe"), "<"+base+"/u/")) {
			t.Errorf("the notice:\n%s", mails[i].Text)
		}
	}
	if len(m.Mails()) != 4 {
		t.Errorf("there are %d mails, want 4", len(m.Mails()))
	}
	if got := string(owner.OK(t, http.MethodGet, invites+told+"/deliveries", nil).Body); !strings.Contains(got, `"kind":"withdrawn","state":"sent"`) {
		t.Errorf("the account sees %s", got)
	}
	odd(owner).Refused(t, http.MethodDelete, invites+told+"?notify=yes", nil, http.StatusBadRequest, 1001)
	// Of a member there is nobody to be told of an invitation.
	owner.Refused(t, http.MethodDelete, members+rowID("a", "member@a.test")+"?notify=true", nil, http.StatusBadRequest, 1001)
	owner.OK(t, http.MethodGet, members+rowID("a", "member@a.test"), nil)
}
