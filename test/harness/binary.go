// Package harness starts the real hither binary for tests, as an operator
// would, and talks to it as a client would. It knows the program by its command
// line and its wire only: it imports nothing of internal/.
package harness

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// Binary builds hither once for the process and returns its path. Where the
// test itself runs under the race detector the binary does too.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// folder is where the binary is, nil until one was built.
var folder atomic.Pointer[string]

// One build a process, however many tests ask.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "hither-test-*")
	if err != nil {
		return "", fmt.Errorf("folder for the binary: %w", err)
	}
	folder.Store(&dir)
	path := filepath.Join(dir, "hither")
	args := []string{"build", "-o", path}
	if raceEnabled {
		// Not in SQLite's own code: see scripts/test.sh.
		args = append(args, "-race", "-gcflags=modernc.org/sqlite/lib=-race=false", "-gcflags=modernc.org/libc=-race=false")
	}
	cmd := exec.CommandContext(context.Background(), "go", append(args, "./cmd/hither")...)
	cmd.Dir = Root()
	if !raceEnabled {
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./cmd/hither: %w\n%s", err, out)
	}
	return path, nil
})

// Clean removes what Binary built; a TestMain calls it last.
func Clean() {
	if dir := folder.Load(); dir != nil {
		_ = os.RemoveAll(*dir)
	}
}

// Root is the folder of the repository.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}
