package sweep

import (
	"context"
	"log/slog"
	"time"

	"hither/internal/iam"
)

const (
	// trimEvery is how often what was kept for long enough is looked for.
	trimEvery = time.Hour
	// trimPause stands between two transactions that drop, so that others get their
	// turn.
	trimPause = 200 * time.Millisecond
)

// Trimmer drops what was kept for long enough, bit by bit.
type Trimmer struct {
	// Trim is iam.Service's, with what is kept.
	Trim func(ctx context.Context) (iam.Trimmed, error)
	// Logger hears what was dropped, and of what failed.
	Logger *slog.Logger
}

// Run trims until ctx ends.
func (t *Trimmer) Run(ctx context.Context) {
	for {
		timer := time.NewTimer(t.round(ctx))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// round trims once, and says how long to wait then.
func (t *Trimmer) round(ctx context.Context) time.Duration {
	trimmed, err := t.Trim(ctx)
	if ctx.Err() != nil {
		return trimEvery
	}
	if trimmed.Audit+trimmed.Ended+trimmed.Bulk+trimmed.Webhooks > 0 {
		t.Logger.InfoContext(ctx, "old rows dropped", slog.Int("audit", trimmed.Audit), slog.Int("ended_memberships", trimmed.Ended),
			slog.Int("bulk", trimmed.Bulk), slog.Int("webhook_deliveries", trimmed.Webhooks))
	}
	if err != nil {
		t.Logger.WarnContext(ctx, "drop old rows", slog.Any("error", err))
		return trimEvery
	}
	if trimmed.More {
		return trimPause
	}
	return trimEvery
}
