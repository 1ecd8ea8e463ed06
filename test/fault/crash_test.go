//go:build linux

package fault_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hither/test/disk"
	"hither/test/harness"
	"hither/test/load"
)

// place is a system call on one of the database's files, and the n-th times,
// in each thread of the server, that something happens to it. They reach from
// the start through the first commit, which begins the log, and later ones to
// a checkpoint, at the latest that of the stop.
type place struct {
	call, file string // of the file what comes after the database's name
	writes     int    // acknowledged ones in which all of that happens
	n          []int
}

// checkpointed are the acknowledged writes after which a log of the default
// size has been checkpointed.
const checkpointed = 150

var places = []place{
	{"ftruncate", "-shm", 6, []int{1}},
	{"pwrite64", "-shm", 6, []int{1, 5, 8}},
	{"pwrite64", "-wal", 30, []int{1, 2, 3, 4, 7, 12, 17, 20, 21, 22, 23, 24, 25, 60}},
	{"fsync,fdatasync", "-wal", 60, []int{1, 2, 3, 10}},
	{"pwrite64", "", checkpointed, []int{1, 2, 20}},
	{"ftruncate", "", checkpointed, []int{1}},
	{"fsync,fdatasync", "", checkpointed, []int{1}},
}

// TestCrashMatrix lets the server die, and its disk fail once or be full once
// for each thread, at every place. Afterwards everything acknowledged is there
// and nothing is half there; while it lasts a write is answered by 503 and a
// process that lives goes on writing by itself.
func TestCrashMatrix(t *testing.T) {
	t.Parallel()
	require(t, strace)
	for _, fault := range []string{"signal=KILL", "error=EIO", "error=ENOSPC"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			workers, seed := load.New(3)
			s := harness.Serve(t, seed)
			s.Stop(t)
			for _, p := range places {
				hit := 0
				for _, n := range p.n[:rounds(len(p.n), 1)] {
					hit += strike(t, s, workers, fault, p, n)
					if t.Failed() {
						return
					}
				}
				if hit == 0 {
					t.Errorf("%s at %s of hither.db%s: got none of %v reached, want one at least", fault, p.call, p.file, p.n)
				}
			}
		})
	}
}

// strike runs the server until it was hit and returns how often it was.
func strike(t *testing.T, s *harness.Server, workers []*load.Worker, fault string, p place, n int) int {
	t.Helper()
	what := fmt.Sprintf("%s at %s %d of hither.db%s", fault, p.call, n, p.file)
	in := tracing(t, p.call).answering(fmt.Sprintf("%s:when=%d", fault, n)).on(s.Data + p.file)
	s.Under(in.command()...)
	before, refused := load.Acknowledged(workers), load.Refused(workers)
	end := "did not start"
	if err := s.TryStart(t); err == nil {
		gone := work(t, s, workers, p.writes, what)
		if !gone {
			s.Terminate(t)
		}
		end = fmt.Sprintf("exit code %d", s.Gone(t))
	}
	hits := in.hits()
	s.Under()
	s.Start(t)
	took, not := load.Check(t, s, workers)
	s.Stop(t)
	t.Logf("%s: hit %d, %s; %d acknowledged and there, %d refused, in flight %d took place and %d did not",
		what, len(hits), end, load.Acknowledged(workers)-before, load.Refused(workers)-refused, took, not)
	return len(hits)
}

// work writes until the server is gone, true then, or has done enough.
func work(t *testing.T, s *harness.Server, workers []*load.Worker, writes int, what string) (gone bool) {
	t.Helper()
	c := s.Client()
	deadline := time.Now().Add(time.Minute)
	statuses := make([]int, len(workers))
	var running sync.WaitGroup
	for i, w := range workers {
		running.Go(func() {
			statuses[i] = -1
			each := writes / len(workers)
			for goal := w.Acknowledged + each; w.Acknowledged < goal && statuses[i] != 0; statuses[i] = w.Step(t, c) {
				if time.Now().After(deadline) {
					t.Errorf("%s: got %d of %d writes done within a minute, want all", what, w.Acknowledged-goal+each, each)
					return
				}
			}
		})
	}
	running.Wait()
	return slices.Contains(statuses, 0)
}

// TestFaultThatLasts has every write to the log, or every sync of it, fail for
// as long as it lasts. Reads go on, a write is told to come back and did not
// take place, and the first one after it succeeds, in the same process.
func TestFaultThatLasts(t *testing.T) {
	t.Parallel()
	require(t, strace)
	for _, test := range []struct{ call, fault string }{
		{"fsync,fdatasync", "error=EIO"},
		{"pwrite64", "error=EIO"},
		{"pwrite64", "error=ENOSPC"},
	} {
		t.Run(test.call+" "+test.fault, func(t *testing.T) {
			t.Parallel()
			workers, seed := load.New(4)
			s := harness.Serve(t, seed)
			c := s.Client()
			all := func(when string, want int) {
				t.Helper()
				for range 3 {
					for _, w := range workers {
						if got := w.Step(t, c); got != want {
							t.Errorf("write %s: got %d, want %d", when, got, want)
						}
					}
				}
			}
			all("before", http.StatusOK)
			in := tracing(t, test.call).answering(test.fault).on(s.Data + "-wal")
			detach := in.attach(s.Process(t))
			all("meanwhile", http.StatusServiceUnavailable)
			expectReads(t, s)
			d := disk.Read(t, s.Data)
			for _, w := range workers {
				if w.Check(t, d) {
					t.Error("a write that was refused took place")
				}
			}
			detach()
			all("afterwards", http.StatusOK)
			s.Restart(t)
			load.Check(t, s, workers)
		})
	}
}

// expectReads reads as a client and as whoever watches the server.
func expectReads(t *testing.T, s *harness.Server) {
	t.Helper()
	c := s.Client()
	c.As(load.Admin).OK(t, http.MethodGet, "/accounts/"+harness.ID(load.Account)+"/members", nil)
	c.As(load.Admin).OK(t, http.MethodGet, "/memberships", nil)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.TrimSuffix(s.URL, "/")+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("GET /readyz: got %d, want 200: reads go on", response.StatusCode)
	}
}
