package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"hither/internal/iam"
	"hither/internal/sweep"
)

// retentionSettings say how long is kept what nobody works with any more.
type retentionSettings struct {
	AuditRetention time.Duration `default:"0s" env:"HITHER_AUDIT_RETENTION" help:"How long audit rows are kept, 24h at least; 0s is for ever." placeholder:"TIME"`
	EndedRetention time.Duration `default:"0s" env:"HITHER_ENDED_RETENTION" help:"How long invitations and memberships are kept after they ended, 24h at least; 0s is for ever. Audit rows of them stay." placeholder:"TIME"`
	BulkRetention  time.Duration `default:"720h" env:"HITHER_BULK_RETENTION" help:"How long the rows of a bulk of invitations, and what became of each, are kept after it ended, 24h at least; 0s is for ever. Invitations stay." placeholder:"TIME"`
}

// check refuses times that are too short to repeat a request in.
func (r *retentionSettings) check() error {
	short := func(d time.Duration) bool { return d < 0 || d > 0 && d < iam.MinRetention }
	switch {
	case short(r.AuditRetention):
		return errors.New("--audit-retention must be 24h at least, for example 8760h, or 0s for ever (HITHER_AUDIT_RETENTION)")
	case short(r.EndedRetention):
		return errors.New("--ended-retention must be 24h at least, for example 2160h, or 0s for ever (HITHER_ENDED_RETENTION)")
	case short(r.BulkRetention):
		return errors.New("--bulk-retention must be 24h at least, for example 720h, or 0s for ever (HITHER_BULK_RETENTION)")
	}
	return nil
}

// trimmer drops what was kept for long enough, of what was sent to webhooks after
// another time; nil where all is kept.
func (r *retentionSettings) trimmer(service *iam.Service, webhooks time.Duration, logger *slog.Logger) *sweep.Trimmer {
	keep := iam.Retention{Audit: r.AuditRetention, Ended: r.EndedRetention, Bulk: r.BulkRetention, Webhooks: webhooks}
	if keep == (iam.Retention{}) {
		return nil
	}
	return &sweep.Trimmer{
		Trim:   func(ctx context.Context) (iam.Trimmed, error) { return service.Trim(ctx, keep) },
		Logger: logger,
	}
}
