package rate_test

import (
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hither/internal/rate"
)

// clock is a time that moves by hand.
type clock struct{ now time.Time }

func (c *clock) read() time.Time { return c.now }

func TestPolicyIsReadAndWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]rate.Policy{
		"off": {}, "1200/5m": {Quota: 1200, Window: 5 * time.Minute}, "200/1s": {Quota: 200, Window: time.Second},
	} {
		var got rate.Policy
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", text, got, err, want)
		}
		var again rate.Policy
		written, err := got.MarshalText()
		if err == nil {
			err = again.UnmarshalText(written)
		}
		if err != nil || again != got {
			t.Errorf("%s: written as %s, %v, which is %+v", text, written, err, again)
		}
	}
	for _, text := range []string{"", "0", "1200", "1200/", "/5m", "0/1s", "-1/1s", "1/0s", "1/500ms", "1/1500ms", "1/25h", "1/1d", "1 /1s", "2000000000/1s", "Off"} {
		var got rate.Policy
		if err := got.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), "1200/5m") {
			t.Errorf("%q: got %+v, %v, want an error with an example", text, got, err)
		}
	}
}

func TestWindowIsEachOnesOwn(t *testing.T) {
	t.Parallel()
	c := &clock{time.Unix(1_800_000_000, 0)}
	l := rate.New[string](rate.Policy{Quota: 3, Window: time.Minute}, c.read)
	want := func(key string, refused bool, left int, reset time.Duration) {
		t.Helper()
		if got := l.Take(key); got != (rate.Standing{Refused: refused, Left: left, Reset: reset}) {
			t.Errorf("%s: got %+v, want %t, %d left for %s", key, got, refused, left, reset)
		}
	}
	want("a", false, 2, time.Minute)
	c.now = c.now.Add(20 * time.Second)
	want("a", false, 1, 40*time.Second)
	want("b", false, 2, time.Minute)
	want("a", false, 0, 40*time.Second)
	want("a", true, 0, 40*time.Second)
	c.now = c.now.Add(40*time.Second - 1)
	want("a", true, 0, 1)
	c.now = c.now.Add(1)
	want("a", false, 2, time.Minute)
	want("b", false, 1, 20*time.Second)
}

// TestClockThatIsSetBack locks nobody out for longer than a window.
func TestClockThatIsSetBack(t *testing.T) {
	t.Parallel()
	c := &clock{time.Unix(1_800_000_000, 0)}
	l := rate.New[string](rate.Policy{Quota: 1, Window: time.Minute}, c.read)
	l.Take("a")
	c.now = c.now.Add(-time.Hour)
	if got := l.Take("a"); got.Refused || got.Reset != time.Minute {
		t.Errorf("got %+v, want a new window", got)
	}
}

// TestManyOthersResetNothing: KF-66. However many come, whoever spent its quota stays refused.
func TestManyOthersResetNothing(t *testing.T) {
	t.Parallel()
	c := &clock{time.Unix(1_800_000_000, 0)}
	l := rate.New[int](rate.Policy{Quota: 1, Window: time.Minute}, c.read)
	l.Take(-1)
	for i := range 1_000_000 {
		l.Take(i)
	}
	if got := l.Take(-1); !got.Refused {
		t.Errorf("after a million others: %+v, want refused", got)
	}
}

// TestWindowsThatAreOverAreDropped: memory follows who asks now, not who ever did.
func TestWindowsThatAreOverAreDropped(t *testing.T) {
	t.Parallel()
	c := &clock{time.Unix(1_800_000_000, 0)}
	l := rate.New[int](rate.Policy{Quota: 1, Window: time.Second}, c.read)
	most := 0
	for i := range 100_000 {
		l.Take(i)
		c.now = c.now.Add(time.Millisecond)
		most = max(most, l.Windows())
	}
	if most > 4096 {
		t.Errorf("%d windows at once, of which a thousand run", most)
	}
}

func TestParallelRequestsAreCountedOnce(t *testing.T) {
	t.Parallel()
	const quota = 100
	l := rate.New[netip.Addr](rate.Policy{Quota: quota, Window: time.Hour}, time.Now)
	var answered atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range quota {
				if !l.Take(netip.MustParseAddr("192.0.2.1")).Refused {
					answered.Add(1)
				}
			}
		})
	}
	all.Wait()
	if got := answered.Load(); got != quota {
		t.Errorf("%d were answered, want %d", got, quota)
	}
}

func TestOffIsNoLimiter(t *testing.T) {
	t.Parallel()
	if l := rate.New[string](rate.Policy{}, time.Now); l != nil {
		t.Errorf("got %v", l)
	}
}
