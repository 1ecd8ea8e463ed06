package outbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hither/internal/iam"
)

// rows are messages in memory, under the rules of iam.
type rows struct {
	mu      sync.Mutex
	byID    map[string]iam.Delivery
	queued  chan struct{}
	reads   int
	claims  int
	refuses int // so many outcomes are not taken
	// claiming is called while a claim is under way.
	claiming func()
}

func newRows() *rows { return &rows{byID: map[string]iam.Delivery{}, queued: make(chan struct{}, 1)} }

func (r *rows) NextDelivery(context.Context) (time.Time, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reads++
	d, err := r.first()
	return d.DueOn, err
}

// ClaimDelivery is made even where its caller goes away meanwhile, as by a store.
func (r *rows) ClaimDelivery(ctx context.Context, lease time.Duration) (iam.DueDelivery, error) {
	if r.claiming != nil {
		r.claiming()
	}
	claimed, err := r.claim(lease)
	if ctx.Err() != nil {
		return iam.DueDelivery{}, ctx.Err()
	}
	return claimed, err
}

func (r *rows) FinishDelivery(_ context.Context, claimed iam.Delivery, verdict iam.Verdict) (iam.Delivery, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuses > 0 {
		r.refuses--
		return claimed, &iam.Error{Kind: iam.Unavailable}
	}
	now := r.byID[claimed.ID]
	if now.Attempts != claimed.Attempts || !now.EndedOn.IsZero() {
		return claimed, iam.ErrStale
	}
	after := iam.DecideFinish(claimed, verdict, time.Now())
	r.byID[claimed.ID] = after
	return after, nil
}

func (r *rows) claim(lease time.Duration) (iam.DueDelivery, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.claims++
	d, err := r.first()
	if err == nil && d.DueOn.After(time.Now()) {
		err = iam.ErrNoRow
	}
	if err != nil {
		return iam.DueDelivery{}, err
	}
	after, _ := iam.DecideDelivery(iam.DueDelivery{Delivery: d}, lease, time.Now())
	r.byID[d.ID] = after
	return iam.DueDelivery{Delivery: after}, nil
}

// add queues messages; wake says so as the process itself would.
func (r *rows) add(wake bool, ids ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range ids {
		r.byID[id] = iam.Delivery{ID: id, Kind: iam.NoticeMessage, State: iam.Queued, DueOn: time.Now(), CreatedOn: time.Now()}
	}
	if wake {
		select {
		case r.queued <- struct{}{}:
		default:
		}
	}
}

func (r *rows) first() (iam.Delivery, error) {
	var first iam.Delivery
	for _, d := range r.byID {
		if d.EndedOn.IsZero() && (first.ID == "" || d.DueOn.Before(first.DueOn)) {
			first = d
		}
	}
	if first.ID == "" {
		return first, iam.ErrNoRow
	}
	return first, nil
}

func (r *rows) get(id string) iam.Delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byID[id]
}

// worker runs until the function that it returns is called, which returns when
// it is through.
func worker(t *testing.T, r *rows, deliver Deliver) (w *Worker, log *bytes.Buffer, stop func()) {
	t.Helper()
	log = &bytes.Buffer{}
	w = New(Options{
		Source: r, Kinds: map[iam.DeliveryKind]Deliver{iam.NoticeMessage: deliver}, Queued: r.queued,
		Logger: slog.New(slog.NewTextHandler(log, nil)), Now: time.Now, Grace: time.Minute,
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	return w, log, func() { cancel(); <-done }
}

func sends(context.Context, iam.DueDelivery) iam.Verdict { return iam.Verdict{State: iam.Sent} }

func TestWhatIsQueuedIsDeliveredAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRows()
		w, _, stop := worker(t, r, sends)
		synctest.Wait()
		start := time.Now()
		r.add(true, "own")
		synctest.Wait()
		if d := r.get("own"); d.State != iam.Sent || !d.EndedOn.Equal(start) {
			t.Errorf("a message of this process: got %+v, want it sent at once", d)
		}
		r.add(false, "others")
		time.Sleep(poll)
		synctest.Wait()
		if d := r.get("others"); d.State != iam.Sent {
			t.Errorf("a message of another process: got %+v, want it sent within %s", d, poll)
		}
		stop()
		if got := w.Stats(); got != (Stats{Sent: 2}) {
			t.Errorf("stats: got %+v, want two sent", got)
		}
	})
}

