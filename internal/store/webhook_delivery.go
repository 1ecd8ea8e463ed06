package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hither/internal/iam"
)

const webhookDeliveryColumns = `d.id, d.webhook_id, d.event_id, d.action, d.target_id, d.sequence, d.state, d.due_on, d.attempts, d.earlier,
	d.code, d.words, d.created_on, d.since, d.ended_on`

func webhookDeliveryDest(d *iam.WebhookDelivery) []any {
	return destinations(
		(*text)(&d.ID), (*text)(&d.WebhookID), (*text)(&d.EventID), (*text)(&d.Action), (*text)(&d.TargetID), (*number)(&d.Sequence),
		(*text)(&d.State), (*stamp)(&d.DueOn), (*count)(&d.Attempts), (*count)(&d.Earlier), (*count)(&d.Code), (*text)(&d.Words),
		(*stamp)(&d.CreatedOn), (*stamp)(&d.Since), (*stamp)(&d.EndedOn),
	)
}

// WebhookDeliveries implements iam.Store.
func (s *Store) WebhookDeliveries(ctx context.Context, query iam.WebhookQuery) ([]iam.WebhookDelivery, error) {
	var b builder
	b.add(`SELECT `, webhookDeliveryColumns, ` FROM webhook_deliveries d WHERE d.webhook_id = `, b.arg(string(query.WebhookID)))
	if query.After != "" {
		b.add(` AND d.id < `, b.arg(string(query.After)))
	}
	if query.State != "" {
		b.add(` AND d.state = `, b.arg(string(query.State)))
	}
	b.add(` ORDER BY d.id DESC LIMIT `, b.arg(query.Limit))
	return read(ctx, s, func(v *view) ([]iam.WebhookDelivery, error) {
		var list []iam.WebhookDelivery
		err := v.query(b.String(), b.args, func(r row) error {
			var d iam.WebhookDelivery
			if err := r.Scan(webhookDeliveryDest(&d)...); err != nil {
				return fmt.Errorf("scan a delivery to a webhook: %w", err)
			}
			list = append(list, d)
			return nil
		})
		return list, wrapped("list deliveries to a webhook", err)
	})
}

// WebhookDelivery implements iam.Store.
func (s *Store) WebhookDelivery(ctx context.Context, webhookID, id iam.ID, limit int) (iam.WebhookDelivery, []iam.WebhookAttempt, error) {
	var attempts []iam.WebhookAttempt
	delivery, err := snapshot(ctx, s, func(v *view) (iam.WebhookDelivery, error) {
		var d iam.WebhookDelivery
		err := one(v, `SELECT `+webhookDeliveryColumns+` FROM webhook_deliveries d WHERE d.id = $1 AND d.webhook_id = $2`,
			[]any{string(id), string(webhookID)}, webhookDeliveryDest(&d)...)
		if err != nil {
			return d, wrapped("read a delivery to a webhook", err)
		}
		attempts = nil
		err = v.query(`SELECT t.number, t.at, t.took, t.code, t.words FROM webhook_attempts t WHERE t.delivery_id = $1
			ORDER BY t.number DESC LIMIT $2`, []any{string(id), limit}, func(r row) error {
			var (
				a    iam.WebhookAttempt
				took int64
			)
			if err := r.Scan((*count)(&a.Number), (*stamp)(&a.At), (*number)(&took), (*count)(&a.Code), (*text)(&a.Words)); err != nil {
				return fmt.Errorf("scan an attempt: %w", err)
			}
			a.Took = time.Duration(took) * time.Microsecond
			attempts = append(attempts, a)
			return nil
		})
		return d, wrapped("list attempts", err)
	})
	return delivery, attempts, err
}

// MoveWebhooks implements iam.Tx.
func (t *tx) MoveWebhooks(from, to int64) error {
	n, err := t.exec(`UPDATE webhook_position SET position = $1 WHERE id = 1 AND position = $2`, to, from)
	if err == nil && n == 0 {
		err = iam.ErrStale
	}
	return wrapped("move on in the events", err)
}

// QueueWebhooks implements iam.Tx. A webhook that failed last is left alone until its
// time comes, and one that somebody has in hand until that is done.
func (t *tx) QueueWebhooks(deliveries []iam.WebhookDelivery) error {
	if len(deliveries) == 0 {
		return nil
	}
	var (
		statements []statement
		hooks      []string
	)
	for _, d := range deliveries {
		statements = append(statements, statement{`INSERT INTO webhook_deliveries (id, webhook_id, event_id, action, target_id, sequence,
				state, due_on, attempts, earlier, code, words, created_on, since, ended_on)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, 0, '', $9, $10, 0)`, []any{
			string(d.ID), string(d.WebhookID), d.EventID, string(d.Action), string(d.TargetID), d.Sequence, string(d.State),
			toMicros(d.DueOn), toMicros(d.CreatedOn), toMicros(d.Since),
		}})
		hooks = append(hooks, string(d.WebhookID))
	}
	slices.Sort(hooks) // whoever holds several holds them in one order
	for _, id := range slices.Compact(hooks) {
		statements = append(statements, t.wakeWebhook(id))
	}
	_, err := t.together(statements[0], statements[1:]...)
	return wrapped("queue events for webhooks", err)
}

