package store

import (
	"context"
	"errors"
	"fmt"

	"hither/internal/iam"
)

// A webhook goes by m where its grantor is read with it: see joinGrantor.
const webhookColumns = `m.id, m.account_id, m.name, m.url, m.events, m.secret, m.old_secret, m.old_until, m.grantor_kind,
	COALESCE(m.grantor_user, m.grantor_token), m.disabled, m.disabled_on, m.after_position, m.failures, m.failing_since, m.due_on,
	m.leased_until, m.turn, m.revision, m.created_on`

func webhookDest(w *iam.Webhook) []any {
	return destinations(
		(*text)(&w.ID), (*text)(&w.AccountID), (*text)(&w.Name), (*text)(&w.URL), (*text)(&w.Events), (*sealed)(&w.Secret),
		(*sealed)(&w.OldSecret), (*stamp)(&w.OldUntil), (*text)(&w.Grantor.Kind), (*text)(&w.Grantor.ID), (*text)(&w.Disabled),
		(*stamp)(&w.DisabledOn), (*number)(&w.After), (*count)(&w.Failures), (*stamp)(&w.FailingSince), (*stamp)(&w.DueOn),
		(*stamp)(&w.LeasedUntil), (*number)(&w.Turn), (*number)(&w.Revision), (*stamp)(&w.CreatedOn),
	)
}

// Webhooks implements iam.Store.
func (s *Store) Webhooks(ctx context.Context, accountID iam.ID) ([]iam.Webhook, error) {
	return read(ctx, s, func(v *view) ([]iam.Webhook, error) { return v.webhooks(accountID) })
}

// Webhooks implements iam.Tx.
func (t *tx) Webhooks(accountID iam.ID) ([]iam.Webhook, error) { return t.webhooks(accountID) }

