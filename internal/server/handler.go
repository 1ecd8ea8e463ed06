package server

import (
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"hither/internal/api"
)

// exchange is one request: what it turned out to be, and what was answered. It
// is made anew for each and never pooled, so that no request can see another's.
type exchange struct {
	recorder

	trace api.Trace
	peer  string // the proxy that the request came through, "" where it came straight
}

// ServeHTTP answers a request, then logs and counts what came of it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	trace := api.Trace{RequestID: s.NewID(), Stopping: s.stopping, Gone: r.Context().Done()}
	x := &exchange{recorder: recorder{ResponseWriter: w}, trace: trace}
	x.peer = s.Proxies.place(r)
	s.Metrics.inFlight.Add(1)
	defer func() {
		cause := recover()
		broken := cause != nil && s.survive(x, cause)
		s.finish(x, r, time.Since(start))
		s.Metrics.inFlight.Add(-1)
		if broken {
			panic(http.ErrAbortHandler) // net/http breaks the connection off: half an answer must not be taken for one
		}
	}()
	s.route(x, r)
}

func (s *Server) route(x *exchange, r *http.Request) {
	// A proxy in front that reads the end of a chunked body otherwise than we
	// do would take its rest for the next request. Let there be no next one.
	if len(r.TransferEncoding) > 0 {
		x.Header().Set("Connection", "close")
	}
	switch watching := r.Method == http.MethodGet || r.Method == http.MethodHead; {
	case s.Hosts != nil && !s.Hosts.Answer(r.Host):
		x.refuse(http.StatusMisdirectedRequest, codeNoRoute, foreignHost)
	case watching && r.URL.Path == alivePath:
		x.trace.Route = alivePath
		x.text(http.StatusOK, "ok\n")
	case watching && r.URL.Path == readyPath:
		x.trace.Route = readyPath
		s.ready(x, r)
	case !s.admit(x, r):
	default:
		ctx := &allotted{Context: api.WithTrace(r.Context(), &x.trace), until: time.Now().Add(s.Limits.Handle)}
		defer ctx.end()
		s.Site.ServeHTTP(&x.recorder, r.WithContext(ctx)) //nolint:contextcheck // it is one of r.Context()
	}
}

// survive answers a request whose handler panicked, which the API does not: it
// recovers by itself. It reports whether the connection must be broken off.
func (s *Server) survive(x *exchange, cause any) bool {
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return true
	}
	s.Logger.Error("panic outside the API", slog.String("request_id", x.trace.RequestID),
		slog.Any("cause", cause), slog.String("stack", string(debug.Stack())))
	if x.status != 0 {
		return true
	}
	x.refuse(http.StatusInternalServerError, codeInternal, "internal error; the log has more under the request id of this answer")
	return false
}

// finish counts and logs an answered request.
func (s *Server) finish(x *exchange, r *http.Request, took time.Duration) {
	status := x.status
	switch {
	case x.trace.Status == api.StatusClientGone:
		status = api.StatusClientGone
	case status == 0:
		status = http.StatusOK // what net/http sends for a handler that sends nothing
	}
	method := knownMethod(r.Method)
	s.Metrics.observe(x.trace.Route, method, status, took)
	s.log(r, &x.trace, line{method: method, status: status, bytes: x.bytes, took: took, peer: x.peer})
}
