// Package bulk works off the lists of people to invite that were taken on. What
// becomes of a row, and that each has one outcome whoever works, is iam's and the
// store's; the worker only chooses whose turn it is.
//
// Any number of nodes may run a Worker. One that is killed has left whole batches
// behind, and another goes on with the next one. It imports iam for the types and
// knows neither SQL nor the wire.
package bulk

import (
	"context"
	"log/slog"
	"time"

	"hither/internal/iam"
)

const (
	// Poll is how often a worker without work looks for some that others took on.
	Poll = time.Second
	// abreast is of how many bulks one round works off a batch each, so that a long
	// one holds up none that came later.
	abreast = 16
	// After tries attempts at one row, of which each broke, the row is given up.
	tries = 3
	// patience is how long something that breaks is left alone.
	patience = 2 * time.Second
)

// Worker works bulks off.
type Worker struct {
	// Name is this worker's alone.
	Name string
	// Running and Work are iam.Service's.
	Running func(ctx context.Context, worker string, limit int) ([]iam.ID, error)
	Work    func(ctx context.Context, step iam.BulkStep) (iam.BulkProgress, error)
	// Started has word of bulks that this process took on.
	Started <-chan struct{}
	// Logger hears which bulks ended, and what failed.
	Logger *slog.Logger

	broken map[iam.ID]trouble
}

// trouble is what a bulk met that should not be.
type trouble struct {
	times int       // on end that one row, or the batch that it is in, broke
	alone int       // how many rows are still to be tried one by one
	until time.Time // when to go on
}

// Run works until ctx ends.
func (w *Worker) Run(ctx context.Context) {
	w.broken = map[iam.ID]trouble{}
	for {
		if w.round(ctx) {
			continue
		}
		timer := time.NewTimer(Poll)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-w.Started:
			timer.Stop()
		}
	}
}

// round works off a batch of each bulk that runs. It reports whether there may be
// more to do at once.
func (w *Worker) round(ctx context.Context) bool {
	ids, err := w.Running(ctx, w.Name, abreast)
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		w.Logger.WarnContext(ctx, "look for bulks", slog.Any("error", err))
		return false
	}
	more := false
	for _, id := range ids {
		if time.Now().Before(w.broken[id].until) {
			continue
		}
		if ctx.Err() != nil {
			return false
		}
		more = w.work(ctx, id) || more
	}
	if len(ids) == 0 {
		clear(w.broken)
	}
	return more
}

// work works off a batch of one bulk. Of one in which something broke it is a row
// alone, so that the others are not kept from their turn.
func (w *Worker) work(ctx context.Context, id iam.ID) bool {
	step := iam.BulkStep{ID: id, Worker: w.Name, Limit: iam.BulkBatch}
	before := w.broken[id]
	if before.alone > 0 {
		step.Limit, step.GiveUp = 1, before.times > tries
	}
	progress, err := w.Work(ctx, step)
	switch {
	case ctx.Err() != nil:
		return false
	case err != nil:
		w.Logger.WarnContext(ctx, "work off a bulk", slog.String("bulk", string(id)), slog.Int("attempt", before.times+1), slog.Any("error", err))
		after := trouble{before.times, before.alone, time.Now().Add(patience)}
		if iam.KindOf(err) != iam.Unavailable { // with the database away nothing is to blame on a row
			after.times, after.alone = before.times+1, iam.BulkBatch
		}
		w.broken[id] = after
		return false
	case step.GiveUp:
		w.Logger.ErrorContext(ctx, "a row of a bulk was given up", slog.String("bulk", string(id)))
	}
	if delete(w.broken, id); before.alone > 1 {
		w.broken[id] = trouble{alone: before.alone - 1}
	}
	if progress.Bulk.State == iam.BulkFinished && progress.Rows > 0 {
		counts := progress.Bulk.Counts
		w.Logger.InfoContext(ctx, "a bulk of invitations ended", slog.String("bulk", string(id)), slog.Int("rows", progress.Bulk.Rows),
			slog.Int("invited", counts[iam.BulkInvited]), slog.Int("refused", counts[iam.BulkRefused]))
	}
	return progress.Rows > 0
}
