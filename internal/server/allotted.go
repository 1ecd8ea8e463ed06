package server

import (
	"context"
	"sync"
	"time"
)

// allotted is a context that ends with the time that work on a request may
// take, like that of context.WithDeadline. But that starts a timer for each
// request, with all that belongs to it; this one does when somebody is about to
// wait, as hardly any request does.
type allotted struct {
	context.Context //nolint:containedctx // the request's own, which this one is made of

	until time.Time

	mu    sync.Mutex
	timed context.Context //nolint:containedctx // as above; nil before somebody waits
	stop  context.CancelFunc
}

// Deadline implements context.Context.
func (a *allotted) Deadline() (time.Time, bool) { return a.until, true }

// Done implements context.Context.
func (a *allotted) Done() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timed == nil {
		a.timed, a.stop = context.WithDeadline(a.Context, a.until)
	}
	return a.timed.Done()
}

// Err implements context.Context.
func (a *allotted) Err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timed != nil {
		return a.timed.Err() //nolint:wrapcheck // it is the same context
	}
	if err := a.Context.Err(); err != nil || time.Now().Before(a.until) {
		return err //nolint:wrapcheck // as above
	}
	return context.DeadlineExceeded
}

// end lets go the timer, if there is one.
func (a *allotted) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stop != nil {
		a.stop()
	}
}
