package store

import (
	"context"
	"fmt"
)

// moment is what the reads of one context share where that spares something.
// On SQLite each read by itself takes and drops locks, by several calls of the
// kernel's: a third of what reading a row takes. Behind a network a transaction
// costs two more round trips, and each read stands alone.
type moment struct {
	store   *Store
	session connection // nil before the first read
	ended   bool
}

type momentKey struct{}

// Moment implements iam.Store.
func (s *Store) Moment(ctx context.Context) (context.Context, func()) {
	if !s.readsInMoments {
		return ctx, func() {}
	}
	m := &moment{store: s}
	return context.WithValue(ctx, momentKey{}, m), m.end
}

// momentOf is what the reads of ctx share, nil where each stands alone.
func (s *Store) momentOf(ctx context.Context) *moment {
	m, _ := ctx.Value(momentKey{}).(*moment)
	if m == nil || m.ended || m.store != s {
		return nil
	}
	return m
}

// begin is the connection of the reads, which the first of them takes.
func (m *moment) begin(ctx context.Context) (connection, error) {
	if m.session != nil {
		return m.session, nil
	}
	session, err := m.store.readers.ready(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := session.exec(m.store.beginRead); err != nil {
		m.store.readers.give(session)
		return nil, fmt.Errorf("begin to read: %w", err)
	}
	m.session = session
	return session, nil
}

// end gives the connection back. What is read in the context after it stands
// alone.
func (m *moment) end() {
	m.ended = true
	if m.session == nil {
		return
	}
	_, _ = m.session.exec(`COMMIT`) // there is nothing in it that could be lost
	m.store.readers.give(m.session)
	m.session = nil
}
