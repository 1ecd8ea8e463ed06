package store

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"hither/internal/iam"
)

// maxGroup bounds how many closures share a commit, and so how long the first
// of them waits for the last.
const maxGroup = 128

// writer is SQLite's one writer: a goroutine that owns the one connection that
// writes. It takes the closures that wait, runs each in a savepoint of one
// transaction, commits, and only then answers, refusals too: they may rest on
// what a neighbour wrote. It runs on no caller's context, since a context that
// ends in a transaction rolls all of it back, the neighbours' released
// savepoints included; what bounds it is the engine's busy timeout.
type writer struct {
	counters

	session connection
	roles   *roleCache
	now     func() time.Time
	logger  *slog.Logger

	log *checkpointer
	// short says that the last transaction found the disk full.
	short bool

	jobs    chan *job
	stopped chan struct{} // closed when the goroutine has ended

	mu     sync.RWMutex // held for reading while a job is handed over
	closes bool
}

// job is one call of Update.
type job struct {
	fn     func(tx iam.Tx) error
	err    error
	answer chan error // buffered: the caller may be gone
}

func startWriter(session connection, roles *roleCache, log *checkpointer, options Options) *writer {
	w := &writer{
		session: session, roles: roles, now: options.Now, logger: options.Logger, log: log,
		jobs: make(chan *job), stopped: make(chan struct{}),
	}
	go w.loop()
	return w
}

func (w *writer) update(ctx context.Context, fn func(tx iam.Tx) error) error {
	w.waiting.Add(1)
	defer w.waiting.Add(-1)
	j := &job{fn: fn, answer: make(chan error, 1)}
	if err := w.hand(ctx, j); err != nil {
		return err
	}
	select {
	case err := <-j.answer:
		return err
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // the caller's own context
	}
}

// hand gives a job to the goroutine, which from then on will run it.
func (w *writer) hand(ctx context.Context, j *job) error {
	if err := ctx.Err(); err != nil {
		return err //nolint:wrapcheck // the caller's own context
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closes {
		return errClosed()
	}
	select {
	case w.jobs <- j:
		return nil
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // the caller's own context
	}
}

func (w *writer) closed() bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.closes
}

// close takes no more jobs, and returns when those taken are answered, the
// connection is closed and nobody looks after the log any more.
func (w *writer) close() {
	w.mu.Lock()
	if !w.closes {
		w.closes = true
		close(w.jobs)
	}
	w.mu.Unlock()
	<-w.stopped
}

func (w *writer) loop() {
	defer close(w.stopped)
	for first := range w.jobs {
		group := w.gather(first)
		w.log.turn.Lock()
		w.serve(group)
		w.log.turn.Unlock()
		w.log.wrote()
	}
	if err := w.session.close(); err != nil {
		w.logger.Warn("close the writing connection", slog.Any("error", err))
	}
	w.log.close() // there is no more to look after
}

// gather takes what waits already, without waiting for more: under load the
// jobs that came in during a commit share the next one.
func (w *writer) gather(first *job) []*job {
	group := []*job{first}
	for len(group) < maxGroup {
		select {
		case next, ok := <-w.jobs:
			if !ok {
				return group
			}
			group = append(group, next)
		default:
			return group
		}
	}
	return group
}

// serve runs a group in one transaction and answers it. Where that cannot be
// committed each job runs again in one of its own, so that only what broke it
// fails.
func (w *writer) serve(group []*job) {
	if w.short {
		w.makeRoom()
	}
	err := w.begin()
	if err == nil {
		err = w.commit(group)
		if err != nil && len(group) > 1 {
			w.reruns.Add(1)
			w.logger.Warn("a shared transaction was rolled back; its parts run again one by one",
				slog.Int("closures", len(group)), slog.Any("error", err))
			for _, j := range group {
				w.serve([]*job{j})
			}
			return
		}
	}
	w.short = isFull(err)
	w.closures.Add(int64(len(group)))
	for _, j := range group {
		if err != nil {
			j.err = err
		}
		j.answer <- j.err
	}
}

// makeRoom copies the log into the database, so that the next transaction begins
// it anew and needs no more of the disk: where that is full, the log alone may
// be what fills it. It fails as long as the database would have to grow.
func (w *writer) makeRoom() {
	_ = w.session.query(`PRAGMA wal_checkpoint(PASSIVE)`, nil, func(row) error { return nil })
}

func (w *writer) begin() error {
	if _, err := w.session.exec(`BEGIN IMMEDIATE`); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	return nil
}

// commit runs a group in the transaction that was begun, and ends it. An error
// means that nothing of the group took place.
func (w *writer) commit(group []*job) (err error) {
	defer func() {
		if err != nil {
			// Where SQLite has rolled back by itself there is nothing left to.
			_, _ = w.session.exec(`ROLLBACK`)
		}
	}()
	if err := w.refreshRoles(); err != nil {
		return err
	}
	for _, j := range group {
		if err := w.run(j); err != nil {
			return err
		}
	}
	start := time.Now()
	if _, err := w.session.exec(`COMMIT`); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	w.lastCommit.Store(int64(time.Since(start)))
	w.commits.Add(1)
	return nil
}

// refreshRoles reads roles that changed since the last group. What is in the
// database before the first closure is committed, so all may know it.
func (w *writer) refreshRoles() error {
	v := &view{session: w.session, cache: w.roles}
	version, err := v.rolesVersion()
	if err != nil {
		return err
	}
	_, err = v.at(version)
	return err
}

// run calls a job's closure in a savepoint and keeps its answer. An error of
// run's own means that the whole transaction is lost.
func (w *writer) run(j *job) error {
	if _, err := w.session.exec(`SAVEPOINT closure`); err != nil {
		return fmt.Errorf("savepoint: %w", err)
	}
	t := newTx(w.session, w.roles, w.now())
	j.err = t.run(j.fn)
	if t.watch.broken() {
		return t.watch.failed
	}
	if j.err != nil {
		if _, err := w.session.exec(`ROLLBACK TO closure`); err != nil {
			return fmt.Errorf("roll back to savepoint: %w", err)
		}
	}
	if _, err := w.session.exec(`RELEASE closure`); err != nil {
		return fmt.Errorf("release savepoint: %w", err)
	}
	return nil
}
