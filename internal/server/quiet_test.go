package server

import (
	"log/slog"
	"strings"
	"testing"
)

// TestScannersAreNoEvent holds that broken handshakes, which are what a port
// that is open to the world gets all day, don't fill the log.
func TestScannersAreNoEvent(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		level   slog.Level
		message string
		want    string // "": nothing
	}{
		{slog.LevelInfo, "http: TLS handshake error from 192.0.2.1:4711: EOF", ""},
		{slog.LevelDebug, "http: TLS handshake error from 192.0.2.1:4711: EOF", "DEBUG"},
		{slog.LevelInfo, "http: Accept error: too many open files; retrying in 5ms", "WARN"},
	} {
		log := &journal{}
		handler := slog.NewJSONHandler(log, &slog.HandlerOptions{Level: test.level})
		slog.NewLogLogger(quiet{handler}, slog.LevelWarn).Print(test.message)
		switch got := log.String(); {
		case test.want == "" && got != "":
			t.Errorf("%q at level %s: got %s, want nothing", test.message, test.level, got)
		case !strings.Contains(got, test.want):
			t.Errorf("%q at level %s: got %q, want a line of level %s", test.message, test.level, got, test.want)
		}
	}
}
