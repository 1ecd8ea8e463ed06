package iam

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"time"
)

// Webhooks are what the use cases of webhooks rest on. Without Secrets there are
// none.
type Webhooks struct {
	Secrets WebhookSecrets
	Policy  WebhookPolicy
}

// WebhookSecrets seals what signs, and gives it back for that webhook of that
// account alone.
type WebhookSecrets interface {
	SealWebhook(accountID, id ID, secret []byte) []byte
	OpenWebhook(accountID, id ID, sealed []byte) ([]byte, error)
}

// WithWebhooks returns the same use cases, which send events as webhooks says.
func (s *Service) WithWebhooks(webhooks Webhooks) *Service {
	sends := *s
	sends.webhooks = webhooks
	return &sends
}

// webhookSecret is a secret as its owner is shown it, once: Standard Webhooks has
// this form.
func webhookSecret(secret []byte) string {
	if secret == nil {
		return ""
	}
	return "whsec_" + base64.StdEncoding.EncodeToString(secret)
}

func newWebhookSecret() []byte {
	secret := make([]byte, WebhookSecretSize)
	_, _ = rand.Read(secret) // never fails: it ends the process instead
	return secret
}

// watcher reads an account whose webhooks the actor may manage.
func (s *Service) watcher(ctx context.Context, actor Actor, accountID ID) error {
	_, rights, err := s.access(ctx, actor, accountID)
	if err == nil {
		err = mayWatch(rights, actor)
	}
	return err
}

func mayWatch(rights Rights, actor Actor) error {
	if watches(rights) || actor.Operator() {
		return nil
	}
	return refuse(Forbidden, "webhooks need write permission on the area %q and read permission on the area %q", AreaAccount, AreaAudit)
}

// watching begins a change of an account's webhooks.
func (s *Service) watching(tx Tx, accountID ID, actor Actor, entry *AuditEntry) error {
	facts, err := tx.AccountFacts(accountID, actor)
	if err != nil {
		return missing(err, accountNotFound())
	}
	entry.AccountID = accountID
	rights, err := facts.rights(actor)
	if err == nil {
		err = mayWatch(rights, actor)
	}
	if err == nil && facts.Account.Suspended && !actor.Operator() {
		err = suspended()
	}
	return err
}

// Webhooks lists an account's webhooks, oldest first, without their secrets.
func (s *Service) Webhooks(ctx context.Context, actor Actor, accountID ID) ([]Webhook, error) {
	if err := s.watcher(ctx, actor, accountID); err != nil {
		return nil, err
	}
	hooks, err := s.store.Webhooks(ctx, accountID)
	for i := range hooks {
		hooks[i] = hooks[i].bare()
	}
	return hooks, err
}

// Webhook reads one of them.
func (s *Service) Webhook(ctx context.Context, actor Actor, accountID, id ID) (Webhook, error) {
	if err := s.watcher(ctx, actor, accountID); err != nil {
		return Webhook{}, err
	}
	hook, err := s.store.Webhook(ctx, accountID, id)
	return hook.bare(), missing(err, notFound("webhook"))
}

// bare is the webhook without what is sealed.
func (w Webhook) bare() Webhook {
	w.Secret, w.OldSecret = nil, nil
	return w
}

// snapshot is a webhook as audit rows hold it.
func (w Webhook) snapshot() string {
	return encode(struct {
		Name     string          `json:"name"`
		Host     string          `json:"host"`
		Events   []string        `json:"events"`
		Disabled WebhookDisabled `json:"disabled,omitempty"`
	}{w.Name, webhookHost(w.URL), w.Events.List(), w.Disabled})
}

// NewWebhook describes a webhook to be made; no events are all.
type NewWebhook struct {
	Name   string
	URL    string
	Events []string
}

