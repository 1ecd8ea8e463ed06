package load

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"hither/test/disk"
	"hither/test/harness"
)

// Run lets the workers work until end, called after so many acknowledgements,
// has made the server go away. No request may be refused meanwhile.
func Run(t testing.TB, s *harness.Server, workers []*Worker, acknowledgements int, end func()) {
	t.Helper()
	acked := make(chan struct{}, 1<<16)
	c := s.Client()
	var running sync.WaitGroup
	for _, w := range workers {
		running.Go(func() {
			for status := w.Step(t, c); status != 0; status = w.Step(t, c) {
				if status != http.StatusOK {
					t.Errorf("answer of a server that lacks nothing: got %d, want 200", status)
					return
				}
				acked <- struct{}{}
			}
		})
	}
	timeout := time.After(time.Minute)
	for range acknowledgements {
		select {
		case <-acked:
		case <-timeout:
			t.Fatalf("acknowledgements within a minute: got less than %d", acknowledgements)
		}
	}
	end()
	running.Wait()
}

// Check holds a server that was started again, its disk and its answers, to
// what the workers were told. It counts the requests in flight that took
// place, and those that did not.
func Check(t testing.TB, s *harness.Server, workers []*Worker) (took, not int) {
	t.Helper()
	d := disk.Read(t, s.Data)
	c := s.Client().As(Admin)
	members := "/accounts/" + harness.ID(Account) + "/members"
	live := 1
	for _, w := range workers {
		waits := w.Waits()
		switch done := w.Check(t, d); {
		case done:
			took++
		case waits:
			not++
		}
		id, status := w.Live()
		if id == "" {
			continue
		}
		live++
		if r := c.OK(t, http.MethodGet, members+"/"+id, nil).Row(t); r.Status != status {
			t.Errorf("member after the restart: got %+v, want %s", r, status)
		}
	}
	page := c.OK(t, http.MethodGet, members+"?per_page=50", nil)
	if len(page.Rows(t)) != live || page.ResultInfo.TotalCount != live {
		t.Errorf("members after the restart: got %d of %d, want %d", len(page.Rows(t)), page.ResultInfo.TotalCount, live)
	}
	return took, not
}

// Acknowledged counts what all the workers were told.
func Acknowledged(workers []*Worker) int {
	n := 0
	for _, w := range workers {
		n += w.Acknowledged
	}
	return n
}

// Refused counts how often the workers were told to come back.
func Refused(workers []*Worker) int {
	n := 0
	for _, w := range workers {
		n += w.Refused
	}
	return n
}
