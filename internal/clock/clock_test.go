package clock_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hither/internal/clock"
)

// TestMovable holds that a clock runs on after it was set, and never goes back.
func TestMovable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c clock.Movable
		start := clock.Now()
		at := func(want time.Duration) {
			t.Helper()
			if got := c.Now(); !got.Equal(start.Add(want)) || got.Location() != time.UTC {
				t.Errorf("got %s, want %s", got, start.Add(want))
			}
		}
		at(0)
		c.Forward(start.Add(time.Hour))
		at(time.Hour)
		time.Sleep(time.Minute)
		at(time.Hour + time.Minute)
		c.Forward(start.Add(time.Hour))
		at(time.Hour + time.Minute)
		c.Forward(start.Add(-time.Hour))
		at(time.Hour + time.Minute)
		c.Forward(start.Add(2*time.Hour + 1500*time.Nanosecond))
		at(2*time.Hour + time.Microsecond)
	})
}

// TestMovableByMany has many set one clock: it ends at the latest.
func TestMovableByMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var (
			c    clock.Movable
			many sync.WaitGroup
		)
		start := clock.Now()
		for i := range 50 {
			many.Go(func() { c.Forward(start.Add(time.Duration(i) * time.Hour)) })
		}
		many.Wait()
		if got, want := c.Now(), start.Add(49*time.Hour); !got.Equal(want) {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}
