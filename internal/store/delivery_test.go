package store

import (
	"errors"
	"testing"
	"time"

	"hither/internal/iam"
)

// Word of a message comes after its commit, and of none that was rolled back or
// is due later.
func TestQueuedMessagesWakeTheWorker(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := openPlain(t, func() time.Time { return now })
	queue := func(id string, end error) {
		d := iam.Delivery{ID: id, Kind: iam.NoticeMessage, Recipient: "u@example.com", State: iam.Queued, DueOn: now, CreatedOn: now}
		if err := s.Update(t.Context(), func(tx iam.Tx) error { return errors.Join(tx.Queue(d), end) }); !errors.Is(err, end) {
			t.Fatal(err)
		}
	}
	woken := func(what string, want bool) {
		t.Helper()
		got := false
		select {
		case <-s.Queued():
			got = true
		default:
		}
		if got != want {
			t.Errorf("%s: woken is %v, want %v", what, got, want)
		}
	}
	woken("nothing queued", false)
	queue("rolled back", errors.New("stop"))
	woken("a message that was rolled back", false)
	queue("a", nil)
	queue("b", nil)
	woken("two messages", true)
	woken("the same ones", false)
	if err := s.Update(t.Context(), func(tx iam.Tx) error {
		d, err := tx.DueDelivery()
		after, _ := iam.DecideDelivery(d, time.Minute, tx.Now())
		return errors.Join(err, tx.UpdateDelivery(d.Delivery, after))
	}); err != nil {
		t.Fatal(err)
	}
	woken("a claim", false)
}
