package server

import (
	"context"
	"log/slog"
	"strings"
)

// quiet takes what net/http says by itself into the log. A client that breaks
// off a TLS handshake is no event: port scanners do nothing else.
type quiet struct{ slog.Handler }

// Handle implements slog.Handler.
func (q quiet) Handle(ctx context.Context, record slog.Record) error {
	if strings.HasPrefix(record.Message, "http: TLS handshake error") {
		if !q.Enabled(ctx, slog.LevelDebug) {
			return nil
		}
		record.Level = slog.LevelDebug
	}
	return q.Handler.Handle(ctx, record) //nolint:wrapcheck // it is the same handler
}
