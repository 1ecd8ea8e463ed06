package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hither/internal/clock"
	"hither/internal/iam"
	"hither/test/postgres"
)

// TestLostCommitsAreFoundOut cuts the connection at a COMMIT, in each of the
// ways that look alike to who sent it. Nothing is lost and nothing done twice,
// and nobody hears of it.
func TestLostCommitsAreFoundOut(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cut    cut
		reruns int64
	}{
		"the server never saw it":  {cutBefore, 1},
		"its answer was lost":      {cutAnswer, 0},
		"it comes when we look up": {cutThenSend, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := postgres.Database(t)
			beside := &world{T: t, store: openPostgres(t, database, Options{})}
			var armed atomic.Bool
			onCommit := func() cut {
				if armed.Swap(false) {
					return test.cut
				}
				return pass
			}
			// The look-up must be under way before the COMMIT arrives: what it then
			// answers cannot be a guess.
			lookedUp := func() {
				eventually(t, "the look-up", func() bool { return beside.number(waiters) > 0 })
			}
			w := newWorldAt(t, through(t, database, onCommit, lookedUp))
			a := w.account(0)
			before := w.store.Stats()
			runs, m := 0, w.pending(a, "a@example.com")
			entry := w.entry(iam.InviteCreate, a.ID, m.ID)
			armed.Store(true)
			w.must(func(tx iam.Tx) error {
				runs++
				return tx.InsertMembership(m, iam.Link{}, entry)
			})
			after := w.store.Stats()
			if armed.Load() {
				t.Error("no COMMIT was seen")
			}
			if got := after.Reruns - before.Reruns; got != test.reruns || int64(runs) != 1+test.reruns {
				t.Errorf("got %d reruns and %d runs, want %d reruns", got, runs, test.reruns)
			}
			if got := after.Commits - before.Commits; got != 1 {
				t.Errorf("commits: got %d, want 1", got)
			}
			w.wantOnce(entry.OperationID, m.ID)
			if got := w.number(`SELECT n FROM counts`); got != 1 {
				t.Errorf("counted rows: got %d, want 1", got)
			}
		})
	}

	// Where the database stays away, nobody is told that nothing happened.
	t.Run("it cannot be found out", func(t *testing.T) {
		t.Parallel()
		database := postgres.Database(t)
		beside := openPostgres(t, database, Options{})
		var armed atomic.Bool
		w := newWorldAt(t, through(t, database, func() cut {
			if armed.Load() {
				return cutAnswer
			}
			return pass
		}, nil))
		entry := w.entry(iam.Import, "", "")
		w.transactor().patience = 0
		hold := make(chan struct{})
		var wg sync.WaitGroup
		armed.Store(true)
		// Whoever asks has to wait for a table that another one has for itself.
		err := w.store.Update(t.Context(), func(tx iam.Tx) error {
			if err := tx.Record(entry); err != nil {
				return err
			}
			queued := make(chan struct{})
			wg.Go(func() {
				session, err := beside.writer.(*transactor).sessions.ready(context.Background())
				if err != nil {
					t.Error(err)
					close(queued)
					return
				}
				defer beside.writer.(*transactor).sessions.give(session)
				_, _ = session.exec(`BEGIN`)
				close(queued)
				_, _ = session.exec(`LOCK TABLE audit IN ACCESS EXCLUSIVE MODE`)
				<-hold
				session.rollback()
			})
			<-queued
			eventually(t, "a lock that is asked for", func() bool { return (&world{T: t, store: beside}).number(waiters) > 0 })
			return nil
		})
		close(hold)
		wg.Wait()
		var refusal *iam.Error
		if !errors.As(err, &refusal) || refusal.Kind != iam.Unavailable || !refusal.Undecided {
			t.Errorf("got %v, want Unavailable and undecided", err)
		}
	})

	t.Run("nothing was written", func(t *testing.T) {
		t.Parallel()
		var armed atomic.Bool
		w := newWorldAt(t, through(t, postgres.Database(t), func() cut {
			if armed.Load() {
				return cutBefore
			}
			return pass
		}, nil))
		a := w.account(0)
		armed.Store(true)
		w.must(func(tx iam.Tx) error {
			_, err := tx.AccountFacts(a.ID, operatorOnPostgres)
			return err
		})
	})
}

// A sweep whose answer is lost did what it did, and says so: what the clock ends is
// looked up like what anybody does.
func TestALostSweepIsFoundOut(t *testing.T) {
	t.Parallel()
	var armed atomic.Bool
	w := newWorldAt(t, through(t, postgres.Database(t), func() cut {
		if armed.Swap(false) {
			return cutAnswer
		}
		return pass
	}, nil))
	a := w.account(0)
	m := w.pending(a, "a@example.com")
	m.ExpiresOn = clock.Now().Add(-time.Second)
	entry := w.entry(iam.InviteCreate, a.ID, m.ID)
	w.must(func(tx iam.Tx) error { return tx.InsertMembership(m, iam.Link{WakeOn: m.ExpiresOn}, entry) })
	armed.Store(true)
	swept, err := iam.NewService(w.store, w.ids.New, clock.Now).Sweep(t.Context())
	if err != nil || swept.Expired != 1 || armed.Load() {
		t.Errorf("got %+v and %v (the COMMIT was seen: %v), want one that ended", swept, err, !armed.Load())
	}
	operation := ""
	entries, err := w.store.Audit(t.Context(), a.ID, 0, 10)
	for _, entry := range entries {
		if entry.Action == iam.InviteExpire {
			operation = entry.OperationID
		}
	}
	if err != nil || operation == "" {
		t.Fatalf("no audit row of the end: %v, %+v", err, entries)
	}
	w.wantOnce(operation, m.ID)
}