func (v *view) webhooks(accountID iam.ID) ([]iam.Webhook, error) {
	var hooks []iam.Webhook
	err := v.query(`SELECT `+webhookColumns+` FROM webhooks m WHERE m.account_id = $1 AND m.deleted_on = 0 ORDER BY m.id LIMIT $2`,
		[]any{string(accountID), iam.MaxWebhooks}, func(r row) error {
			var hook iam.Webhook
			if err := r.Scan(webhookDest(&hook)...); err != nil {
				return fmt.Errorf("scan webhook: %w", err)
			}
			hooks = append(hooks, hook)
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	return hooks, nil
}

// Webhook implements iam.Store.
func (s *Store) Webhook(ctx context.Context, accountID, id iam.ID) (iam.Webhook, error) {
	return read(ctx, s, func(v *view) (iam.Webhook, error) { return v.webhook(accountID, id) })
}

// Webhook implements iam.Tx.
func (t *tx) Webhook(accountID, id iam.ID) (iam.Webhook, error) { return t.webhook(accountID, id) }

func (v *view) webhook(accountID, id iam.ID) (iam.Webhook, error) {
	var hook iam.Webhook
	err := one(v, `SELECT `+webhookColumns+` FROM webhooks m WHERE m.id = $1 AND m.account_id = $2 AND m.deleted_on = 0`,
		[]any{string(id), string(accountID)}, webhookDest(&hook)...)
	if err != nil {
		return iam.Webhook{}, fmt.Errorf("read webhook: %w", err)
	}
	return hook, nil
}

// StartWebhook implements iam.Tx. Where no webhook was on, nobody looked at what
// came since: nobody has to.
func (t *tx) StartWebhook() (int64, error) {
	head := `SELECT COALESCE(max(e.seq), 0) FROM audit e`
	if t.locks != nil {
		head = `SELECT p.position FROM event_position p WHERE p.id = 1`
	}
	var last int64
	if err := one(t, head, nil, (*number)(&last)); err != nil {
		return 0, fmt.Errorf("read the last position: %w", err)
	}
	_, err := t.exec(`UPDATE webhook_position SET position = $1 WHERE id = 1 AND position < $1
		AND NOT EXISTS (SELECT 1 FROM webhooks m WHERE m.account_id > '' AND m.deleted_on = 0 AND m.disabled = '')`, last)
	if err != nil {
		return 0, fmt.Errorf("move on to the last position: %w", err)
	}
	return last, nil
}

// InsertWebhook implements iam.Tx.
func (t *tx) InsertWebhook(w iam.Webhook, entry iam.AuditEntry) error {
	_, err := t.exec(`INSERT INTO webhooks (id, account_id, name, url, events, secret, old_secret, old_until, grantor_kind, grantor_user,
			grantor_token, disabled, disabled_on, after_position, failures, failing_since, due_on, leased_until, turn, revision, created_on)
		VALUES ($1, $2, $3, $4, $5, $6, NULL, 0, $7, $8, $9, '', 0, $10, 0, 0, 0, 0, 0, 0, $11)`,
		string(w.ID), string(w.AccountID), w.Name, w.URL, string(w.Events), w.Secret, string(w.Grantor.Kind),
		webhookGrantor(w, iam.ByUser), webhookGrantor(w, iam.ByOperator), w.After, toMicros(w.CreatedOn))
	if err != nil {
		return fmt.Errorf("insert webhook: %w", err)
	}
	return t.Record(entry)
}

func webhookGrantor(w iam.Webhook, kind iam.ActorKind) any {
	return grantorOf(iam.Membership{Grantor: w.Grantor}, kind)
}

// UpdateWebhook implements iam.Tx. What its lane does meanwhile stays, unless the
// change is about that.
func (t *tx) UpdateWebhook(before, after iam.Webhook, entry iam.AuditEntry) error {
	update := statement{`UPDATE webhooks SET name = $1, url = $2, events = $3, secret = $4, old_secret = $5, old_until = $6,
			grantor_kind = $7, grantor_user = $8, grantor_token = $9, disabled = $10, disabled_on = $11, after_position = $12,
			revision = revision + 1
		WHERE id = $13 AND deleted_on = 0 AND revision = $14`, []any{
		after.Name, after.URL, string(after.Events), after.Secret, orNull(after.OldSecret), toMicros(after.OldUntil),
		string(after.Grantor.Kind), webhookGrantor(after, iam.ByUser), webhookGrantor(after, iam.ByOperator),
		string(after.Disabled), toMicros(after.DisabledOn), after.After, string(before.ID), before.Revision,
	}}
	more := []statement{t.recorded(entry)}
	if before.Disabled != after.Disabled || before.URL != after.URL {
		more = append(more, statement{
			`UPDATE webhooks SET failures = $1, failing_since = $2, due_on = $3 WHERE id = $4`,
			[]any{after.Failures, toMicros(after.FailingSince), toMicros(after.DueOn), string(before.ID)},
		})
	}
	if err := t.guarded(iam.ErrStale, update, more...); err != nil {
		return fmt.Errorf("update webhook: %w", err)
	}
	return nil
}

// orNull is a sealed value, NULL where there is none.
func orNull(value []byte) any {
	if value == nil {
		return nil
	}
	return value
}

// endWebhooks is how webhooks end: nothing more is sent, and what would sign is gone.
const endWebhooks = `UPDATE webhooks SET deleted_on = $1, secret = $2, old_secret = NULL, due_on = 0 WHERE deleted_on = 0 AND `

// DeleteWebhook implements iam.Tx.
func (t *tx) DeleteWebhook(w iam.Webhook, entry iam.AuditEntry) error {
	err := t.guarded(iam.ErrStale, statement{endWebhooks + `id = $3`, []any{toMicros(t.now), []byte{}, string(w.ID)}}, t.recorded(entry))
	if err != nil {
		return fmt.Errorf("delete webhook: %w", err)
	}
	return nil
}

// WebhookDuty implements iam.Store.
func (s *Store) WebhookDuty(ctx context.Context) (iam.WebhookDuty, error) {
	return read(ctx, s, func(v *view) (iam.WebhookDuty, error) {
		var duty iam.WebhookDuty
		err := one(v, `SELECT CASE WHEN EXISTS (SELECT 1 FROM webhooks m
				WHERE m.account_id > '' AND m.deleted_on = 0 AND m.disabled = '') THEN 1 ELSE 0 END,
			(SELECT d.due_on FROM webhooks d WHERE d.due_on > 0 ORDER BY d.due_on LIMIT 1) FROM instance i`, nil,
			(*flag)(&duty.On), (*stamp)(&duty.Due))
		if err != nil {
			return iam.WebhookDuty{}, fmt.Errorf("look what webhooks have to do: %w", err)
		}
		return duty, nil
	})
}

// WebhookBacklog implements iam.Store.
func (s *Store) WebhookBacklog(ctx context.Context) (iam.WebhookBacklog, error) {
	return read(ctx, s, func(v *view) (iam.WebhookBacklog, error) {
		var b iam.WebhookBacklog
		err := one(v, `SELECT COALESCE(sum(CASE WHEN d.disabled = '' THEN 1 ELSE 0 END), 0),
				COALESCE(sum(CASE WHEN d.disabled = '' AND d.failures > 0 THEN 1 ELSE 0 END), 0),
				COALESCE(sum(CASE WHEN d.disabled <> '' AND d.disabled <> 'asked' THEN 1 ELSE 0 END), 0),
				(SELECT count(*) FROM webhook_deliveries w JOIN webhooks h ON h.id = w.webhook_id AND h.deleted_on = 0
					WHERE w.webhook_id > '' AND w.ended_on = 0),
				(SELECT min(x.due_on) FROM webhooks x WHERE x.due_on > 0 AND x.due_on <= $1 AND x.failures = 0)
			FROM webhooks d WHERE d.account_id > '' AND d.deleted_on = 0`, []any{toMicros(s.now())},
			(*count)(&b.On), (*count)(&b.Failing), (*count)(&b.Off), (*count)(&b.Waiting), (*stamp)(&b.DueSince))
		if err != nil {
			return iam.WebhookBacklog{}, fmt.Errorf("count what waits for webhooks: %w", err)
		}
		return b, nil
	})
}

// WebhookNews implements iam.Store.
func (s *Store) WebhookNews(ctx context.Context, window, limit int) (iam.WebhookNews, error) {
	return snapshot(ctx, s, func(v *view) (iam.WebhookNews, error) {
		var (
			news        iam.WebhookNews
			seen, whole int
		)
		position := s.position()
		err := one(v, `SELECT p.position FROM webhook_position p WHERE p.id = 1`, nil, (*number)(&news.From))
		if err == nil {
			err = one(v, `SELECT max(w.position), count(*) FROM (SELECT `+position+` AS position FROM audit e WHERE `+position+` > $1
				ORDER BY `+position+` LIMIT $2) w`, []any{news.From, window}, (*number)(&news.To), (*count)(&seen))
		}
		if err != nil || seen == 0 {
			return news, wrapped("look for events", err)
		}
		news.More = seen == window
		// One row more than may be taken shows whether the last event is whole.
		rows, last := 0, news.From
		from := news.From
		err = v.query(`SELECT `+position+`, e.operation_id, e.action, e.target_id, e.sequence, m.id, m.events
			FROM audit e JOIN webhooks m ON m.account_id = e.account_id AND m.deleted_on = 0 AND m.disabled = ''
			WHERE `+position+` > $1 AND `+position+` <= $2 AND e.denied = '' AND m.after_position < `+position+`
			ORDER BY `+position+`, m.id LIMIT $3`, []any{from, news.To, limit + 1}, func(r row) error {
			var (
				at     int64
				d      iam.WebhookDelivery
				events iam.WebhookEvents
			)
			err := r.Scan((*number)(&at), (*text)(&d.EventID), (*text)(&d.Action), (*text)(&d.TargetID), (*number)(&d.Sequence),
				(*text)(&d.WebhookID), (*text)(&events))
			if err != nil {
				return fmt.Errorf("scan an event for a webhook: %w", err)
			}
			if rows++; at != last {
				whole = len(news.Deliveries)
			}
			if last = at; d.Action != iam.WebhookPing && events.Match(d.Action) { // who pings says to whom
				news.Deliveries = append(news.Deliveries, d)
			}
			return nil
		})
		if rows > limit {
			news.Deliveries, news.To, news.More = news.Deliveries[:whole], last-1, true
		}
		return news, wrapped("look for events for webhooks", err)
	})
}

func wrapped(what string, err error) error {
	if err == nil || errors.Is(err, iam.ErrNoRow) {
		return err
	}
	return fmt.Errorf("%s: %w", what, err)
}
