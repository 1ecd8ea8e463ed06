//go:build linux

package fault_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"hither/test/disk"
	"hither/test/harness"
	"hither/test/load"
)

// TestDiskFull fills the disk under a write load, again and again, to the last
// byte. Writes are told to come back and did not take place, reads go on, and
// when there is room again so do writes, in the same process. Nothing that was
// acknowledged is lost.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	require(t, root, mounts)
	workers, seed := load.New(4)
	folder := mount(t, "-t", "tmpfs", "-o", "size=12m", "tmpfs")
	data := filepath.Join(folder, "hither.db")
	harness.Run(t, data, "import", seed.Write(t))
	s := harness.Open(t, data)
	c := s.Client()
	for range rounds(8, 2) {
		room := fill(t, folder)
		refusedBy(t, workers, c)
		expectReads(t, s)
		d := disk.Read(t, data)
		for _, w := range workers {
			if w.Check(t, d) {
				t.Error("a write that was refused took place")
			}
		}
		room()
		expectWrites(t, workers, c)
	}
	t.Logf("%d acknowledged, %d refused", load.Acknowledged(workers), load.Refused(workers))
	s.Restart(t)
	load.Check(t, s, workers)
}

// TestLogFillsTheDisk leaves so little room that the log has taken it before
// it is checkpointed. A server that is killed there starts again: it serves
// reads, and writes once the disk has grown.
func TestLogFillsTheDisk(t *testing.T) {
	t.Parallel()
	require(t, root, mounts)
	workers, seed := load.New(4)
	folder := mount(t, "-t", "tmpfs", "-o", "size=3m", "tmpfs")
	data := filepath.Join(folder, "hither.db")
	harness.Run(t, data, "import", seed.Write(t))
	s := harness.Open(t, data)
	refusedBy(t, workers, s.Client())
	expectReads(t, s)
	s.Kill(t)
	s.Start(t)
	load.Check(t, s, workers)
	refusedBy(t, workers, s.Client())
	expectReads(t, s)
	if err := run("mount", "-o", "remount,size=24m", folder); err != nil {
		t.Fatal(err)
	}
	expectWrites(t, workers, s.Client())
	t.Logf("%d acknowledged, %d refused", load.Acknowledged(workers), load.Refused(workers))
	s.Restart(t)
	load.Check(t, s, workers)
}

// expectWrites writes where nothing is in the way.
func expectWrites(t *testing.T, workers []*load.Worker, c harness.Client) {
	t.Helper()
	for _, w := range workers {
		for range 10 {
			if got := w.Step(t, c); got != http.StatusOK {
				t.Fatalf("write when there is room again: got %d, want 200", got)
			}
		}
	}
}

// refusedBy writes until each worker was refused, which is soon where the disk
// is full: what is left of the room that the log has already is all there is.
func refusedBy(t *testing.T, workers []*load.Worker, c harness.Client) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for _, w := range workers {
		for w.Step(t, c) != http.StatusServiceUnavailable {
			if t.Failed() || time.Now().After(deadline) {
				t.Fatal("writes on a full disk: got no 503 within a minute")
			}
		}
	}
}

// fill takes all the room that there is, and room gives it back.
func fill(t *testing.T, folder string) (room func()) {
	t.Helper()
	name := filepath.Join(folder, "filler")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := io.Copy(file, endless{}); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("fill %s: got %v, want ENOSPC", folder, err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
