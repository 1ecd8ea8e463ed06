package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"hither/test/harness"
)

// TestAnUnprovenUserIsLedIn: a user who was added unverified opens the link of an
// invitation. It is led to the mailed sign-in, which proves the address, and
// accepts. The key from before, which saw no invitation, is dead from then on
// (KF-4, KF-5).
func TestAnUnprovenUserIsLedIn(t *testing.T) {
	t.Parallel()
	m := harness.Mailbox(t)
	s := harness.Serve(t, newSeed().Account("Account", theSuper),
		"--base-url="+local, "--smtp="+m.Address, "--smtp-tls=none", "--mail-from=Example <invites@example.com>")
	s.Run(t, "user", "add", "unproven@example.org", "--unverified")
	key := s.Client()
	key.Email, key.Key = "unproven@example.org", secretIn(t, s.Run(t, "key", "add", "unproven@example.org", "--json"))
	id := invite(t, s.Client().As(theSuper), "Account", "unproven@example.org")
	if got := key.OK(t, http.MethodGet, "/user/invites", nil).Rows(t); len(got) > 0 {
		t.Errorf("KF-4: an unproven address sees %+v", got)
	}
	link := strings.TrimPrefix(m.Await(t, 1)[0].Link(local, "/i/"), local)
	b := browse(t, s)
	b.get(link)
	if got := b.get("/invite"); !strings.Contains(got.body, "/invite/sign-in") || strings.Contains(got.body, "/invite/accept") {
		t.Errorf("the link alone would do:\n%s", got.body)
	}
	if got := b.post("/invite/sign-in", ""); got.header.Get("Location") != "/sign-in/code" {
		t.Fatalf("asking to sign in: %d %v", got.status, got.header)
	}
	b.get(strings.TrimPrefix(m.Await(t, 2)[1].Link(local, "/s/"), local))
	if got := b.get("/sign-in/link"); !strings.Contains(got.body, "u•••@example.org") {
		t.Errorf("the sign-in does not say as whom:\n%s", got.body)
	}
	if got := b.post("/sign-in/link", ""); got.header.Get("Location") != "/invite" {
		t.Fatalf("signing in: %d %v\n%s", got.status, got.header, got.body)
	}
	b.post("/invite/accept", "")
	if got := b.get("/invite").heading(); got != "Welcome to Account" {
		t.Errorf("the invited sees %q", got)
	}
	if got := s.Client().As(theSuper).OK(t, http.MethodGet, members("Account")+"/"+id, nil).Row(t).Status; got != "accepted" {
		t.Errorf("the member is %s", got)
	}
	expectOutcome(t, key, http.MethodGet, "/user", nil, "403/9103")
}
