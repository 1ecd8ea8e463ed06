package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hither/test/contract"
)

// How long a process may take before a test gives up on it. Generous, since
// they bound what hangs and measure nothing.
const (
	startTimeout   = time.Minute
	stopTimeout    = 40 * time.Second
	commandTimeout = time.Minute
	exitRace       = 66 // of a binary in which the race detector found something
)

// Server is a running process of hither and its database. Its methods are for
// the goroutine of one test; clients may be used by any.
type Server struct {
	URL  string // of the running process, without a path; another one after Restart
	Data string // the database: SQLite's file, or the URL of PostgreSQL's

	t         testing.TB
	args      []string
	env       []string
	under     []string // a command that runs the binary
	binary    string   // another one than Binary's
	transport *http.Transport
	process   *process
	past      []*process
}

// Serve imports seed (nil: nothing) into a fresh database and serves it on an
// address of its own. The server stops gracefully when the test ends.
func Serve(t testing.TB, seed *Seed, flags ...string) *Server {
	t.Helper()
	data := Database(t)
	if seed != nil {
		Run(t, data, "import", seed.Write(t))
	}
	return Open(t, data, flags...)
}

// Open serves a database that is there, or makes an empty one.
func Open(t testing.TB, data string, flags ...string) *Server {
	t.Helper()
	s := At(t, data, flags...)
	s.Start(t)
	return s
}

// At is Open for a server that is to be started later.
func At(t testing.TB, data string, flags ...string) *Server {
	t.Helper()
	s := newServer(t, append([]string{"serve"}, flags...), settings(data)...)
	s.Data = data
	return s
}

// Demo starts the demo, whose database is SQLite's and goes with it.
func Demo(t testing.TB, flags ...string) *Server {
	t.Helper()
	folder := t.TempDir()
	s := newServer(t, append([]string{"demo"}, flags...), "TMPDIR="+folder)
	s.Start(t)
	found, err := filepath.Glob(filepath.Join(folder, "*", "hither.db"))
	if err != nil || len(found) != 1 {
		t.Fatalf("databases of the demo: got %v, %v, want one", found, err)
	}
	s.Data = found[0]
	return s
}

// Example serves the documentation dataset on the engine that tests run on: by
// the demo, or on PostgreSQL, which that knows nothing of, by an import.
func Example(t testing.TB) *Server {
	t.Helper()
	if !OnPostgres(t) {
		return Demo(t)
	}
	data := Database(t)
	Run(t, data, "import", filepath.Join(Root(), "internal", "dataset", "documentation.yaml"))
	return Open(t, data)
}

func newServer(t testing.TB, args []string, env ...string) *Server {
	t.Helper()
	const listen = "--listen=127.0.0.1:0"
	s := &Server{
		t: t, args: append([]string{args[0], listen}, args[1:]...), env: env,
		transport: &http.Transport{MaxIdleConnsPerHost: 512, DisableCompression: true},
	}
	t.Cleanup(func() { s.end(t) })
	return s
}

// Client talks to the process that runs now, as nobody yet. Every request and
// answer is held to api/openapi.yaml.
func (s *Server) Client() Client {
	return Client{URL: s.URL, HTTP: newHTTPClient(contract.New(s.t).RoundTripper(s.transport))}
}

// Under makes Start run the binary by a command, none without one. What the
// command starts must be the binary in its own place: signals go there.
func (s *Server) Under(command ...string) { s.under = command }

// Upgrade makes Start run another binary.
func (s *Server) Upgrade(binary string) { s.binary = binary }

// Start starts the process again after Stop or Kill, and waits until it serves.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.TryStart(t); err != nil {
		t.Fatal(err)
	}
}

// TryStart is Start for a process that may end before it serves.
func (s *Server) TryStart(t testing.TB) error {
	t.Helper()
	if s.process != nil {
		t.Fatal("the server runs already")
	}
	binary := s.binary
	if binary == "" {
		binary = Binary(t)
	}
	line := append(append(slices.Clone(s.under), binary), s.args...)
	p, err := start(line[0], s.env, line[1:])
	if err != nil {
		t.Fatal(err)
	}
	s.past = append(s.past, p)
	if s.URL, err = p.url(); err != nil {
		p.kill()
		return fmt.Errorf("hither %s: %w\n%s", strings.Join(s.args, " "), err, p)
	}
	s.process = p
	return nil
}

