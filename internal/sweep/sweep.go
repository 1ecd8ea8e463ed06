// Package sweep does what the clock has to do with invitations: it ends those
// whose time ran out, and reminds of those whose time comes. An invitation reads
// as expired from its end on, swept or not; what waits for a sweep is only that it
// is told.
//
// Any number of nodes may run a Worker. That each row ends once and is reminded of
// once is iam's and the store's; the worker only chooses when. It imports iam for
// the types and knows neither SQL nor mail.
package sweep

import (
	"context"
	"log/slog"
	"time"

	"hither/internal/iam"
)

const (
	// Poll is the longest that a worker sleeps. An invitation lives an hour at
	// least, so what others made meanwhile is not late.
	Poll = time.Minute
	// pause is the shortest, so that nodes that met don't turn around each other.
	pause = 100 * time.Millisecond
)

// Worker sweeps from time to time.
type Worker struct {
	// Sweep is iam.Service's.
	Sweep func(ctx context.Context) (iam.Swept, error)
	// Now is the time that the rows are held against.
	Now func() time.Time
	// Logger hears of sweeps that did something, and of those that failed.
	Logger *slog.Logger
}

// Run sweeps until ctx ends. Between two sweeps it sleeps until the next row
// wakes, but no longer than Poll. Where there is nothing to do it only reads.
func (w *Worker) Run(ctx context.Context) {
	for {
		timer := time.NewTimer(w.once(ctx))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// once sweeps, and says how long to sleep then.
func (w *Worker) once(ctx context.Context) time.Duration {
	swept, err := w.Sweep(ctx)
	if ctx.Err() != nil {
		return Poll
	}
	if swept.Purged > 0 {
		w.Logger.InfoContext(ctx, "old messages dropped", slog.Int("messages", swept.Purged))
	}
	if swept.Expired+swept.Reminded+swept.Skipped > 0 {
		w.Logger.InfoContext(ctx, "invitations swept", slog.Int("expired", swept.Expired), slog.Int("reminded", swept.Reminded),
			slog.Int("not_reminded", swept.Skipped))
	}
	if swept.Ended+swept.Warned+swept.Kept > 0 {
		w.Logger.InfoContext(ctx, "memberships swept", slog.Int("ended", swept.Ended), slog.Int("warned", swept.Warned),
			slog.Int("kept", swept.Kept))
	}
	switch {
	case err != nil:
		w.Logger.WarnContext(ctx, "sweep", slog.Any("error", err))
		return Poll // it may be what failed that is due
	case swept.More:
		return pause
	case swept.Next.IsZero():
		return Poll
	}
	return min(max(swept.Next.Sub(w.Now()), pause), Poll)
}
