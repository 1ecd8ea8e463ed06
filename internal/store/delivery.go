package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hither/internal/iam"
)

const deliveryColumns = `d.id, d.kind, d.account_id, d.membership_id, d.user_id, d.recipient, d.locale, d.generation, d.detail,
	d.state, d.due_on, d.attempts, d.words, d.created_on, d.tried_on, d.ended_on`

func deliveryDest(d *iam.Delivery) []any {
	return []any{
		(*text)(&d.ID), (*text)(&d.Kind), (*text)(&d.AccountID), (*text)(&d.MembershipID), (*text)(&d.UserID), (*text)(&d.Recipient),
		(*text)(&d.Locale), (*count)(&d.Generation), (*text)(&d.Detail), (*text)(&d.State), (*stamp)(&d.DueOn), (*count)(&d.Attempts),
		(*text)(&d.Words), (*stamp)(&d.CreatedOn), (*stamp)(&d.TriedOn), (*stamp)(&d.EndedOn),
	}
}

// Queue implements iam.Tx.
func (t *tx) Queue(d iam.Delivery) error {
	_, err := t.exec(`INSERT INTO deliveries (id, kind, account_id, membership_id, user_id, recipient, locale, generation,
			detail, state, due_on, attempts, words, created_on, tried_on, ended_on)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT (id) DO NOTHING`,
		d.ID, string(d.Kind), string(d.AccountID), string(d.MembershipID), string(d.UserID), d.Recipient, d.Locale, d.Generation,
		d.Detail, string(d.State), toMicros(d.DueOn), d.Attempts, d.Words, toMicros(d.CreatedOn), toMicros(d.TriedOn), toMicros(d.EndedOn))
	if err != nil {
		return fmt.Errorf("queue a message: %w", err)
	}
	t.queued = true
	return nil
}

// dueRow is a message with what it tells, as they are read.
type dueRow struct {
	iam.Delivery
	invitationRow
	facts iam.DeliveryFacts
}

// What a message may rest on, as columns beside claimed rows d. Whoever may not
// hear of an account any more gets no news of it.
const dueColumns = deliveryColumns + `, ` + invitationColumns + `, m.locale, m.generation, m.asked_on, ` + userColumns + `,
	CASE WHEN u.operator = 1 OR EXISTS (SELECT 1 FROM memberships h
		WHERE h.account_id = d.account_id AND h.user_id = d.user_id AND h.status = 'accepted') THEN 1 ELSE 0 END,
	COALESCE(NULLIF(d.locale, ''), NULLIF(p.locale, ''), a.locale), a.brand_name, a.brand_color, a.brand_logo`

func (d *dueRow) dest() []any {
	f := &d.facts
	dest := d.invitationRow.dest(append(destinations(), deliveryDest(&d.Delivery)...))
	dest = append(dest, (*text)(&f.Link.Locale), (*count)(&f.Link.Generation), (*stamp)(&f.Link.AskedOn))
	dest = userDest(dest, &f.User)
	return append(dest, (*flag)(&f.Hears), (*text)(&f.Language), (*text)(&f.Brand.Name), (*text)(&f.Brand.Color), (*text)(&f.Brand.Logo))
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

// dueDelivery reads the first of those that more narrows the choice to. The row is
// chosen by itself: of whatever is joined to it, nothing is locked.
func (t *tx) dueDelivery(more string) (iam.DueDelivery, error) {
	var (
		version int64
		d       dueRow
	)
	err := one(t, `SELECT (SELECT i.roles_version FROM instance i), `+dueColumns+`
		FROM (SELECT `+deliveryColumns+` FROM deliveries d WHERE d.ended_on = 0 AND d.due_on <= $1`+more+`
			ORDER BY d.due_on LIMIT 1`+t.besideOthers()+`) d
		LEFT JOIN memberships m ON m.id = d.membership_id
		LEFT JOIN accounts a ON a.id = d.account_id AND a.deleted_on = 0
		LEFT JOIN users u ON u.id = d.user_id
		LEFT JOIN users p ON p.email = d.recipient`,
		[]any{toMicros(t.now)}, append([]any{(*number)(&version)}, d.dest()...)...)
	if err == nil {
		err = t.resolve(version, &d.membershipRow)
	}
	if err == nil {
		d.facts.Invitation = d.invitation()
		d.facts.Suppressed, err = t.suppressed(iam.Mailbox(d.Recipient), d.AccountID)
	}
	if err != nil {
		return iam.DueDelivery{}, fmt.Errorf("read the message that is due: %w", err)
	}
	return iam.DueDelivery{Delivery: d.Delivery, DeliveryFacts: d.facts}, nil
}

// Delivery implements iam.Tx.
func (t *tx) Delivery(id string) (iam.Delivery, error) {
	var d iam.Delivery
	err := one(t, `SELECT `+deliveryColumns+` FROM deliveries d WHERE d.id = $1`, []any{id}, deliveryDest(&d)...)
	if err != nil {
		return iam.Delivery{}, fmt.Errorf("read message: %w", err)
	}
	return d, nil
}

// UpdateDelivery implements iam.Tx. The number of attempts is the guard: it
// rises with each claim, so that a worker whose lease ran out changes nothing.
func (t *tx) UpdateDelivery(before, after iam.Delivery) error {
	n, err := t.exec(`UPDATE deliveries SET state = $1, due_on = $2, attempts = $3, words = $4, tried_on = $5, ended_on = $6
		WHERE id = $7 AND attempts = $8 AND ended_on = $9`,
		string(after.State), toMicros(after.DueOn), after.Attempts, after.Words, toMicros(after.TriedOn), toMicros(after.EndedOn),
		before.ID, before.Attempts, toMicros(before.EndedOn))
	if err == nil && n == 0 {
		err = iam.ErrStale
	}
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
	case iam.Sent, iam.Bounced, iam.Suppressed, iam.Dropped:
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
