package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"hither/internal/iam"
	"hither/internal/webhook"
)

// lanes is a source of webhooks that stand in memory, by the decisions of iam.
type lanes struct {
	mu     sync.Mutex
	hooks  map[iam.ID]*lane
	finish func() error // before an outcome is kept; nil lets it
}

type lane struct {
	hook    iam.Webhook
	held    time.Time
	secrets []iam.WebhookSecret
	events  []iam.WebhookDelivery
	ended   []iam.WebhookDelivery
}

func (l *lanes) FanOut(context.Context) (time.Time, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var first time.Time
	for _, lane := range l.hooks {
		if at := lane.next(); !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first, nil
}

// next is when the lane's turn comes, zero for never.
func (l *lane) next() time.Time {
	if l.hook.Disabled != "" || len(l.events) == 0 {
		return time.Time{}
	}
	first := slices.MinFunc(l.events, func(a, b iam.WebhookDelivery) int { return a.DueOn.Compare(b.DueOn) }).DueOn
	for _, not := range []time.Time{l.held, l.hook.LeasedUntil} {
		if not.After(first) {
			first = not
		}
	}
	return first
}

func (l *lanes) ClaimWebhook(_ context.Context, lease time.Duration, healthy bool) (iam.WebhookClaim, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, lane := range l.hooks {
		if at := lane.next(); at.IsZero() || at.After(now) || healthy && lane.hook.Failures > 0 {
			continue
		}
		turn := iam.WebhookLane{Webhook: lane.hook, Grantor: iam.WebhookGrantor{GrantorFacts: iam.GrantorFacts{Grantor: iam.Grantor{Kind: iam.ByCommandLine}}}}
		for _, d := range lane.events {
			if !d.DueOn.After(now) {
				turn.Due = append(turn.Due, iam.WebhookMessage{WebhookDelivery: d, Event: iam.AuditEntry{OperationID: d.EventID}})
			}
		}
		decided := iam.DecideWebhookTurn(turn, now)
		lane.hook.Turn++
		lane.hook.LeasedUntil = now.Add(lease)
		for i := range decided.Send {
			decided.Send[i].DueOn = lane.hook.LeasedUntil
			lane.keep(decided.Send[i].WebhookDelivery)
		}
		for _, d := range decided.End {
			lane.keep(d)
		}
		return iam.WebhookClaim{Webhook: lane.hook, Messages: decided.Send, Secrets: lane.secrets}, nil
	}
	return iam.WebhookClaim{}, iam.ErrNoRow
}

func (l *lane) keep(d iam.WebhookDelivery) {
	at := slices.IndexFunc(l.events, func(e iam.WebhookDelivery) bool { return e.ID == d.ID })
	if l.events[at] = d; !d.EndedOn.IsZero() {
		l.events = slices.Delete(l.events, at, at+1)
		l.ended = append(l.ended, d)
	}
}

func (l *lanes) FinishWebhook(_ context.Context, claim iam.WebhookClaim, outcomes []iam.WebhookOutcome) (iam.Webhook, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.finish != nil {
		if err := l.finish(); err != nil {
			return iam.Webhook{}, err
		}
	}
	lane := l.hooks[claim.Webhook.ID]
	if lane.hook.Turn != claim.Webhook.Turn {
		return iam.Webhook{}, iam.ErrStale
	}
	done := iam.DecideWebhookFinish(lane.hook, outcomes, time.Now())
	lane.hook, lane.held = done.Webhook, done.HeldUntil
	lane.hook.LeasedUntil = time.Time{}
	for _, d := range done.Deliveries {
		lane.keep(d)
	}
	return lane.hook, nil
}

// add queues events for a webhook.
func (l *lanes) add(id iam.ID, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hooks == nil {
		l.hooks = map[iam.ID]*lane{}
	}
	if l.hooks[id] == nil {
		l.hooks[id] = &lane{hook: iam.Webhook{ID: id, URL: string(id)}}
	}
	now := time.Now()
	for range n {
		name := fmt.Sprintf("%s-%d", id, len(l.hooks[id].events)+len(l.hooks[id].ended))
		l.hooks[id].events = append(l.hooks[id].events, iam.WebhookDelivery{
			ID: iam.ID(name), EventID: name, State: iam.WebhookPending, DueOn: now, Since: now,
		})
	}
}

// attempt is one that was made.
type attempt struct {
	id iam.ID
	at time.Duration
}

// runs sends for so long and returns the attempts, those of each webhook in turn.
func runs(t *testing.T, l *lanes, run time.Duration, send func(ctx context.Context, m webhook.Message) webhook.Result) map[string][]attempt {
	t.Helper()
	var mu sync.Mutex
	start, made := time.Now(), map[string][]attempt{}
	worker := webhook.New(webhook.Options{
		Source: l, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Grace: time.Second,
		Body: func(e iam.AuditEntry) ([]byte, error) { return []byte(e.OperationID), nil },
		Send: func(ctx context.Context, m webhook.Message) webhook.Result {
			mu.Lock()
			made[m.URL] = append(made[m.URL], attempt{m.ID, time.Since(start)})
			mu.Unlock()
			return send(ctx, m)
		},
	})
	ctx, cancel := context.WithTimeout(t.Context(), run)
	defer cancel()
	worker.Run(ctx)
	return made
}

func takes(context.Context, webhook.Message) webhook.Result { return webhook.Result{Code: 200} }

// Receivers that never answer hold up nobody, however many there are and however
// much waits for them: each costs an attempt now and then.
func TestDeadReceiversHoldUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l lanes
		const dead = 200
		for i := range dead {
			l.add(iam.ID(fmt.Sprintf("dead%d", i)), 50)
		}
		never := func(ctx context.Context, m webhook.Message) webhook.Result {
			if m.URL == "works" {
				return webhook.Result{Code: 200}
			}
			select {
			case <-time.After(15 * time.Second):
			case <-ctx.Done():
			}
			return webhook.Result{Words: "no answer"}
		}
		// All of them are known to be dead after a while; then one that works has news.
		go func() {
			time.Sleep(10 * time.Minute)
			for range 60 {
				l.add("works", 10)
				time.Sleep(time.Minute)
			}
		}()
		made := runs(t, &l, 71*time.Minute, never)
		if got := len(made["works"]); got != 600 {
			t.Fatalf("the one that works was sent %d events, want 600", got)
		}
		for i, a := range made["works"] {
			due := 10*time.Minute + time.Duration(i/10)*time.Minute
			if late := a.at - due; late > 2*time.Second {
				t.Errorf("event %d came %s late", i, late)
			}
		}
		for i := range dead {
			if got := len(made[fmt.Sprintf("dead%d", i)]); got < 4 || got > 30 {
				t.Errorf("dead receiver %d: %d attempts in an hour", i, got)
			}
		}
	})
}

