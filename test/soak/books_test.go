package soak_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"hither/test/disk"
	"hither/test/harness"
	"hither/test/load"
)

// hands is how many messages are under way at once.
const hands = 4

var errBusy = errors.New("come back later")

// books is what a server that rests has in its database, and what the mail
// server got from it.
type books struct {
	state    disk.State
	messages map[string]message  // by id
	letters  map[string]int      // how often each message was taken, by id
	byRow    map[string][]string // ids of the invitation's messages, by membership
	rows     []string            // ids of the audit rows of the busy account, in order

	invitations, resent, expired, mails, again int
}

type message struct {
	kind, state string
}

func read(t *testing.T, s *harness.Server, p *post) *books {
	t.Helper()
	b := &books{state: disk.Read(t, s.Data), messages: map[string]message{}, letters: map[string]int{}, byRow: map[string][]string{}}
	db := disk.Open(t, s.Data, "ro")
	defer db.Close()
	tx := disk.Begin(t, db)
	defer func() { _ = tx.Rollback() }()
	for _, line := range disk.Texts(t, tx, `SELECT id || ' ' || kind || ' ' || state || ' ' || membership_id FROM deliveries`) {
		part := strings.Split(line, " ")
		b.messages[part[0]] = message{part[1], part[2]}
		if part[1] == "invitation" {
			b.byRow[part[3]] = append(b.byRow[part[3]], part[0])
		}
	}
	b.rows = disk.Texts(t, tx, `SELECT operation_id FROM audit WHERE account_id = '`+harness.ID(load.Account)+`' ORDER BY seq`)
	for _, m := range p.Mails() {
		id, _, _ := strings.Cut(strings.Trim(m.Header.Get("Message-Id"), "<>"), "@")
		b.letters[id]++
		b.mails++
	}
	return b
}

// balance holds what happened to what had to happen.
func (b *books) balance(t *testing.T, kills int) {
	t.Helper()
	answers := []string{"invite.accept", "invite.reject", "invite.cancel", "invite.expire"}
	ends := []string{"member.remove", "member.leave"}
	for id, row := range b.state.Rows {
		var created, resent, answered, ended int
		for _, e := range b.state.Events[id] {
			switch {
			case e.Action == "invite.create" || e.Action == "import" && e.After.Status == "pending":
				created++
			case e.Action == "invite.resend":
				resent++
			case slices.Contains(answers, e.Action):
				answered++
			case slices.Contains(ends, e.Action):
				ended++
			}
		}
		if created == 0 { // a member from the start
			continue
		}
		b.invitations++
		b.resent += resent
		if row.Status == "expired" {
			b.expired++
		}
		wantAnswered, wantEnded := 1, 0
		switch row.Status {
		case "pending":
			wantAnswered = 0
		case "removed", "left":
			wantEnded = 1
		}
		if created != 1 || answered != wantAnswered || ended != wantEnded {
			t.Errorf("invitation %+v: %d times made, answered %d times, membership ended %d times, want 1, %d, %d: %s",
				row, created, answered, ended, wantAnswered, wantEnded, b.state.Actions(id))
		}
		// One message when it is made and one each time it is sent again; an import sends none.
		want := 1 + resent
		if strings.HasPrefix(b.state.Actions(id), "import") {
			want = 0
		}
		if got := len(b.byRow[id]); got != want {
			t.Errorf("invitation %+v: messages %q, want %d: %s", row, b.byRow[id], want, b.state.Actions(id))
		}
	}
	if b.expired == 0 || b.resent == 0 || b.invitations == 0 {
		t.Errorf("%d invitations, %d resent, %d expired: want some of each", b.invitations, b.resent, b.expired)
	}
	b.balanceMail(t, kills)
}

// balanceMail: what is kept as sent was taken, at least once, and nothing was
// taken that is not kept. That needs a crash between the mail server's taking a
// message and our keeping so: then there is a second copy, or, where it would tell
// nothing any more, the message is dropped as if it had never left.
func (b *books) balanceMail(t *testing.T, kills int) {
	t.Helper()
	lost := 0
	for id, m := range b.messages {
		if copies := b.letters[id]; m.state == "sent" && copies == 0 {
			t.Errorf("%s message %s: kept as sent, and no mail of it came", m.kind, id)
		}
		if m.state != "sent" && m.state != "dropped" {
			t.Errorf("%s message %s: got %s after all was taken, want sent, or dropped as nothing to tell any more", m.kind, id, m.state)
		}
	}
	for id, copies := range b.letters {
		b.again += copies - 1
		switch m := b.messages[id]; m.state {
		case "sent":
		case "dropped":
			lost++
		default:
			t.Errorf("a mail came of %q, which is kept as %+v; want it kept as sent", id, m)
		}
	}
	if b.again+lost > kills*hands {
		t.Errorf("second copies of mails: got %d, and %d that nobody knows to be sent, want at most %d a kill, %d", b.again, lost, hands, kills*hands)
	}
}

// compare holds what a follower saw to the log: each row once, in its order.
func (b *books) compare(t *testing.T, f *follower) {
	t.Helper()
	for id, n := range f.seen {
		if n != 1 {
			t.Errorf("event %s: seen %d times, want once", id, n)
		}
	}
	missed := 0
	for _, id := range b.rows {
		if f.seen[id] == 0 {
			missed++
		}
	}
	if missed > 0 || len(f.seen) != len(b.rows) {
		t.Errorf("events: missed %d of %d, saw %d", missed, len(b.rows), len(f.seen))
	}
}
