// Package outbox delivers what the use cases queued: it claims messages whose
// turn has come, hands each to whoever carries its kind, and has the outcome
// kept. Several processes may do so on one database.
//
// It knows kinds of messages, not e-mail: what a message says, and how it
// leaves, is internal/mail's. When one is tried again, and when it is given up,
// internal/iam decides. It must not import internal/store.
package outbox

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"hither/internal/iam"
)

// Source is where messages wait; *iam.Service is one.
type Source interface {
	NextDelivery(ctx context.Context) (time.Time, error)
	ClaimDelivery(ctx context.Context, lease time.Duration) (iam.DueDelivery, error)
	FinishDelivery(ctx context.Context, claimed iam.Delivery, verdict iam.Verdict) (iam.Delivery, error)
}

// Deliver makes one attempt. It may be called by several goroutines at once,
// and a message that was delivered may come again: with the same ID.
type Deliver func(ctx context.Context, message iam.DueDelivery) iam.Verdict

// Options are what a Worker is made of; what stands before Grace is needed.
type Options struct {
	Source Source
	Kinds  map[iam.DeliveryKind]Deliver
	// Queued says that this process queued something. What others queue is found
	// by looking, every few seconds.
	Queued <-chan struct{}
	Logger *slog.Logger
	Now    func() time.Time

	Grace time.Duration // at a stop, how long what is in hand may take to finish
}

const (
	// maxHands is how many messages are under way at once.
	maxHands = 4
	// poll is how often it looks whether something is due. A look is one read.
	poll = 5 * time.Second
	// attemptTimeout bounds an attempt; a mail server may take minutes over one.
	attemptTimeout = 6 * time.Minute
	// lease is for how long nobody else takes a message: longer than an attempt
	// and keeping what it led to.
	lease = attemptTimeout + 2*time.Minute
	// finishPause is how long to wait before trying again to keep an outcome that
	// the database did not take.
	finishPause = time.Second
)

// Worker delivers for one process.
type Worker struct {
	Options

	hands  chan struct{} // one for each that is at work
	nudged chan struct{}
	atWork sync.WaitGroup
	counts counts
}

// New returns a Worker that does nothing before Run.
func New(o Options) *Worker {
	return &Worker{Options: o, hands: make(chan struct{}, maxHands), nudged: make(chan struct{}, 1)}
}

// Run delivers until ctx ends, then finishes what is in hand within Grace. What
// takes longer is broken off, and tried again by whoever comes next.
func (w *Worker) Run(ctx context.Context) {
	// On a context of its own: a stop lets an attempt go on.
	working, breakOff := context.WithCancel(context.WithoutCancel(ctx))
	defer breakOff()
	next := time.NewTimer(0)
	defer next.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-w.Queued:
			next.Reset(w.look(ctx, working))
		case <-w.nudged:
			next.Reset(w.look(ctx, working))
		case <-next.C:
			next.Reset(w.look(ctx, working))
		}
	}
	over := time.AfterFunc(w.Grace, breakOff)
	defer over.Stop()
	w.atWork.Wait()
}

// Nudge has the worker look at once: for whoever sets the clock forward, which
// its timers know nothing of.
func (w *Worker) Nudge() {
	select {
	case w.nudged <- struct{}{}:
	default: // it is about to look
	}
}

// Busy reports whether a message is in hand. One that is due and not yet taken is
// none.
func (w *Worker) Busy() bool { return len(w.hands) > 0 }

// Stats reads the worker's numbers.
func (w *Worker) Stats() Stats {
	return Stats{Sent: w.counts.sent.Load(), Deferred: w.counts.deferred.Load(), Bounced: w.counts.bounced.Load()}
}

// look sets to work if something is due, and says when to look again.
func (w *Worker) look(ctx, working context.Context) time.Duration {
	due, err := w.Source.NextDelivery(ctx)
	switch {
	case errors.Is(err, iam.ErrNoRow) || ctx.Err() != nil:
		return poll
	case err != nil:
		w.Logger.Warn("the outbox cannot be read; it is tried again", "error", err)
		return poll
	}
	if wait := due.Sub(w.Now()); wait > 0 {
		return min(wait, poll)
	}
	w.employ(ctx, working)
	return poll
}

// employ adds a hand if there may be one more.
func (w *Worker) employ(ctx, working context.Context) {
	select {
	case w.hands <- struct{}{}:
		w.atWork.Go(func() {
			defer func() { <-w.hands }()
			w.work(ctx, working)
		})
	default:
	}
}

// work delivers one message after the other until none is due, or ctx ends. With
// each it has another hand look for more, so that there are as many as are of
// use.
func (w *Worker) work(ctx, working context.Context) {
	for ctx.Err() == nil {
		// Looking is a read; to claim holds up who writes.
		if due, err := w.Source.NextDelivery(ctx); err != nil || due.After(w.Now()) {
			return
		}
		// A claim whose caller goes away may still be made, and nobody would have
		// the message in hand until its lease ends: so a stop waits for it.
		message, err := w.Source.ClaimDelivery(working, lease)
		if err != nil {
			if !errors.Is(err, iam.ErrNoRow) && working.Err() == nil {
				w.Logger.Warn("no message could be claimed; it is tried again", "error", err)
			}
			return
		}
		w.employ(ctx, working)
		w.deliver(working, message)
	}
}

// deliver makes one attempt and has its outcome kept.
func (w *Worker) deliver(working context.Context, message iam.DueDelivery) {
	start := w.Now()
	verdict := w.attempt(working, message)
	log := w.Logger.With("delivery", message.ID, "kind", string(message.Kind), "attempt", message.Attempts)
	after, err := w.finish(working, message.Delivery, verdict)
	switch {
	case errors.Is(err, iam.ErrStale):
		log.Warn("a message was taken by somebody else, or dropped, while it was under way", "said", string(verdict.State))
		return
	case err != nil:
		log.Error("what became of a message could not be kept; it will be sent again", "said", string(verdict.State), "error", err)
		return
	}
	w.counts.note(after.State)
	level := slog.LevelInfo
	if after.State == iam.Bounced {
		level = slog.LevelWarn
	}
	log.Log(working, level, "delivery", "state", string(after.State), "code", verdict.Code, "words", after.Words,
		"due_on", after.DueOn, "took_ms", w.Now().Sub(start).Milliseconds())
}

// finish has an outcome kept, and tries again for as long as the database is
// not to be had: what is not kept is sent again.
func (w *Worker) finish(ctx context.Context, claimed iam.Delivery, verdict iam.Verdict) (iam.Delivery, error) {
	for giveUp := w.Now().Add(lease - attemptTimeout); ; {
		after, err := w.Source.FinishDelivery(ctx, claimed, verdict)
		if iam.KindOf(err) != iam.Unavailable || w.Now().After(giveUp) {
			return after, err
		}
		select {
		case <-time.After(finishPause):
		case <-ctx.Done():
			return after, err
		}
	}
}

// counts are what became of attempts in this process.
type counts struct{ sent, deferred, bounced atomic.Int64 }

func (c *counts) note(state iam.DeliveryState) {
	switch state {
	case iam.Sent:
		c.sent.Add(1)
	case iam.Deferred, iam.Queued:
		c.deferred.Add(1)
	case iam.Bounced:
		c.bounced.Add(1)
	case iam.Complained, iam.Suppressed, iam.Dropped:
	}
}

// Stats are how many attempts of this process ended how.
type Stats struct{ Sent, Deferred, Bounced int64 }
