package e2e_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"hither/test/harness"
)

// TestALifeIsMails: an invitation is sent again, by another link, and accepted;
// another one runs out of time. The inviter hears of both ends (KF-98, KF-60).
func TestALifeIsMails(t *testing.T) {
	t.Parallel()
	m := harness.Mailbox(t)
	seed := newSeed().Account("Account", theSuper)
	person(seed, harness.SeedUser{Email: "guest@example.org"})
	invited(seed, "Account", "late@example.org", theSuper, viewer)
	ends := time.Now().Add(2 * time.Second).UTC()
	late := &seed.Memberships[len(seed.Memberships)-1]
	late.InvitedOn, late.ExpiresOn = ends.Add(-time.Hour).Format(time.RFC3339), ends.Format(time.RFC3339)
	s := harness.Serve(t, seed, mailing(m, "--resend-pause=0s")...)
	owner, guest := s.Client().As(theSuper), s.Client().As("guest@example.org")

	hurry(t, s, "-expired-")
	m.Await(t, 1) // of the one whose time runs out
	id := invite(t, owner, "Account", "guest@example.org")
	m.Await(t, 2)
	owner.OK(t, http.MethodPost, "/organizations/"+harness.ID("Account")+"/invites/"+id+"/resend", nil)
	m.Await(t, 3) // what is not sent before the answer is not sent after it
	guest.OK(t, http.MethodPatch, "/user/invites/"+id, object{"status": "accepted"})
	mails := m.Await(t, 4)

	var links, told []string
	for _, mail := range mails {
		if len(mail.To) != 1 {
			t.Errorf("KF-60: a mail goes to %v", mail.To)
		}
		if link := mail.Link(base, "/i/"); link != "" && mail.To[0] == "guest@example.org" && !slices.Contains(links, link) {
			links = append(links, link)
		}
		told = append(told, mail.Header.Get("Message-Id"))
	}
	if len(links) != 2 {
		t.Errorf("KF-98: links to the invited: got %q, want two that differ", links)
	}
	for _, want := range []string{id + "-invitation-1@", id + "-invitation-2@", id + "-accepted@", "-expired-"} {
		if !slices.ContainsFunc(told, func(id string) bool { return strings.Contains(id, want) }) {
			t.Errorf("mails: got %q, want one of %s", told, want)
		}
	}
}

// hurry waits for a message that waits for others like it, and has it sent.
func hurry(t *testing.T, s *harness.Server, part string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		for _, row := range outbox(t, s, "") {
			if strings.Contains(row.ID, part) {
				s.Run(t, "outbox", "retry", row.ID)
				return
			}
		}
	}
	t.Fatalf("the outbox has no message …%s… after a minute: %+v", part, outbox(t, s, ""))
}
