package e2e_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
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

// TestHowFarInvitationsCome: the account counts what it invited, by what became of
// it, and nobody else does.
func TestHowFarInvitationsCome(t *testing.T) {
	t.Parallel()
	m := harness.Mailbox(t)
	seed := newSeed().Account("Account", theSuper).Account("Other", "other@example.org")
	person(seed, harness.SeedUser{Email: "guest@example.org"})
	s := harness.Serve(t, seed, mailing(m)...)
	owner, guest := s.Client().As(theSuper), s.Client().As("guest@example.org")
	id := invite(t, owner, "Account", "guest@example.org")
	awaitMail(t, owner, "Account", id, "sent")
	gone := invite(t, owner, "Account", "other@example.com")
	awaitMail(t, owner, "Account", gone, "sent")
	owner.OK(t, http.MethodDelete, "/organizations/"+harness.ID("Account")+"/invites/"+gone, nil)
	guest.OK(t, http.MethodPatch, "/user/invites/"+id, object{"status": "accepted"})
	path := "/organizations/" + harness.ID("Account") + "/invites/stats"
	var got struct {
		Created, Delivered, Accepted, Withdrawn, Pending int
		Median                                           *int64 `json:"median_answer_seconds"`
		Groups                                           []struct {
			Name    string
			Created int
			Refused []struct {
				Reason string
				Count  int
			}
		}
	}
	if err := json.Unmarshal(owner.OK(t, http.MethodGet, path+"?by=inviter&since=2000-01-01&until=2001-01-01", nil).Result, &got); err != nil || got.Created != 0 {
		t.Errorf("of another time: got %+v, %v, want none", got, err)
	}
	if err := json.Unmarshal(owner.OK(t, http.MethodGet, path+"?by=inviter", nil).Result, &got); err != nil {
		t.Fatal(err)
	}
	if got.Created != 2 || got.Delivered != 2 || got.Accepted != 1 || got.Withdrawn != 1 || got.Pending != 0 || got.Median == nil ||
		len(got.Groups) != 1 || got.Groups[0].Name != theSuper || got.Groups[0].Created != 2 {
		t.Errorf("of the account: got %+v, want two that arrived, one accepted and one withdrawn, by one", got)
	}
	owner.OK(t, http.MethodPut, "/accounts/"+harness.ID("Account"), object{
		"name": "Account", "settings": object{"invite_domains": []string{"example.org"}},
	})
	for _, address := range []string{"a@evil.example", "b@evil.example"} {
		owner.Refused(t, http.MethodPost, "/accounts/"+harness.ID("Account")+"/members", object{"email": address, "roles": []string{viewer}},
			http.StatusBadRequest, 1211)
	}
	if err := json.Unmarshal(owner.OK(t, http.MethodGet, path+"?by=domain", nil).Result, &got); err != nil {
		t.Fatal(err)
	}
	last := got.Groups[len(got.Groups)-1]
	if last.Name != "evil.example" || last.Created != 0 || len(last.Refused) != 1 || last.Refused[0].Reason != "domain_refused" || last.Refused[0].Count != 2 {
		t.Errorf("by domain: got %+v, want last what was refused twice", got.Groups)
	}
	for _, query := range []string{"?by=mood", "?since=soon", "?since=2026-01-02&until=2026-01-01", "?since=2020-01-01&until=2026-01-01"} {
		owner.Exempt("malformed on purpose").Refused(t, http.MethodGet, path+query, nil, http.StatusBadRequest, 1001)
	}
	s.Client().As("other@example.org").Refused(t, http.MethodGet, path, nil, http.StatusNotFound, 7003)
}

