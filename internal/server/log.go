package server

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"hither/internal/api"
	"hither/internal/iam"
)

// line is what the server itself knows of an answered request.
type line struct {
	method string
	status int
	bytes  int64
	took   time.Duration
	peer   string // the proxy in between, "" none
}

// log writes the one line of a request. What is in it was chosen one by one:
// never a header, a query, a body or an address of a person. A key or a link put
// into the path by mistake is starred too, unless it has the form of an id.
func (s *Server) log(r *http.Request, trace *api.Trace, l line) {
	level := levelOf(trace.Route, l.status)
	if !s.Logger.Enabled(r.Context(), level) {
		return
	}
	attrs := append(make([]slog.Attr, 0, maxAttrs),
		slog.String("request_id", trace.RequestID),
		slog.String("method", l.method),
		slog.String("route", trace.Route),
		slog.String("path", printable(r.URL.Path)),
		slog.Int("status", l.status),
		slog.Int64("bytes", l.bytes),
		slog.Float64("duration_ms", float64(l.took.Microseconds())/1000),
		slog.String("remote", hostOf(r.RemoteAddr)),
	)
	if l.peer != "" {
		attrs = append(attrs, slog.String("peer", l.peer))
	}
	if trace.Actor != "" {
		attrs = append(attrs,
			slog.String("actor", string(trace.Actor)),
			slog.String("user_id", string(trace.UserID)),
			slog.String("credential_id", string(trace.CredentialID)))
	}
	if trace.Code != 0 {
		attrs = append(attrs, slog.Int("code", trace.Code))
	}
	if trace.Cause != nil {
		attrs = append(attrs, slog.String("cause", trace.Cause.Error()))
	}
	// Without the caller's position, which is always this one: to find it costs
	// as much as the rest.
	record := slog.NewRecord(time.Now(), level, "request", 0)
	record.AddAttrs(attrs...)
	_ = s.Logger.Handler().Handle(r.Context(), record) // nobody is left to be told, as slog itself says
}

// maxAttrs is how many a line can have.
const maxAttrs = 14

// levelOf keeps what watchers ask every few seconds out of the ordinary log.
func levelOf(route string, status int) slog.Level {
	switch {
	case status >= http.StatusInternalServerError:
		return slog.LevelError
	case route == alivePath || route == readyPath:
		return slog.LevelDebug
	default:
		return slog.LevelInfo
	}
}

// Bounds of a path in the log.
const (
	maxPath = 200
	maxWord = 24 // shorter than any secret: see iam.MinSecret
)

// printable is a path as the log shows it: words and ids stay, anything else,
// which may be a key in the wrong place or the secret of a link, becomes "*".
func printable(path string) string {
	if len(path) > maxPath {
		return "*"
	}
	for segment := range strings.SplitSeq(path, "/") {
		if !harmless(segment) {
			return starred(path)
		}
	}
	return path
}

func starred(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if !harmless(segment) {
			segments[i] = "*"
		}
	}
	return strings.Join(segments, "/")
}

func harmless(segment string) bool {
	if _, id := iam.ParseID(segment); id {
		return true
	}
	if len(segment) > maxWord {
		return false
	}
	for i := range len(segment) {
		c := segment[i]
		if letter := c|0x20 >= 'a' && c|0x20 <= 'z'; !letter && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// hostOf is the client's address without its port; see Proxies for whose it is.
func hostOf(remote string) string {
	if colon := strings.LastIndexByte(remote, ':'); colon >= 0 {
		return strings.Trim(remote[:colon], "[]")
	}
	return remote
}
