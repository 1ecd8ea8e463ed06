//go:build linux

package fault_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// injection is strace, told to do something to system calls.
type injection struct {
	t     testing.TB
	calls string
	what  string   // "" only looks on
	paths []string // nil: any
	log   string
}

// tracing looks on while calls are made.
func tracing(t testing.TB, calls ...string) *injection {
	t.Helper()
	return &injection{t: t, calls: strings.Join(calls, ","), log: filepath.Join(t.TempDir(), "strace")}
}

// answering makes the calls come to what strace's inject takes: retval=0,
// error=EIO, signal=KILL, with a when=. It counts for each thread apart.
func (i *injection) answering(what string) *injection {
	i.what = what
	return i
}

// on has it happen to these files only.
func (i *injection) on(paths ...string) *injection {
	i.paths = paths
	return i
}

func (i *injection) options() []string {
	args := []string{"-f", "-y", "-o", i.log, "-e", "trace=" + i.calls}
	if i.what != "" {
		args = append(args, "-e", "inject="+i.calls+":"+i.what)
	}
	for _, path := range i.paths {
		args = append(args, "-P", path)
	}
	return args
}

// command runs a program from its start with the injection. Thanks to -D it is
// the program's own process that we start, and strace goes with it. Stopping
// at the traced calls only is many times faster, but strace then loses the
// signals that it is to send.
func (i *injection) command() []string {
	command := []string{"strace", "-D"}
	if !strings.HasPrefix(i.what, "signal=") {
		command = append(command, "--seccomp-bpf")
	}
	return append(command, i.options()...)
}

// attach does it to a running process; detach ends it. The process stands
// still meanwhile: strace says that it has attached before it looks at every
// thread's calls, and none must slip through.
func (i *injection) attach(process *os.Process) (detach func()) {
	i.t.Helper()
	stop(i.t, process)
	defer func() { _ = process.Signal(syscall.SIGCONT) }()
	cmd := exec.CommandContext(context.Background(), "strace", append(i.options(), "-p", strconv.Itoa(process.Pid))...)
	messages, err := cmd.StderrPipe()
	if err != nil {
		i.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		i.t.Fatal(err)
	}
	detach = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // lets go of the process, which goes on
		_ = cmd.Wait()
	})
	i.t.Cleanup(detach)
	first, err := bufio.NewReader(messages).ReadString('\n')
	if err != nil || !strings.Contains(first, "attached") {
		i.t.Fatalf("strace of process %d: got %q, %v, want attached", process.Pid, first, err)
	}
	return detach
}

// hits are the calls that it happened to.
func (i *injection) hits() []string {
	i.t.Helper()
	text, err := os.ReadFile(i.log)
	if err != nil {
		i.t.Fatal(err)
	}
	var found []string
	killed := false
	for line := range strings.Lines(string(text)) {
		killed = killed || strings.Contains(line, "killed by SIGKILL")
		if strings.Contains(line, "(INJECTED)") {
			found = append(found, strings.TrimSpace(line))
		}
	}
	if killed {
		found = append(found, "killed")
	}
	return found
}

// stop sends SIGSTOP and waits until every thread of the process stands still.
func stop(t testing.TB, process *os.Process) {
	t.Helper()
	if err := process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := unix.Waitid(unix.P_PID, process.Pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil); err != nil {
		t.Fatalf("wait for the process to stop: %v", err)
	}
}
