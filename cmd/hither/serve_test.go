package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

// process is the program, running in a goroutine.
type process struct {
	stdout, stderr *bufio.Reader
	stop           context.CancelFunc
	code           chan int
}

// start runs the program. It is stopped when the test ends, if not before.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	return startIn(t, nil, args...)
}

// startIn is start with an environment.
func startIn(t *testing.T, environ []string, args ...string) *process {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	outReader, outWriter := io.Pipe()
	errReader, errWriter := io.Pipe()
	p := &process{stdout: bufio.NewReader(outReader), stderr: bufio.NewReader(errReader), stop: stop, code: make(chan int, 1)}
	go func() {
		code := run(ctx, args, environ, strings.NewReader(""), outWriter, errWriter)
		_, _ = outWriter.Close(), errWriter.Close()
		p.code <- code
	}()
	t.Cleanup(func() {
		stop()
		go func() { _, _ = io.Copy(io.Discard, p.stdout) }()
		_, _ = io.Copy(io.Discard, p.stderr)
	})
	return p
}

// end stops the program and returns its exit code and what it still said.
func (p *process) end() (code int, stdout, stderr string) {
	p.stop()
	rest := make(chan string)
	go func() {
		text, _ := io.ReadAll(p.stdout)
		rest <- string(text)
	}()
	said, _ := io.ReadAll(p.stderr)
	stdout = <-rest
	return <-p.code, stdout, string(said)
}

// logged reads the log until a message, and returns that line.
func (p *process) logged(t *testing.T, message string) map[string]any {
	t.Helper()
	for {
		text, err := p.stderr.ReadString('\n')
		var entry map[string]any
		if err != nil || json.Unmarshal([]byte(text), &entry) != nil {
			t.Fatalf("the log ended before %q, with %q: %v", message, text, err)
		}
		if entry["msg"] == message {
			return entry
		}
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func TestServe(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "hither.db")
	p := start(t, "serve", "--listen=127.0.0.1:0", "--metrics-listen=127.0.0.1:0", "--data", data)
	line := p.logged(t, "serving")
	url, _ := line["url"].(string)
	metrics, _ := line["metrics"].(string)
	if hint := p.logged(t, "the database has no user yet, so nobody can use the API; `hither init` makes the first one and its account"); hint["level"] != "WARN" {
		t.Errorf("the hint that the database is empty: got %v, want a warning", hint)
	}
	go func() { _, _ = io.Copy(io.Discard, p.stderr) }()
	for path, want := range map[string]int{
		url + "/healthz": http.StatusOK, url + "/readyz": http.StatusOK, url + "/openapi.yaml": http.StatusOK,
		url + "/client/v4/user": http.StatusBadRequest, url + "/metrics": http.StatusNotFound, metrics: http.StatusOK,
	} {
		if got, body := get(t, path); got != want {
			t.Errorf("GET %s: got %d %.200s, want %d", path, got, body, want)
		}
	}
	if _, body := get(t, metrics); !strings.Contains(body, "\nhither_store_commits_total ") {
		t.Error("the metrics lack the store's")
	}
	if code, _, _ := p.end(); code != exitOK {
		t.Errorf("exit code after a stop: got %d, want 0", code)
	}
}

// TestRolesOfTheFile walks --roles: what it defines is there, and what it
// drops while somebody holds it keeps the server from starting.
func TestRolesOfTheFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	data, roles := filepath.Join(folder, "hither.db"), filepath.Join(folder, "roles.yaml")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	serve := func() *process {
		p := start(t, "serve", "--listen=127.0.0.1:0", "--data", data, "--roles", roles)
		p.logged(t, "serving")
		return p
	}
	write(roles, "roles:\n  - id: 00000000000000000000000000000001\n    name: Editor\n    permissions: {documents: write}\n")
	if code, _, stderr := serve().end(); code != exitOK {
		t.Fatalf("with a role that is new: exit code %d: %s", code, stderr)
	}

	write(filepath.Join(folder, "rows.yaml"), `
users:
  - email: editor@example.com
accounts:
  - id: 00000000000000000000000000000002
    name: Writers
memberships:
  - account: 00000000000000000000000000000002
    email: editor@example.com
    roles: [00000000000000000000000000000001]
`)
	if code, _, stderr := call(t.Context(), nil, "import", "--data", data, filepath.Join(folder, "rows.yaml")); code != exitOK {
		t.Fatalf("hither import: exit code %d: %s", code, stderr)
	}
	write(roles, "roles:\n  - id: 00000000000000000000000000000003\n    name: Viewer\n    permissions: {documents: read}\n")
	code, _, stderr := call(t.Context(), nil, "serve", "--listen=127.0.0.1:0", "--data", data, "--roles", roles)
	if code != exitFailure || !strings.Contains(stderr, "--roles "+roles) || !strings.Contains(stderr, `"Editor"`) {
		t.Errorf("dropping a role that is held: got exit code %d and %q, want 1 and the role's name", code, stderr)
	}
}

// How often memory is collected is the operator's to say, also where it says
// what Go does by itself.
func TestGOGCIsLeftAlone(t *testing.T) { //nolint:paralleltest // the percentage is the process's
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	for _, test := range []struct {
		gogc          string
		runtime, want int
	}{{"100", 100, 100}, {"50", 50, 50}, {"off", -1, -1}, {"", 100, 400}} {
		t.Setenv("GOGC", test.gogc)
		debug.SetGCPercent(test.runtime)
		collectSeldom()
		if got := debug.SetGCPercent(100); got != test.want {
			t.Errorf("with GOGC=%q the percentage is %d, want %d", test.gogc, got, test.want)
		}
	}
}