// wakeWebhook has a webhook's turn come now, where it may.
func (t *tx) wakeWebhook(id string) statement {
	return statement{`UPDATE webhooks SET due_on = $1 WHERE id = $2 AND deleted_on = 0 AND disabled = ''
		AND (due_on = 0 OR failures = 0 AND leased_until <= $1 AND due_on > $1)`, []any{toMicros(t.now), id}}
}

// webhookEvent is what a webhook is told of an event: what the account may see.
func webhookEvent(accountID iam.ID) string {
	return auditLog{AuditQuery: iam.AuditQuery{AccountID: accountID}}.columns(``)
}

// WebhookMessage implements iam.Tx.
func (t *tx) WebhookMessage(accountID, webhookID, id iam.ID) (iam.WebhookMessage, error) {
	var m iam.WebhookMessage
	err := one(t, `SELECT `+webhookDeliveryColumns+`, `+webhookEvent(accountID)+`
		FROM webhook_deliveries d LEFT JOIN audit e ON e.operation_id = d.event_id WHERE d.id = $1 AND d.webhook_id = $2`,
		[]any{string(id), string(webhookID)}, append(webhookDeliveryDest(&m.WebhookDelivery), auditDest(&m.Event)...)...)
	return m, wrapped("read a delivery to a webhook", err)
}

// ReplayWebhook implements iam.Tx.
func (t *tx) ReplayWebhook(before, after iam.WebhookDelivery) error {
	replay := statement{`UPDATE webhook_deliveries SET state = $1, due_on = $2, earlier = $3, since = $4, ended_on = 0
		WHERE id = $5 AND attempts = $6 AND ended_on = $7`, []any{
		string(after.State), toMicros(after.DueOn), after.Earlier, toMicros(after.Since), string(before.ID), before.Attempts,
		toMicros(before.EndedOn),
	}}
	return wrapped("replay an event", t.guarded(iam.ErrStale, replay, t.wakeWebhook(string(before.WebhookID))))
}

// maxDueMessages is how many events of a webhook are looked at in a turn: those that
// are too old end, however many there are.
const maxDueMessages = 100

// DueWebhook implements iam.Tx. The row is chosen by itself: of whatever is read with
// it, nothing is locked.
func (t *tx) DueWebhook(healthy bool) (iam.WebhookLane, error) {
	only := ``
	if healthy {
		only = ` AND d.failures = 0`
	}
	var id iam.ID
	err := one(t, `SELECT d.id FROM webhooks d WHERE d.due_on > 0 AND d.due_on <= $1 AND d.leased_until <= $1`+only+`
		ORDER BY d.due_on LIMIT 1`+t.besideOthers(), []any{toMicros(t.now)}, (*text)(&id))
	if err != nil {
		return iam.WebhookLane{}, wrapped("look for a webhook that is due", err)
	}
	lane, err := t.webhookLane(id)
	if err != nil {
		return iam.WebhookLane{}, wrapped("read a webhook that is due", err)
	}
	err = t.query(`SELECT `+webhookDeliveryColumns+`, `+webhookEvent(lane.AccountID)+`
		FROM webhook_deliveries d LEFT JOIN audit e ON e.operation_id = d.event_id
		WHERE d.webhook_id = $1 AND d.ended_on = 0 AND d.due_on <= $2 ORDER BY d.due_on, d.id LIMIT $3`,
		[]any{string(id), toMicros(t.now), maxDueMessages}, func(r row) error {
			var m iam.WebhookMessage
			if err := r.Scan(append(webhookDeliveryDest(&m.WebhookDelivery), auditDest(&m.Event)...)...); err != nil {
				return fmt.Errorf("scan an event for a webhook: %w", err)
			}
			lane.Due = append(lane.Due, m)
			return nil
		})
	return lane, wrapped("read what is due for a webhook", err)
}

// webhookLane reads a webhook with its account and what its grantor may do.
func (t *tx) webhookLane(id iam.ID) (iam.WebhookLane, error) {
	var (
		version int64
		lane    iam.WebhookLane
		account accountRow
		grantor grantorRow
		row     membershipRow
	)
	dest := append(webhookDest(&lane.Webhook), (*number)(&version))
	dest = append(grantor.dest(account.dest(dest)), (*flag)(&lane.Grantor.Operator))
	err := one(t, `SELECT `+webhookColumns+`, (SELECT i.roles_version FROM instance i), `+accountColumns+`, `+grantorColumns+`, gu.operator
		FROM webhooks m JOIN accounts a ON a.id = m.account_id `+joinGrantor+` WHERE m.id = $1`, []any{string(id)}, dest...)
	if err == nil {
		row.AccountID = lane.AccountID
		err = t.resolve(version, grantor.of(&row))
	}
	if err != nil {
		return iam.WebhookLane{}, err
	}
	lane.Account = account.account()
	lane.Grantor.GrantorFacts = grantor.facts(lane.Webhook.Grantor, t.now)
	return lane, nil
}

