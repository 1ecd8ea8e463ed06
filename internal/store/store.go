// Package store keeps what the heart decides: all SQL of hither is here, one
// portable text for every engine. A file is named after its noun. What really
// differs between engines (opening, settings, error codes) is in sqlite.go and
// postgres.go; how a closure of Update runs is in writer.go for SQLite's one
// writer and in transactor.go for PostgreSQL, where many run at once, under
// the locks of locks.go. native.go and postgres_session.go call the engines.
//
// The package implements iam.Store and iam.Tx. It imports iam for the types;
// it knows neither the wire nor who calls it.
package store

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"hither/internal/clock"
	"hither/internal/iam"
)

// Options adjust a store. The zero value is ready for use.
type Options struct {
	// Now is the time of transactions: UTC, whole microseconds. nil is the
	// machine's clock.
	Now func() time.Time
	// Logger hears what the store had to do twice. nil discards it.
	Logger *slog.Logger
	// Existing asks for a database that has a schema already; ErrEmpty where
	// there is none. Only PostgreSQL makes the difference: a file that is not
	// there is seen without opening it.
	Existing bool

	busyTimeout time.Duration // tests shorten it
	pacing      pacing        // and change this
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = clock.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.pacing == (pacing{}) {
		o.pacing = defaultPacing()
	}
	if o.busyTimeout == 0 {
		o.busyTimeout = busyTimeout
	}
	return o
}

// Store is an open database; safe for concurrent use.
type Store struct {
	readers *pool[connection]
	writer  updater
	roles   roleCache
	now     func() time.Time
	// beginRead opens a transaction whose statements see one moment.
	beginRead string
	// readsInMoments has the reads of a request share such a transaction: see
	// moment.go.
	readsInMoments bool
	// cutBranches has each branch of an account's list sorted and cut by itself,
	// for an engine that needs it to walk an index: see list.go.
	cutBranches bool
	// placesEvents gives events their positions once they are committed: see events.go.
	placesEvents bool
	// points look single rows up together, for an engine behind a network; nil
	// where each is looked up by itself.
	points *points
	// closeLast ends what is left when readers and writer are closed.
	closeLast func() error
	closing   sync.Once
	queued    chan struct{} // holds one where messages were queued
}

var _ iam.Store = (*Store)(nil)

// updater runs closures in transactions. In this more than in any statement
// the engines differ.
type updater interface {
	update(ctx context.Context, fn func(tx iam.Tx) error) error
	stats() Stats
	closed() bool
	// close returns when what was taken on is answered and all is closed.
	close()
}

// Update runs fn in one transaction: see iam.Store. A context that ends stops
// the wait, not the transaction: whether that takes place is then unknown to
// the caller, as with a connection that breaks. fn must not call Update: where
// there is one writer it would wait for itself.
func (s *Store) Update(ctx context.Context, fn func(tx iam.Tx) error) error {
	if m := s.momentOf(ctx); m != nil {
		m.end() // a commit waits for the disk, and no reader's connection with it
	}
	queued := false
	err := s.writer.update(ctx, func(opened iam.Tx) error {
		err := fn(opened)
		if t, ours := opened.(*tx); ours {
			queued = t.queued
		}
		return err
	})
	// Only now: without an error the closure ran to its end, and is committed.
	if err == nil && queued {
		select {
		case s.queued <- struct{}{}:
		default:
		}
	}
	return err
}

// Queued says, after the commit, that this process queued messages which are
// due: one word for any number of them. Who goes away before its commit's
// answer leaves no word.
func (s *Store) Queued() <-chan struct{} { return s.queued }

// Ping checks that the database can be read and that the store isn't closed. It
// waits no longer than ctx, though a statement may.
func (s *Store) Ping(ctx context.Context) error {
	if s.writer.closed() {
		return errClosed()
	}
	answer := make(chan error, 1) // buffered: nobody may be waiting
	go func() {
		_, err := read(ctx, s, func(v *view) (int64, error) { return v.rolesVersion() })
		answer <- err
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // the caller's own context
	}
}

// Close finishes the writes that were taken on, then ends every connection.
// Calls after the first do nothing.
func (s *Store) Close() error {
	var err error
	s.closing.Do(func() {
		s.writer.close()
		s.readers.close()
		err = s.closeLast()
	})
	return err
}

// Stats are small numbers for metrics.
type Stats struct {
	Commits    int64         // transactions of the database
	Closures   int64         // calls of Update that they carried
	Reruns     int64         // transactions that were rolled back and run again
	Waiting    int64         // calls of Update that wait for an answer now
	LastCommit time.Duration // how long the last commit took
}

// Stats reads the store's numbers.
func (s *Store) Stats() Stats { return s.writer.stats() }

// ErrEmpty says that a database has no schema yet.
var ErrEmpty = errors.New("the database is empty")

func errClosed() error {
	return &iam.Error{Kind: iam.Unavailable, Message: "the database is being closed"}
}
