package iam

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// WebhookQuery asks for a page of a webhook's deliveries, newest first. State ""
// lists all; the page begins behind the delivery of the id After.
type WebhookQuery struct {
	WebhookID ID
	State     WebhookState
	After     ID
	Limit     int
}

// WebhookDeliveries lists what was sent to a webhook, or is to be.
func (s *Service) WebhookDeliveries(ctx context.Context, actor Actor, accountID ID, query WebhookQuery) ([]WebhookDelivery, error) {
	if _, err := s.Webhook(ctx, actor, accountID, query.WebhookID); err != nil {
		return nil, err
	}
	return s.store.WebhookDeliveries(ctx, query)
}

// MaxWebhookAttempts is how many attempts of a delivery are listed, the last ones.
const MaxWebhookAttempts = 100

// WebhookDelivery reads one, with its attempts, the last first.
func (s *Service) WebhookDelivery(
	ctx context.Context, actor Actor, accountID, webhookID, id ID,
) (WebhookDelivery, []WebhookAttempt, error) {
	if _, err := s.Webhook(ctx, actor, accountID, webhookID); err != nil {
		return WebhookDelivery{}, nil, err
	}
	delivery, attempts, err := s.store.WebhookDelivery(ctx, webhookID, id, MaxWebhookAttempts)
	return delivery, attempts, missing(err, notFound("delivery"))
}

// PingWebhook has an event sent to one webhook that tells of nothing but that, at
// most once for a key.
func (s *Service) PingWebhook(ctx context.Context, actor Actor, accountID, id ID, key IdempotencyKey) (Replayable[WebhookDelivery], error) {
	entry := actor.Entry(s.newID(), WebhookPing, "", id)
	delivery := WebhookDelivery{
		ID: s.drawID(), WebhookID: id, EventID: entry.OperationID, Action: WebhookPing, TargetID: id, State: WebhookPending,
	}
	return write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Replayable[WebhookDelivery], error) {
		hook, err := s.webhook(tx, accountID, id, actor, entry)
		if err != nil {
			return Replayable[WebhookDelivery]{}, err
		}
		return once(tx, actor, key, func() (WebhookDelivery, error) {
			if hook.Disabled != "" {
				return WebhookDelivery{}, turnedOff()
			}
			made, entry := delivery, *entry
			entry.After = hook.snapshot()
			if err := tx.Record(entry); err != nil {
				return WebhookDelivery{}, err
			}
			made.CreatedOn, made.Since, made.DueOn = tx.Now(), tx.Now(), tx.Now()
			return made, tx.QueueWebhooks([]WebhookDelivery{made})
		})
	})
}

func turnedOff() error {
	return invalid("", "the webhook is turned off; set enabled to true first")
}

// ReplayWebhook has an event sent once more, whatever became of it, at most once for
// a key. It keeps its id, so a receiver that had it can tell.
func (s *Service) ReplayWebhook(
	ctx context.Context, actor Actor, accountID, webhookID, id ID, key IdempotencyKey,
) (Replayable[WebhookDelivery], error) {
	entry := actor.Entry(s.newID(), WebhookReplay, "", webhookID)
	return write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Replayable[WebhookDelivery], error) {
		hook, err := s.webhook(tx, accountID, webhookID, actor, entry)
		if err != nil {
			return Replayable[WebhookDelivery]{}, err
		}
		return once(tx, actor, key, func() (WebhookDelivery, error) {
			message, err := tx.WebhookMessage(accountID, webhookID, id)
			if err != nil {
				return WebhookDelivery{}, missing(err, notFound("delivery"))
			}
			after, err := DecideWebhookReplay(hook, message, tx.Now())
			if err != nil {
				return WebhookDelivery{}, err
			}
			entry := *entry
			entry.After = encode(struct {
				Delivery ID     `json:"delivery"`
				Event    string `json:"event"`
			}{id, after.EventID})
			if err := tx.Record(entry); err != nil {
				return WebhookDelivery{}, err
			}
			return after, tx.ReplayWebhook(message.WebhookDelivery, after)
		})
	})
}