// webhookNews reads what a message about a webhook rests on; where that is deleted it
// leaves it out.
func (t *tx) webhookNews(d iam.Delivery, facts *iam.DeliveryFacts) error {
	var (
		version int64
		hook    iam.Webhook
		member  = membershipRow{Membership: iam.Membership{AccountID: d.AccountID}}
	)
	err := one(t, `SELECT (SELECT i.roles_version FROM instance i), h.id, h.roles, `+webhookColumns+`
		FROM webhooks m LEFT JOIN memberships h ON h.account_id = m.account_id AND h.user_id = $1 AND h.status = 'accepted'
			AND `+lasting("h", "$2")+`
		WHERE m.id = $3 AND m.account_id = $4 AND m.deleted_on = 0`,
		[]any{string(d.UserID), toMicros(t.now), d.Detail, string(d.AccountID)},
		append(destinations((*number)(&version), (*text)(&member.ID), (*text)(&member.roles)), webhookDest(&hook)...)...)
	if errors.Is(err, iam.ErrNoRow) {
		return nil
	}
	if err == nil {
		err = t.resolve(version, &member)
	}
	hook.Secret, hook.OldSecret = nil, nil
	facts.Webhook, facts.Roles = hook, member.Roles
	return wrapped("read what a message about a webhook tells", err)
}

// HeldWebhook implements iam.Tx.
func (t *tx) HeldWebhook(id iam.ID, turn int64) (iam.Webhook, error) {
	var hook iam.Webhook
	hold := ``
	if t.locks != nil {
		hold = ` FOR NO KEY UPDATE`
	}
	err := one(t, `SELECT `+webhookColumns+` FROM webhooks m WHERE m.id = $1 AND m.turn = $2 AND m.deleted_on = 0`+hold,
		[]any{string(id), turn}, webhookDest(&hook)...)
	if errors.Is(err, iam.ErrNoRow) {
		err = iam.ErrStale
	}
	return hook, wrapped("hold a webhook", err)
}

// KeepWebhook implements iam.Tx.
func (t *tx) KeepWebhook(before, after iam.Webhook, deliveries []iam.WebhookDelivery, attempts []iam.WebhookOutcome) error {
	id := string(before.ID)
	lane := statement{`UPDATE webhooks SET disabled = $1, disabled_on = $2, failures = $3, failing_since = $4, leased_until = $5, turn = $6
		WHERE id = $7 AND turn = $8 AND deleted_on = 0`, []any{
		string(after.Disabled), toMicros(after.DisabledOn), after.Failures, toMicros(after.FailingSince), toMicros(after.LeasedUntil), after.Turn,
		id, before.Turn,
	}}
	var more []statement
	for _, d := range deliveries {
		more = append(more, statement{`UPDATE webhook_deliveries SET state = $1, due_on = $2, attempts = $3, code = $4, words = $5, ended_on = $6
			WHERE id = $7 AND ended_on = 0`, []any{
			string(d.State), toMicros(d.DueOn), d.Attempts, d.Code, d.Words, toMicros(d.EndedOn), string(d.ID),
		}})
	}
	for _, a := range attempts {
		more = append(more, statement{`INSERT INTO webhook_attempts (delivery_id, number, at, took, code, words) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (delivery_id, number) DO NOTHING`, []any{
			string(a.ID), a.Attempts, toMicros(a.At), a.Took.Microseconds(), a.Code, a.Words,
		}})
	}
	next := statement{`UPDATE webhooks SET due_on = 0 WHERE id = $1`, []any{id}}
	if !after.DueOn.IsZero() {
		next = statement{
			`UPDATE webhooks SET due_on = COALESCE((SELECT CASE WHEN min(d.due_on) > $1 THEN min(d.due_on) ELSE $1 END
			FROM webhook_deliveries d WHERE d.webhook_id = $2 AND d.ended_on = 0 HAVING count(*) > 0), 0) WHERE id = $2`,
			[]any{toMicros(after.DueOn), id},
		}
	}
	return wrapped("keep where a webhook stands", t.guarded(iam.ErrStale, lane, append(more, next)...))
}

// DropWebhookDeliveries implements iam.Tx.
func (t *tx) DropWebhookDeliveries(before time.Time, limit int) (int, error) {
	var ids []string
	err := t.query(`SELECT d.id FROM webhook_deliveries d WHERE d.created_on < $1 ORDER BY d.created_on LIMIT $2`+t.besideOthers(),
		[]any{toMicros(before), limit}, func(r row) error {
			var id string
			err := r.Scan((*text)(&id))
			ids = append(ids, id)
			return err
		})
	if err != nil || len(ids) == 0 {
		return 0, wrapped("look for old deliveries to webhooks", err)
	}
	var drops []statement
	for _, id := range ids {
		drops = append(drops, statement{`DELETE FROM webhook_deliveries WHERE id = $1`, []any{id}},
			statement{`DELETE FROM webhook_attempts WHERE delivery_id = $1`, []any{id}})
	}
	_, err = t.together(drops[0], drops[1:]...)
	return len(ids), wrapped("drop old deliveries to webhooks", err)
}
