package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"hither/internal/iam"
)

const deliveryColumns = `d.id, d.kind, d.account_id, d.membership_id, d.user_id, d.recipient, d.locale, d.generation, d.detail,
	d.state, d.due_on, d.attempts, d.words, d.created_on, d.tried_on, d.ended_on, d.told`

func deliveryDest(d *iam.Delivery) []any {
	return []any{
		(*text)(&d.ID), (*text)(&d.Kind), (*text)(&d.AccountID), (*text)(&d.MembershipID), (*text)(&d.UserID), (*text)(&d.Recipient),
		(*text)(&d.Locale), (*count)(&d.Generation), (*text)(&d.Detail), (*text)(&d.State), (*stamp)(&d.DueOn), (*count)(&d.Attempts),
		(*text)(&d.Words), (*stamp)(&d.CreatedOn), (*stamp)(&d.TriedOn), (*stamp)(&d.EndedOn),
		(*count)(&d.Told),
	}
}

// Queue implements iam.Tx.
func (t *tx) Queue(d iam.Delivery) error {
	_, err := t.insertDelivery(d, ` ON CONFLICT (id) DO NOTHING`)
	if err != nil {
		return fmt.Errorf("queue a message: %w", err)
	}
	t.queued = t.queued || !d.DueOn.After(t.now)
	return nil
}

// Gather implements iam.Tx. What a digest holds of each row is bounded, whatever
// it tells of.
func (t *tx) Gather(d iam.Delivery) (bool, error) {
	n, err := t.insertDelivery(d, ` ON CONFLICT (id) DO UPDATE SET told = deliveries.told + excluded.told,
			detail = CASE WHEN deliveries.told < `+strconv.Itoa(iam.MaxTold)+` THEN deliveries.detail || ' ' || excluded.detail
				ELSE deliveries.detail END
		WHERE deliveries.attempts = 0 AND deliveries.ended_on = 0`)
	if err != nil {
		return false, fmt.Errorf("gather a digest: %w", err)
	}
	return n > 0, nil
}

func (t *tx) insertDelivery(d iam.Delivery, onConflict string) (int64, error) {
	return t.exec(`INSERT INTO deliveries (id, kind, account_id, membership_id, user_id, recipient, locale, generation,
			detail, state, due_on, attempts, words, created_on, tried_on, ended_on, told)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`+onConflict,
		d.ID, string(d.Kind), string(d.AccountID), string(d.MembershipID), string(d.UserID), d.Recipient, d.Locale, d.Generation,
		d.Detail, string(d.State), toMicros(d.DueOn), d.Attempts, d.Words, toMicros(d.CreatedOn), toMicros(d.TriedOn), toMicros(d.EndedOn),
		d.Told)
}

// PurgeDeliveries implements iam.Tx.
func (t *tx) PurgeDeliveries(before time.Time, limit int) (int, error) {
	n, err := t.exec(`DELETE FROM deliveries WHERE id IN
		(SELECT d.id FROM deliveries d WHERE d.ended_on > 0 AND d.ended_on < $1 ORDER BY d.ended_on LIMIT $2`+t.besideOthers()+`)`,
		toMicros(before), limit)
	if err != nil {
		return 0, fmt.Errorf("drop old messages: %w", err)
	}
	return int(n), nil
}

// FirstEnded implements iam.Store.
func (s *Store) FirstEnded(ctx context.Context) (time.Time, error) {
	return read(ctx, s, func(v *view) (time.Time, error) {
		var ended time.Time
		err := one(v, `SELECT d.ended_on FROM deliveries d WHERE d.ended_on > 0 ORDER BY d.ended_on LIMIT 1`, nil, (*stamp)(&ended))
		if err != nil && !errors.Is(err, iam.ErrNoRow) {
			err = fmt.Errorf("read when the first message ended: %w", err)
		}
		return ended, err
	})
}

// dueRow is a message with what it tells, as they are read.
type dueRow struct {
	iam.Delivery
	invitationRow
	facts iam.DeliveryFacts
}