// DecideWebhookReplay says what a delivery becomes that is to be sent once more.
func DecideWebhookReplay(hook Webhook, message WebhookMessage, now time.Time) (WebhookDelivery, error) {
	switch {
	case hook.Disabled != "":
		return WebhookDelivery{}, turnedOff()
	case message.Event.OperationID == "":
		return WebhookDelivery{}, invalid("", "the audit log has this event no more, so there is nothing to send")
	}
	after := message.WebhookDelivery
	after.State, after.DueOn, after.Since, after.EndedOn, after.Earlier = WebhookPending, now, now, time.Time{}, after.Attempts
	return after, nil
}

// WebhookDuty says whether any webhook is on, and when one next has something to
// send as far as is known, zero for never.
type WebhookDuty struct {
	On  bool
	Due time.Time
}

// webhookWindow is how many events are looked through at once, and webhookFan how
// many deliveries one transaction makes of them.
const (
	webhookWindow = 1000
	webhookFan    = 500
)

// WebhookNews are deliveries to be made of events behind the position From, up to
// the position To; More says that there are more events behind.
type WebhookNews struct {
	From, To   int64
	Deliveries []WebhookDelivery // without ids
	More       bool
}

// FanOut makes deliveries of events that came since, for every webhook that is sent
// them, and tells when one next has something to send; zero: none as far as is
// known. Any number of nodes may: an event is given to a webhook once. Where no
// webhook is on, it is one read.
func (s *Service) FanOut(ctx context.Context) (time.Time, error) {
	duty, err := s.store.WebhookDuty(ctx)
	if err != nil || !duty.On {
		return duty.Due, err
	}
	if err := s.placeEvents(ctx); err != nil {
		return time.Time{}, err
	}
	for fanned := false; ; fanned = true {
		news, err := s.store.WebhookNews(ctx, webhookWindow, webhookFan)
		if err != nil {
			return time.Time{}, err
		}
		if len(news.Deliveries) == 0 && !news.More {
			if fanned {
				duty, err = s.store.WebhookDuty(ctx)
			}
			return duty.Due, err
		}
		for i := range news.Deliveries {
			news.Deliveries[i].ID = s.drawID()
		}
		if err := s.fanOut(ctx, news); err != nil {
			return time.Time{}, err
		}
	}
}

// fanOut makes the deliveries, unless somebody else was faster.
func (s *Service) fanOut(ctx context.Context, news WebhookNews) error {
	_, err := Update(ctx, s.store, func(tx Tx) (struct{}, error) {
		if err := tx.MoveWebhooks(news.From, news.To); err != nil {
			return struct{}{}, err
		}
		made := make([]WebhookDelivery, len(news.Deliveries))
		for i, d := range news.Deliveries {
			d.State, d.CreatedOn, d.Since, d.DueOn = WebhookPending, tx.Now(), tx.Now(), tx.Now()
			made[i] = d
		}
		return struct{}{}, tx.QueueWebhooks(made)
	})
	if errors.Is(err, ErrStale) {
		return nil
	}
	return err
}

// WebhookClaim is a webhook in hand, with what to send to it. Secrets are those that
// sign, the present one first; Failure says why there are none.
type WebhookClaim struct {
	Webhook  Webhook
	Messages []WebhookMessage
	Secrets  []WebhookSecret
	Failure  string
}

// WebhookSecret is one that signs: until a moment, or for good where that is zero.
type WebhookSecret struct {
	Bytes []byte
	Until time.Time
}

// Signs reports whether it does at a time.
func (w WebhookSecret) Signs(at time.Time) bool { return w.Until.IsZero() || at.Before(w.Until) }

// ClaimWebhook takes the webhook whose turn it has been for longest for as long as
// lease; with healthy, only one that did not fail last. On the way it ends what is
// not sent any more. ErrNoRow: none is due.
func (s *Service) ClaimWebhook(ctx context.Context, lease time.Duration, healthy bool) (WebhookClaim, error) {
	for {
		operation := s.newID()
		claim, err := Update(ctx, s.store, func(tx Tx) (WebhookClaim, error) { return s.claimWebhook(tx, operation, lease, healthy) })
		if err != nil {
			return WebhookClaim{}, err
		}
		if len(claim.Messages) == 0 {
			continue
		}
		for i := range claim.Messages {
			AuditQuery{AccountID: claim.Webhook.AccountID}.hide(&claim.Messages[i].Event)
		}
		s.unseal(&claim)
		return claim, nil
	}
}

