package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"hither/test/harness"
)

// local is a base URL whose cookies a test's browser takes over plain HTTP. The
// server listens elsewhere; links are followed by their path.
const local = "http://127.0.0.1:1"

// shownLink asks for the link of an invitation, and returns its path.
func shownLink(t *testing.T, c harness.Client, account, id string) string {
	t.Helper()
	var made struct{ Link string }
	answer := c.OK(t, http.MethodPost, "/organizations/"+harness.ID(account)+"/invites/"+id+"/link", nil)
	if err := json.Unmarshal(answer.Result, &made); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(made.Link, local+"/i/") {
		t.Fatalf("the link is %q", made.Link)
	}
	return strings.TrimPrefix(made.Link, local)
}

// TestAShownLinkProvesNothing: its holder sees the invitation, and not whose
// address it is for; it can neither accept nor decline by it, but have the
// invitation mailed to the invited, who then joins. The links before it are dead,
// and it stands in neither the database nor the log (KF-29, KF-39, KF-51, KF-98).
func TestAShownLinkProvesNothing(t *testing.T) {
	t.Parallel()
	m := harness.Mailbox(t)
	s := harness.Serve(t, newSeed().Account("Account", theSuper),
		"--base-url="+local, "--smtp="+m.Address, "--smtp-tls=none", "--mail-from=Example <invites@example.com>", "--log-level=debug")
	account := s.Client().As(theSuper)
	id := invite(t, account, "Account", "newcomer@example.org")
	old := strings.TrimPrefix(m.Await(t, 1)[0].Link(local, "/i/"), local)
	first := shownLink(t, account, "Account", id)
	link := shownLink(t, account, "Account", id)

	for _, dead := range []string{old, first} {
		b := browse(t, s)
		b.get(dead)
		if got := b.get("/invite"); got.status != http.StatusGone || got.heading() != "There is a newer link" {
			t.Errorf("a link before: %d %q", got.status, got.heading())
		}
		if got := b.post("/invite/mail", ""); got.status != http.StatusGone {
			t.Errorf("a mail by a link before: %d %q", got.status, got.heading())
		}
	}
	b := browse(t, s)
	b.get(link)
	got := b.get("/invite")
	if got.heading() != "Join Account" || strings.Contains(got.body, "newcomer") || !strings.Contains(got.body, "n•••@example.org") {
		t.Errorf("the page is\n%s", got.body)
	}
	for _, path := range []string{"/invite/accept", "/invite/decline"} {
		got := b.post(path, "")
		if got.status != http.StatusSeeOther || !strings.HasPrefix(got.header.Get("Location"), "/sign-in") {
			t.Errorf("%s: %d %v", path, got.status, got.header)
		}
	}
	if got := account.OK(t, http.MethodGet, members("Account")+"/"+id, nil).Row(t).Status; got != "pending" {
		t.Errorf("the invitation is %s", got)
	}
	if got := b.post("/invite/mail", ""); got.heading() != "Look into your mailbox" || strings.Contains(got.body, "newcomer") {
		t.Errorf("%d\n%s", got.status, got.body)
	}
	mails := m.Await(t, 2)
	proof := mails[1]
	if len(proof.To) != 1 || proof.To[0] != "newcomer@example.org" {
		t.Errorf("the mail goes to %v", proof.To)
	}
	mailed := strings.TrimPrefix(proof.Link(local, "/i/"), local)
	if mailed == link {
		t.Error("the mailed link is the one that was shown")
	}
	guest := browse(t, s)
	guest.get(mailed)
	guest.post("/invite/accept", "")
	if got := guest.get("/invite").heading(); got != "Welcome to Account" {
		t.Errorf("the invited sees %q", got)
	}
	token := link[strings.LastIndexByte(link, '/')+1:]
	for table, rows := range dump(t, s) {
		for _, row := range rows {
			if strings.Contains(row, token[30:]) {
				t.Errorf("the link stands in %s: %s", table, row)
			}
		}
	}
	s.Stop(t)
	if strings.Contains(s.Log(), token[30:]) {
		t.Error("the link stands in the log")
	}
}

// TestAShownLinkOfAUser: whose address has a user signs in, by a mail to the
// invited address, and answers as that user.
func TestAShownLinkOfAUser(t *testing.T) {
	t.Parallel()
	m := harness.Mailbox(t)
	seed := newSeed().Account("Account", theSuper)
	s := harness.Serve(t, seed.User("regular@example.org"),
		"--base-url="+local, "--smtp="+m.Address, "--smtp-tls=none", "--mail-from=Example <invites@example.com>")
	account := s.Client().As(theSuper)
	id := invite(t, account, "Account", "regular@example.org")
	m.Await(t, 1)
	b := browse(t, s)
	b.get(shownLink(t, account, "Account", id))
	if got := b.post("/invite/sign-in", ""); got.header.Get("Location") != "/sign-in?next=%2Finvite" {
		t.Errorf("signing in leads to %v", got.header)
	}
	b.post("/sign-in", "email=regular@example.org&next=/invite")
	b.get(strings.TrimPrefix(m.Await(t, 2)[1].Link(local, "/s/"), local))
	if got := b.post("/sign-in/link", ""); got.header.Get("Location") != "/invite" {
		t.Errorf("signed in: %d %v", got.status, got.header)
	}
	b.post("/invite/accept", "")
	if got := b.get("/invite").heading(); got != "Welcome to Account" {
		t.Errorf("the invited sees %q", got)
	}
}

// TestALinkWithoutMail: where nothing is mailed the link that is shown is the only
// one, and its page does not offer a mail.
func TestALinkWithoutMail(t *testing.T) {
	t.Parallel()
	s := harness.Serve(t, newSeed().Account("Account", theSuper), "--base-url="+local)
	account := s.Client().As(theSuper)
	id := invite(t, account, "Account", "newcomer@example.org")
	b := browse(t, s)
	b.get(shownLink(t, account, "Account", id))
	if got := b.get("/invite"); got.heading() != "Join Account" || strings.Contains(got.body, "/invite/mail") {
		t.Errorf("the page is\n%s", got.body)
	}
}