func newWorldAt(t *testing.T, url string) *world {
	t.Helper()
	return &world{T: t, store: openPostgres(t, url, Options{busyTimeout: time.Second}), url: url, ids: newIDs()}
}

func (w *world) wantOnce(operation string, id iam.ID) {
	w.Helper()
	audit := w.number(`SELECT count(*) FROM audit WHERE operation_id = $1`, operation)
	rows := w.number(`SELECT count(*) FROM memberships WHERE id = $1`, string(id))
	if audit != 1 || rows != 1 {
		w.Errorf("operation %s: got %d audit rows and %d rows, want one each", operation, audit, rows)
	}
}

// load writes rows from several sides until it is stopped, and knows what it
// was told of each.
type load struct {
	world    *world
	account  iam.Account
	stop     chan struct{}
	wg       sync.WaitGroup
	mu       sync.Mutex
	told     map[iam.ID]error
	accepted atomic.Int64
}

func (w *world) load() *load {
	w.Helper()
	l := &load{world: w, account: w.account(0), stop: make(chan struct{}), told: map[iam.ID]error{}}
	const workers = 6
	for range workers {
		l.wg.Go(l.work)
	}
	return l
}

func (l *load) work() {
	const most = 3000 // each; it stops by itself
	for range most {
		select {
		case <-l.stop:
			return
		default:
		}
		m := l.world.pending(l.account, "")
		m.Email = string(m.ID) + "@example.com"
		entry := l.world.entry(iam.InviteCreate, l.account.ID, m.ID)
		err := l.world.store.Update(context.Background(), func(tx iam.Tx) error {
			facts, err := tx.InviteFacts(l.account.ID, m.Email, operatorOnPostgres)
			if err != nil || facts.Existing != nil {
				return errors.Join(err, errIf(facts.Existing != nil))
			}
			return tx.InsertMembership(m, iam.Link{}, entry)
		})
		l.mu.Lock()
		l.told[m.ID] = err
		l.mu.Unlock()
		if err == nil {
			l.accepted.Add(1)
			continue
		}
		select { // as the answer on the wire asks for
		case <-time.After(retryAfter):
		case <-l.stop:
			return
		}
	}
}

const retryAfter = 20 * time.Millisecond

func errIf(found bool) error {
	if found {
		return errors.New("a row that nobody else writes is there already")
	}
	return nil
}

// goOn waits until n more writes were acknowledged.
func (l *load) goOn(n int64) {
	l.world.Helper()
	from := l.accepted.Load()
	eventually(l.world, fmt.Sprintf("%d more writes", n), func() bool { return l.accepted.Load() >= from+n })
}

// check holds what is in the database against what was told: what was
// acknowledged is there, what was refused is not, and all of it once.
func (l *load) check() {
	l.world.Helper()
	close(l.stop)
	l.wg.Wait()
	refused, undecided := 0, 0
	for id, err := range l.told {
		n := l.world.number(`SELECT count(*) FROM audit WHERE target_id = $1`, string(id))
		var refusal *iam.Error
		switch {
		case err == nil && n != 1:
			l.world.Errorf("row %s was acknowledged and is there %d times", id, n)
		case err == nil:
		case !errors.As(err, &refusal) || refusal.Kind != iam.Unavailable:
			l.world.Errorf("row %s: got %v, want Unavailable", id, err)
		case refusal.Undecided:
			undecided++
		case n != 0:
			l.world.Errorf("row %s was refused and is there: %v", id, err)
		default:
			refused++
		}
	}
	rows := l.world.number(`SELECT count(*) FROM memberships`)
	if counted := l.world.number(`SELECT n FROM counts WHERE status = 'pending'`); counted != rows {
		l.world.Errorf("kept count: got %d, want %d", counted, rows)
	}
	l.world.Logf("%d acknowledged, %d refused, %d undecided, %d reruns",
		l.accepted.Load(), refused, undecided, l.world.store.Stats().Reruns)
	if undecided > 0 {
		l.world.Errorf("%d outcomes were not found out", undecided)
	}
}

// TestEndedBackends ends every connection under load, again and again. Reads
// don't notice.
func TestEndedBackends(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	admin := rawPostgres(t, w.url)
	load := w.load()
	for range 5 {
		load.goOn(20)
		_, err := admin.ExecContext(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'hither'`)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.store.Ping(t.Context()); err != nil {
			t.Errorf("a read after its connection was ended: %v", err)
		}
	}
	load.goOn(20)
	load.check()
}

// rawPostgres is a connection beside the store's.
func rawPostgres(t *testing.T, url string) *sql.Conn {
	t.Helper()
	config, err := postgresConfig(url, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams["application_name"] = "test"
	db := postgresHandle(config)
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(conn.Close(), db.Close()) })
	return conn
}

// TestKilledServer kills the postmaster under load and starts it again. The
// store, which stayed open, goes on.
func TestKilledServer(t *testing.T) {
	t.Parallel()
	cluster := postgres.Start(t, postgres.Options{})
	w := newWorldAt(t, cluster.Create(t, "killed"))
	load := w.load()
	for range 2 {
		load.goOn(50)
		if err := cluster.Kill(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the server to be missed", func() bool { return w.store.Ping(t.Context()) != nil })
		if err := cluster.Start(); err != nil {
			t.Fatal(err)
		}
		load.goOn(50)
	}
	load.check()
}
