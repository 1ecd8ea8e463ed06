package e2e_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hither/test/disk"
	"hither/test/harness"
)

// lease is for how long nobody but who claimed a message sends it.
const lease = 8 * time.Minute

// The points at which the outbox is killed, beside the mail server's own.
const (
	beforeClaim harness.Step = "before the claim is kept"
	beforeEnd   harness.Step = "taken, before that is kept"
	afterEnd    harness.Step = "kept"
)

// TestMailSurvivesAKillAnywhere kills the process at every point of a delivery.
// Afterwards the invitation has its row and its message, which is sent at least
// once, by the same Message-ID each time, and no later than its lease allows; what
// was kept as sent is not sent again.
func TestMailSurvivesAKillAnywhere(t *testing.T) {
	t.Parallel()
	for point, mails := range map[harness.Step]int{
		beforeClaim: 1, harness.Connected: 1, harness.Named: 1, harness.Addressed: 1, harness.Begun: 1, harness.Halfway: 1,
		harness.Received: 2, // the mail server took it, and nobody heard so
		beforeEnd:        2, afterEnd: 1,
	} {
		t.Run(string(point), func(t *testing.T) {
			t.Parallel()
			killAtPoint(t, point, mails)
		})
	}
}

func killAtPoint(t *testing.T, point harness.Step, mails int) {
	t.Helper()
	m := harness.Mailbox(t)
	s := newSite(t, newSeed().Account("Account", theSuper), mailing(m)...)
	reached, let := make(chan struct{}), make(chan struct{})
	var once sync.Once
	m.Watch(func(step harness.Step) {
		if step == point {
			once.Do(func() { close(reached) })
			<-let
		}
	})
	release := func() {}
	switch point {
	case beforeClaim:
		release = refuseDeliveries(t, s.Server, "NEW.attempts > OLD.attempts")
	case beforeEnd:
		release = refuseDeliveries(t, s.Server, "NEW.ended_on > 0")
	}
	id := invite(t, s.as(theSuper), "Account", "guest@example.org")
	switch point {
	case beforeClaim:
		awaitLog(t, s.Server, "no message could be claimed")
	case beforeEnd:
		m.Await(t, 1)
		awaitLog(t, s.Server, "what became of a message could not be kept")
	case afterEnd:
		awaitState(t, s.Server, "sent")
	default:
		select {
		case <-reached:
		case <-time.After(time.Minute):
			t.Fatalf("the mail server never came to %q\n%s", point, s.Log())
		}
	}
	s.Kill(t)
	killed := time.Now()
	close(let)
	if point == harness.Received {
		m.Await(t, 1)
	}
	release()

	if row := disk.Read(t, s.Data).Rows[id]; row.Status != "pending" {
		t.Fatalf("the invitation after the kill: got %+v, want it pending", row)
	}
	rows := s.content(t).where("deliveries", "membership_id", id)
	if len(rows) != 1 || rows[0]["id"] != id+"-invitation-1" {
		t.Fatalf("its messages: got %v, want the one", rows)
	}
	if ended := rows[0]["ended_on"] != "0"; ended != (point == afterEnd) {
		t.Errorf("the message after the kill: got %v, want it ended: %v", rows[0], point == afterEnd)
	}
	due, err := strconv.ParseInt(rows[0]["due_on"], 10, 64)
	if late := time.UnixMicro(due).Sub(killed); err != nil || late > lease {
		t.Errorf("the message is due %s after the kill, want it within %s: %v", late, lease, err)
	}
	leaseIsOver(t, s.Server)
	s.Start(t)
	s.client = s.Client()
	m.Await(t, mails)
	// Whatever is sent now is sent after all that was due before.
	invite(t, s.as(theSuper), "Account", "later@example.org")
	later := false
	for deadline := time.Now().Add(time.Minute); !later && time.Now().Before(deadline); {
		for _, got := range m.Await(t, mails+1) {
			later = later || got.To[0] == "later@example.org"
		}
	}
	outboxRests(t, s.Server)
	sent := 0
	for _, got := range m.Mails() {
		if got.To[0] != "guest@example.org" {
			continue
		}
		sent++
		if name := got.Header.Get("Message-Id"); name != fmt.Sprintf("<%s-invitation-1@example.com>", id) {
			t.Errorf("Message-ID of mail %d: got %s, want the first one's", sent, name)
		}
	}
	// Once the server asked for the data, all of it may be on the way to it.
	most := mails
	if point == harness.Begun || point == harness.Halfway {
		most = 2
	}
	if sent < mails || sent > most {
		t.Errorf("mails to the invited: got %d, want %d to %d", sent, mails, most)
	}
	if row := s.content(t).where("deliveries", "membership_id", id); len(row) != 1 || row[0]["state"] != "sent" {
		t.Errorf("the message in the end: got %v, want it sent", row)
	}
}

// refuseDeliveries has the database refuse updates of messages that are as when
// says, until release is called.
func refuseDeliveries(t *testing.T, s *harness.Server, when string) (release func()) {
	t.Helper()
	create := []string{`CREATE TRIGGER refuse BEFORE UPDATE ON deliveries WHEN ` + when + ` BEGIN SELECT RAISE(ABORT, 'refused by the test'); END`}
	drop := []string{`DROP TRIGGER refuse`}
	if harness.OnPostgres(t) {
		create = []string{
			`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused by the test'; END $$`,
			`CREATE TRIGGER refuse BEFORE UPDATE ON deliveries FOR EACH ROW WHEN (` + when + `) EXECUTE FUNCTION refuse()`,
		}
		drop = []string{`DROP TRIGGER refuse ON deliveries`, `DROP FUNCTION refuse`}
	}
	execute(t, s, create...)
	return func() { t.Helper(); execute(t, s, drop...) }
}

// leaseIsOver puts the clock forward for whatever is claimed.
func leaseIsOver(t *testing.T, s *harness.Server) {
	t.Helper()
	execute(t, s, fmt.Sprintf(`UPDATE deliveries SET due_on = due_on - %d WHERE ended_on = 0 AND attempts > 0`, lease.Microseconds()))
}

// execute writes to the database beside the server.
func execute(t *testing.T, s *harness.Server, statements ...string) {
	t.Helper()
	db := disk.Open(t, s.Data, "rw")
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// awaitLog waits until the server's log has some words.
func awaitLog(t *testing.T, s *harness.Server, words string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if strings.Contains(s.Log(), words) {
			return
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-t.Context().Done():
		}
	}
	t.Fatalf("the log has no %q after a minute\n%s", words, s.Log())
}
