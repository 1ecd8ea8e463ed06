// Package webhook sends accounts their events: it has deliveries made of what
// happened, claims webhooks whose turn has come, and makes attempts. Several
// processes may do so on one database.
//
// What is sent to whom, when it is tried again and when it is given up, internal/iam
// decides. Here is what that costs in time and connections: no receiver gets more
// than a few at once, and those that fail leave room for the others. The package
// must not import internal/store or internal/api.
package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"hither/internal/iam"
)

// Source is where events wait; *iam.Service is one.
type Source interface {
	FanOut(ctx context.Context) (time.Time, error)
	ClaimWebhook(ctx context.Context, lease time.Duration, healthy bool) (iam.WebhookClaim, error)
	FinishWebhook(ctx context.Context, claim iam.WebhookClaim, outcomes []iam.WebhookOutcome) (iam.Webhook, error)
}

// Options are what a Worker is made of; all are needed.
type Options struct {
	Source Source
	// Send makes one attempt. It is called by several goroutines at once, and an
	// event that was sent may come again: with the same ID.
	Send func(ctx context.Context, m Message) Result
	// Body is what is sent of an event.
	Body   func(event iam.AuditEntry) ([]byte, error)
	Logger *slog.Logger
	Now    func() time.Time
	Grace  time.Duration // at a stop, how long what is in hand may take to finish
}

const (
	// maxHands is how many webhooks are in hand at once, and maxFailing how many of
	// them may be ones that failed last: the others are for those that work.
	maxHands   = 32
	maxFailing = 16
	// poll is how often it looks for events. Where no webhook is on a look is one
	// read.
	poll = time.Second
	// lease is for how long nobody else takes a webhook: longer than a turn, and
	// keeping what it led to.
	lease = attemptTimeout + 15*time.Second
	// finishPause is how long to wait before trying again to keep an outcome that
	// the database did not take.
	finishPause = time.Second
)

// Worker sends for one process.
type Worker struct {
	Options

	hands   chan struct{} // one for each that is at work
	failing chan struct{} // one for each that may have a webhook in hand that failed last
	nudged  chan struct{}
	atWork  sync.WaitGroup
	counts  counts
}

// New returns a Worker that does nothing before Run.
func New(o Options) *Worker {
	return &Worker{
		Options: o, hands: make(chan struct{}, maxHands), failing: make(chan struct{}, maxFailing), nudged: make(chan struct{}, 1),
	}
}

