package iam

import (
	"hash/fnv"
	"time"
)

// How long is tried: an event for WebhookLife, a receiver that takes nothing for
// WebhookPatience until its webhook is turned off.
const (
	WebhookLife     = 3 * 24 * time.Hour
	WebhookPatience = 5 * 24 * time.Hour
)

// webhookBatch is how many events a webhook is sent at once. One that failed last
// is sent one: a dead receiver costs an attempt now and then, whatever waits for it.
const webhookBatch = 4

// WebhookLane is a webhook whose turn has come, with what it rests on.
type WebhookLane struct {
	Webhook
	Account Account // zero where it is gone
	Grantor WebhookGrantor
	Due     []WebhookMessage // the longest due first
}

// WebhookGrantor are the facts of a webhook's grantor; Operator says that it is a
// user who carries the operator's flag.
type WebhookGrantor struct {
	GrantorFacts
	Operator bool
}

// mayWatch reports whether the grantor may still have events sent.
func (g WebhookGrantor) mayWatch() bool {
	switch g.Kind {
	case ByUser:
		return g.Active && (g.Operator || g.Membership != nil && watches(RightsOf(g.Membership.Roles)))
	case ByOperator:
		return g.Active
	case ByCommandLine:
		return true
	case ByVisitor, ByReporter:
	}
	return false
}

// WebhookMessage is a delivery with its event as the account sees it; Event is zero
// where the audit log has it no more.
type WebhookMessage struct {
	WebhookDelivery
	Event AuditEntry
}

// WebhookTurn is what is done in a turn of a webhook.
type WebhookTurn struct {
	Disable WebhookDisabled // "" leaves it on
	Pause   bool            // nothing is sent now: the account is suspended
	Send    []WebhookMessage
	End     []WebhookDelivery // these have ended
}

// webhookPause is how long a webhook waits where it may send nothing for now.
const webhookPause = 10 * time.Minute

// DecideWebhookTurn says what is done with what is due for a webhook. Whoever let
// it have events is asked for at every turn: what that one may not see any more it
// gets no more (KF-87).
func DecideWebhookTurn(lane WebhookLane, now time.Time) WebhookTurn {
	switch {
	case lane.Account.Suspended:
		return WebhookTurn{Pause: true}
	case !lane.Grantor.mayWatch():
		return WebhookTurn{Disable: WebhookGrantorLost}
	}
	var turn WebhookTurn
	most := webhookBatch
	if lane.Failures > 0 {
		most = 1
	}
	for _, due := range lane.Due {
		d := due.WebhookDelivery
		switch {
		case due.Event.OperationID == "":
			turn.End = append(turn.End, d.end(WebhookDropped, "the audit log has the event no more", now))
		case !now.Before(d.Since.Add(WebhookLife)):
			words := d.Words
			if d.Attempts == d.Earlier {
				words = "the receiver took nothing all the time"
			}
			turn.End = append(turn.End, d.end(WebhookFailed, words, now))
		case len(turn.Send) < most:
			due.Attempts++
			turn.Send = append(turn.Send, due)
		}
	}
	return turn
}

func (d WebhookDelivery) end(state WebhookState, words string, now time.Time) WebhookDelivery {
	d.State, d.Words, d.EndedOn, d.DueOn = state, words, now, time.Time{}
	return d
}

// WebhookOutcome is what an attempt led to.
type WebhookOutcome struct {
	WebhookDelivery
	At         time.Time
	Took       time.Duration
	Code       int           // the answer's, 0 where there was none
	Words      string        // what went wrong, in words of ours
	RetryAfter time.Duration // what the receiver asked for, 0 nothing
}

// taken reports whether the receiver took the event.
func (o WebhookOutcome) taken() bool { return o.Code >= 200 && o.Code < 300 }

// webhookGone is the answer by which a receiver wants nothing any more.
const webhookGone = 410

// WebhookFinish is what a turn led to: the webhook as it is then, without DueOn, and
// its deliveries.
type WebhookFinish struct {
	Webhook    Webhook
	HeldUntil  time.Time // nothing is sent before
	Deliveries []WebhookDelivery
}

// DecideWebhookFinish says what becomes of a webhook and its deliveries after a turn.
func DecideWebhookFinish(hook Webhook, outcomes []WebhookOutcome, now time.Time) WebhookFinish {
	done := WebhookFinish{Webhook: hook}
	taken, gone := false, false
	var asked time.Duration
	for _, o := range outcomes {
		d := o.WebhookDelivery
		d.Code, d.Words = o.Code, o.Words
		gone = gone || o.Code == webhookGone
		if o.taken() {
			taken = true
			done.Deliveries = append(done.Deliveries, d.end(WebhookDelivered, o.Words, now))
			continue
		}
		asked = max(asked, o.RetryAfter)
		d.DueOn = now.Add(max(webhookWait(d), min(o.RetryAfter, maxRetryAfter)))
		if d.DueOn.After(d.Since.Add(WebhookLife)) {
			d = d.end(WebhookFailed, o.Words, now)
		}
		done.Deliveries = append(done.Deliveries, d)
	}
	switch w := &done.Webhook; {
	case gone:
		w.Disabled, w.DisabledOn = WebhookGone, now
	case taken || len(outcomes) == 0:
		w.Failures, w.FailingSince = 0, time.Time{}
	default:
		w.Failures++
		if w.FailingSince.IsZero() {
			w.FailingSince = now
		}
		done.HeldUntil = now.Add(max(webhookHold(w.Failures), min(asked, maxRetryAfter)))
		if !now.Before(w.FailingSince.Add(WebhookPatience)) {
			w.Disabled, w.DisabledOn = WebhookFailing, now
		}
	}
	return done
}

// maxRetryAfter is how long a receiver may ask for at most.
const maxRetryAfter = time.Hour

// webhookWaits are the pauses after the first attempts.
func webhookWaits() []time.Duration {
	return []time.Duration{
		5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour,
	}
}

// webhookWait is the pause before an event is tried again: longer each time, and by
// up to a tenth longer than that, each event by a part of its own, so that what
// failed together does not come back together.
func webhookWait(d WebhookDelivery) time.Duration {
	waits := webhookWaits()
	wait := waits[min(max(d.Attempts-d.Earlier, 1), len(waits))-1]
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(d.ID))
	return wait + wait/10*time.Duration(hash.Sum32()%100)/100
}

// webhookHold is how long a receiver that failed is left alone, whatever waits for
// it: an hour at most, so that one that is back is soon found to be.
func webhookHold(failures int) time.Duration {
	waits := webhookWaits()
	return min(waits[min(max(failures, 1), len(waits))-1], time.Hour)
}
