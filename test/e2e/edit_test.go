package e2e_test

import (
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
		if got := editableOf(t, seen); got.Note != "Hello,\nGuest" || !got.ExpiresOn.Equal(ends) {
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
	owner.Refused(t, http.MethodPatch, invite, object{"note": "x"}, http.StatusBadRequest, 1201)
	owner.Refused(t, http.MethodPut, member, object{"note": "x"}, http.StatusBadRequest, 1201)
	owner.Refused(t, http.MethodPut, member, object{"resend": true}, http.StatusBadRequest, 1201)
	gone := owner.OK(t, http.MethodPost, "/accounts/"+a+"/members", object{"email": "other@a.test", "roles": []string{viewer}}).Row(t).ID
	owner.OK(t, http.MethodDelete, "/organizations/"+a+"/invites/"+gone, nil)
	owner.Refused(t, http.MethodPatch, "/organizations/"+a+"/invites/"+gone, object{"note": "x"}, http.StatusNotFound, 1003)
}
