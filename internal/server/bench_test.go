package server

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"hither/internal/api"
)

// BenchmarkRequest is what the server adds to every request: the id, the
// deadline, the metrics and the log line.
func BenchmarkRequest(b *testing.B) {
	s := newHarness(func(w http.ResponseWriter, r *http.Request) {
		trace := api.TraceOf(r.Context())
		trace.Route, trace.Status, trace.Actor = "/echo", http.StatusOK, "user"
		w.WriteHeader(http.StatusOK)
	}, func(o *Options) {
		o.Logger = slog.New(slog.NewJSONHandler(io.Discard, nil)) //nolint:sloglint // the handler is what is measured
		o.NewID = func() string { return "4f5f0c14a2a41d5063dd301b2f829f04" }
	})
	r := httptest.NewRequest(http.MethodGet, "/client/v4/user/invites/4f5f0c14a2a41d5063dd301b2f829f04", nil)
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		s.ServeHTTP(w, r)
	}
}
