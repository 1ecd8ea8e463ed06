package oidc

import (
	"context"
	"errors"
	"sync"
	"time"
)

// How long what an issuer published is believed, and how often it is asked.
const (
	fresh = 10 * time.Minute // then it is asked for again
	stale = time.Hour        // longer it is not believed, whether or not there is newer
	pause = 10 * time.Second // between two attempts, whatever they led to
)

// cached is a document of an issuer. Of any number who want it at once one
// fetches it, on nobody's context: who goes away leaves the others what they
// wait for.
type cached[T any] struct {
	fetch func(ctx context.Context) (T, error)
	now   func() time.Time

	mu      sync.Mutex
	value   T
	fetched time.Time // zero: never
	tried   time.Time
	err     error         // of the last attempt
	flight  chan struct{} // closed when the attempt under way is over; nil: there is none
}

func newCached[T any](fetch func(ctx context.Context) (T, error), now func() time.Time) *cached[T] {
	return &cached[T]{fetch: fetch, now: now}
}

// get is the document, not older than age unless a newer one cannot be had.
func (c *cached[T]) get(ctx context.Context, age time.Duration) (T, error) {
	c.mu.Lock()
	now := c.now()
	if c.young(now, age) || !c.tried.IsZero() && now.Sub(c.tried) < pause && c.flight == nil {
		defer c.mu.Unlock()
		return c.held(now)
	}
	if c.flight == nil {
		c.flight, c.tried = make(chan struct{}), now
		go c.refresh(context.WithoutCancel(ctx), c.flight)
	}
	flight := c.flight
	c.mu.Unlock()
	select {
	case <-flight:
	case <-ctx.Done():
		var none T
		return none, ctx.Err() //nolint:wrapcheck // the caller's own
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held(c.now())
}

func (c *cached[T]) refresh(ctx context.Context, done chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	value, err := c.fetch(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err = err; err == nil {
		c.value, c.fetched = value, c.now()
	}
	c.flight = nil
	close(done)
}

func (c *cached[T]) young(now time.Time, age time.Duration) bool {
	return !c.fetched.IsZero() && now.Sub(c.fetched) < age
}

// held is what there is.
func (c *cached[T]) held(now time.Time) (T, error) {
	if c.young(now, stale) {
		return c.value, nil
	}
	var none T
	if c.err == nil {
		return none, errors.New("what was read of it is too old")
	}
	return none, c.err
}
