package store

import (
	"context"
	"fmt"
)

// pool holds sessions. Who takes one has it for itself and gives it back.
type pool struct {
	free   chan *sqlSession
	closed chan struct{}
}

func newPool(sessions []*sqlSession) *pool {
	p := &pool{free: make(chan *sqlSession, len(sessions)), closed: make(chan struct{})}
	for _, s := range sessions {
		p.free <- s
	}
	return p
}

func (p *pool) take(ctx context.Context) (*sqlSession, error) {
	if err := ctx.Err(); err != nil {
		return nil, err //nolint:wrapcheck // the caller's own context
	}
	select {
	case s := <-p.free:
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err() //nolint:wrapcheck // the caller's own context
	case <-p.closed:
		return nil, errClosed()
	}
}

// ready takes a session that has a connection.
func (p *pool) ready(ctx context.Context) (*sqlSession, error) {
	s, err := p.take(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.ready(ctx); err != nil {
		p.give(s)
		return nil, err
	}
	return s, nil
}

func (p *pool) isClosed() bool {
	select {
	case <-p.closed:
		return true
	default:
		return false
	}
}

func (p *pool) give(s *sqlSession) { p.free <- s }

// close waits for the sessions that are out and ends every connection.
func (p *pool) close() {
	close(p.closed)
	for range cap(p.free) {
		// Nothing is under way in it that could be lost by how it ends.
		_ = (<-p.free).close()
	}
}

// snapshot is read for an fn of several statements: they see one moment.
func snapshot[T any](ctx context.Context, s *Store, fn func(v *view) (T, error)) (T, error) {
	return read(ctx, s, func(v *view) (result T, err error) {
		if _, err := v.exec(s.beginRead); err != nil {
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
		case session.broken && !revived:
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