// However many of those that failed last are due at once and take their time, there are hands left for one that works.
func TestThoseThatFailLeaveRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l lanes
		for i := range 100 {
			id := iam.ID(fmt.Sprintf("dead%d", i))
			l.add(id, 1)
			l.hooks[id].hook.Failures = 1
		}
		go func() {
			time.Sleep(5 * time.Second) // in the middle of the first attempts
			l.add("works", 1)
		}()
		made := runs(t, &l, 20*time.Second, func(_ context.Context, m webhook.Message) webhook.Result {
			if m.URL == "works" {
				return webhook.Result{Code: 200}
			}
			time.Sleep(15 * time.Second)
			return webhook.Result{Words: "no answer"}
		})
		if got := made["works"]; len(got) != 1 || got[0].at > 7*time.Second {
			t.Errorf("the one that works was sent %+v, want its event within two seconds of 5s", got)
		}
	})
}

// While a receiver is away its events wait, and when it is back all of them come,
// each once, within the hour.
func TestAReceiverComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l lanes
		l.add("w", 100)
		back := time.Now().Add(20 * time.Hour)
		taken := map[iam.ID]int{}
		var mu sync.Mutex
		runs(t, &l, 22*time.Hour, func(_ context.Context, m webhook.Message) webhook.Result {
			if time.Now().Before(back) {
				return webhook.Result{Code: 503}
			}
			mu.Lock()
			defer mu.Unlock()
			taken[m.ID]++
			return webhook.Result{Code: 200}
		})
		ended := l.hooks["w"].ended
		for _, d := range ended {
			if d.State != iam.WebhookDelivered || taken[d.ID] != 1 {
				t.Errorf("%s: %s, taken %d times", d.ID, d.State, taken[d.ID])
			}
		}
		// Those that were tried while it was away wait for their own next time.
		if waits := len(l.hooks["w"].events); waits > 30 || len(ended) < 70 {
			t.Errorf("%d of 100 came, %d wait", len(ended), waits)
		}
	})
}

