package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"hither/internal/api"
	"hither/internal/auth"
	"hither/internal/iam"
	"hither/test/contract"
)

// mailing has the world send messages.
func (w *world) mailing(t *testing.T) {
	t.Helper()
	now := func() time.Time { return start.Add(time.Duration(w.ahead.Load())) }
	newID := func() string { return string(w.fresh()) }
	w.service = w.service.WithMailing(iam.Mailing{Enabled: true, ReminderLead: 48 * time.Hour, ResendPause: 5 * time.Minute, MaxResends: 10})
	w.handler = api.New(api.Options{Service: w.service, Auth: auth.New(w.store, now), NewID: newID, Now: now, InvitationLink: linkTo})
	w.wire = contract.New(t).RoundTripper(inProcess{w.handler})
}

// sent is an invite as the wire has it, as far as sending it again changes it.
type sent struct {
	ID        string
	Status    string
	ExpiresOn time.Time  `json:"expires_on"`
	AskedOn   *time.Time `json:"asked_on"`
	InvitedBy string     `json:"invited_by"`
}

func (r reply) sent(t *testing.T) sent {
	t.Helper()
	var out sent
	if err := json.Unmarshal(r.Result, &out); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
	return out
}

const inviteA = invitesA + "/" + string(pendA)

// The whole of it over the wire: sent again, too soon, too long ago, renewed.
func TestResending(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants())
	w.mailing(t)
	post := func(who principal, path, body string) reply { return w.do(t, who, http.MethodPost, path, body) }

	first := post(ownerA, inviteA+"/resend", "").want(t, 200, 0).sent(t)
	if first.ID != string(pendA) || !first.ExpiresOn.Equal(start.Add(iam.DefaultLifetime)) || first.InvitedBy != ownerA.email {
		t.Errorf("got %+v", first)
	}
	// KF-61: clients that repeat 429 by themselves are told not to.
	w.ahead.Store(int64(90 * time.Second))
	for _, path := range []string{inviteA + "/resend", membersA + "/" + string(pendA) + "/resend", inviteA + "/renew"} {
		soon := post(ownerA, path, "").want(t, 429, 1212)
		if soon.header.Get("Retry-After") != "210" || soon.header.Get("X-Should-Retry") != "false" {
			t.Errorf("%s: told to come back by %v", path, soon.header)
		}
	}
	w.ahead.Store(int64(time.Hour))
	asMember := post(ownerA, membersA+"/"+string(pendA)+"/resend", `{"expires_on":"2026-01-03T00:00:00Z"}`).want(t, 200, 0).sent(t)
	if asMember.ID != string(pendA) || asMember.ExpiresOn.Format(time.DateOnly) != "2026-01-03" {
		t.Errorf("got %+v", asMember)
	}
	w.ahead.Store(int64(2 * time.Hour))
	for body, pointer := range map[string]string{
		`{"expires_on":"soon"}`: "/expires_on", `{"expires_on":"2026-01-01T07:30:00Z"}`: "/expires_on", `{"expires_on":"2027-01-01T00:00:00Z"}`: "/expires_on",
	} {
		if got := w.bad(t, ownerA, http.MethodPost, inviteA+"/resend", body).want(t, 400, 1001); got.pointer() != pointer {
			t.Errorf("%s: points to %q, want %q", body, got.pointer(), pointer)
		}
	}
	w.bad(t, ownerA, http.MethodPost, inviteA+"/resend", `[]`).want(t, 400, 1002)
	w.bad(t, ownerA, http.MethodPost, inviteA+"/resend", `{`).want(t, 400, 1002)

	// What is over is over; the message says how to go on.
	w.ahead.Store(int64(72 * time.Hour))
	over := post(ownerA, inviteA+"/resend", "").want(t, 400, 1200)
	if !strings.Contains(over.Errors[0].Message, "renew it") {
		t.Errorf("the way out is %q", over.Errors[0].Message)
	}
	renewed := post(ownerA, inviteA+"/renew", "").want(t, 200, 0).sent(t)
	if renewed.ID == string(pendA) || renewed.Status != "pending" {
		t.Errorf("got %+v", renewed)
	}
	again := post(ownerA, inviteA+"/renew", "").want(t, 200, 0)
	if again.sent(t).ID != renewed.ID || len(again.Messages) != 1 || again.Messages[0].Code != 1208 {
		t.Errorf("got %s, want the same one with a remark", again.body)
	}
	w.do(t, guest, http.MethodPatch, "/user/invites/"+renewed.ID, `{"status":"accepted"}`).want(t, 200, 0)
	for _, end := range []string{"/resend", "/renew", "/confirm", "/link"} {
		post(ownerA, invitesA+"/"+renewed.ID+end, "").want(t, 400, 1201)
		post(ownerA, invitesA+"/"+string(noRow)+end, "").want(t, 404, 1003)
		post(ownerA, invitesA+"/"+string(rowA)+end, "").want(t, 404, 1003) // never an invite
	}
}