// TestAPageTellsThatItWasOpened: by what it posts itself, with the link that it was
// reached by, once; whoever only asks for it, as scanners of mail do, counts for
// nothing.
func TestAPageTellsThatItWasOpened(t *testing.T) {
	t.Parallel()
	s := newDemo(t, nil)
	owner := s.Client().As(theSuper)
	invite(t, owner, "Account", "guest@example.org")
	link := linkIn(t, s, mailed(t, s, "guest@example.org", 1), "/i/")
	opened := func() int {
		var got struct{ Opened int }
		if err := json.Unmarshal(owner.OK(t, http.MethodGet, "/organizations/"+harness.ID("Account")+"/invites/stats", nil).Result, &got); err != nil {
			t.Fatal(err)
		}
		return got.Opened
	}
	b := browse(t, s)
	if got := b.post("/invite/opened", ""); got.status != http.StatusNotFound {
		t.Errorf("without the link: got %d, want 404", got.status)
	}
	b.get(strings.TrimPrefix(link, s.URL))
	page := b.get("/invite")
	if !strings.Contains(page.body, `data-opened="/invite/opened"`) || opened() != 0 {
		t.Errorf("a page that was asked for: %d counted, want none: %s", opened(), page.body)
	}
	for range 2 {
		if got := b.post("/invite/opened", ""); got.status != http.StatusNoContent {
			t.Errorf("the page's own post: got %d, want 204", got.status)
		}
	}
	if got := opened(); got != 1 {
		t.Errorf("opened: got %d, want 1", got)
	}
}

const reportToken = "report-report-report-report-report"

// reported makes a request as who carries the mail, and returns what each report
// came to.
func reported(t *testing.T, s *harness.Server, reports ...object) string {
	t.Helper()
	answer := s.Client().Bearer(reportToken).OK(t, http.MethodPost, "/mail/reports", object{"reports": reports})
	var result struct{ Reports []struct{ Outcome string } }
	if err := json.Unmarshal(answer.Result, &result); err != nil {
		t.Fatal(err)
	}
	outcomes := make([]string, len(result.Reports))
	for i, report := range result.Reports {
		outcomes[i] = report.Outcome
	}
	return strings.Join(outcomes, " ")
}

