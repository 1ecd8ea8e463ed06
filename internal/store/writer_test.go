package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hither/internal/iam"
)

// crowd makes closures meet: it keeps the writer busy until as many calls as
// are wanted wait for it, so that they share its next transaction.
type crowd struct {
	*testing.T
	store   *Store
	release chan struct{}
	wg      sync.WaitGroup
	names   atomic.Int64
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{T: t, store: openPlain(t, nil), release: make(chan struct{})}
	busy := make(chan struct{})
	c.wg.Go(func() {
		err := c.store.Update(context.Background(), func(iam.Tx) error {
			close(busy)
			<-c.release
			return nil
		})
		if err != nil {
			t.Errorf("the first closure: %v", err)
		}
	})
	<-busy
	return c
}

// join calls Update in the background and returns how to learn its answer.
func (c *crowd) join(ctx context.Context, fn func(tx iam.Tx) error) <-chan error {
	answer := make(chan error, 1)
	waiting := c.store.Stats().Waiting
	c.wg.Go(func() { answer <- c.store.Update(ctx, fn) })
	c.until(func() bool { return c.store.Stats().Waiting > waiting })
	return answer
}

// until waits for what another goroutine is about to bring about.
func (c *crowd) until(condition func() bool) {
	c.Helper()
	deadline := time.After(30 * time.Second)
	for !condition() {
		select {
		case <-deadline:
			c.Fatal("waited in vain")
		case <-time.After(time.Millisecond):
		}
	}
}

// run lets the crowd run and waits for all of it.
func (c *crowd) run() {
	close(c.release)
	c.wg.Wait()
}

// insert is a closure that adds a user, whose id it returns.
func (c *crowd) insert() (iam.ID, func(tx iam.Tx) error) {
	n := c.names.Add(1)
	id := iam.ID(fmt.Sprintf("%032x", n))
	return id, func(tx iam.Tx) error {
		return tx.InsertUser(iam.User{ID: id, Email: fmt.Sprintf("%d@example.com", n)}, iam.AuditEntry{OperationID: string(id), Action: iam.UserCreate})
	}
}

func (c *crowd) exists(id iam.ID) bool {
	c.Helper()
	_, err := c.store.User(context.Background(), id)
	if err != nil && !errors.Is(err, iam.ErrNoRow) {
		c.Errorf("User: %v", err)
	}
	return err == nil
}

func (c *crowd) want(what string, id iam.ID, answer <-chan error, exists bool) {
	c.Helper()
	if err := <-answer; (err == nil) != exists {
		c.Errorf("%s: got error %v, want success %v", what, err, exists)
	}
	if got := c.exists(id); got != exists {
		c.Errorf("%s: its row exists: %v, want %v", what, got, exists)
	}
}

func TestClosuresShareACommit(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	const n = 20
	ids, answers := make([]iam.ID, n), make([]<-chan error, n)
	for i := range n {
		var fn func(tx iam.Tx) error
		ids[i], fn = c.insert()
		answers[i] = c.join(context.Background(), fn)
	}
	c.run()
	for i := range n {
		c.want("closure", ids[i], answers[i], true)
	}
	if got := c.store.Stats(); got.Commits > 3 || got.Closures != n+1 || got.Waiting != 0 {
		t.Errorf("%d closures that waited together: got %+v, want one or two commits beside the first", n, got)
	}
}

// A refusal is rolled back to its own savepoint, and a panic too; neighbours
// are committed, and the writer lives on.
func TestNeighboursOfARefusalAndAPanicAreCommitted(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	before, insertBefore := c.insert()
	refused, insertRefused := c.insert()
	panicked, insertPanicked := c.insert()
	after, insertAfter := c.insert()
	refusal := errors.New("no")
	a := c.join(context.Background(), insertBefore)
	b := c.join(context.Background(), func(tx iam.Tx) error { return errors.Join(insertRefused(tx), refusal) })
	p := c.join(context.Background(), func(tx iam.Tx) error {
		if err := insertPanicked(tx); err != nil {
			return err
		}
		panic("oh")
	})
	d := c.join(context.Background(), insertAfter)
	c.run()
	c.want("before", before, a, true)
	c.want("refused", refused, b, false)
	err := <-p
	if err == nil || !strings.Contains(err.Error(), "oh") || !strings.Contains(err.Error(), "writer_test.go") {
		t.Errorf("panic: got %v, want an error that says what and where", err)
	}
	if c.exists(panicked) {
		t.Error("what the panicking closure wrote is there")
	}
	c.want("after", after, d, true)
}

