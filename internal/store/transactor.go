package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"hither/internal/iam"
)

const (
	// maxTries bounds how often a closure runs: transactions that met each other
	// and connections that broke are tried again, whatever else went wrong is not.
	maxTries = 10
	// maxPause bounds the pause before that; it doubles from minPause on.
	minPause = 2 * time.Millisecond
	maxPause = 200 * time.Millisecond
)

// transactor runs the closures of Update on PostgreSQL: each is a transaction
// of its own, beside those of the other sessions and of other nodes. Like the
// writer of SQLite it runs on no caller's context: what bounds a transaction
// are the engine's timeouts.
type transactor struct {
	counters

	sessions *pool[*postgresSession]
	roles    *roleCache
	now      func() time.Time
	logger   *slog.Logger
	// newLocks is what a transaction starts with; tests take the locks away, to
	// see that they are needed.
	newLocks func(rolesAlone bool) *locks
	// patience is how long the outcome of a commit is looked for.
	patience time.Duration
}

func (w *transactor) update(ctx context.Context, fn func(tx iam.Tx) error) error {
	w.waiting.Add(1)
	defer w.waiting.Add(-1)
	session, err := w.sessions.take(ctx)
	if err != nil {
		return err
	}
	answer := make(chan error, 1) // buffered: the caller may be gone
	//nolint:contextcheck // a transaction is on no caller's context
	go func() {
		defer w.sessions.give(session)
		answer <- w.run(session, fn)
		w.closures.Add(1)
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // the caller's own context
	}
}

func (w *transactor) closed() bool { return w.sessions.isClosed() }

func (w *transactor) close() { w.sessions.close() }

// attempt is what a closure's next run has to know of the last one.
type attempt struct {
	rolesAlone bool
	duplicate  bool // a unique constraint refused it once
}

// run runs fn until it is decided.
func (w *transactor) run(session *postgresSession, fn func(tx iam.Tx) error) error {
	var next attempt
	for try := 1; ; try++ {
		err, again := w.once(session, fn, &next)
		if !again {
			return err
		}
		if try == maxTries {
			return &iam.Error{Kind: iam.Unavailable, Message: "the database is busy; try again", Err: err}
		}
		w.reruns.Add(1)
		w.logger.Debug("a transaction runs again", slog.Any("error", err))
		pause(try)
	}
}

// once runs fn in one transaction. again asks for another: nothing of this one
// took place, and err says why.
//
//nolint:revive // the error is what a caller looks at; again only says what to do about it
func (w *transactor) once(session *postgresSession, fn func(tx iam.Tx) error, next *attempt) (err error, again bool) {
	if err := session.ready(context.Background()); err != nil {
		return err, false
	}
	if err := beginPostgres(session, next.rolesAlone); err != nil {
		session.rollback()
		return fmt.Errorf("begin: %w", err), session.broken
	}
	t := newTx(session, w.roles, w.now())
	// Others' changes of roles cannot be seen here unless they are committed.
	t.uncommitted = false
	t.locks = w.newLocks(next.rolesAlone)
	if err := t.run(fn); err != nil {
		session.rollback()
		return err, session.broken || next.learn(t.watch.failed, err)
	}
	start := time.Now()
	_, err = session.exec(`COMMIT`)
	switch {
	case err == nil:
		w.lastCommit.Store(int64(time.Since(start)))
		w.commits.Add(1)
		return nil, false
	case session.broken:
		return w.resolve(session, t, err)
	default: // the server is there and says that it did not
		session.rollback()
		return fmt.Errorf("commit: %w", err), errors.Is(err, errMet)
	}
}

// learn tells whether a closure that failed should run again, and what is to
// be different then. failed is the first statement that did.
func (a *attempt) learn(failed, err error) bool {
	switch {
	case errors.Is(failed, errRolesAlone):
		a.rolesAlone = true
		return true
	case errors.Is(failed, errMet), errors.Is(failed, errLateLock), isRolesMoved(err):
		return true
	case errors.Is(failed, iam.ErrDuplicate) && !a.duplicate && !a.rolesAlone:
		// The row may have been committed after the facts said that there is
		// none. They are read again, and the decision is another; if it is not,
		// the duplicate is real. With the roles alone there is nobody else.
		a.duplicate = true
		return true
	}
	return false
}

// resolve finds out what became of a commit whose answer was lost with the
// connection: it is never guessed.
//
//nolint:revive // as in once
func (w *transactor) resolve(session *postgresSession, t *tx, lost error) (err error, again bool) {
	if !t.watch.wrote {
		return nil, false // there was nothing to commit
	}
	found, err := w.tookPlace(session, t.operation)
	w.logger.Warn("the connection was lost during a commit; its outcome was looked up",
		slog.String("operation", t.operation), slog.Bool("took_place", found), slog.Any("lost", lost), slog.Any("error", err))
	switch {
	case err != nil:
		return &iam.Error{
			Kind: iam.Unavailable, Undecided: true, Err: errors.Join(err, lost),
			Message: "the database went away during the commit, and whether the change took place is not known: look before you repeat it",
		}, false
	case found:
		w.commits.Add(1)
		return nil, false
	}
	return lost, true
}

// tookPlace asks until it is told or patience is at an end.
func (w *transactor) tookPlace(session *postgresSession, operation string) (bool, error) {
	if operation == "" {
		return false, errors.New("the transaction recorded no operation")
	}
	for try, start := 1, time.Now(); ; try++ {
		found, err := lookUp(session, operation)
		if err == nil || time.Since(start) > w.patience {
			return found, err
		}
		pause(try)
	}
}

// lookUp tells whether an operation took place. It writes the operation's row
// once more and takes it back. Its unique id makes that wait for a transaction
// that still has the same row in hand, because the server has not noticed yet
// that the connection is gone, or is at the commit: so whichever answer comes,
// nothing can change it any more. A mere SELECT could miss a commit under way.
func lookUp(session *postgresSession, operation string) (bool, error) {
	if err := session.ready(context.Background()); err != nil {
		return false, err
	}
	if _, err := session.exec(postgresBegin); err != nil {
		return false, fmt.Errorf("begin: %w", err)
	}
	defer session.rollback()
	n, err := session.exec(`INSERT INTO audit (operation_id, at, actor, actor_id, actor_email, credential, action, denied,
			account_id, target_id, state_before, state_after, remote_addr, request_id)
		VALUES ($1, 0, '', '', '', '', 'lookup', '', '', '', '', '', '', '') ON CONFLICT (operation_id) DO NOTHING`, operation)
	if err != nil {
		return false, fmt.Errorf("look the operation up: %w", err)
	}
	return n == 0, nil
}

// pause waits before another try: longer each time, and for a random part of
// it, so that those who met don't meet again.
func pause(try int) {
	longest := min(minPause<<min(try, 16), maxPause)
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails
	part := float64(binary.LittleEndian.Uint32(random[:])) / math.MaxUint32
	time.Sleep(time.Duration(part * float64(longest)))
}
