package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"hither/test/harness"
)

// outboxRow is a message as `hither outbox list --json` shows it.
type outboxRow struct {
	ID        string
	State     string
	Recipient string
	Attempts  int
	Words     string
}

// outbox are the messages of a state, "" for those that wait.
func outbox(t *testing.T, s *harness.Server, state string) []outboxRow {
	t.Helper()
	args := []string{"outbox", "list", "--json"}
	if state != "" {
		args = append(args, "--state", state)
	}
	var rows []outboxRow
	if err := json.Unmarshal([]byte(s.Run(t, args...)), &rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// awaitState waits until the one message of a state is there.
func awaitState(t *testing.T, s *harness.Server, state string) outboxRow {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if rows := outbox(t, s, state); len(rows) > 0 && rows[0].Attempts > 0 {
			return rows[0]
		}
	}
	t.Fatalf("the outbox has nothing %s after a minute: %+v\n%s", state, outbox(t, s, ""), s.Log())
	return outboxRow{}
}

// TestMailServersInTrouble: whatever the mail server does, inviting is answered
// at once, the message ends as it should, and once the server is well again the
// operator has it sent, as the same message.
func TestMailServersInTrouble(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		trouble func(m *harness.MailServer)
		state   string
		words   string
	}{
		"down":                 {func(m *harness.MailServer) { m.Down() }, "deferred", "refused"},
		"busy":                 {answering(harness.Refuse(451, "try again later")), "deferred", "try again later"},
		"refusing":             {answering(harness.Refuse(550, "no such user")), "bounced", "no such user"},
		"hanging up":           {answering(harness.HangUp()), "deferred", ""},
		"talking without end":  {answering(harness.Refuse(550, strings.Repeat("x ", 100_000))), "deferred", ""},
		"repeating what it is": {repeating, "bounced", "is not kept"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := harness.Mailbox(t)
			s := harness.Serve(t, newSeed().Account("Account", theSuper), mailing(m)...)
			test.trouble(m)
			start := time.Now()
			invite(t, s.Client().As(theSuper), "Account", "guest@example.org")
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("inviting took %s, want it answered at once", took)
			}
			row := awaitState(t, s, test.state)
			if !strings.Contains(row.Words, test.words) || len(row.Words) > 300 {
				t.Errorf("KF-64: words: got %q, want %q in them and 300 characters at most", row.Words, test.words)
			}
			m.Answers(nil)
			if name == "down" {
				m.Up(t)
			}
			s.Run(t, "outbox", "retry", row.ID)
			got := m.Await(t, 1)[0]
			if id := got.Header.Get("Message-Id"); id != "<"+row.ID+"@example.com>" {
				t.Errorf("Message-ID: got %s, want that of the first attempt, of %s", id, row.ID)
			}
		})
	}
}

func answering(err error) func(m *harness.MailServer) {
	return func(m *harness.MailServer) { m.Answers(func(harness.Mail) error { return err }) }
}

// repeating refuses every message by its link.
func repeating(m *harness.MailServer) {
	m.Answers(func(got harness.Mail) error { return harness.Refuse(550, "this looks bad: "+got.Link(base, "/i/")) })
}

// TestASlowMailServerHoldsUpNobody: it takes a message only when the test says
// so, long after the request was answered.
func TestASlowMailServerHoldsUpNobody(t *testing.T) {
	t.Parallel()
	m := harness.Mailbox(t)
	let := make(chan struct{})
	m.Answers(func(harness.Mail) error { <-let; return nil })
	s := harness.Serve(t, newSeed().Account("Account", theSuper), mailing(m)...)
	for i := range 12 {
		invite(t, s.Client().As(theSuper), "Account", fmt.Sprintf("guest%d@example.org", i))
	}
	if got := len(m.Mails()); got != 0 {
		t.Errorf("mails before the server took any: got %d", got)
	}
	close(let)
	m.Await(t, 12)
}

