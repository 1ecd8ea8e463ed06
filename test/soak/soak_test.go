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
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hither/test/disk"
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

// TestSoak: members are invited, invited again, answer, are edited, withdrawn and
// removed, invitations run out, a mail server refuses some mails and hangs up
// on others, somebody follows the events, and the server is killed again and
// again. In the end every invitation has ended once, every change has its audit
// row, every notice was mailed, and whoever followed saw each event once.
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
		lapses(seed, fmt.Sprint("Lapsing ", i), began.Add(length/6), length)
	}
	mailbox := harness.Mailbox(t)
	post := newPost(mailbox)
	s := harness.Serve(t, seed,
		"--base-url=https://hither.example.com", "--smtp="+mailbox.Address, "--smtp-tls=none", "--mail-from=Example <invites@example.com>",
		"--budget-inviter=0", "--budget-account=0", "--budget-open=0", "--budget-recipient=0", "--budget-recipient-week=0", "--budget-domain=0",
		"--budget-instance=0", "--resend-pause=0s", "--max-resends=0")
	f := follow(t, s)

	began = time.Now()
	kills := 0
	for until := began.Add(length - length/calm); time.Now().Before(until) && !t.Failed(); kills++ {
		work(t, s, workers, between/2+rand.N(between), func() { s.Kill(t) })
		f.pause()
		s.Start(t)
		load.Check(t, s, workers)
		f.resume(s.Client())
	}
	work(t, s, workers, length/calm/8, nil)
	early := memory(t, s)
	work(t, s, workers, max(time.Second, time.Until(began.Add(length))), nil)
	late := memory(t, s)

	post.open()
	s.Stop(t)
	f.pause()
	everythingIsDue(t, s)
	s.Start(t)
	f.resume(s.Client())
	rests(t, s)
	f.finish(t)
	b := read(t, s, post)
	b.balance(t, kills)
	b.compare(t, f)
	t.Logf("%s on %s: %d requests acknowledged, %d to be sent again, %d kills; %d invitations, %d resent, %d ended by the clock; "+
		"%d audit rows of memberships, %d events followed; %d messages, %d mails, %d of them again; %d of %d refused for now; memory %d → %d MB",
		length, engine(t), load.Acknowledged(workers), load.Refused(workers), kills, b.invitations, b.resent, b.expired,
		len(b.state.Order), len(f.seen), len(b.messages), b.mails, b.again, post.refused.Load(), post.offered.Load(), early, late)
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
func lapses(seed *harness.Seed, account string, began time.Time, length time.Duration) {
	owner := "owner@" + harness.ID(account)[:8] + ".example.com"
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

// everythingIsDue ends leases and waits, as hours would, while nobody serves.
func everythingIsDue(t *testing.T, s *harness.Server) {
	t.Helper()
	db := disk.Open(t, s.Data, "rw")
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `UPDATE deliveries SET due_on = 1 WHERE ended_on = 0`); err != nil {
		t.Fatal(err)
	}
}

// rests waits until nothing is left to be sent and nothing to be ended.
func rests(t *testing.T, s *harness.Server) {
	t.Helper()
	db := disk.Open(t, s.Data, "ro")
	defer db.Close()
	var left []string
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); {
		tx := disk.Begin(t, db)
		left = disk.Texts(t, tx, `SELECT 'message ' || id FROM deliveries WHERE ended_on = 0`)
		left = append(left, disk.Texts(t, tx, fmt.Sprintf(
			`SELECT 'invitation ' || id FROM memberships WHERE status = 'pending' AND expires_on <= %d`, time.Now().UnixMicro()))...)
		_ = tx.Rollback()
		if len(left) == 0 {
			return
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-t.Context().Done():
		}
	}
	t.Errorf("after two minutes %d things are still to be done: %.2000q", len(left), left)
}

var residentSize = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// memory is the server's resident memory in MB, 0 where the system doesn't say.
func memory(t *testing.T, s *harness.Server) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Process(t).Pid))
	if err != nil {
		return 0
	}
	found := residentSize.FindSubmatch(text)
	if found == nil {
		return 0
	}
	kB, _ := strconv.Atoi(string(found[1]))
	return kB / 1024
}
