package clients_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"hither/test/harness"
)

// TestGoExample runs the Go test of docs/testing.md in a module of its own,
// with the dependencies of test/sdk, where the job that runs it too cannot be.
func TestGoExample(t *testing.T) {
	t.Parallel()
	if missing() == "" {
		t.Skip("TestJob runs it")
	}
	demo := harness.Demo(t)
	folder := t.TempDir()
	goModule(t, folder)
	test := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", "./...")
	test.Dir, test.Env = folder, environment("HITHER_URL="+demo.URL, "CGO_ENABLED=0")
	if out, err := test.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestAcceptingTooLate") {
		t.Errorf("the Go test of docs/testing.md: %v\n%s", err, out)
	}
}

// TestJob runs the job of docs/testing.md, in a checkout that holds the two
// tests of that page: every command of it, in order, as a CI would.
func TestJob(t *testing.T) {
	t.Parallel()
	j := newJob(t)
	goModule(t, j.folder)
	write(t, filepath.Join(j.folder, "memberships.test.mjs"), example(t, "testing.md", "js"))
	for _, name := range []string{"package.json", "package-lock.json"} {
		copyFile(t, filepath.Join("sdk", name), filepath.Join(j.folder, name))
	}
	if err := os.Symlink(harness.Root(), filepath.Join(j.folder, "hither")); err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, step := range j.steps {
		if step.Run != "" {
			said[step.Name] = j.run(t, step)
		}
	}
	if !strings.Contains(said["Go"], "ok  \t") || !regexp.MustCompile(`(?m)^\S+ pass 1$`).MatchString(said["Node"]) {
		t.Errorf("the job ran no tests: it said %q", said)
	}
	report(t, "ran: the tests and the CI job of docs/testing.md")
}

// job is the one of docs/testing.md.
type job struct {
	folder    string // the checkout
	temporary string // where the runner keeps what is not of it
	env       []string
	steps     []step
}

type step struct{ Name, Uses, Run string }

// missing is what the job needs and is not here, "" where all is.
func missing() string {
	for _, needed := range []string{"npm", "curl", "bash"} {
		if _, err := exec.LookPath(needed); err != nil {
			return needed
		}
	}
	return ""
}

func newJob(t *testing.T) job {
	t.Helper()
	if name := missing(); name != "" {
		leaveOut(t, "there is no "+name)
	}
	var file struct {
		Jobs map[string]struct {
			Env   map[string]string
			Steps []step
		}
	}
	if err := yaml.Unmarshal([]byte(example(t, "testing.md", "yaml")), &file); err != nil || len(file.Jobs["memberships"].Steps) == 0 {
		t.Fatalf("the job of docs/testing.md: %v, %+v", err, file)
	}
	found := file.Jobs["memberships"]
	temporary, address := t.TempDir(), free(t)
	j := job{folder: t.TempDir(), temporary: temporary, steps: found.Steps, env: environment("RUNNER_TEMP="+temporary, "TMPDIR="+temporary, "CGO_ENABLED=0")}
	for name, value := range found.Env {
		// Its port may be taken here.
		j.env = append(j.env, name+"="+strings.ReplaceAll(value, "127.0.0.1:8787", address))
	}
	return j
}

// run runs a step as GitHub's runners do, and ends with the test what the step
// left running.
func (j job) run(t *testing.T, s step) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", s.Run)
	shell.Dir, shell.Env = j.folder, j.env
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	shell.WaitDelay = time.Minute
	out, err := shell.CombinedOutput()
	if shell.Process != nil {
		group := -shell.Process.Pid
		t.Cleanup(func() { j.end(t, group) })
	}
	if err != nil {
		t.Fatalf("the step %q of docs/testing.md: %v\n%s", s.Name, err, out)
	}
	return string(out)
}

// end ends a group of processes, and waits until a demo among them has removed
// its database.
func (j job) end(t *testing.T, group int) {
	t.Helper()
	if syscall.Kill(group, syscall.SIGTERM) != nil {
		return // nothing of it is left
	}
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	over := time.After(time.Minute)
	for {
		left, err := filepath.Glob(filepath.Join(j.temporary, "hither-demo-*"))
		if err != nil || len(left) == 0 {
			return
		}
		select {
		case <-look.C:
		case <-over:
			t.Errorf("the demo of the job was not gone within a minute; it left %q", left)
			return
		}
	}
}

// goModule makes a module of the Go example.
func goModule(t *testing.T, folder string) {
	t.Helper()
	write(t, filepath.Join(folder, "memberships_test.go"), example(t, "testing.md", "go"))
	for _, name := range []string{"go.mod", "go.sum"} {
		copyFile(t, filepath.Join(harness.Root(), "test", "sdk", name), filepath.Join(folder, name))
	}
	edit := exec.CommandContext(t.Context(), "go", "mod", "edit", "-module=example.com/memberships", "-droprequire=hither", "-dropreplace=hither")
	edit.Dir, edit.Env = folder, environment()
	if out, err := edit.CombinedOutput(); err != nil {
		t.Fatalf("go mod edit: %v\n%s", err, out)
	}
}

// example is the one block of a language on a page of docs.
func example(t *testing.T, page, language string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.Root(), "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(string(text), -1)
	if len(found) != 1 {
		t.Fatalf("docs/%s has %d examples in %s, want 1", page, len(found), language)
	}
	return found[0][1]
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// free is an address of this machine that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// environment is that of the test without hither's settings, and more.
func environment(more ...string) []string {
	own := slices.DeleteFunc(os.Environ(), func(entry string) bool { return strings.HasPrefix(entry, "HITHER_") })
	return append(own, more...)
}
