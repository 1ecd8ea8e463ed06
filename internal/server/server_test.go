package server

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestStopFinishesWhatWasBegun walks a stop: /readyz says so first, connections
// are still accepted for DrainDelay, then no more, and the request that was
// begun before all that is answered.
func TestStopFinishesWhatWasBegun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := newHarness(func(w http.ResponseWriter, r *http.Request) {
			<-release
			if err := r.Context().Err(); err != nil {
				t.Errorf("the request was canceled by the stop: %v", err)
			}
			_, _ = io.WriteString(w, "done")
		}, func(o *Options) { o.DrainDelay = 5 * time.Second })
		ctx, stop := context.WithCancel(t.Context())
		w := newWires()
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx, w, nil) }()

		begun := connect(t, w)
		send(t, begun, "GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
		watcher := connect(t, w)
		if status, body := ask(t, watcher, readyPath); status != http.StatusOK {
			t.Fatalf("%s before the stop: got %d %q, want 200", readyPath, status, body)
		}

		stop()
		synctest.Wait()
		if status, body := ask(t, connect(t, w), readyPath); status != http.StatusServiceUnavailable || body != "stopping\n" {
			t.Errorf("%s of a new connection while draining: got %d %q, want 503 stopping", readyPath, status, body)
		}
		if status, _ := ask(t, watcher, alivePath); status != http.StatusOK {
			t.Errorf("%s while draining: got %d, want 200", alivePath, status)
		}

		time.Sleep(6 * time.Second) // the bubble's clock: past DrainDelay
		synctest.Wait()
		if _, err := w.dial(); err == nil {
			t.Error("a connection was accepted after DrainDelay")
		}
		select {
		case err := <-ended:
			t.Fatalf("Run returned (%v) before the request that it took on was answered", err)
		default:
		}
		close(release)
		if status, body := receive(t, begun); status != http.StatusOK || body != "done" {
			t.Errorf("the request that was begun: got %d %q, want 200 done", status, body)
		}
		if err := <-ended; err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
	})
}

// TestStopGivesUpInTheEnd holds that one request that never ends cannot keep
// the process from stopping.
func TestStopGivesUpInTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newHarness(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			func(o *Options) { o.ShutdownTimeout, o.Limits.Handle = time.Second, time.Hour })
		ctx, stop := context.WithCancel(t.Context())
		w := newWires()
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx, w, nil) }()
		send(t, connect(t, w), "GET /stuck HTTP/1.1\r\nHost: localhost\r\n\r\n")
		synctest.Wait()
		stop()
		err := <-ended
		if err == nil || !strings.Contains(err.Error(), "1 request(s) did not finish within 1s") {
			t.Errorf("Run: got %v, want it to say that 1 request did not finish within 1s", err)
		}
	})
}

// TestListenerThatFailsEndsTheServer holds that a server that can no longer be
// reached doesn't linger.
func TestListenerThatFailsEndsTheServer(t *testing.T) {
	t.Parallel()
	s := newHarness(echo, nil)
	w := newWires()
	_ = w.Close()
	if err := s.Run(t.Context(), w, nil); err == nil {
		t.Error("Run on a closed listener: got nil, want its error")
	}
}

func TestReadyAsksTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newHarness(echo, func(o *Options) {
			o.Ready = func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }
		})
		c := serving(t, s)
		if status, body := ask(t, c, readyPath); status != http.StatusServiceUnavailable || strings.Contains(body, "deadline") {
			t.Errorf("%s of a store that hangs: got %d %q, want 503 and no cause", readyPath, status, body)
		}
		lines := s.log.lines(t, "request")
		if len(lines) != 1 || lines[0]["cause"] != "context deadline exceeded" || lines[0]["level"] != "ERROR" {
			t.Errorf("log: got %v, want one error with the cause", lines)
		}
		if status, _ := ask(t, c, alivePath); status != http.StatusOK {
			t.Errorf("%s asks nobody: got %d, want 200", alivePath, status)
		}
	})
}

// TestServerSurvivesAPanic is about handlers that panic outside the API, which
// recovers by itself.
func TestServerSurvivesAPanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newHarness(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/half" {
				_, _ = io.WriteString(w, strings.Repeat("x", 10_000))
			}
			panic("oh no")
		}, nil)
		c := serving(t, s)
		status, body := ask(t, c, "/whole")
		if status != http.StatusInternalServerError || !strings.Contains(body, `"success":false`) || strings.Contains(body, "oh no") {
			t.Errorf("panic before the answer: got %d %q, want 500 in the envelope, without the cause", status, body)
		}
		send(t, c, "GET /half HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if all, _ := io.ReadAll(c); strings.HasSuffix(string(all), "0\r\n\r\n") {
			t.Error("panic in the middle of an answer: it ended like a whole one")
		}
		if got := s.log.lines(t, "panic outside the API"); len(got) != 2 || got[0]["request_id"] != "request-1" {
			t.Errorf("log: got %v, want two panics with their request ids", got)
		}
		if got := s.Metrics.InFlight(); got != 0 {
			t.Errorf("in flight after two panics: got %d, want 0", got)
		}
	})
}

// serving starts s on pipes, and connects.
func serving(t *testing.T, s *harness) *conn {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	w := newWires()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, w, nil) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return connect(t, w)
}
