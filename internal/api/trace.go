package api

import (
	"context"

	"hither/internal/iam"
)

// StatusClientGone is the status in the Trace of a request whose client went
// away before the answer; it is never on the wire.
const StatusClientGone = 499

// Trace is what a request turned out to be, for whoever logs and counts it.
// The middleware in front puts an empty one into the context (WithTrace), and
// reads it when the handler has returned; it belongs to that one goroutine.
type Trace struct {
	// RequestID is in the answer's headers and in audit rows. One that the
	// middleware has set is kept.
	RequestID string
	// Stopping is closed when the server stops: who waits for events is answered
	// then. nil never is.
	Stopping <-chan struct{}
	// Gone is closed when the client has gone. The context of the request says so
	// too, but ends with the time for work on it, which a stream outlives. nil: that
	// isn't known.
	Gone <-chan struct{}
	// Route is the pattern of the path ("/client/v4/user/invites/{invite_id}"),
	// "" where there is none: fit to label a metric.
	Route string
	// Actor, UserID and CredentialID say who asked; empty where nobody was
	// authenticated, and UserID where it was the operator's token.
	Actor        iam.ActorKind
	UserID       iam.ID
	CredentialID iam.ID
	// Status is that of the answer, or StatusClientGone.
	Status int
	// Code is the wire's code of the refusal, 0 for a success.
	Code int
	// Cause is what the client was not told: the error behind a status of 500
	// or more, or why credentials were refused. It holds no secret.
	Cause error
}

type traceKey struct{}

// WithTrace returns a context that carries t.
func WithTrace(ctx context.Context, t *Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

// TraceOf is the Trace that ctx carries, nil if none.
func TraceOf(ctx context.Context) *Trace {
	t, _ := ctx.Value(traceKey{}).(*Trace)
	return t
}

func (t *Trace) identify(actor iam.Actor) {
	t.Actor, t.UserID, t.CredentialID = actor.Kind, actor.User.ID, actor.CredentialID
}