// An event that nobody takes is tried after the pauses that docs/webhooks.md names,
// for three days and no longer, always by the same id.
func TestAnEventIsTriedForThreeDays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l lanes
		l.add("w", 1)
		made := runs(t, &l, 10*24*time.Hour, func(context.Context, webhook.Message) webhook.Result { return webhook.Result{Code: 500} })["w"]
		pauses := []time.Duration{
			5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour,
		}
		last := time.Duration(0)
		for i, a := range made {
			if a.id != "w-0" {
				t.Errorf("attempt %d is of %s", i+1, a.id)
			}
			if i > 0 {
				pause := pauses[min(i, len(pauses))-1]
				if waited := a.at - last; waited < pause || waited > pause+pause/10+time.Second {
					t.Errorf("attempt %d came %s after the one before, want %s and up to a tenth more", i+1, waited, pause)
				}
			}
			last = a.at
		}
		if ended := l.hooks["w"].ended; len(ended) != 1 || ended[0].State != iam.WebhookFailed || last > iam.WebhookLife || last < iam.WebhookLife-9*time.Hour {
			t.Errorf("after %d attempts, the last at %s, it is %+v", len(made), last, ended)
		}
	})
}

// A receiver that takes nothing for five days is turned off, and nothing is sent to
// it from then on; what it was to be sent ended as failed after three.
func TestAReceiverIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l lanes
		l.add("w", 3)
		go func() {
			for range 6 * 24 {
				time.Sleep(time.Hour)
				l.add("w", 1)
			}
		}()
		made := runs(t, &l, 8*24*time.Hour, func(context.Context, webhook.Message) webhook.Result { return webhook.Result{Code: 500} })
		w := l.hooks["w"]
		last := made["w"][len(made["w"])-1].at
		if w.hook.Disabled != iam.WebhookFailing || last < iam.WebhookPatience || last > iam.WebhookPatience+2*time.Hour {
			t.Errorf("turned off as %q at %s", w.hook.Disabled, last)
		}
		if len(w.ended) < 40 || w.ended[0].State != iam.WebhookFailed {
			t.Errorf("%d ended", len(w.ended))
		}
	})
}

// What was sent and could not be kept is sent again, by the same id, when the lease
// is over; where the database is away for a moment it is kept after all.
func TestWhatIsNotKeptIsSentAgain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		want int
	}{
		"broken": {errors.New("broken"), 2}, "away": {&iam.Error{Kind: iam.Unavailable}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				failures := 0
				l := lanes{finish: func() error {
					if failures++; failures < 3 && (failures < 2 || test.want == 1) {
						return test.err
					}
					return nil
				}}
				l.add("w", 1)
				made := runs(t, &l, 10*time.Minute, takes)["w"]
				if len(made) != test.want || len(l.hooks["w"].ended) != 1 {
					t.Fatalf("attempts %v, ended %v", made, l.hooks["w"].ended)
				}
				if test.want == 2 && (made[0].id != made[1].id || made[1].at < 15*time.Second || made[1].at > time.Minute) {
					t.Errorf("attempts %v", made)
				}
			})
		})
	}
}

// A panic while an event is sent is that event's alone.
func TestAPanicIsOneEventsMisfortune(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l lanes
		l.add("w", 4)
		runs(t, &l, 3*time.Second, func(_ context.Context, m webhook.Message) webhook.Result {
			if m.ID == "w-2" {
				panic("no")
			}
			return webhook.Result{Code: 200}
		})
		if w := l.hooks["w"]; len(w.ended) != 3 || len(w.events) != 1 || w.events[0].Words == "" {
			t.Errorf("ended %v, left %v", w.ended, w.events)
		}
	})
}

// At a stop what is under way may finish, for a while.
func TestAStopLetsAnAttemptFinish(t *testing.T) {
	t.Parallel()
	for _, takes := range []time.Duration{500 * time.Millisecond, 5 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			var l lanes
			l.add("w", 1)
			runs(t, &l, 100*time.Millisecond, func(ctx context.Context, _ webhook.Message) webhook.Result {
				select {
				case <-time.After(takes):
					return webhook.Result{Code: 200}
				case <-ctx.Done():
					return webhook.Result{Words: "broken off"}
				}
			})
			if done := len(l.hooks["w"].ended) == 1; done != (takes < time.Second) {
				t.Errorf("an attempt of %s: ended %v", takes, l.hooks["w"].ended)
			}
		})
	}
}
