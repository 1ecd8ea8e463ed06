package bulk

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hither/internal/iam"
)

// jobs stands in for iam.Service: bulks with rows that are left, of which some
// break whenever they are tried.
type jobs struct {
	mu      sync.Mutex
	left    map[iam.ID][]bool // whether the row breaks
	steps   []iam.BulkStep
	givenUp int
	away    int // how often the database is not there
}

func (j *jobs) running(context.Context, string, int) ([]iam.ID, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var ids []iam.ID
	for id, rows := range j.left {
		if len(rows) > 0 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

func (j *jobs) work(_ context.Context, step iam.BulkStep) (iam.BulkProgress, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.steps = append(j.steps, step)
	if j.away > 0 {
		j.away--
		return iam.BulkProgress{}, &iam.Error{Kind: iam.Unavailable, Message: "away"}
	}
	rows := j.left[step.ID]
	n := min(step.Limit, len(rows))
	if step.GiveUp {
		j.givenUp++
	} else if slices.Contains(rows[:n], true) {
		return iam.BulkProgress{}, errors.New("it breaks")
	}
	j.left[step.ID] = rows[n:]
	progress := iam.BulkProgress{Rows: n, Bulk: iam.Bulk{State: iam.BulkRunning}}
	if len(rows) == n {
		progress.Bulk.State = iam.BulkFinished
	}
	return progress, nil
}

// runFor lets a worker work for a time.
func (j *jobs) runFor(t *testing.T, d time.Duration, started chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	w := Worker{Name: "w", Running: j.running, Work: j.work, Started: started, Logger: slog.New(slog.DiscardHandler)}
	w.Run(ctx)
}

// Bulks have their turn batch by batch: a long one holds up none that is short.
func TestBulksTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := &jobs{left: map[iam.ID][]bool{"long": make([]bool, 3*iam.BulkBatch), "short": make([]bool, 1)}}
		j.runFor(t, time.Second/2, nil)
		var turns []iam.ID
		for _, step := range j.steps {
			turns = append(turns, step.ID)
			if step.Limit != iam.BulkBatch || step.Worker != "w" || step.GiveUp {
				t.Errorf("a step of what nothing breaks in: %+v", step)
			}
		}
		if want := []iam.ID{"long", "short", "long", "long"}; !slices.Equal(turns, want) {
			t.Errorf("turns: got %v, want %v", turns, want)
		}
	})
}

// A row that breaks whenever it is tried is given up after some tries, and it alone:
// those before and behind it, and other bulks, go on.
func TestARowThatBreaksIsGivenUpAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := make([]bool, 60)
		broken[10] = true
		j := &jobs{left: map[iam.ID][]bool{"broken": broken, "sound": make([]bool, 200)}}
		start := time.Now()
		j.runFor(t, time.Second, nil)
		if left := len(j.left["sound"]); left > 0 {
			t.Errorf("another bulk has %d rows left after %s", left, time.Since(start))
		}
		j.runFor(t, time.Minute, nil)
		if left := len(j.left["broken"]); left > 0 || j.givenUp != 1 {
			t.Errorf("%d rows are left, %d were given up; want none and one", left, j.givenUp)
		}
		tried := 0
		for _, step := range j.steps {
			if step.GiveUp && step.Limit != 1 {
				t.Errorf("given up: %+v, want one row", step)
			}
			if step.ID == "broken" && step.Limit == 1 && !step.GiveUp {
				tried++
			}
		}
		if tried < 10+tries {
			t.Errorf("%d tries one by one, want the ten rows before and %d of the broken one at least", tried, tries)
		}
	})
}

// While the database is away no row is to blame.
func TestNoRowIsToBlameForTheDatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := &jobs{left: map[iam.ID][]bool{"a": make([]bool, 60)}, away: 20}
		j.runFor(t, 10*time.Minute, nil)
		if left := len(j.left["a"]); left > 0 || j.givenUp > 0 {
			t.Errorf("%d rows are left, %d were given up; want none", left, j.givenUp)
		}
	})
}

// What this process took on is begun at once; what others did within a second.
func TestWordOfABulkWakesTheWorker(t *testing.T) {
	t.Parallel()
	for _, word := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			j := &jobs{left: map[iam.ID][]bool{}}
			started := make(chan struct{}, 1)
			ctx, cancel := context.WithCancel(t.Context())
			w := Worker{Name: "w", Running: j.running, Work: j.work, Started: started, Logger: slog.New(slog.DiscardHandler)}
			done := make(chan struct{})
			go func() { defer close(done); w.Run(ctx) }()
			synctest.Wait()
			j.mu.Lock()
			j.left["a"] = make([]bool, 1)
			j.mu.Unlock()
			start := time.Now()
			if word {
				started <- struct{}{}
			} else {
				time.Sleep(Poll)
			}
			synctest.Wait()
			if took := time.Since(start); len(j.left["a"]) > 0 || word && took > 0 {
				t.Errorf("with word %t: %d rows are left after %s", word, len(j.left["a"]), took)
			}
			cancel()
			<-done
		})
	}
}
