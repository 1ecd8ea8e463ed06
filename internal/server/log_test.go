package server

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"hither/internal/api"
	"hither/internal/iam"
)

// TestLogHasNoSecret is KF-44: a canary in every place where a request can
// carry a secret, by every way a request can end, at the level debug.
func TestLogHasNoSecret(t *testing.T) {
	t.Parallel()
	const canary = "CANARY-0123456789abcdefghijklmnopqrstuvwxyz"
	for _, end := range []string{"answer", "refusal", "panic", "foreign host"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			s := newHarness(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				trace := api.TraceOf(r.Context())
				trace.Route, trace.Actor = "/accept/{secret}", iam.ByUser
				switch end {
				case "panic":
					panic("a nil map")
				case "refusal":
					trace.Code = 9103
					w.WriteHeader(http.StatusForbidden)
				}
			}, func(o *Options) {
				if end == "foreign host" {
					o.Hosts = &Hosts{}
				}
			})
			body := strings.NewReader(`{"secret":"` + canary + `"}`)
			r := httptest.NewRequest(http.MethodPost, "/accept/"+canary+"?key="+canary+"&"+canary, body)
			r.Host = canary + ".example"
			for _, name := range []string{
				"Authorization", "X-Auth-Email", "X-Auth-Key", "Cookie", "Idempotency-Key", "User-Agent", "Referer", "Origin",
				"X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Cf-Connecting-Ip", "X-Request-Id", "Traceparent", "Content-Type",
			} {
				r.Header.Set(name, canary)
			}
			s.ServeHTTP(httptest.NewRecorder(), r)
			if log := s.log.String(); strings.Contains(strings.ToUpper(log), "CANARY") || log == "" {
				t.Errorf("the log has the canary, or nothing: %s", log)
			}
		})
	}
}

func TestLogLine(t *testing.T) {
	t.Parallel()
	s := newHarness(func(w http.ResponseWriter, r *http.Request) {
		trace := api.TraceOf(r.Context())
		trace.Route, trace.Status, trace.Code = "/client/v4/user/invites/{invite_id}", http.StatusServiceUnavailable, 10503
		trace.Actor, trace.UserID, trace.CredentialID = iam.ByUser, "7c5dae5552338874e5053f2534d2767a", "ed17574386854bf78a67040be0a770b0"
		trace.Cause = fmt.Errorf("commit: %w", io.ErrUnexpectedEOF)
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "twelve bytes")
	}, nil)
	r := httptest.NewRequest(http.MethodPatch, "/client/v4/user/invites/4f5f0c14a2a41d5063dd301b2f829f04?status=x", nil)
	r.RemoteAddr = "[2001:db8::1]:4711"
	r.Header.Set("X-Forwarded-For", "192.0.2.1") // KF-65: a header says nothing about who asks
	s.ServeHTTP(httptest.NewRecorder(), r)

	lines := s.log.lines(t, "request")
	if len(lines) != 1 {
		t.Fatalf("got %d lines, want 1: %s", len(lines), s.log)
	}
	for name, want := range map[string]any{
		"level": "ERROR", "request_id": "request-1", "method": "PATCH", "route": "/client/v4/user/invites/{invite_id}",
		"path": "/client/v4/user/invites/4f5f0c14a2a41d5063dd301b2f829f04", "status": 503.0, "bytes": 12.0, "remote": "2001:db8::1",
		"actor": "user", "user_id": "7c5dae5552338874e5053f2534d2767a", "credential_id": "ed17574386854bf78a67040be0a770b0",
		"code": 10503.0, "cause": "commit: unexpected EOF",
	} {
		if got := lines[0][name]; got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	if took, ok := lines[0]["duration_ms"].(float64); !ok || took < 0 || took > 60_000 {
		t.Errorf("duration_ms: got %v", lines[0]["duration_ms"])
	}
	if got, most := len(lines[0])-3, maxAttrs; got > most { // time, level and msg are slog's
		t.Errorf("got %d attributes, want %d at most: raise maxAttrs", got, most)
	}
}

func TestLogLevels(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		path   string
		status int
		want   string
	}{
		{"/other", http.StatusOK, "INFO"},
		{"/other", http.StatusForbidden, "INFO"},
		{"/other", http.StatusInternalServerError, "ERROR"},
		{alivePath, http.StatusOK, "DEBUG"},
		{readyPath, http.StatusOK, "DEBUG"},
	} {
		s := newHarness(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(test.status) }, nil)
		s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, test.path, nil))
		if lines := s.log.lines(t, "request"); len(lines) != 1 || lines[0]["level"] != test.want {
			t.Errorf("%s with %d: got %v, want one line of level %s", test.path, test.status, lines, test.want)
		}
	}
}

func TestPrintablePath(t *testing.T) {
	t.Parallel()
	const id = "4f5f0c14a2a41d5063dd301b2f829f04"
	for path, want := range map[string]string{
		"/client/v4/user/invites/" + id:        "/client/v4/user/invites/" + id,
		"/openapi.yaml":                        "/openapi.yaml",
		"/client/v4/user/tokens/verify":        "/client/v4/user/tokens/verify",
		"/a/" + strings.Repeat("s", 32) + "/b": "/a/*/b",
		"/a/line\nbreak":                       "/a/*",
		"/a/user@example.com":                  "/a/*",
		"/a/\u202eright-to-left":               "/a/*",
		"*":                                    "*",
		"":                                     "",
		"/" + strings.Repeat("a/", 200):        "*",
		"/a/Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY": "/a/*",
	} {
		if got := printable(path); got != want {
			t.Errorf("printable(%q): got %q, want %q", path, got, want)
		}
	}
}

// TestRequestsDoNotMix is KF-95 for what the server itself keeps of a request:
// under load each line names the principal of its own request.
func TestRequestsDoNotMix(t *testing.T) {
	t.Parallel()
	s := newHarness(func(w http.ResponseWriter, r *http.Request) {
		trace := api.TraceOf(r.Context())
		trace.Actor, trace.UserID = iam.ByUser, iam.ID(r.Header.Get("X-Who"))
		trace.Route = "/" + r.Header.Get("X-Who")[:1]
		w.Header().Set(requestIDHeader, trace.RequestID)
	}, nil)
	const identities, each = 200, 50
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		who   = make(map[string]string, identities*each)
	)
	for i := range identities {
		group.Go(func() {
			name := fmt.Sprintf("%032x", i)
			for range each {
				r, w := httptest.NewRequest(http.MethodGet, "/"+name, nil), httptest.NewRecorder()
				r.Header.Set("X-Who", name)
				s.ServeHTTP(w, r)
				mu.Lock()
				who[w.Header().Get(requestIDHeader)] = name
				mu.Unlock()
			}
		})
	}
	group.Wait()
	lines := s.log.lines(t, "request")
	if len(lines) != identities*each || len(who) != identities*each {
		t.Fatalf("got %d lines and %d request ids, want %d of each", len(lines), len(who), identities*each)
	}
	for _, line := range lines {
		requestID, _ := line["request_id"].(string)
		if line["user_id"] != who[requestID] || line["path"] != "/"+who[requestID] {
			t.Fatalf("the line of %s's request: got %v", who[requestID], line)
		}
	}
}
