package store

import (
	"context"
	"fmt"
)

// pool holds connections. Who takes one has it for itself and gives it back.
type pool[C connection] struct {
	free   chan C
	closed chan struct{}
}

func newPool[C connection](sessions []C) *pool[C] {
	p := &pool[C]{free: make(chan C, len(sessions)), closed: make(chan struct{})}
	for _, s := range sessions {
		p.free <- s
	}
	return p
}

func (p *pool[C]) take(ctx context.Context) (C, error) {
	var none C
	if err := ctx.Err(); err != nil {
		return none, err //nolint:wrapcheck // the caller's own context
	}
	select {
	case s := <-p.free:
		return s, nil
	default: // only who must wait asks the context for a channel, which makes one
	}
	select {
	case s := <-p.free:
		return s, nil
	case <-ctx.Done():
		return none, ctx.Err() //nolint:wrapcheck // the caller's own context
	case <-p.closed:
		return none, errClosed()
	}
}

// ready takes a session that has a connection.
func (p *pool[C]) ready(ctx context.Context) (C, error) {
	s, err := p.take(ctx)
	if err != nil {
		return s, err
	}
	if err := s.ready(ctx); err != nil {
		p.give(s)
		return s, err
	}
	return s, nil
}

func (p *pool[C]) isClosed() bool {
	select {
	case <-p.closed:
		return true
	default:
		return false
	}
}

func (p *pool[C]) give(s C) { p.free <- s }

// close waits for the sessions that are out and ends every connection.
func (p *pool[C]) close() {
	close(p.closed)
	for range cap(p.free) {
		// Nothing is under way in it that could be lost by how it ends.
		_ = (<-p.free).close()
	}
}

// snapshot is read for an fn of several statements: they see one moment.
func snapshot[T any](ctx context.Context, s *Store, fn func(v *view) (T, error)) (T, error) {
	if s.momentOf(ctx) != nil {
		return read(ctx, s, fn) // one moment already
	}
	return read(ctx, s, func(v *view) (result T, err error) {
		if err := v.later(s.beginRead, nil, nil); err != nil {
			return result, fmt.Errorf("begin to read: %w", err)
		}
		defer func() {
			if _, ended := v.exec(`COMMIT`); err == nil && ended != nil {
				err = fmt.Errorf("end reading: %w", ended)
			}
		}()
		return fn(v)
	})
}

// read runs fn on a connection of the pool. It may run fn again: roles that
// change between two statements of fn make it start over, and so does, once, a
// connection that turns out to be dead: a server that was restarted leaves
// some behind.
func read[T any](ctx context.Context, s *Store, fn func(v *view) (T, error)) (T, error) {
	var zero T
	if m := s.momentOf(ctx); m != nil {
		session, err := m.begin(ctx)
		if err != nil {
			return zero, err
		}
		return fn(&view{session: session, cache: &s.roles}) // in one moment roles do not move
	}
	session, err := s.readers.ready(ctx)
	if err != nil {
		return zero, err
	}
	defer s.readers.give(session)
	revived := false
	for range maxRoleReloads {
		result, err := fn(&view{session: session, cache: &s.roles})
		switch {
		case err == nil:
			return result, nil
		case session.lost() && !revived:
			revived = true
			if err := session.ready(ctx); err != nil {
				return zero, err
			}
		case !isRolesMoved(err):
			return zero, err
		}
	}
	return zero, errRolesMove()
}
