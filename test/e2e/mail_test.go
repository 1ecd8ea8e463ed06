package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"hither/test/harness"
)

// base is where people reach the instances of these tests. Nothing is there.
const base = "https://invite.example.com"

// mailing are the flags of a server that mails by m.
func mailing(m *harness.MailServer, flags ...string) []string {
	return append([]string{
		"--base-url=" + base, "--smtp=" + m.Address, "--smtp-tls=none", "--mail-from=Example <invites@example.com>",
	}, flags...)
}

// invite asks an address to join, and returns the row's id.
func invite(t *testing.T, c harness.Client, account, email string) string {
	t.Helper()
	return c.OK(t, http.MethodPost, members(account), object{"email": email, "roles": []string{viewer}}).Row(t).ID
}

// TestAnInvitationIsAMail: the whole way, from the request to what the mailbox
// of the invited gets.
func TestAnInvitationIsAMail(t *testing.T) {
	t.Parallel()
	m := harness.Mailbox(t)
	s := harness.Serve(t, newSeed().Account("Account", theSuper), mailing(m)...)
	id := invite(t, s.Client().As(theSuper), "Account", "guest+list@example.org")
	mails := m.Await(t, 1)
	got := mails[0]
	if len(mails) != 1 || len(got.To) != 1 || got.To[0] != "guest+list@example.org" || got.From != "invites@example.com" {
		t.Errorf("KF-60: envelopes: got %d, from %s to %v, want one to the invited alone", len(mails), got.From, got.To)
	}
	for header, want := range map[string]string{
		"To": "guest+list@example.org", "Cc": "", "Bcc": "", "From": `"Example" <invites@example.com>`, "Auto-Submitted": "auto-generated",
		"Message-Id": "<" + id + "-invitation-1@example.com>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
	} {
		if value := got.Header.Get(header); value != want {
			t.Errorf("%s: got %q, want %q", header, value, want)
		}
	}
	link := got.Link(base, "/i/")
	if link == "" || !strings.Contains(got.HTML, `href="`+link+`"`) {
		t.Errorf("link: got %q in the text, want one below %s/i/ in both parts:\n%s", link, base, got.Text)
	}
	if stop := got.Header.Get("List-Unsubscribe"); !strings.HasPrefix(stop, "<"+base+"/u/") {
		t.Errorf("List-Unsubscribe: got %q, want a link below %s/u/", stop, base)
	}
	if !strings.Contains(got.Text, "Account") || !strings.Contains(got.Text, "Viewer") {
		t.Errorf("text: got %s, want the account and the role", got.Text)
	}
}
