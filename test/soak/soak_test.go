// Package soak_test lets a server work for as long as HITHER_SOAK says (make
// soak), under everything at once that it is built to bear, and holds its books
// to account afterwards. Without that variable it works for some seconds, so that
// the test itself is known to run.
package soak_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hither/test/harness"
	"hither/test/load"
)

const (
	writers  = 12
	pace     = 150 * time.Millisecond // of each writer: 80 requests a second at the most
	lapsing  = 10                     // accounts of which nobody answers
	each     = 40                     // invitations of each of these
	calm     = 3                      // the last of so many parts of the time has no kill
	shortest = 12 * time.Second       // for which it works when nobody says how long
)

// TestSoak: members are invited, one by one and by lists, invited again, answer, are
// edited, withdrawn and removed, invitations run out, a mail server and receivers of
// webhooks refuse, hang up and are slow, somebody follows the events, somebody has
// some sent once more, and the server is killed again and again, often in the middle of
// a list. In the end every invitation has ended once, every change has its audit row,
// every notice was mailed, every row of a list has its outcome, every webhook was told
// of each event, and whoever followed saw each once.
func TestSoak(t *testing.T) {
	t.Parallel()
	length := length(t)
	between := min(20*time.Second, length/6)
	workers, seed := load.New(writers)
	for _, w := range workers {
		w.Resends = true
	}
	harness.Binary(t) // so that making it takes none of the time
	began := time.Now()
	for i := range lapsing {
		lapses(seed, i, began.Add(length/6), length)
	}
	populate(seed)
	mailbox := harness.Mailbox(t)
	post := newPost(mailbox)
	hooks := newHooks(t)
	s := harness.Serve(t, seed,
		"--base-url=https://hither.example.com", "--smtp="+mailbox.Address, "--smtp-tls=none", "--mail-from=Example <invites@example.com>",
		"--budget-inviter=0", "--budget-account=0", "--budget-open=0", "--budget-recipient=0", "--budget-recipient-week=0", "--budget-domain=0",
		"--budget-instance=0", "--resend-pause=0s", "--max-resends=0", "--webhook-allow=127.0.0.0/8")
	for _, h := range hooks {
		h.register(t, s.Client())
	}
	others := besides(t, hooks, length, between)
	others.resume(t, s)

	began = time.Now()
	kills := 0
	for until := began.Add(length - length/calm); time.Now().Before(until) && !t.Failed(); kills++ {
		work(t, s, workers, between/2+rand.N(between), func() {
			others.clerk.catch(t)
			s.Kill(t)
		})
		others.pause()
		isDue(t, s, hooksWait()...)
		s.Start(t)
		load.Check(t, s, workers)
		others.resume(t, s)
	}
	work(t, s, workers, length/calm/8, nil)
	early := memory(t, s)
	work(t, s, workers, max(time.Second, time.Until(began.Add(length))), nil)
	late := memory(t, s)

	post.open()
	others.finish(t, s)
	s.Stop(t)
	isDue(t, s, append(hooksWait(), `UPDATE deliveries SET due_on = 1 WHERE ended_on = 0`)...)
	s.Start(t)
	rests(t, s, hooks)
	others.follower.finish(t, s.Client())
	b := read(t, s, post)
	b.balance(t, kills)
	b.compare(t, others.follower)
	told, rows := others.balance(t, s, b.state, kills)
	t.Logf("%s on %s: %d requests acknowledged, %d to be sent again, %d kills; %d invitations, %d resent, %d ended by the clock; "+
		"%d audit rows of memberships, %d events followed; %d messages, %d mails, %d of them again; %d of %d refused for now; memory %d → %d MB; "+
		"webhooks: %s; lists: %s",
		length, engine(t), load.Acknowledged(workers), load.Refused(workers), kills, b.invitations, b.resent, b.expired,
		len(b.state.Order), len(others.follower.seen), len(b.messages), b.mails, b.again, post.refused.Load(), post.offered.Load(), early, late,
		told, rows)
	if late > 2*early+20 {
		t.Errorf("resident memory while nothing grows but the database: got %d MB, %d at first", late, early)
	}
}

func length(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("HITHER_SOAK")
	if text == "" {
		return shortest
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < shortest {
		t.Fatalf("HITHER_SOAK: got %q, want a time of %s or more, such as 15m", text, shortest)
	}
	return d
}

func engine(t *testing.T) string {
	t.Helper()
	if harness.OnPostgres(t) {
		return "PostgreSQL"
	}
	return "SQLite"
}

// lapses gives the seed an account whose invitations run out one by one while
// the server works.
func lapses(seed *harness.Seed, n int, began time.Time, length time.Duration) {
	account, owner := lapsed(n), lapsedOwner(n)
	seed.Account(account, owner)
	for i := range each {
		email := fmt.Sprintf("%d@%s.example.org", i, harness.ID(account)[:8])
		ends := began.Add(length * time.Duration(i) / each).UTC()
		seed.Memberships = append(seed.Memberships, harness.SeedMembership{
			ID: harness.ID(account + email), Account: harness.ID(account), Email: email, Status: "pending",
			Roles: []string{harness.ReadOnly}, InvitedBy: owner, Grantor: owner,
			InvitedOn: ends.Add(-time.Hour).Format(time.RFC3339), ExpiresOn: ends.Format(time.RFC3339),
		})
	}
}

// work has every worker send a request from time to time, for as long as it
// says, then ends as end does while requests are under way.
func work(t *testing.T, s *harness.Server, workers []*load.Worker, length time.Duration, end func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	c := s.Client()
	var running sync.WaitGroup
	for _, w := range workers {
		running.Go(func() {
			for {
				status := w.Step(t, c)
				if status == 0 || ctx.Err() != nil && end == nil {
					return
				}
				if status == http.StatusOK || status == http.StatusServiceUnavailable {
					select {
					case <-time.After(rand.N(2 * pace)):
					case <-ctx.Done():
					}
					continue
				}
				return // Step has said what is wrong
			}
		})
	}
	if end != nil {
		<-ctx.Done()
		end()
	}
	running.Wait()
}

// post is the mail server's mood.
type post struct {
	*harness.MailServer

	refused, offered atomic.Int64
}

// newPost refuses a tenth of the mails for now, and hangs up on another.
func newPost(m *harness.MailServer) *post {
	p := &post{MailServer: m}
	m.Answers(func(harness.Mail) error {
		p.offered.Add(1)
		switch rand.IntN(10) {
		case 0:
			p.refused.Add(1)
			return harness.Refuse(451, "4.7.1 busy, come back")
		case 1:
			p.refused.Add(1)
			return harness.HangUp()
		}
		return nil
	})
	return p
}

// open takes everything from now on.
func (p *post) open() { p.Answers(nil) }
