package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hither/internal/api"
)

// harness is a Server of a handler that a test makes up, with its log.
type harness struct {
	*Server

	log *journal
}

// newHarness returns a Server whose API is handler. change may be nil.
func newHarness(handler http.HandlerFunc, change func(*Options)) *harness {
	log := &journal{}
	var requests atomic.Int64
	options := Options{
		Ready:           func(context.Context) error { return nil },
		Logger:          slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics:         NewMetrics(Build{Version: "v0.0.0", Revision: "none", Go: "go0"}),
		NewID:           func() string { return "request-" + strconv.FormatInt(requests.Add(1), 10) },
		Limits:          DefaultLimits(),
		ShutdownTimeout: 10 * time.Second,
	}
	if change != nil {
		change(&options)
	}
	options.Site = handler
	return &harness{Server: &Server{Options: options}, log: log}
}

// echo answers as the API does, under the route /echo.
func echo(w http.ResponseWriter, r *http.Request) {
	trace := api.TraceOf(r.Context())
	trace.Route, trace.Status = "/echo", http.StatusOK
	w.Header().Set(requestIDHeader, trace.RequestID)
	_, _ = io.WriteString(w, "echo")
}

// journal is a log that can be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// lines are the log's entries with the given message.
func (j *journal) lines(t *testing.T, message string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for text := range strings.Lines(j.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(text), &entry); err != nil {
			t.Fatalf("a log line is not JSON: %v: %s", err, text)
		}
		if entry["msg"] == message {
			found = append(found, entry)
		}
	}
	return found
}

// wires is a listener whose connections are pipes, so that a test in a synctest
// bubble has both ends and the clock.
type wires struct {
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newWires() *wires { return &wires{accept: make(chan net.Conn), closed: make(chan struct{})} }

func (w *wires) Accept() (net.Conn, error) {
	select {
	case c := <-w.accept:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w *wires) Close() error {
	w.once.Do(func() { close(w.closed) })
	return nil
}

func (w *wires) Addr() net.Addr { return wireAddr{} }

// dial connects; it fails once the listener is closed.
func (w *wires) dial() (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case w.accept <- server:
		return client, nil
	case <-w.closed:
		return nil, errors.New("connection refused")
	}
}

type wireAddr struct{}

func (wireAddr) Network() string { return "pipe" }
func (wireAddr) String() string  { return "127.0.0.1:8787" }

// conn is the client's end of a connection.
type conn struct {
	net.Conn

	answers *bufio.Reader
}

func (c *conn) Read(p []byte) (int, error) { return c.answers.Read(p) }

// connect opens a connection that ends with the test.
func connect(t *testing.T, w *wires) *conn {
	t.Helper()
	c, err := w.dial()
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &conn{Conn: c, answers: bufio.NewReader(c)}
}

// send writes to the server, which may stop reading at any point.
func send(t *testing.T, c *conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("send %.40q: %v", text, err)
	}
}

// ask sends a GET and reads the answer.
func ask(t *testing.T, c *conn, path string) (int, string) {
	t.Helper()
	send(t, c, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
	return receive(t, c)
}

// receive reads one answer.
func receive(t *testing.T, c *conn) (int, string) {
	t.Helper()
	answer, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		t.Fatalf("read the answer: %v", err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("read the answer's body: %v", err)
	}
	return answer.StatusCode, string(body)
}