// Whoever sets a clock forward need not wait for a timer, and sees when what came
// of it is through.
func TestANudgeLooksAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRows()
		w, _, stop := worker(t, r, func(context.Context, iam.DueDelivery) iam.Verdict {
			time.Sleep(time.Second)
			return iam.Verdict{State: iam.Sent}
		})
		synctest.Wait()
		r.add(false, "due")
		w.Nudge()
		w.Nudge()
		synctest.Wait()
		if !w.Busy() || r.get("due").Attempts != 1 {
			t.Errorf("after a nudge: busy %v, %+v, want the message in hand", w.Busy(), r.get("due"))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if w.Busy() || r.get("due").State != iam.Sent {
			t.Errorf("a second later: busy %v, %+v, want it sent", w.Busy(), r.get("due"))
		}
		stop()
	})
}

// An outbox in which nothing is due costs a read now and then, and no claim.
func TestIdlingClaimsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRows()
		_, _, stop := worker(t, r, sends)
		time.Sleep(time.Hour)
		stop()
		if r.claims != 0 || r.reads > int(time.Hour/poll)+2 {
			t.Errorf("an idle hour: got %d claims and %d reads, want none and %d", r.claims, r.reads, int(time.Hour/poll))
		}
	})
}

func TestMessagesAreTriedAgainInTheirTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRows()
		var tries []time.Duration
		start := time.Now()
		_, _, stop := worker(t, r, func(context.Context, iam.DueDelivery) iam.Verdict {
			tries = append(tries, time.Since(start))
			if len(tries) < 4 {
				return iam.Verdict{State: iam.Deferred, Code: 451, Words: "later"}
			}
			return iam.Verdict{State: iam.Sent}
		})
		r.add(true, "a")
		time.Sleep(24 * time.Hour)
		stop()
		want := []time.Duration{0, 5 * time.Minute, 35 * time.Minute, 95 * time.Minute}
		if !slices.Equal(tries, want) || r.get("a").State != iam.Sent {
			t.Errorf("tries: got %v and %s, want %v and sent", tries, r.get("a").State, want)
		}
	})
}

func TestNoMoreThanSomeAreUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRows()
		var (
			mu           sync.Mutex
			now, highest int
		)
		_, _, stop := worker(t, r, func(context.Context, iam.DueDelivery) iam.Verdict {
			mu.Lock()
			now++
			highest = max(highest, now)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			now--
			mu.Unlock()
			return iam.Verdict{State: iam.Sent}
		})
		for i := range 20 {
			r.add(true, fmt.Sprint(i))
		}
		time.Sleep(20 / maxHands * time.Second)
		synctest.Wait()
		for i := range 20 {
			if d := r.get(fmt.Sprint(i)); d.State != iam.Sent || d.Attempts != 1 {
				t.Errorf("message %d: got %+v, want it sent once", i, d)
			}
		}
		stop()
		if highest != maxHands {
			t.Errorf("at once: got %d, want %d", highest, maxHands)
		}
	})
}

// KF-44: a panic of one message stops no other, and its value is not logged.
func TestAPanicIsOneMessagesMisfortune(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRows()
		_, log, stop := worker(t, r, func(_ context.Context, m iam.DueDelivery) iam.Verdict {
			if m.ID == "bad" {
				panic("https://example.com/i/CANARY")
			}
			return iam.Verdict{State: iam.Sent}
		})
		r.add(true, "bad", "good")
		synctest.Wait()
		stop()
		if bad, good := r.get("bad"), r.get("good"); bad.State != iam.Deferred || bad.Words == "" || good.State != iam.Sent {
			t.Errorf("got %+v and %+v, want the one deferred with words and the other sent", bad, good)
		}
		if strings.Contains(log.String(), "CANARY") || !strings.Contains(log.String(), "outbox_test.go") {
			t.Errorf("log: got %s, want the stack without the value", log)
		}
	})
}

func TestAKindThatIsUnknownWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRows()
		r.byID["x"] = iam.Delivery{ID: "x", Kind: "telegram", DueOn: time.Now()}
		_, _, stop := worker(t, r, sends)
		synctest.Wait()
		stop()
		if d := r.get("x"); d.State != iam.Deferred || !strings.Contains(d.Words, "telegram") {
			t.Errorf("got %+v, want it deferred, by name", d)
		}
	})
}

// A stop finishes what is in hand and begins nothing; what takes too long is
// broken off, and tried again.
func TestAStopFinishesWhatIsInHand(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		takes time.Duration
		want  iam.DeliveryState
	}{"in time": {30 * time.Second, iam.Sent}, "too slow": {2 * time.Minute, iam.Deferred}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRows()
				_, _, stop := worker(t, r, func(ctx context.Context, _ iam.DueDelivery) iam.Verdict {
					select {
					case <-time.After(test.takes):
						return iam.Verdict{State: iam.Sent}
					case <-ctx.Done():
						return iam.Verdict{State: iam.Deferred, Words: "broken off"}
					}
				})
				r.add(true, "0", "1", "2", "3", "4", "5")
				synctest.Wait()
				start := time.Now()
				stop()
				if took := time.Since(start); took != min(test.takes, time.Minute) {
					t.Errorf("the stop: took %s, want %s", took, min(test.takes, time.Minute))
				}
				states := map[iam.DeliveryState]int{}
				for _, d := range r.byID {
					states[d.State]++
				}
				if states[test.want] != maxHands || states[iam.Queued] != 6-maxHands {
					t.Errorf("after the stop: got %v, want %d %s and the rest queued", states, maxHands, test.want)
				}
			})
		})
	}
}

func TestAStopWaitsForWhatIsBeingClaimed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRows()
		begun, goOn := make(chan struct{}), make(chan struct{})
		var claims atomic.Int32
		r.claiming = func() {
			if claims.Add(1) == 1 {
				close(begun)
			}
			<-goOn // all hands: a lock would not let synctest see that they wait
		}
		_, _, stop := worker(t, r, sends)
		r.add(true, "m")
		<-begun
		go func() { synctest.Wait(); close(goOn) }()
		stop()
		if d := r.get("m"); d.State != iam.Sent {
			t.Errorf("a message that was being claimed at the stop: got %+v, want it sent", d)
		}
	})
}

func TestAnOutcomeIsKeptOnceTheDatabaseIsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRows()
		r.refuses = 10
		_, _, stop := worker(t, r, sends)
		r.add(true, "a")
		time.Sleep(time.Minute)
		stop()
		if d := r.get("a"); d.State != iam.Sent || d.Attempts != 1 {
			t.Errorf("got %+v, want it sent, once", d)
		}
	})
}

// Whoever's lease is over finds the message taken, and changes nothing.
func TestALateWorkerChangesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRows()
		w, _, stop := worker(t, r, func(context.Context, iam.DueDelivery) iam.Verdict {
			r.mu.Lock()
			d := r.byID["a"]
			d.Attempts++
			r.byID["a"] = d
			r.mu.Unlock()
			return iam.Verdict{State: iam.Bounced}
		})
		r.add(true, "a")
		synctest.Wait()
		stop()
		if d := r.get("a"); d.State != iam.Queued || w.Stats() != (Stats{}) {
			t.Errorf("got %+v and %+v, want what the other one made of it", d, w.Stats())
		}
	})
}

var errBroken = errors.New("broken")

// broken is a database that is away for a while.
type broken struct {
	*rows
	until time.Time
}

func (b broken) NextDelivery(ctx context.Context) (time.Time, error) {
	if time.Now().Before(b.until) {
		return time.Time{}, errBroken
	}
	return b.rows.NextDelivery(ctx)
}

func TestItGoesOnAfterTheDatabaseWasAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRows()
		w := New(Options{
			Source: broken{r, time.Now().Add(time.Minute)}, Kinds: map[iam.DeliveryKind]Deliver{iam.NoticeMessage: sends},
			Queued: r.queued, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); w.Run(ctx) }()
		r.add(true, "a")
		time.Sleep(time.Minute + poll)
		synctest.Wait()
		cancel()
		<-done
		if d := r.get("a"); d.State != iam.Sent {
			t.Errorf("got %+v, want it sent", d)
		}
	})
}