// withReports are the flags of a server that takes reports about mail.
func withReports(t *testing.T, m *harness.MailServer, flags ...string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(reportToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return mailing(m, append(flags, "--mail-report-token-file="+file)...)
}

// TestWhatComesBackIsReported: a mail is taken by the mail server, under a Message-ID
// by which it is reported later: put off, come back, called spam. The account sees it,
// and is told by an event.
func TestWhatComesBackIsReported(t *testing.T) {
	t.Parallel()
	m := harness.Mailbox(t)
	seed := newSeed().Account("Account", theSuper).Account("Other", "other@example.org")
	s := harness.Serve(t, seed, withReports(t, m, "--resend-pause=0s")...)
	owner, other := s.Client().As(theSuper), s.Client().As("other@example.org")
	id := invite(t, owner, "Account", "guest@example.org")
	link := m.Await(t, 1)[0].Link(base, "/i/")
	theirs := invite(t, other, "Other", "guest@example.org")
	mails := m.Await(t, 2)
	awaitMail(t, owner, "Account", id, "sent")
	awaitMail(t, other, "Other", theirs, "sent")
	messageID, theirID := mails[0].Header.Get("Message-Id"), mails[1].Header.Get("Message-Id")
	if !strings.Contains(messageID, id) {
		messageID = theirID
		link = mails[1].Link(base, "/i/")
	}

	soft := object{"kind": "soft_bounce", "message_id": messageID, "code": 452, "words": "mailbox full", "id": "1"}
	hard := object{"kind": "bounce", "message_id": messageID, "recipient": "Guest@Example.org", "code": 550, "words": "bad link " + link}
	unknown := object{"kind": "bounce", "message_id": "<none@example.com>"}
	wrong := object{"kind": "bounce", "message_id": messageID, "recipient": "somebody@example.org"}
	if got := reported(t, s, soft, unknown, wrong, soft); got != "applied unknown mismatch known" {
		t.Errorf("outcomes: got %s", got)
	}
	if got := awaitMail(t, owner, "Account", id, "sent")[0].History; len(got) != 2 || got[1].Source != "report" || got[1].State != "deferred" ||
		got[1].Words != "mailbox full" {
		t.Errorf("history once it was put off: got %+v", got)
	}
	if got := reported(t, s, hard); got != "applied" {
		t.Errorf("a bounce: got %s", got)
	}
	back := awaitMail(t, owner, "Account", id, "bounced")[0]
	if len(back.History) != 3 || back.History[2].Code != 550 || !strings.HasPrefix(back.Words, "bad link ") || strings.Contains(back.Words, link[len(link)-25:]) {
		t.Errorf("a mail that came back: got %+v, want it so, with words and without its link", back)
	}
	if got := reported(t, s, hard, soft); strings.ReplaceAll(got, "known", "k") != "k k" {
		t.Errorf("the same once more: got %s", got)
	}
	if again := awaitMail(t, owner, "Account", id, "bounced")[0]; len(again.History) != 3 {
		t.Errorf("after a replay: got %+v, want nothing more", again)
	}
	if got := awaitMail(t, other, "Other", theirs, "sent"); len(got[0].History) != 1 {
		t.Errorf("another account's mail to the same mailbox: got %+v, want it as it was", got)
	}
	events := func(as harness.Client, account string) string {
		return string(as.OK(t, http.MethodGet, "/accounts/"+harness.ID(account)+"/events", nil).Result)
	}
	if got := events(owner, "Account"); strings.Count(got, `"delivery.bounce"`) != 1 {
		t.Errorf("events: got %s, want one of what came back", got)
	}
	if got := events(other, "Other"); strings.Contains(got, `"delivery.`) {
		t.Errorf("events of another account: got %s, want none of it", got)
	}

	// A complaint, of who carries the mail under ids of its own: by the mailbox, the last
	// one to it.
	if got := reported(t, s, object{"kind": "complaint", "recipient": "guest@example.org"}); got != "applied" {
		t.Errorf("a complaint: got %s", got)
	}
	awaitMail(t, other, "Other", theirs, "complained")
	awaitMail(t, owner, "Account", id, "bounced")
	resend := func(as harness.Client, account, id string) {
		as.OK(t, http.MethodPost, "/organizations/"+harness.ID(account)+"/invites/"+id+"/resend", nil)
	}
	resend(other, "Other", theirs)
	awaitMail(t, other, "Other", theirs, "suppressed")
	resend(owner, "Account", id)
	awaitMail(t, owner, "Account", id, "sent")
}

// TestOnlyWhoCarriesTheMailReportsIt: a report is nothing for anybody else, and no
// more than it is for who may.
func TestOnlyWhoCarriesTheMailReportsIt(t *testing.T) {
	t.Parallel()
	m := harness.Mailbox(t)
	s := harness.Serve(t, newSeed().Account("Account", theSuper), withReports(t, m)...)
	owner, carrier := s.Client().As(theSuper), s.Client().Bearer(reportToken)
	id := invite(t, owner, "Account", "guest@example.org")
	messageID := m.Await(t, 1)[0].Header.Get("Message-Id")
	awaitMail(t, owner, "Account", id, "sent")
	report := object{"reports": []object{{"kind": "bounce", "message_id": messageID}}}
	const path = "/mail/reports"
	s.Client().Refused(t, http.MethodPost, path, report, http.StatusBadRequest, 9106)
	owner.Refused(t, http.MethodPost, path, report, http.StatusUnauthorized, 1000)
	s.Client().Bearer(reportToken[1:]+"x").Refused(t, http.MethodPost, path, report, http.StatusUnauthorized, 1000)
	for _, read := range []string{"/user", "/accounts", deliveriesPath("Account", id)} {
		carrier.Refused(t, http.MethodGet, read, nil, http.StatusUnauthorized, 1000)
	}

	many := make([]object, 201)
	for i := range many {
		many[i] = object{"kind": "bounce", "message_id": messageID}
	}
	for name, body := range map[string]any{
		"too many":         object{"reports": many},
		"no kind":          object{"reports": []object{{"message_id": messageID}}},
		"an unknown kind":  object{"reports": []object{{"kind": "rumour", "message_id": messageID}}},
		"of nothing":       object{"reports": []object{{"kind": "bounce"}}},
		"no address":       object{"reports": []object{{"kind": "bounce", "recipient": "nobody"}}},
		"words by the ton": object{"reports": []object{{"kind": "bounce", "message_id": messageID, "words": strings.Repeat("x", 5000)}}},
		"no list":          object{},
	} {
		t.Log(name)
		carrier.Exempt("malformed on purpose").Refused(t, http.MethodPost, path, body, http.StatusBadRequest, 1001)
	}
	giant := object{"reports": []object{{"kind": "bounce", "message_id": messageID, "words": strings.Repeat("x", 2<<20)}}}
	carrier.Exempt("larger than it may be").Refused(t, http.MethodPost, path, giant, http.StatusRequestEntityTooLarge, 1002)
	if got := awaitMail(t, owner, "Account", id, "sent"); len(got[0].History) != 1 {
		t.Errorf("after what was refused: got %+v, want nothing noted", got)
	}
}