// A caller that goes away stops waiting. Its transaction goes on, and so do
// those of its neighbours in the same commit.
func TestCallerThatGoesAwayRollsNothingBack(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	before, insertBefore := c.insert()
	gone, insertGone := c.insert()
	after, insertAfter := c.insert()
	a := c.join(context.Background(), insertBefore)
	ctx, cancel := context.WithCancel(context.Background())
	left := make(chan struct{})
	g := c.join(ctx, func(tx iam.Tx) error {
		cancel()
		<-left // goes on only when the caller is gone
		return insertGone(tx)
	})
	d := c.join(context.Background(), insertAfter)
	close(c.release)
	if err := <-g; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the caller's own context error", err)
	}
	close(left)
	c.wg.Wait()
	c.want("before", before, a, true)
	if !c.exists(gone) {
		t.Error("the transaction of the caller that went away was not finished")
	}
	c.want("after", after, d, true)
}

func TestCallerThatGivesUpBeforeItsTurnIsNotRun(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	ctx, cancel := context.WithCancel(context.Background())
	id, insert := c.insert()
	answer := c.join(ctx, insert)
	cancel()
	if err := <-answer; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	c.run()
	if c.exists(id) {
		t.Error("the closure was run")
	}
}

// SQLite may roll back a whole transaction by itself. Then every closure runs
// again, alone, and only the one to blame fails.
func TestGroupIsRunAgainAfterAnAutomaticRollback(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	before, insertBefore := c.insert()
	culprit, insertCulprit := c.insert()
	after, insertAfter := c.insert()
	runs := 0
	a := c.join(context.Background(), func(tx iam.Tx) error { runs++; return insertBefore(tx) })
	b := c.join(context.Background(), func(tx iam.Tx) error {
		if err := insertCulprit(tx); err != nil {
			return err
		}
		_, err := asTx(tx).exec(`ROLLBACK`)
		return err
	})
	d := c.join(context.Background(), insertAfter)
	c.run()
	c.want("before", before, a, true)
	c.want("culprit", culprit, b, false)
	c.want("after", after, d, true)
	if runs != 2 || c.store.Stats().Reruns != 1 {
		t.Errorf("the closure before it ran %d times, in %+v; want it twice", runs, c.store.Stats())
	}
}

func TestFullDiskIsUnavailableAndPasses(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	limit := func(pages string) {
		err := c.store.Update(context.Background(), func(tx iam.Tx) error {
			return one(asTx(tx), `PRAGMA max_page_count = `+pages, nil, new(number))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	big := strings.Repeat("x", 1<<20)
	fill := func(tx iam.Tx) error {
		return tx.Record(iam.AuditEntry{OperationID: "big", Action: iam.Import, After: big})
	}
	c.run()
	limit("100")
	err := c.store.Update(context.Background(), fill)
	if iam.KindOf(err) != iam.Unavailable {
		t.Errorf("on a full disk: got %v, want kind %v", err, iam.Unavailable)
	}
	id, insert := c.insert()
	if err := c.store.Update(context.Background(), insert); err != nil || !c.exists(id) {
		t.Errorf("what still fits: %v", err)
	}
	limit("100000")
	if err := c.store.Update(context.Background(), fill); err != nil {
		t.Errorf("when there is room again: %v", err)
	}
}

func TestCloseFinishesWhatItTookOn(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	const n = 50
	ids, answers := make([]iam.ID, n), make([]<-chan error, n)
	for i := range n {
		var fn func(tx iam.Tx) error
		ids[i], fn = c.insert()
		answers[i] = c.join(context.Background(), fn)
	}
	path := ""
	session, err := c.store.readers.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = session.query(`PRAGMA database_list`, nil, func(r row) error {
		return r.Scan(new(number), new(text), (*text)(&path))
	})
	c.store.readers.give(session)
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- c.store.Close() }()
	c.run()
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
	late, insertLate := c.insert()
	if err := c.store.Update(context.Background(), insertLate); iam.KindOf(err) != iam.Unavailable {
		t.Errorf("Update after Close: got %v, want kind %v", err, iam.Unavailable)
	}
	if _, err := c.store.User(context.Background(), late); iam.KindOf(err) != iam.Unavailable {
		t.Errorf("User after Close: got %v, want kind %v", err, iam.Unavailable)
	}
	if err := c.store.Ping(context.Background()); iam.KindOf(err) != iam.Unavailable {
		t.Errorf("Ping after Close: got %v, want kind %v", err, iam.Unavailable)
	}
	c.store, err = OpenSQLite(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.store.Close() }()
	for i := range n {
		c.want("closure that waited when Close was called", ids[i], answers[i], true)
	}
	if c.exists(late) {
		t.Error("what came after Close is there")
	}
}

// asTx is what is behind the interface.
func asTx(t iam.Tx) *tx { return t.(*tx) }
