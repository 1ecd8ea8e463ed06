// Package clients_test has published clients that are not written in Go talk to
// the real binary, and runs the examples of docs/testing.md and docs/webhooks.md.
// What they send and get is held to api/openapi.yaml on its way.
//
// Each client has a folder with its lock file, which names no registry: npm has
// one set. They are installed beside the checkout, so that the go command looks
// into no node_modules.
package clients_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hither/test/contract"
	"hither/test/harness"
)

func TestMain(m *testing.M) {
	code := m.Run()
	harness.Clean()
	os.Exit(code)
}

// patience bounds what hangs; it measures nothing.
const patience = 15 * time.Minute

// installed is a folder with what a client needs, by npm from its lock file.
// What is run here is JavaScript: the binaries that some bring are left out, and
// no script of a package runs.
func installed(t *testing.T, client string) string {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		leaveOut(t, "there is no npm")
	}
	folder := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json"} {
		copyFile(t, filepath.Join(client, name), filepath.Join(folder, name))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	install := exec.CommandContext(ctx, npm, "ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund")
	install.Dir = folder
	out, err := install.CombinedOutput()
	if err != nil && offline.Match(out) {
		leaveOut(t, "npm reaches no registry")
	}
	if err != nil {
		t.Fatalf("npm ci in test/clients/%s: %v\n%s", client, err, out)
	}
	return folder
}

// offline is what npm says where there is no network. Anything else that goes
// wrong is a failure, a package that is not what the lock file says above all.
var offline = regexp.MustCompile(`ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|ETIMEDOUT|ERR_SOCKET_TIMEOUT`)

// leaveOut ends a test that cannot be run here, and has scripts/test.sh say so.
func leaveOut(t *testing.T, why string) {
	t.Helper()
	report(t, "LEFT OUT, "+why+": "+t.Name())
	t.Skipf("LEFT OUT: %s", why)
}

// report tells what was run, in the file that HITHER_CLIENTS_REPORT names: go
// test shows nothing where all is well.
func report(t *testing.T, line string) {
	t.Helper()
	path := os.Getenv("HITHER_CLIENTS_REPORT")
	if path == "" {
		return
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatalf("HITHER_CLIENTS_REPORT: %v", err)
	}
	defer func() { _ = file.Close() }()
	if _, err := fmt.Fprintln(file, line); err != nil {
		t.Fatalf("HITHER_CLIENTS_REPORT: %v", err)
	}
}

// version is that of a package that was installed.
func version(t *testing.T, folder, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "node_modules", name, "package.json"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`"version":\s*"([^"]+)"`).FindSubmatch(text)
	if found == nil {
		t.Fatalf("the package %s names no version", name)
	}
	return string(found[1])
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// witness stands between a client and a server, and holds to the contract what
// goes through.
type witness struct {
	URL string

	mu   sync.Mutex
	seen []string
}

// watch returns a witness. exempt says of a request why it may break the
// document, "" for most.
func watch(t *testing.T, server *harness.Server, exempt func(*http.Request) string) *witness {
	t.Helper()
	target, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(p *httputil.ProxyRequest) { p.SetURL(target) },
		Transport: contract.New(t).RoundTripper(&http.Transport{DisableCompression: true}),
		ModifyResponse: func(r *http.Response) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			path := ids.ReplaceAllString(strings.TrimPrefix(r.Request.URL.Path, "/client/v4"), "{}")
			w.seen = append(w.seen, fmt.Sprintf("%s %s %d", r.Request.Method, path, r.StatusCode))
			return nil
		},
	}
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if why := exempt(r); why != "" {
			r = r.WithContext(contract.Exempt(r.Context(), why))
		}
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(front.Close)
	w.URL = front.URL
	return w
}

var ids = regexp.MustCompile(`\b[0-9a-f]{32}\b`)

// nothing is exempted.
func nothing(*http.Request) string { return "" }

// exchanges are the different ones that went through, sorted: method, path
// without ids, status.
func (w *witness) exchanges() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Compact(slices.Sorted(slices.Values(w.seen)))
}

// node runs a program with little more of an environment than it is given, and
// returns what it said. It must succeed.
func node(t *testing.T, folder string, env []string, args ...string) string {
	t.Helper()
	out, err := tryNode(t, folder, env, args...)
	if err != nil {
		t.Fatalf("node %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func tryNode(t *testing.T, folder string, env []string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, "node", args...)
	command.Dir = folder
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
	out, err := command.CombinedOutput()
	return string(out), err
}
