//go:build linux

// Package fault_test breaks what the real binary stands on: the power, the
// disk's answers, its room. Each promise is held against what clients were
// told, and where a test could pass without proving anything, against a
// control that has to fail. It needs root, mounts and strace; where those are
// missing its tests are skipped and scripts/deps.sh says what is left out.
package fault_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"hither/test/harness"
)

// inside says that this process has mounts of its own.
const inside = "HITHER_TEST_OWN_MOUNTS"

// TestMain runs the tests in a mount namespace: whatever they mount goes, and
// lets go of its loop device, with the last of their processes, even where
// nothing is left to clean up.
func TestMain(m *testing.M) {
	if os.Getenv(inside) == "" {
		if code, err := again(); err == nil {
			os.Exit(code)
		}
		// Without the right to that there is none to mount either: skipped below.
	}
	code := m.Run()
	harness.Clean()
	os.Exit(code)
}

// again runs this test binary in its own namespace. An error means that it
// could not be started.
func again() (code int, err error) {
	runtime.LockOSThread() // the signal of the parent's death is that of this thread's
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), inside+"=yes")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		return 0, fmt.Errorf("start in a mount namespace: %w", err)
	}
	return cmd.ProcessState.ExitCode(), nil
}

// rounds is how often something is done.
func rounds(most, short int) int {
	if testing.Short() {
		return short
	}
	return most
}
