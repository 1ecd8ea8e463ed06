package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"hither/internal/api"
)

// scrape is what the metrics listener serves.
func scrape(t *testing.T, s *harness) string {
	t.Helper()
	w := httptest.NewRecorder()
	s.Metrics.Handler(slog.New(slog.DiscardHandler)).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("GET /metrics: got %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestMetricsOfRequests(t *testing.T) {
	t.Parallel()
	s := newHarness(func(w http.ResponseWriter, r *http.Request) {
		api.TraceOf(r.Context()).Route = "/client/v4/user/invites/{invite_id}"
		w.WriteHeader(http.StatusForbidden)
	}, nil)
	const path = "/client/v4/user/invites/4f5f0c14a2a41d5063dd301b2f829f04"
	for range 3 {
		s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
	}
	text := scrape(t, s)
	for _, want := range []string{
		`hither_http_requests_total{code="403",method="GET",route="/client/v4/user/invites/{invite_id}"} 3`,
		`hither_http_request_duration_seconds_count{method="GET",route="/client/v4/user/invites/{invite_id}",status="4xx"} 3`,
		"hither_http_requests_in_flight 0",
		`hither_build_info{go="go0",revision="none",version="v0.0.0"} 1`,
		"go_goroutines ",
		"process_open_fds ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// TestMetricsAreBounded holds that nothing a client makes up becomes a label.
func TestMetricsAreBounded(t *testing.T) {
	t.Parallel()
	s := newHarness(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, nil)
	for i := range 100 {
		r := httptest.NewRequest(fmt.Sprintf("METHOD%d", i), fmt.Sprintf("/path-%d", i), nil)
		r.Host = fmt.Sprintf("host-%d.example", i)
		s.ServeHTTP(httptest.NewRecorder(), r)
	}
	text := scrape(t, s)
	if got := strings.Count(text, "\nhither_http_requests_total{"); got != 1 {
		t.Errorf("100 made-up requests made %d series, want 1", got)
	}
	if want := `hither_http_requests_total{code="404",method="other",route="none"} 100`; !strings.Contains(text, want) {
		t.Errorf("the metrics lack %s", want)
	}
}

// TestMetricsHaveAListenerOfTheirOwn is ASVS 13.4: not the public one.
func TestMetricsHaveAListenerOfTheirOwn(t *testing.T) {
	t.Parallel()
	s := newHarness(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, nil)
	var listeners [2]net.Listener
	for i := range listeners {
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners[i] = listener
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, listeners[0], listeners[1]) }()
	for _, test := range []struct {
		listener net.Listener
		path     string
		want     int
	}{
		{listeners[0], "/metrics", http.StatusNotFound},
		{listeners[0], "/debug/pprof/", http.StatusNotFound},
		{listeners[1], "/metrics", http.StatusOK},
		{listeners[1], "/debug/pprof/", http.StatusNotFound},
		{listeners[1], "/client/v4/user", http.StatusNotFound},
	} {
		answer, err := http.Get("http://" + test.listener.Addr().String() + test.path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != test.want {
			t.Errorf("GET %s of %s: got %d %.200s, want %d", test.path, test.listener.Addr(), answer.StatusCode, body, test.want)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestMetricsOfTheStore(t *testing.T) {
	t.Parallel()
	s := newHarness(echo, nil)
	s.Metrics.Watch(func() StoreStats {
		return StoreStats{Commits: 2, Updates: 5, Reruns: 1, Waiting: 3, LastCommit: 1500 * time.Microsecond}
	})
	text := scrape(t, s)
	for _, want := range []string{
		"hither_store_commits_total 2", "hither_store_updates_total 5", "hither_store_reruns_total 1",
		"hither_store_waiting_updates 3", "hither_store_last_commit_seconds 0.0015",
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("the metrics lack %s", want)
		}
	}
}
