package server

import (
	"context"
	"net/http"
	"time"
)

// Paths that the server answers itself, for whoever watches it: no
// credentials, no envelope, one line of text.
const (
	alivePath = "/healthz" // the process runs; it asks nobody
	readyPath = "/readyz"
)

// readyTimeout is how long the store may take to show that it answers.
const readyTimeout = 2 * time.Second

// ready says whether requests should be sent here: not while stopping, and not
// while the store doesn't answer. Why it doesn't is for the log, not for
// everybody who can reach this path.
func (s *Server) ready(x *exchange, r *http.Request) {
	if s.draining.Load() {
		x.text(http.StatusServiceUnavailable, "stopping\n")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := s.Ready(ctx); err != nil {
		x.trace.Cause = err
		x.text(http.StatusServiceUnavailable, "the store does not answer\n")
		return
	}
	x.text(http.StatusOK, "ok\n")
}
