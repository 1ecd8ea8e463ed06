package soak_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"hither/test/disk"
	"hither/test/harness"
)

// aside does something again and again, beside the workers, while there is a server.
type aside struct {
	stop    context.CancelFunc
	stopped chan struct{}
}

// begin does step until pause; after each it waits as long as step says.
func (a *aside) begin(step func(ctx context.Context) time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	a.stop, a.stopped = cancel, make(chan struct{})
	go func() {
		defer close(a.stopped)
		for ctx.Err() == nil {
			select {
			case <-time.After(step(ctx)):
			case <-ctx.Done():
			}
		}
	}()
}

// pause returns when the last step is over.
func (a *aside) pause() {
	if a.stop != nil {
		a.stop()
		<-a.stopped
	}
}

// others are who does something beside the workers.
type others struct {
	follower  *follower
	clerk     *clerk
	impatient *impatient
}

func besides(t *testing.T, hooks []*hook, length, between time.Duration) *others {
	t.Helper()
	o := &others{
		&follower{seen: map[string]int{}}, &clerk{every: between / 2}, &impatient{hooks: hooks, spell: length / 8, began: time.Now()},
	}
	t.Cleanup(o.pause)
	return o
}

// resume has them go on where they were; the server may have another address.
func (o *others) resume(t *testing.T, s *harness.Server) {
	t.Helper()
	o.follower.resume(s.Client())
	o.clerk.resume(t, s.Client())
	o.impatient.resume(t, s.Client())
}

func (o *others) pause() {
	o.follower.pause()
	o.clerk.pause()
	o.impatient.pause()
}

// finish ends what they began, while the server still works.
func (o *others) finish(t *testing.T, s *harness.Server) {
	t.Helper()
	o.pause()
	o.clerk.finish(t, s.Client())
	o.impatient.open()
}

// balance holds lists and webhooks to account, and says what there was of both.
func (o *others) balance(t *testing.T, s *harness.Server, d disk.State, kills int) (told, rows string) {
	t.Helper()
	db := disk.Open(t, s.Data, "ro")
	defer db.Close()
	tx := disk.Begin(t, db)
	defer func() { _ = tx.Rollback() }()
	o.clerk.client = s.Client()
	outcomes := o.clerk.balance(t, tx, d)
	rows = fmt.Sprintf("%d, the server was killed in the middle of %d, %v", len(o.clerk.sent), o.clerk.midway, outcomes)
	messages, times, copies := 0, 0, 0
	for _, h := range o.impatient.hooks {
		h.balance(t, tx, d.Rows)
		messages += len(h.came)
		copies += h.copies
		for _, m := range h.came {
			times += m.times
		}
	}
	// A message that was taken comes again where the server was killed before it had
	// kept that, and where somebody wants it to.
	if most := kills*len(o.impatient.hooks)*abreast + o.impatient.replayed; copies > most {
		t.Errorf("events that came again though they had been taken: got %d, want at most %d of %d kills and %d replays",
			copies, most, kills, o.impatient.replayed)
	}
	return fmt.Sprintf("%d messages, sent %d times, %d of them again, replayed %d times", messages, times, copies, o.impatient.replayed), rows
}
