package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"hither/test/disk"
	"hither/test/harness"
	"hither/test/load"
)

// TestKill kills the server at random moments of a write load, fifty times, ten
// on each database. Whatever was acknowledged is there afterwards, and nothing is
// half there (disk.Read says what whole means).
func TestKill(t *testing.T) {
	t.Parallel()
	for part := range rounds(5, 1) {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			killAgain(t, rounds(10, 5))
		})
	}
}

func killAgain(t *testing.T, times int) {
	t.Helper()
	workers, seed := load.New(6)
	s := harness.Serve(t, seed)
	random := rand.New(rand.NewPCG(0, uint64(time.Now().UnixNano())))
	took, lost := 0, 0
	for range times {
		load.Run(t, s, workers, random.IntN(40), func() {
			<-time.After(time.Duration(random.IntN(3000)) * time.Microsecond) // the moment is random; nothing is awaited
			s.Kill(t)
		})
		s.Start(t)
		done, not := load.Check(t, s, workers)
		took, lost = took+done, lost+not
		if t.Failed() {
			return
		}
	}
	t.Logf("killed %d times; %d requests acknowledged and there; of those without an answer %d took place, %d did not",
		times, load.Acknowledged(workers), took, lost)
}

// TestStopUnderLoad stops the server gracefully in the middle of a write load:
// every answer is a good one until there are none, and all of it is there.
func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	workers, seed := load.New(8)
	s := harness.Serve(t, seed)
	n := rounds(5, 2)
	took, lost := 0, 0
	for round := range n {
		load.Run(t, s, workers, 20+20*round, func() { s.Stop(t) })
		s.Start(t)
		// A client may send on a connection that is being closed as idle. That
		// is no promise broken; what was promised is in Check, and in
		// TestStopFinishesWhatItTookOn.
		done, not := load.Check(t, s, workers)
		took, lost = took+done, lost+not
	}
	if strings.Contains(s.Log(), "did not finish") {
		t.Errorf("log: got %s, want no request given up", s.Log())
	}
	t.Logf("stopped %d times; of the requests without an answer %d took place, %d did not", n, took, lost)
}

// TestStopFinishesWhatItTookOn holds requests at a point where the server has
// read half of them, sends SIGTERM, and only then lets them go on.
func TestStopFinishesWhatItTookOn(t *testing.T) {
	t.Parallel()
	const n = 8
	s := harness.Serve(t, newSeed().Account("Account", theSuper))
	gate := newGate(n)
	answers := make([]harness.Answer, n)
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() {
			answers[i] = ask(t, gate.through(t, s).As(theSuper), http.MethodPost, "/accounts/"+harness.ID("Account")+"/members",
				object{"email": fmt.Sprintf("late%d@example.com", i), "roles": []string{viewer}})
		})
	}
	gate.await(t)
	s.Terminate(t)
	awaitRefusal(t, s)
	gate.open()
	running.Wait()
	s.Wait(t)
	s.Start(t)
	d := disk.Read(t, s.Data)
	for i, answer := range answers {
		if answer.HTTPStatus != http.StatusOK {
			t.Errorf("request that was taken on before SIGTERM: got %d %s, want 200", answer.HTTPStatus, answer.Body)
			continue
		}
		if r := d.Rows[answer.Row(t).ID]; r.Status != "pending" || r.Email != fmt.Sprintf("late%d@example.com", i) {
			t.Errorf("row of the request that was taken on: got %+v, want pending", r)
		}
	}
}
