package iam

import (
	"testing"
	"time"
)

// An account sees where a mail stands, and nothing of what its mailbox gets from
// others.
func TestWhatAnAccountSeesOfAMail(t *testing.T) {
	t.Parallel()
	later := sentOn.Add(time.Hour)
	for name, test := range map[string]struct {
		d     Delivery
		state DeliveryState
		next  time.Time
	}{
		"one that waits":                        {Delivery{State: Queued, DueOn: sentOn}, Queued, time.Time{}},
		"one that the server put off":           {Delivery{State: Deferred, Attempts: 2, DueOn: later}, Deferred, later},
		"one whose mailbox got enough":          {Delivery{State: Deferred, DueOn: later}, Queued, time.Time{}},
		"one that was sent":                     {Delivery{State: Sent, Attempts: 1, DueOn: later, EndedOn: sentOn}, Sent, time.Time{}},
		"one that came back":                    {Delivery{State: Bounced, Attempts: 1, DueOn: later, EndedOn: sentOn}, Bounced, time.Time{}},
		"one to who wants none":                 {Delivery{State: Suppressed, DueOn: later, EndedOn: sentOn}, Suppressed, time.Time{}},
		"one that was withdrawn before it left": {Delivery{State: Dropped, EndedOn: sentOn}, Dropped, time.Time{}},
	} {
		if got := (DeliveryRecord{Delivery: test.d}).told(); got.State != test.state || !got.DueOn.Equal(test.next) {
			t.Errorf("%s: got %s, next %s, want %s, %s", name, got.State, got.DueOn, test.state, test.next)
		}
	}
}

func TestAnAttemptIsAStep(t *testing.T) {
	t.Parallel()
	d := dueInvitation().Delivery
	d.Attempts, d.TriedOn = 1, sentOn
	put := DecideFinish(d, Verdict{State: Deferred, Code: 451, Words: "later\r\n"}, sentOn)
	want := DeliveryStep{On: sentOn, Source: ByServer, State: Deferred, Code: 451, Words: "later", NextOn: sentOn.Add(5 * time.Minute)}
	if got := put.step(Verdict{State: Deferred, Code: 451, Words: "later\r\n"}, sentOn); got != want {
		t.Errorf("of one that was put off: got %+v, want %+v", got, want)
	}
	sent := DecideFinish(d, Verdict{State: Sent}, sentOn)
	if got := sent.step(Verdict{State: Sent}, sentOn); got != (DeliveryStep{On: sentOn, Source: ByServer, State: Sent}) {
		t.Errorf("of one that was sent: got %+v", got)
	}
}