// CreateWebhook makes a webhook, at most once for a key, and tells its secret, this
// once: it is "" where it was told before. What happens from then on is sent.
func (s *Service) CreateWebhook(
	ctx context.Context, actor Actor, accountID ID, request NewWebhook, key IdempotencyKey,
) (Replayable[Webhook], string, error) {
	secret := newWebhookSecret()
	hook := Webhook{ID: s.drawID(), AccountID: accountID, Grantor: actor.Grantor()}
	entry := actor.Entry(s.newID(), WebhookCreate, "", hook.ID)
	if err := s.placed(ctx, actor, accountID); err != nil {
		return Replayable[Webhook]{}, "", err
	}
	made, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Replayable[Webhook], error) {
		if err := s.watching(tx, accountID, actor, entry); err != nil {
			return Replayable[Webhook]{}, err
		}
		return once(tx, actor, key, func() (Webhook, error) {
			made, err := (WebhookEdit{Name: &request.Name, URL: &request.URL, Events: &request.Events}).apply(hook, s.webhooks.Policy)
			if err != nil {
				return Webhook{}, err
			}
			if s.webhooks.Secrets == nil {
				return Webhook{}, invalid("", "this instance sends no events: it has no keyring")
			}
			hooks, err := tx.Webhooks(accountID)
			if err != nil {
				return Webhook{}, err
			}
			if len(hooks) >= MaxWebhooks {
				return Webhook{}, invalid("", "the account has %d webhooks, which is as many as it may; delete one first", MaxWebhooks)
			}
			if made.After, err = tx.StartWebhook(); err != nil {
				return Webhook{}, err
			}
			made.Secret = s.webhooks.Secrets.SealWebhook(accountID, made.ID, secret)
			made.CreatedOn = tx.Now()
			entry := *entry
			entry.After = made.snapshot()
			return made.bare(), tx.InsertWebhook(made, entry)
		})
	})
	if err != nil || made.Replayed {
		secret = nil
	}
	return made, webhookSecret(secret), err
}

// placed gives positions to what happened before a webhook is turned on, which is
// not sent to it.
func (s *Service) placed(ctx context.Context, actor Actor, accountID ID) error {
	if refusal := s.watcher(ctx, actor, accountID); refusal == nil {
		return s.placeEvents(ctx)
	}
	return nil // the transaction refuses, and says so in the audit log
}

// WebhookEdit is a change of a webhook; nil leaves a field as it is.
type WebhookEdit struct {
	Name    *string
	URL     *string
	Events  *[]string
	Enabled *bool
}

// apply returns the webhook with the edit's fields set.
func (e WebhookEdit) apply(w Webhook, policy WebhookPolicy) (Webhook, error) {
	var err error
	if e.Name != nil {
		if w.Name, err = line("/name", *e.Name, MaxWebhookName); err != nil {
			return Webhook{}, err
		}
	}
	if e.URL != nil {
		if w.URL, err = policy.CheckURL("/url", *e.URL); err != nil {
			return Webhook{}, err
		}
	}
	if e.Events != nil {
		if w.Events, err = NewWebhookEvents("/events", *e.Events); err != nil {
			return Webhook{}, err
		}
	}
	return w, nil
}

// EditWebhook changes a webhook. Whoever does vouches for it from then on. Another
// URL gets another secret, which is told this once, and the old one is gone at once:
// who held it must not be able to speak for us to the new receiver (KF-93).
func (s *Service) EditWebhook(ctx context.Context, actor Actor, accountID, id ID, edit WebhookEdit) (Webhook, string, error) {
	secret := newWebhookSecret()
	entry := actor.Entry(s.newID(), WebhookChange, "", id)
	if err := s.placed(ctx, actor, accountID); err != nil {
		return Webhook{}, "", err
	}
	type edited struct {
		hook   Webhook
		secret bool
	}
	done, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (edited, error) {
		before, err := s.webhook(tx, accountID, id, actor, entry)
		if err != nil {
			return edited{}, err
		}
		after, err := edit.apply(before, s.webhooks.Policy)
		if err != nil {
			return edited{}, err
		}
		if after, err = after.turned(tx, edit.Enabled); err != nil {
			return edited{}, err
		}
		done := edited{secret: after.URL != before.URL}
		if done.secret {
			if s.webhooks.Secrets == nil {
				return edited{}, invalid("", "this instance sends no events: it has no keyring")
			}
			after.Secret = s.webhooks.Secrets.SealWebhook(accountID, id, secret)
			after.OldSecret, after.OldUntil = nil, time.Time{}
			after.Failures, after.FailingSince = 0, time.Time{}
			if !after.DueOn.IsZero() {
				after.DueOn = tx.Now()
			}
		}
		after.Grantor = actor.Grantor()
		done.hook = after.bare()
		entry.Before, entry.After = before.snapshot(), after.snapshot()
		return done, tx.UpdateWebhook(before, after, *entry)
	})
	if err != nil || !done.secret {
		secret = nil
	}
	return done.hook, webhookSecret(secret), err
}