func TestConfirming(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants())
	if err := w.service.SuspendUser(t.Context(), commandLine, "aaaa00000000000000000000000000ff", true); err != nil {
		t.Fatal(err)
	}
	token := "operator-operator-operator-opera"
	w.load(t, iam.Dataset{Tokens: []iam.ImportToken{{Name: "operator", Secret: token}}})
	who := principal{token: token}
	if !w.do(t, who, http.MethodGet, inviteA, "").row(t).NeedsConfirmation {
		t.Error("it needs no confirmation while its grantor is suspended")
	}
	w.do(t, guest, http.MethodPatch, "/user/invites/"+string(pendA), `{"status":"accepted"}`).want(t, 400, 1205)
	if w.do(t, who, http.MethodPost, inviteA+"/confirm", "{}").want(t, 200, 0).row(t).NeedsConfirmation {
		t.Error("it needs confirmation after it was confirmed")
	}
	w.do(t, guest, http.MethodPatch, "/user/invites/"+string(pendA), `{"status":"accepted"}`).want(t, 200, 0)
}

func TestRemindLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants())
	path := "/user/invites/" + string(pendA) + "/remind"
	for _, body := range []string{`{"in_days":1}`, `{"in_days":3}`, `{"remind_on":"2026-01-02T05:20:00Z"}`} {
		if got := w.do(t, guest, http.MethodPost, path, body).want(t, 200, 0).row(t); got.ID != string(pendA) || got.Status != "pending" {
			t.Errorf("%s: got %+v", body, got)
		}
	}
	for body, pointer := range map[string]string{
		`{}`: "/in_days", `{"in_days":2}`: "/in_days", `{"in_days":-1}`: "/in_days", `{"in_days":9}`: "/in_days",
		`{"in_days":1,"remind_on":"2026-01-02T05:20:00Z"}`: "/in_days",
		`{"remind_on":"2026-01-01T05:30:00Z"}`:             "/remind_on", `{"remind_on":"2026-01-08T05:20:00Z"}`: "/remind_on", `{"remind_on":""}`: "/remind_on",
	} {
		if got := w.bad(t, guest, http.MethodPost, path, body).want(t, 400, 1001); got.pointer() != pointer {
			t.Errorf("%s: points to %q, want %q", body, got.pointer(), pointer)
		}
	}
	w.bad(t, guest, http.MethodPost, path, "").want(t, 400, 1002)
	w.do(t, ownerA, http.MethodPost, path, `{"in_days":1}`).want(t, 404, 1003) // nobody else's
}