// Run sends until ctx ends, then finishes what is in hand within Grace. What takes
// longer is broken off, and sent again by whoever comes next.
func (w *Worker) Run(ctx context.Context) {
	// On a context of its own: a stop lets an attempt go on.
	working, breakOff := context.WithCancel(context.WithoutCancel(ctx))
	defer breakOff()
	next := time.NewTimer(0)
	defer next.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
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

// Nudge has the worker look at once: for whoever sets the clock forward, which its
// timers know nothing of.
func (w *Worker) Nudge() {
	select {
	case w.nudged <- struct{}{}:
	default: // it is about to look
	}
}

// Stats reads the worker's numbers.
func (w *Worker) Stats() Stats {
	return Stats{Taken: w.counts.taken.Load(), Failed: w.counts.failed.Load()}
}

// Busy reports whether a webhook is in hand.
func (w *Worker) Busy() bool { return len(w.hands) > 0 }

// look makes deliveries of what came, sets to work if something is due, and says
// when to look again.
func (w *Worker) look(ctx, working context.Context) time.Duration {
	due, err := w.Source.FanOut(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		w.Logger.Warn("events for webhooks cannot be read; it is tried again", "error", err)
	case !due.IsZero() && !due.After(w.Now()):
		w.employ(ctx, working)
	case !due.IsZero():
		return min(due.Sub(w.Now()), poll)
	}
	return poll
}

// employ adds a hand if there may be one more.
func (w *Worker) employ(ctx, working context.Context) {
	select {
	case w.hands <- struct{}{}:
		w.atWork.Go(func() {
			defer func() { <-w.hands }()
			for more := true; more && ctx.Err() == nil; {
				more = w.turn(ctx, working)
			}
		})
	default:
	}
}

// turn takes one webhook's turn, and reports whether there was one. With each it has
// another hand look for more, so that there are as many as are of use.
func (w *Worker) turn(ctx, working context.Context) bool {
	healthy := false
	select {
	case w.failing <- struct{}{}:
	default:
		healthy = true
	}
	release := sync.OnceFunc(func() {
		if !healthy {
			<-w.failing
		}
	})
	defer release()
	// A claim whose caller goes away may still be made, and nobody would have the
	// webhook in hand until its lease ends: so a stop waits for it.
	claim, err := w.Source.ClaimWebhook(working, lease, healthy)
	if err != nil {
		if !errors.Is(err, iam.ErrNoRow) && working.Err() == nil {
			w.Logger.Warn("no webhook could be claimed; it is tried again", "error", err)
		}
		return false
	}
	if claim.Webhook.Failures == 0 {
		release()
	}
	w.employ(ctx, working)
	w.send(working, claim)
	return true
}

// send makes an attempt with each event in hand, all at once, and has kept what they
// led to.
func (w *Worker) send(working context.Context, claim iam.WebhookClaim) {
	outcomes := make([]iam.WebhookOutcome, len(claim.Messages))
	var attempts sync.WaitGroup
	for i, message := range claim.Messages {
		attempts.Go(func() { outcomes[i] = w.attempt(working, claim, message) })
	}
	attempts.Wait()
	after, err := w.finish(working, claim, outcomes)
	log := w.Logger.With("webhook", string(claim.Webhook.ID), "account", string(claim.Webhook.AccountID))
	switch {
	case errors.Is(err, iam.ErrStale):
		log.Warn("a webhook was taken by somebody else, or deleted, while it was in hand")
	case err != nil:
		log.Error("what became of events could not be kept; they will be sent again", "error", err)
	case after.Disabled != "" && after.Disabled != iam.WebhookAsked:
		log.Warn("a webhook was turned off", "why", string(after.Disabled))
	}
}

// attempt makes one. A panic in it is one event's misfortune: it is tried again like
// any other.
func (w *Worker) attempt(working context.Context, claim iam.WebhookClaim, message iam.WebhookMessage) (outcome iam.WebhookOutcome) {
	start := w.Now()
	outcome = iam.WebhookOutcome{WebhookDelivery: message.WebhookDelivery, At: start}
	log := w.Logger.With("webhook", string(claim.Webhook.ID), "delivery", string(message.ID), "event", string(message.Action),
		"attempt", message.Attempts)
	var result Result
	defer func() {
		if value := recover(); value != nil {
			log.Error("panic", "panic", fmt.Sprintf("a %T", value), "stack", string(debug.Stack()))
			result = Result{Words: "an error of hither's own; its log has more"}
		}
		outcome.Took = w.Now().Sub(start)
		outcome.Code, outcome.Words, outcome.RetryAfter = result.Code, result.Words, result.RetryAfter
		taken := result.Code >= 200 && result.Code < 300
		w.counts.note(taken)
		log.Info("webhook", "code", result.Code, "words", result.Words, "took_ms", outcome.Took.Milliseconds(), "cause", result.Cause)
	}()
	if claim.Failure != "" {
		result.Words = claim.Failure
		return outcome
	}
	body, err := w.Body(message.Event)
	if err != nil {
		result = Result{Words: "an error of hither's own; its log has more", Cause: err}
		return outcome
	}
	result = w.Send(working, Message{URL: claim.Webhook.URL, ID: message.ID, Secrets: claim.Secrets, Body: body})
	return outcome
}

// finish has outcomes kept, also where the database is not to be had for a moment.
// For longer the lease doesn't hold: what is not kept is sent again.
func (w *Worker) finish(ctx context.Context, claim iam.WebhookClaim, outcomes []iam.WebhookOutcome) (iam.Webhook, error) {
	for giveUp := w.Now().Add(lease - attemptTimeout); ; {
		after, err := w.Source.FinishWebhook(ctx, claim, outcomes)
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
type counts struct{ taken, failed atomic.Int64 }

func (c *counts) note(taken bool) {
	if taken {
		c.taken.Add(1)
	} else {
		c.failed.Add(1)
	}
}

// Stats are how many attempts of this process ended how.
type Stats struct{ Taken, Failed int64 }