// Process is the one that runs.
func (s *Server) Process(t testing.TB) *os.Process {
	t.Helper()
	if s.process == nil {
		t.Fatal("the server does not run")
	}
	return s.process.cmd.Process
}

// Stop stops the process gracefully (SIGTERM) and waits until it is gone; it
// must have finished what it had begun.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.Terminate(t)
	s.Wait(t)
}

// Terminate sends SIGTERM and returns at once.
func (s *Server) Terminate(t testing.TB) {
	t.Helper()
	if err := s.Process(t).Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("SIGTERM: %v", err)
	}
}

// Wait waits until a process that was sent SIGTERM is gone.
func (s *Server) Wait(t testing.TB) {
	t.Helper()
	p := s.process
	if code := s.Gone(t); code != 0 {
		t.Errorf("exit code after SIGTERM: got %d, want 0\n%s", code, p)
	}
}

// Kill ends the process as a crash does (SIGKILL).
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if s.process == nil {
		t.Fatal("the server does not run")
	}
	s.process.kill()
	s.process = nil
	s.transport.CloseIdleConnections()
}

// Gone waits until a process that something else ends is gone, and returns its
// exit code, -1 where a signal ended it.
func (s *Server) Gone(t testing.TB) int {
	t.Helper()
	p := s.process
	s.process = nil
	defer s.transport.CloseIdleConnections()
	select {
	case <-p.done:
	case <-time.After(stopTimeout):
		p.kill()
		t.Fatalf("the server was not gone within %s\n%s", stopTimeout, p)
	}
	return p.cmd.ProcessState.ExitCode()
}

// Restart stops the process, if it runs, and starts it on the same database.
// Its URL changes: take a new Client.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if s.process != nil {
		s.Stop(t)
	}
	s.Start(t)
}

// Run runs an operator's command on the server's database, beside the server,
// and returns what it printed.
func (s *Server) Run(t testing.TB, args ...string) string {
	t.Helper()
	return Run(t, s.Data, args...)
}

// Log is what the process wrote on stderr so far, and the ones before it.
func (s *Server) Log() string {
	var all strings.Builder
	for _, p := range s.past {
		all.WriteString(p.stderr.String())
	}
	return all.String()
}

// Stdout is what the process wrote on stdout so far, and the ones before it.
func (s *Server) Stdout() string {
	var all strings.Builder
	for _, p := range s.past {
		all.WriteString(p.stdout.String())
	}
	return all.String()
}

// end stops what still runs and looks for what no test forgives.
func (s *Server) end(t testing.TB) {
	t.Helper()
	if s.process != nil {
		s.Stop(t)
	}
	log := s.Log()
	for _, sign := range []string{"WARNING: DATA RACE", `"msg":"panic"`, "goroutine 1 ["} {
		if at := strings.Index(log, sign); at >= 0 {
			t.Errorf("the server's log has %q:\n%s", sign, log[at:min(len(log), at+4000)])
		}
	}
	if t.Failed() {
		t.Logf("end of the server's log:\n%s", tail(log))
	}
}

// Run runs a command on a database and returns what it printed on stdout. It
// must succeed.
func Run(t testing.TB, data string, args ...string) string {
	t.Helper()
	stdout, stderr, code := Try(t, data, args...)
	if code != 0 {
		t.Fatalf("hither %s: got exit code %d, want 0\nstderr: %s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

// Try is Run for a command that may fail.
func Try(t testing.TB, data string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	binary := Binary(t) // its time is its own
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	var out, messages bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = environment(settings(data)...)
	cmd.Stdout, cmd.Stderr = &out, &messages
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() == exitRace || ctx.Err() != nil) {
		t.Fatalf("hither %s: %v\n%s", strings.Join(args, " "), err, messages.String())
	}
	return out.String(), messages.String(), cmd.ProcessState.ExitCode()
}

// environment is that of the test without hither's own settings.
func environment(more ...string) []string {
	env := []string{"GORACE=atexit_sleep_ms=10"} // a second, unless told
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "HITHER_") && !strings.HasPrefix(entry, "GORACE=") {
			env = append(env, entry)
		}
	}
	return append(env, more...)
}