// KF-46: who waits for a link is shown to who sees the members, and to nobody else.
func TestAskedInvites(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants())
	w.mailing(t)
	list := func(query string) []row {
		t.Helper()
		return w.do(t, ownerA, http.MethodGet, invitesA+query, "").want(t, 200, 0).rows(t)
	}
	w.do(t, ownerA, http.MethodPost, inviteA+"/resend", "").want(t, 200, 0)
	w.ahead.Store(int64(time.Hour))
	w.do(t, ownerA, http.MethodPost, inviteA+"/resend", "").want(t, 200, 0)
	if got := list("?asked=true"); len(got) != 0 {
		t.Errorf("before anybody asked: %v", got)
	}
	if err := w.service.AskForLink(t.Context(), iam.LinkHolder{InvitationID: pendA, Generation: 1}); err != nil {
		t.Fatal(err)
	}
	if got := list("?asked=true"); len(got) != 1 || got[0].ID != string(pendA) {
		t.Errorf("asked: %v", got)
	}
	if got := list("?asked=false"); len(got) != 2 {
		t.Errorf("all: %v", got)
	}
	if got := list("?asked=true&status=expired"); len(got) != 0 {
		t.Errorf("expired: %v", got)
	}
	w.bad(t, ownerA, http.MethodGet, invitesA+"?asked=1", "").want(t, 400, 1001)
	w.do(t, guest, http.MethodGet, invitesA+"?asked=true", "").want(t, 404, 7003)
	if got := w.do(t, ownerA, http.MethodGet, inviteA, "").sent(t); got.AskedOn == nil || !got.AskedOn.Equal(start.Add(time.Hour)) {
		t.Errorf("it was asked on %v", got.AskedOn)
	}
	w.ahead.Store(int64(2 * time.Hour))
	if got := w.do(t, ownerA, http.MethodPost, inviteA+"/renew", "").want(t, 200, 0).sent(t); got.AskedOn != nil || got.ID != string(pendA) {
		t.Errorf("renewed: %+v", got)
	}
	if got := list("?asked=true"); len(got) != 0 {
		t.Errorf("after it was granted: %v", got)
	}
}

// A link is shown once, to who may send the invitation again.
func TestShowingALink(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants())
	w.mailing(t)
	first := w.once(t, "k", ownerA, http.MethodPost, inviteA+"/link", "{}").fresh(t)
	want := linkTo(iam.InvitationLink{ID: pendA, Generation: 1, Shown: true})
	if got := first.link(t); got == nil || *got != want || first.sent(t).Status != "pending" {
		t.Errorf("got %s, want the link %s", first.body, want)
	}
	again := w.once(t, "k", ownerA, http.MethodPost, inviteA+"/link", "{}").want(t, 200, 0)
	if again.link(t) != nil || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the second answer is %s %v", again.body, again.header)
	}
	w.do(t, ownerA, http.MethodGet, inviteA, "").want(t, 200, 0)
	for range 10 {
		w.do(t, ownerA, http.MethodPost, inviteA+"/link", "").want(t, 200, 0)
	}
	w.do(t, ownerA, http.MethodPost, inviteA+"/link", "").want(t, 429, 1212)
	w.do(t, guest, http.MethodPost, inviteA+"/link", "").want(t, 404, 7003)
	w.bad(t, ownerA, http.MethodPost, inviteA+"/link", `[]`).want(t, 400, 1002)
}

// Without pages there is nothing for a link to lead to, and nothing is done.
func TestNoLinkWithoutPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants())
	now := func() time.Time { return start }
	w.handler = api.New(api.Options{Service: w.service, Auth: auth.New(w.store, now), NewID: func() string { return string(w.fresh()) }, Now: now})
	w.wire = contract.New(t).RoundTripper(inProcess{w.handler})
	rows := w.auditRows(t)
	got := w.do(t, ownerA, http.MethodPost, inviteA+"/link", "").want(t, 400, 1001)
	if !strings.Contains(got.Errors[0].Message, "--base-url") || w.auditRows(t) != rows {
		t.Errorf("got %s", got.body)
	}
}

func (r reply) link(t *testing.T) *string {
	t.Helper()
	var out struct{ Link *string }
	if err := json.Unmarshal(r.Result, &out); err != nil || !strings.Contains(string(r.Result), `"link":`) {
		t.Fatalf("no link in %s: %v", r.body, err)
	}
	return out.Link
}
