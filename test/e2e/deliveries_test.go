package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"hither/test/harness"
)

// mailOf is a mail as its account sees it.
type mailOf struct {
	ID, Kind, State, Words string
	Attempts               int
	NextTryOn              *time.Time `json:"next_try_on"`
	EndedOn                *time.Time `json:"ended_on"`
	History                []struct {
		Source, State, Words string
		Code                 int
		NextTryOn            *time.Time `json:"next_try_on"`
	}
}

// deliveriesPath is where an account sees the mails of an invitation.
func deliveriesPath(account, id string) string {
	return "/organizations/" + harness.ID(account) + "/invites/" + id + "/deliveries"
}

// awaitMail waits until the newest mail of an invitation is in a state.
func awaitMail(t *testing.T, as harness.Client, account, id, state string) []mailOf {
	t.Helper()
	var got []mailOf
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		got = nil
		if err := json.Unmarshal(as.OK(t, http.MethodGet, deliveriesPath(account, id), nil).Result, &got); err != nil {
			t.Fatal(err)
		}
		if len(got) > 0 && got[0].State == state {
			return got
		}
	}
	t.Fatalf("mails of %s: got %+v after a minute, want the newest %s", id, got, state)
	return nil
}

// TestAnAccountSeesWhatBecameOfItsMails: put off, sent, sent again, refused; and
// nothing of it is for anybody else.
func TestAnAccountSeesWhatBecameOfItsMails(t *testing.T) {
	t.Parallel()
	m := harness.Mailbox(t)
	seed := newSeed().Account("Account", theSuper).Account("Other", "other@example.org")
	person(seed, harness.SeedUser{Email: "guest@example.org"})
	employ(seed, "Account", "plain@example.org", viewer)
	s := harness.Serve(t, seed, mailing(m, "--resend-pause=0s")...)
	owner := s.Client().As(theSuper)

	m.Answers(func(harness.Mail) error { return harness.Refuse(451, "try again later") })
	id := invite(t, owner, "Account", "guest@example.org")
	put := awaitMail(t, owner, "Account", id, "deferred")
	if len(put) != 1 || put[0].Kind != "invitation" || put[0].NextTryOn == nil || len(put[0].History) != 1 ||
		put[0].History[0].Code != 451 || !strings.Contains(put[0].History[0].Words, "try again later") || put[0].History[0].NextTryOn == nil {
		t.Errorf("put off: got %+v, want one attempt with the server's words and the next one's time", put)
	}
	m.Answers(nil)
	s.Run(t, "outbox", "retry", put[0].ID)
	sent := awaitMail(t, owner, "Account", id, "sent")
	if len(sent[0].History) != 2 || sent[0].History[1].State != "sent" || sent[0].EndedOn == nil || sent[0].NextTryOn != nil {
		t.Errorf("sent: got %+v, want the attempt that failed and the one that did not", sent)
	}
	m.Answers(func(got harness.Mail) error { return harness.Refuse(550, "no: "+got.Link(base, "/i/")) })
	owner.OK(t, http.MethodPost, "/organizations/"+harness.ID("Account")+"/invites/"+id+"/resend", nil)
	bounced := awaitMail(t, owner, "Account", id, "bounced")
	if len(bounced) != 2 || bounced[0].Kind != "resend" || bounced[1].Kind != "invitation" ||
		!strings.Contains(bounced[0].History[0].Words, "is not kept") {
		t.Errorf("after a resend: got %+v, want two mails, and no link in the words", bounced)
	}
	if shown := s.Run(t, "outbox", "show", sent[0].ID); !strings.Contains(shown, "try again later") {
		t.Errorf("hither outbox show: got %s, want the words of the first attempt", shown)
	}

	s.Client().As("guest@example.org").Refused(t, http.MethodGet, deliveriesPath("Account", id), nil, http.StatusNotFound, 7003)
	s.Client().As("plain@example.org").Refused(t, http.MethodGet, deliveriesPath("Account", id), nil, http.StatusForbidden, 9109)
	stranger := s.Client().As("other@example.org")
	stranger.Refused(t, http.MethodGet, deliveriesPath("Account", id), nil, http.StatusNotFound, 7003)
	stranger.Refused(t, http.MethodGet, deliveriesPath("Other", id), nil, http.StatusNotFound, 1003)
}

// A budget of the mailbox puts a mail off silently: from an account's side it has
// not left yet, whoever else wrote to that mailbox.
func TestAMailboxsBudgetIsNotTold(t *testing.T) {
	t.Parallel()
	m := harness.Mailbox(t)
	s := harness.Serve(t, newSeed().Account("Account", theSuper).Account("Other", "other@example.org"),
		mailing(m, "--budget-recipient=1")...)
	owner, other := s.Client().As(theSuper), s.Client().As("other@example.org")
	invite(t, owner, "Account", "guest@example.org")
	m.Await(t, 1)
	id := invite(t, other, "Other", "guest@example.org")
	for len(outbox(t, s, "deferred")) == 0 {
		if t.Context().Err() != nil {
			t.Fatal("the second mail was never put off")
		}
	}
	got := awaitMail(t, other, "Other", id, "queued")
	if got[0].NextTryOn != nil || got[0].Words != "" || len(got[0].History) != 0 {
		t.Errorf("a mail whose mailbox got enough: got %+v, want it to wait, and no more said", got[0])
	}
}
