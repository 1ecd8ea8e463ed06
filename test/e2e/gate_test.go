package e2e_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"syscall"
	"testing"
	"time"

	"hither/test/contract"
	"hither/test/harness"
)

// gate holds requests where the server has taken them on: it has read their
// headers, has asked for the body (100 Continue), and waits for it.
type gate struct {
	reached chan struct{}
	opened  chan struct{}
	n       int
}

func newGate(n int) *gate {
	return &gate{reached: make(chan struct{}, n), opened: make(chan struct{}), n: n}
}

// through is a client, as nobody yet, each of whose requests goes through the
// gate, on a connection of its own.
func (g *gate) through(t testing.TB, s *harness.Server) harness.Client {
	t.Helper()
	transport := &http.Transport{ExpectContinueTimeout: time.Minute, DisableKeepAlives: true}
	return harness.Client{URL: s.URL, HTTP: &http.Client{
		Timeout: time.Minute, Transport: contract.New(t).RoundTripper(held{g, transport}),
	}}
}

// await waits until all requests have come this far.
func (g *gate) await(t testing.TB) {
	t.Helper()
	timeout := time.After(time.Minute)
	for i := range g.n {
		select {
		case <-g.reached:
		case <-timeout:
			t.Fatalf("requests that the server has taken on: got %d within a minute, want %d", i, g.n)
		}
	}
}

func (g *gate) open() { close(g.opened) }

type held struct {
	*gate

	base http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (h held) RoundTrip(request *http.Request) (*http.Response, error) {
	trace := &httptrace.ClientTrace{Got100Continue: func() { h.reached <- struct{}{} }}
	request = request.Clone(httptrace.WithClientTrace(request.Context(), trace))
	request.Header.Set("Expect", "100-continue")
	request.Body = behind{h.gate, request.Body}
	return h.base.RoundTrip(request)
}

// behind is a body behind the gate.
type behind struct {
	*gate
	io.ReadCloser
}

func (b behind) Read(p []byte) (int, error) {
	<-b.opened
	return b.ReadCloser.Read(p)
}

// awaitRefusal waits until the server accepts no connection any more.
func awaitRefusal(t testing.TB, s *harness.Server) {
	t.Helper()
	base, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", base.Host)
		if errors.Is(err, syscall.ECONNREFUSED) {
			return
		}
		if err == nil {
			_ = connection.Close()
		}
	}
	t.Fatalf("connections after SIGTERM: got accepted for a minute, want refused")
}
