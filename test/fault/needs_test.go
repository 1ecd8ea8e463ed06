//go:build linux

package fault_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// need is something that a test cannot do without.
type need struct {
	what  string
	found func(t *testing.T) error
}

var (
	root   = need{"root", isRoot}
	mounts = need{"the right to mount (Debian package mount)", canMount}
	loops  = need{"loop devices and mkfs.ext4 (Debian packages mount, e2fsprogs)", canLoop}
	strace = need{"strace that may trace (Debian package strace)", canTrace}
)

func isRoot(*testing.T) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("this is user %d", os.Geteuid())
	}
	return nil
}

func canMount(t *testing.T) error {
	t.Helper()
	if os.Getenv(inside) == "" {
		return errors.New("no mount namespace of its own")
	}
	folder := t.TempDir()
	if err := run("mount", "-t", "tmpfs", "tmpfs", folder); err != nil {
		return err
	}
	return run("umount", folder)
}

func canLoop(*testing.T) error {
	return errors.Join(run("losetup", "--find"), run("mkfs.ext4", "-V"))
}

func canTrace(*testing.T) error {
	return run("strace", "-D", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=fsync", "true")
}

// require skips the test where something that it needs is missing.
func require(t *testing.T, needs ...need) {
	t.Helper()
	var missing []string
	for _, need := range needs {
		if err := need.found(t); err != nil {
			missing = append(missing, fmt.Sprintf("%s: %v", need.what, err))
		}
	}
	if len(missing) > 0 {
		t.Skipf("SKIPPED for want of %s", strings.Join(missing, "; "))
	}
}

// run runs a command of the machine.
func run(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
