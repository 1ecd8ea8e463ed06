package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hither/internal/iam"
)

// settlePause is how often a demo looks whether what is due was sent. A letter
// takes some milliseconds.
const settlePause = 2 * time.Millisecond

// forward sets the clock of a world to a moment, by way of each at which
// something is to happen before: whoever waited that long would have seen the
// reminder and then the end. When it returns, all that came of it was sent. On an
// error the clock stands at the last moment that was reached.
func (w *demoWorld) forward(ctx context.Context, to time.Time) (swept, error) {
	// Its timers know nothing of a clock that jumps.
	w.stopSweeping()
	defer func() { w.stopSweeping = w.startSweeps() }()
	var sum swept
	for {
		done, next, err := w.happen(ctx)
		sum.expired += done.expired
		sum.reminded += done.reminded
		if err != nil {
			return sum, fmt.Errorf("what was to happen at %s: %w", w.clock.Now().Format(time.RFC3339Nano), err)
		}
		now := w.clock.Now()
		if !now.Before(to) {
			return sum, nil
		}
		if next.IsZero() || next.After(to) {
			next = to
		}
		w.clock.Forward(next)
	}
}

// happen does what is due by now, and says when there is something to do next:
// zero for never.
func (w *demoWorld) happen(ctx context.Context) (swept, time.Time, error) {
	done, woken, err := w.sweep(ctx)
	if err != nil {
		return done, time.Time{}, err
	}
	// In this order: a webhook that is turned off is mailed of.
	told, err := w.tell(ctx)
	if err != nil {
		return done, time.Time{}, err
	}
	due, err := w.settle(ctx)
	if err != nil {
		return done, time.Time{}, err
	}
	next := woken.Next
	for _, other := range []time.Time{due, told} {
		if next.IsZero() || !other.IsZero() && other.Before(next) {
			next = other
		}
	}
	return done, next, nil
}

// tell waits until webhooks were sent what is due, and says when one is next; zero
// where none is.
func (w *demoWorld) tell(ctx context.Context) (time.Time, error) {
	for {
		due, err := w.db.service.FanOut(ctx)
		if err != nil {
			return time.Time{}, fmt.Errorf("read when a webhook is due: %w", err)
		}
		if (due.IsZero() || due.After(w.clock.Now())) && !w.sending.worker.Busy() {
			return due, nil
		}
		w.sending.worker.Nudge()
		if err := w.wait(ctx, "webhooks"); err != nil {
			return time.Time{}, err
		}
	}
}

// wait lets others work for a moment.
func (w *demoWorld) wait(ctx context.Context, what string) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait for the %s: %w", what, ctx.Err())
	case <-w.ended: // and with it who sends
		return errDemoOver
	case <-time.After(settlePause):
		return nil
	}
}

// settle waits until all that is due was sent, and says when the next message
// is; zero where there is none.
func (w *demoWorld) settle(ctx context.Context) (time.Time, error) {
	w.delivering.worker.Nudge()
	for {
		// In this order: what was taken in between is in hand.
		due, err := w.db.service.NextDelivery(ctx)
		if err != nil && !errors.Is(err, iam.ErrNoRow) {
			return time.Time{}, fmt.Errorf("read when a message is due: %w", err)
		}
		if none := err != nil; (none || due.After(w.clock.Now())) && !w.delivering.worker.Busy() {
			if none {
				due = time.Time{}
			}
			return due, nil
		}
		if err := w.wait(ctx, "mail"); err != nil {
			return time.Time{}, err
		}
	}
}