// unseal opens the secrets that may sign. When the old one's time is over is for
// whoever signs to look at: a claim is held for a while.
func (s *Service) unseal(claim *WebhookClaim) {
	hook := claim.Webhook
	claim.Webhook = hook.bare()
	if s.webhooks.Secrets == nil {
		claim.Failure = "this instance has no keyring"
		return
	}
	secret, err := s.webhooks.Secrets.OpenWebhook(hook.AccountID, hook.ID, hook.Secret)
	if err != nil {
		claim.Failure = "the secret cannot be opened, since the instance lost its key; rotate it"
		return
	}
	claim.Secrets = []WebhookSecret{{Bytes: secret}}
	if s.now().Before(hook.OldUntil) {
		if old, err := s.webhooks.Secrets.OpenWebhook(hook.AccountID, hook.ID, hook.OldSecret); err == nil {
			claim.Secrets = append(claim.Secrets, WebhookSecret{old, hook.OldUntil})
		}
	}
}

func (s *Service) claimWebhook(tx Tx, operation string, lease time.Duration, healthy bool) (WebhookClaim, error) {
	lane, err := tx.DueWebhook(healthy)
	if err != nil {
		return WebhookClaim{}, err
	}
	now := tx.Now()
	turn := DecideWebhookTurn(lane, now)
	hook := lane.Webhook
	hook.Turn++
	switch {
	case turn.Disable != "":
		hook.Disabled, hook.DisabledOn, hook.DueOn = turn.Disable, now, time.Time{}
		if err := s.mailing.turnOff(tx, hook, operation); err != nil {
			return WebhookClaim{}, err
		}
	case turn.Pause:
		hook.DueOn = now.Add(webhookPause)
	case len(turn.Send) > 0:
		hook.DueOn = now.Add(lease)
		hook.LeasedUntil = hook.DueOn
	default: // nothing was due, or what was has ended: the store knows what comes next
		hook.DueOn, hook.LeasedUntil = now, time.Time{}
	}
	deliveries := turn.End
	for i := range turn.Send {
		turn.Send[i].DueOn = now.Add(lease)
		deliveries = append(deliveries, turn.Send[i].WebhookDelivery)
	}
	if err := tx.KeepWebhook(lane.Webhook, hook, deliveries, nil); err != nil {
		return WebhookClaim{}, err
	}
	return WebhookClaim{Webhook: hook, Messages: turn.Send}, nil
}

// FinishWebhook keeps what a turn led to, and returns the webhook as it is then.
// ErrStale: it was claimed again meanwhile, since the lease was over, or is gone.
func (s *Service) FinishWebhook(ctx context.Context, claim WebhookClaim, outcomes []WebhookOutcome) (Webhook, error) {
	operation := s.newID()
	return Update(ctx, s.store, func(tx Tx) (Webhook, error) {
		hook, err := tx.HeldWebhook(claim.Webhook.ID, claim.Webhook.Turn)
		if err != nil {
			return Webhook{}, err
		}
		done := DecideWebhookFinish(hook, outcomes, tx.Now())
		after := done.Webhook
		after.LeasedUntil = time.Time{}
		if after.Disabled != "" {
			after.DueOn = time.Time{}
		} else if after.DueOn = tx.Now(); done.HeldUntil.After(after.DueOn) {
			after.DueOn = done.HeldUntil
		}
		if after.Disabled != "" && hook.Disabled == "" {
			if err := s.mailing.turnOff(tx, after, operation); err != nil {
				return Webhook{}, err
			}
		}
		return after, tx.KeepWebhook(hook, after, done.Deliveries, outcomes)
	})
}

// WebhookBacklog is how much waits for webhooks, since when the longest of it was
// due, and how many of those that are on failed last, or were turned off by
// themselves.
type WebhookBacklog struct {
	On, Failing, Off int
	Waiting          int
	DueSince         time.Time
}

// WebhookBacklog reads it.
func (s *Service) WebhookBacklog(ctx context.Context) (WebhookBacklog, error) {
	return s.store.WebhookBacklog(ctx)
}

// trimWebhooks drops deliveries that were made before a moment, with their attempts.
func (s *Service) trimWebhooks(ctx context.Context, before time.Time) (int, error) {
	n, err := Update(ctx, s.store, func(tx Tx) (int, error) { return tx.DropWebhookDeliveries(before, trimBound) })
	if err != nil {
		return 0, fmt.Errorf("deliveries to webhooks: %w", err)
	}
	return n, nil
}