// What a message may rest on, as columns beside claimed rows d. Whoever may not
// hear of an account any more gets no news of it. $1 is now.
const dueColumns = deliveryColumns + `, ` + invitationColumns + `, m.locale, m.generation, m.asked_on, ` + userColumns + `,
	CASE WHEN u.operator = 1 OR EXISTS (SELECT 1 FROM memberships h
		WHERE h.account_id = d.account_id AND h.user_id = d.user_id AND h.status = 'accepted'
			AND (h.ends_on = 0 OR h.ends_on > $1)) THEN 1 ELSE 0 END,
	COALESCE(NULLIF(CASE WHEN d.kind IN ('invitation', 'reminder', 'withdrawn') THEN m.locale ELSE d.locale END, ''),
		NULLIF(p.locale, ''), a.locale), a.brand_name, a.brand_color, a.brand_logo,
	CASE WHEN EXISTS (SELECT 1 FROM challenges ch WHERE ch.id = d.detail AND ch.used_on = 0 AND ch.expires_on > $1) THEN 1 ELSE 0 END`

func (d *dueRow) dest() []any {
	f := &d.facts
	dest := d.invitationRow.dest(append(destinations(), deliveryDest(&d.Delivery)...))
	dest = append(dest, (*text)(&f.Link.Locale), (*count)(&f.Link.Generation), (*stamp)(&f.Link.AskedOn))
	dest = userDest(dest, &f.User)
	return append(dest, (*flag)(&f.Hears), (*text)(&f.Language), (*text)(&f.Brand.Name), (*text)(&f.Brand.Color), (*text)(&f.Brand.Logo),
		(*flag)(&f.Open))
}

// urgent are messages that are of use for minutes: whoever signs in waits for one.
// They stand in an index of their own, since invitations may be due by the
// thousand.
const urgent = `d.kind IN ('sign_in', 'address')`

// DueDelivery implements iam.Tx.
func (t *tx) DueDelivery() (iam.DueDelivery, error) {
	d, err := t.dueDelivery(` AND ` + urgent)
	if errors.Is(err, iam.ErrNoRow) {
		d, err = t.dueDelivery(``)
	}
	return d, err
}

// dueDelivery reads the first of those that more narrows the choice to.
func (t *tx) dueDelivery(more string) (iam.DueDelivery, error) {
	d, err := t.delivery(`d.ended_on = 0 AND d.due_on <= $1` + more + ` ORDER BY d.due_on LIMIT 1` + t.besideOthers())
	if err != nil {
		return iam.DueDelivery{}, fmt.Errorf("read the message that is due: %w", err)
	}
	return d, nil
}

// Delivery implements iam.Tx.
func (t *tx) Delivery(id string) (iam.DueDelivery, error) {
	d, err := t.delivery(`d.id = $2`, id)
	if err != nil {
		return iam.DueDelivery{}, fmt.Errorf("read message: %w", err)
	}
	return d, nil
}

// delivery reads the one row that choice names, with what it tells. The row is
// chosen by itself: of whatever is joined to it, nothing is locked.
func (t *tx) delivery(choice string, args ...any) (iam.DueDelivery, error) {
	var (
		version int64
		d       dueRow
	)
	err := one(t, `SELECT (SELECT i.roles_version FROM instance i), `+dueColumns+`
		FROM (SELECT `+deliveryColumns+` FROM deliveries d WHERE `+choice+`) d
		LEFT JOIN memberships m ON m.id = d.membership_id
		LEFT JOIN accounts a ON a.id = d.account_id AND a.deleted_on = 0
		LEFT JOIN users u ON u.id = d.user_id
		LEFT JOIN users p ON p.email = d.recipient`,
		append([]any{toMicros(t.now)}, args...), append([]any{(*number)(&version)}, d.dest()...)...)
	if err == nil {
		err = t.resolve(version, &d.membershipRow)
	}
	if err == nil {
		d.facts.Invitation = d.invitation()
		d.facts.Suppressed, err = t.suppressed(iam.Mailbox(d.Recipient), d.AccountID)
	}
	if ids := strings.Fields(d.Detail); err == nil && d.Told > 1 && len(ids) > 0 { // an erasure leaves none
		d.facts.Addresses, err = t.addressesOf(d.AccountID, ids)
	}
	if err == nil && d.Kind == iam.WebhookOffMessage {
		err = t.webhookNews(d.Delivery, &d.facts)
	}
	return iam.DueDelivery{Delivery: d.Delivery, DeliveryFacts: d.facts}, err
}