// turned is the webhook turned on or off. What happened while it was off is not
// sent; what waited before is.
func (w Webhook) turned(tx Tx, on *bool) (Webhook, error) {
	switch {
	case on == nil:
	case !*on && w.Disabled == "":
		w.Disabled, w.DisabledOn, w.DueOn = WebhookAsked, tx.Now(), time.Time{}
	case *on && w.Disabled != "":
		after, err := tx.StartWebhook()
		if err != nil {
			return Webhook{}, err
		}
		w.After, w.Disabled, w.DisabledOn = after, "", time.Time{}
		w.Failures, w.FailingSince = 0, time.Time{}
		w.DueOn = tx.Now()
	}
	return w, nil
}

// webhook begins a change of one webhook.
func (s *Service) webhook(tx Tx, accountID, id ID, actor Actor, entry *AuditEntry) (Webhook, error) {
	if err := s.watching(tx, accountID, actor, entry); err != nil {
		return Webhook{}, err
	}
	hook, err := tx.Webhook(accountID, id)
	return hook, missing(err, notFound("webhook"))
}

// DeleteWebhook ends a webhook, with all that waits for it.
func (s *Service) DeleteWebhook(ctx context.Context, actor Actor, accountID, id ID) error {
	entry := actor.Entry(s.newID(), WebhookDelete, "", id)
	_, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (struct{}, error) {
		hook, err := s.webhook(tx, accountID, id, actor, entry)
		if err != nil {
			return struct{}{}, err
		}
		entry.Before = hook.snapshot()
		return struct{}{}, tx.DeleteWebhook(hook, *entry)
	})
	return err
}

// RotateWebhook gives a webhook another secret and tells it, this once, at most once
// for a key. For overlap the one before signs too.
func (s *Service) RotateWebhook(
	ctx context.Context, actor Actor, accountID, id ID, overlap time.Duration, key IdempotencyKey,
) (Replayable[Webhook], string, error) {
	secret := newWebhookSecret()
	entry := actor.Entry(s.newID(), WebhookRotate, "", id)
	made, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Replayable[Webhook], error) {
		before, err := s.webhook(tx, accountID, id, actor, entry)
		if err != nil {
			return Replayable[Webhook]{}, err
		}
		return once(tx, actor, key, func() (Webhook, error) {
			if overlap < 0 || overlap > MaxWebhookOverlap {
				return Webhook{}, invalid("/overlap", "must be 0 to %d seconds", int(MaxWebhookOverlap.Seconds()))
			}
			if s.webhooks.Secrets == nil {
				return Webhook{}, invalid("", "this instance sends no events: it has no keyring")
			}
			after := before
			after.OldSecret, after.OldUntil = before.Secret, tx.Now().Add(overlap)
			if overlap == 0 {
				after.OldSecret, after.OldUntil = nil, time.Time{}
			}
			after.Secret = s.webhooks.Secrets.SealWebhook(accountID, id, secret)
			entry := *entry
			entry.Before, entry.After = before.snapshot(), after.snapshot()
			return after.bare(), tx.UpdateWebhook(before, after, entry)
		})
	})
	if err != nil || made.Replayed {
		secret = nil
	}
	return made, webhookSecret(secret), err
}