// TestMailSurvivesAKill kills the server while the mail server has the message
// in hand. The invitation has its row, and what is sent again is the same
// message.
func TestMailSurvivesAKill(t *testing.T) {
	t.Parallel()
	m := harness.Mailbox(t)
	inHand, let := make(chan struct{}, 8), make(chan struct{})
	m.Answers(func(harness.Mail) error { inHand <- struct{}{}; <-let; return nil })
	s := harness.Serve(t, newSeed().Account("Account", theSuper), mailing(m)...)
	id := invite(t, s.Client().As(theSuper), "Account", "guest@example.org")
	<-inHand
	s.Kill(t)
	close(let) // the mail server took it, and nobody knows
	s.Start(t)
	rows := outbox(t, s, "")
	if len(rows) != 1 || rows[0].ID != id+"-invitation-1" || rows[0].Attempts != 1 {
		t.Fatalf("outbox after the kill: got %+v, want the one message, tried once", rows)
	}
	s.Run(t, "outbox", "retry", rows[0].ID)
	mails := m.Await(t, 2)
	if first, again := mails[0].Header.Get("Message-Id"), mails[1].Header.Get("Message-Id"); first != again {
		t.Errorf("Message-ID: got %s, then %s, want the same", first, again)
	}
}

// TestLinksOfMailsStandNowhereElse: KF-39, KF-44. The link is in the one mail
// and in nothing that the server keeps, logs, serves or prints.
func TestLinksOfMailsStandNowhereElse(t *testing.T) {
	t.Parallel()
	m := harness.Mailbox(t)
	s := newSite(t, newSeed().Account("Account", theSuper), mailing(m, "--log-level=debug", "--metrics-listen=127.0.0.1:0")...)
	id := invite(t, s.as(theSuper), "Account", "guest@example.org")
	got := m.Await(t, 1)[0]
	secrets := []string{
		strings.TrimPrefix(got.Link(base, "/i/"), base+"/i/"),
		strings.TrimSuffix(strings.TrimPrefix(got.Header.Get("List-Unsubscribe"), "<"+base+"/u/"), ">"),
	}
	awaitState(t, s.Server, "sent")
	answers := ""
	for _, path := range []string{
		members("Account"), members("Account") + "/" + id, "/organizations/" + harness.ID("Account") + "/invites",
		"/organizations/" + harness.ID("Account") + "/invites/" + id,
	} {
		answers += string(s.as(theSuper).OK(t, http.MethodGet, path, nil).Body)
	}
	metrics := get(t, s.metricsURL(t))
	if !strings.Contains(metrics, `hither_outbox_attempts_total{outcome="sent"} 1`) || !strings.Contains(metrics, "hither_outbox_waiting 0") {
		t.Errorf("metrics: got %s, want one message sent and none waiting", metrics)
	}
	if !strings.Contains(metrics, `hither_invitations_total{event="created"} 1`) {
		t.Errorf("metrics: got %s, want one invitation made", metrics)
	}
	places := map[string]string{
		"the log": s.Log(), "the metrics": metrics, "answers": answers, "the database": string(s.files(t)),
		"hither outbox": s.Run(t, "outbox", "list", "--state", "sent", "--json"),
	}
	for _, secret := range secrets {
		if len(secret) < 40 {
			t.Fatalf("the mail holds no token: %q", secret)
		}
		for place, text := range places {
			// A piece of it is too much as well.
			if strings.Contains(text, secret[24:40]) {
				t.Errorf("%s: holds the secret of a link", place)
			}
		}
	}
}

// TestLinksComeFromTheBaseURL: KF-54, KF-55, KF-56.
func TestLinksComeFromTheBaseURL(t *testing.T) {
	t.Parallel()
	m := harness.Mailbox(t)
	s := newSite(t, newSeed().Account("Account", theSuper), mailing(m)...)
	headers := []http.Header{
		{"X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Proto": {"http"}},
		{"Forwarded": {"host=evil.example;proto=http"}},
		{"Origin": {"https://evil.example"}},
		{"Referer": {"https://evil.example/"}},
		{"X-Original-Url": {"https://evil.example/"}},
	}
	for i, header := range headers {
		header.Set("Content-Type", "application/json")
		body := fmt.Sprintf(`{"email":"guest%d@example.org","roles":[%q]}`, i, viewer)
		raw(t, s.as(theSuper), http.MethodPost, "/client/v4"+members("Account"), header, strings.NewReader(body))
	}
	for _, got := range m.Await(t, len(headers)) {
		if strings.Contains(string(got.Raw), "evil.example") || got.Link(base, "/i/") == "" {
			t.Errorf("a mail: got %s, want links below %s alone", got.Text, base)
		}
	}
}