// addressesOf are those of rows of an account.
func (t *tx) addressesOf(accountID iam.ID, ids []string) ([]string, error) {
	var (
		b         builder
		addresses []string
	)
	// Asked for plainly, the account would have SQLite go through all of its rows.
	b.add(`SELECT m.email FROM memberships m WHERE CASE WHEN m.account_id = `, b.arg(string(accountID)), ` THEN 1 ELSE 0 END = 1
		AND m.id IN (`)
	for i, id := range ids {
		if i > 0 {
			b.add(`, `)
		}
		b.add(b.arg(id))
	}
	b.add(`) ORDER BY m.email`)
	err := t.query(b.String(), b.args, func(r row) error {
		var email string
		if err := r.Scan((*text)(&email)); err != nil {
			return fmt.Errorf("scan address: %w", err)
		}
		addresses = append(addresses, email)
		return nil
	})
	return addresses, err
}

// UpdateDelivery implements iam.Tx. The number of attempts is the guard: it
// rises with each claim, so that a worker whose lease ran out changes nothing.
func (t *tx) UpdateDelivery(before, after iam.Delivery, steps ...iam.DeliveryStep) error {
	var history []statement
	for _, step := range steps {
		history = append(history, stepStatements(before.ID, step)...)
	}
	err := t.guarded(iam.ErrStale, statement{`UPDATE deliveries
		SET state = $1, due_on = $2, attempts = $3, words = $4, tried_on = $5, ended_on = $6
		WHERE id = $7 AND attempts = $8 AND ended_on = $9`, []any{
		string(after.State), toMicros(after.DueOn), after.Attempts, after.Words, toMicros(after.TriedOn), toMicros(after.EndedOn),
		before.ID, before.Attempts, toMicros(before.EndedOn),
	}}, history...)
	if err != nil {
		return fmt.Errorf("update message: %w", err)
	}
	t.queued = t.queued || after.EndedOn.IsZero() && !after.DueOn.After(t.now)
	return nil
}

// NextDelivery implements iam.Store.
func (s *Store) NextDelivery(ctx context.Context) (time.Time, error) {
	return read(ctx, s, func(v *view) (time.Time, error) {
		var due time.Time
		err := one(v, `SELECT d.due_on FROM deliveries d WHERE d.ended_on = 0 ORDER BY d.due_on LIMIT 1`, nil, (*stamp)(&due))
		if err != nil && !errors.Is(err, iam.ErrNoRow) {
			err = fmt.Errorf("read when a message is due: %w", err)
		}
		return due, err
	})
}

// Outbox implements iam.Store.
func (s *Store) Outbox(ctx context.Context) (iam.Outbox, error) {
	return read(ctx, s, func(v *view) (iam.Outbox, error) {
		var o iam.Outbox
		err := one(v, `SELECT count(*), min(CASE WHEN d.due_on <= $1 THEN d.due_on END) FROM deliveries d
			WHERE d.ended_on = 0 AND d.due_on > 0`, []any{toMicros(s.now())}, (*count)(&o.Waiting), (*stamp)(&o.DueSince))
		if err != nil {
			return iam.Outbox{}, fmt.Errorf("count messages: %w", err)
		}
		return o, nil
	})
}

// Deliveries implements iam.Store.
func (s *Store) Deliveries(ctx context.Context, state iam.DeliveryState, page iam.PageRequest) ([]iam.Delivery, error) {
	var b builder
	b.add(`SELECT `, deliveryColumns, ` FROM deliveries d WHERE `)
	switch state {
	case "":
		b.add(`d.ended_on = 0 ORDER BY d.due_on, d.id`)
	case iam.Queued, iam.Deferred:
		b.add(`d.ended_on = 0 AND d.state = `, b.arg(string(state)), ` ORDER BY d.due_on, d.id`)
	case iam.Sent, iam.Bounced, iam.Complained, iam.Suppressed, iam.Dropped:
		b.add(`d.ended_on > 0 AND d.state = `, b.arg(string(state)), ` ORDER BY d.ended_on DESC, d.id`)
	}
	b.add(` LIMIT `, b.arg(page.Size), ` OFFSET `, b.arg(page.Offset()))
	return read(ctx, s, func(v *view) ([]iam.Delivery, error) {
		var list []iam.Delivery
		err := v.query(b.String(), b.args, func(r row) error {
			var d iam.Delivery
			if err := r.Scan(deliveryDest(&d)...); err != nil {
				return fmt.Errorf("scan message: %w", err)
			}
			list = append(list, d)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("list messages: %w", err)
		}
		return list, nil
	})
}
