// Package e2e_test runs the real binary as its operator would and talks to it
// as its clients would, over loopback. Every request and answer is held to
// api/openapi.yaml. What is on disk is read with SQL of its own; nothing of
// internal/ is imported.
package e2e_test

import (
	"os"
	"sync"
	"testing"

	"hither/test/harness"
)

func TestMain(m *testing.M) {
	code := m.Run()
	harness.Clean()
	os.Exit(code)
}

// rounds is how often a race is run, or a process killed.
func rounds(most, short int) int {
	if testing.Short() {
		return short
	}
	return most
}

// together runs do for 0 to n-1 at once: none starts before all are there.
func together(n int, do func(i int)) {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			<-start
			do(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
}

// ask is Client.Must for a goroutine that is not the test's own.
func ask(t testing.TB, c harness.Client, method, path string, body any) harness.Answer {
	t.Helper()
	answer, err := c.Do(t.Context(), method, path, body)
	if err != nil {
		t.Errorf("%s %s: %v", method, path, err)
	}
	return answer
}

// tally counts what came back, by outcome.
type tally struct {
	mu    sync.Mutex
	count map[string]int
}

func (y *tally) add(what string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.count == nil {
		y.count = map[string]int{}
	}
	y.count[what]++
}