// TestBudgetsOfTheInvitingSide: KF-61. They refuse with 1212, tell clients not to
// repeat it by themselves, and outlive a restart.
func TestBudgetsOfTheInvitingSide(t *testing.T) {
	t.Parallel()
	m := harness.Mailbox(t)
	s := harness.Serve(t, newSeed().Account("Account", theSuper), mailing(m, "--budget-inviter=3")...)
	c := s.Client().As(theSuper)
	for i := range 3 {
		invite(t, c, "Account", fmt.Sprintf("guest%d@example.org", i))
	}
	refused := func() {
		t.Helper()
		answer := c.Refused(t, http.MethodPost, members("Account"), object{"email": "more@example.org", "roles": []string{viewer}}, http.StatusTooManyRequests, 1212)
		if answer.Header.Get("X-Should-Retry") != "false" || answer.Header.Get("Retry-After") == "" {
			t.Errorf("headers of 1212: got %v, want Retry-After and X-Should-Retry: false", answer.Header)
		}
	}
	refused()
	s.Restart(t)
	c = s.Client().As(theSuper)
	refused()
	if got := len(m.Await(t, 3)); got != 3 {
		t.Errorf("mails: got %d, want 3", got)
	}
}

// TestBudgetsOfARecipient: KF-61, KF-79. Who gets enough gets no more today,
// from whichever account and under whichever plus-address, and nobody is told.
func TestBudgetsOfARecipient(t *testing.T) {
	t.Parallel()
	m := harness.Mailbox(t)
	s := harness.Serve(t, newSeed().Account("One", "one@example.com").Account("Two", "two@example.com"), mailing(m, "--budget-recipient=2")...)
	for i := range 4 {
		account := []string{"One", "Two"}[i%2]
		invite(t, s.Client().As(strings.ToLower(account)+"@example.com"), account, fmt.Sprintf("guest+%d@example.org", i))
	}
	m.Await(t, 2)
	s.Restart(t)
	off := outbox(t, s, "deferred")
	for deadline := time.Now().Add(time.Minute); len(off) < 2 && time.Now().Before(deadline); {
		off = outbox(t, s, "deferred")
	}
	for _, row := range off {
		if row.Attempts != 0 || row.Words != "" {
			t.Errorf("put off: got %+v, want it not tried, without a word", row)
		}
	}
	if sent, waiting := len(m.Mails()), len(off); sent != 2 || waiting != 2 {
		t.Errorf("to one mailbox: got %d sent and %d put off, want 2 and 2", sent, waiting)
	}
}

// TestProcessesShareTheOutbox: two on one database send what waits, each message
// once. The mail server takes none before all are queued and both are at work.
func TestProcessesShareTheOutbox(t *testing.T) {
	t.Parallel()
	n := rounds(500, 60)
	m := harness.Mailbox(t)
	inHand, let := make(chan struct{}, n), make(chan struct{})
	m.Answers(func(harness.Mail) error { inHand <- struct{}{}; <-let; return nil })
	flags := mailing(m, "--budget-inviter=0")
	s := harness.Serve(t, newSeed().Account("Account", theSuper), flags...)
	other := harness.Open(t, s.Data, flags...)
	c := s.Client().As(theSuper)
	together(4, func(part int) {
		for i := part; i < n; i += 4 {
			answer := ask(t, c, http.MethodPost, members("Account"), object{"email": fmt.Sprintf("guest%d@example.org", i), "roles": []string{viewer}})
			if answer.HTTPStatus != http.StatusOK {
				t.Errorf("inviting: got %d %s, want 200", answer.HTTPStatus, answer.Body)
			}
		}
	})
	const hands = 4 // of a process
	for range 2 * hands {
		<-inHand
	}
	close(let)
	m.Await(t, n)
	s.Stop(t) // what is in hand is finished
	other.Stop(t)
	seen := map[string]bool{}
	for _, got := range m.Mails() {
		seen[got.Header.Get("Message-Id")] = true
	}
	if len(seen) != n || len(m.Mails()) != n {
		t.Errorf("mails: got %d of %d messages, want %d, each once", len(m.Mails()), len(seen), n)
	}
	for i, log := range []string{s.Log(), other.Log()} {
		if sent := strings.Count(log, `"state":"sent"`); sent == 0 {
			t.Errorf("process %d sent none, want both to", i)
		} else {
			t.Logf("process %d sent %d", i, sent)
		}
	}
}
