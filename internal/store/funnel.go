package store

import (
	"context"
	"fmt"
	"time"

	"hither/internal/iam"
)

// Funnel implements iam.Store. It goes through the invitations of the stretch by an
// index of their times, and through the account's refusals by one of those; what is
// counted is kept in memory, of a bounded number of rows.
func (s *Store) Funnel(ctx context.Context, query iam.FunnelQuery, now time.Time) (iam.Funnel, error) {
	return snapshot(ctx, s, func(v *view) (iam.Funnel, error) {
		tally, err := v.funnelRows(query, now)
		if err != nil {
			return iam.Funnel{}, err
		}
		if tally.Created() > iam.MaxFunnelRows {
			return iam.Funnel{}, iam.ErrTooMuch
		}
		if err := v.funnelRefusals(tally, query); err != nil {
			return iam.Funnel{}, err
		}
		return tally.Funnel(), nil
	})
}

func (v *view) funnelRows(query iam.FunnelQuery, now time.Time) (*iam.FunnelTally, error) {
	var b builder
	b.add(`SELECT m.email, m.invited_by, m.status, m.expires_on, m.invited_on, m.answered_on, m.delivered_on, m.opened_on
		FROM memberships m WHERE m.invited = 1`)
	ofAccount(&b, `m`, query.AccountID)
	b.add(` AND m.invited_on >= `, b.arg(toMicros(query.Since)), ` AND m.invited_on < `, b.arg(toMicros(query.Until)),
		` LIMIT `, b.arg(iam.MaxFunnelRows+1))
	tally := iam.NewFunnelTally(query.By)
	var (
		next    iam.FunnelRow // each in turn
		expires time.Time
	)
	dest := []any{
		(*text)(&next.Email), (*text)(&next.InvitedBy), (*text)(&next.Status), (*stamp)(&expires), (*stamp)(&next.InvitedOn),
		(*stamp)(&next.AnsweredOn), (*stamp)(&next.DeliveredOn), (*stamp)(&next.OpenedOn),
	}
	err := v.query(b.String(), b.args, func(r row) error {
		if err := r.Scan(dest...); err != nil {
			return fmt.Errorf("scan invitation: %w", err)
		}
		counted := next
		counted.Status = iam.Membership{Status: next.Status, ExpiresOn: expires}.StatusAt(now)
		tally.Add(counted)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count invitations: %w", err)
	}
	return tally, nil
}

// ofAccount narrows rows to an account's. Those of all accounts the operator counts on
// the command line, and they have no index.
func ofAccount(b *builder, table string, accountID iam.ID) {
	if accountID == "" {
		b.add(` /* of all accounts */`)
		return
	}
	b.add(` AND `, table, `.account_id = `, b.arg(string(accountID)))
}

// funnelRefusals counts what was refused about invitations in the stretch. Of an
// invitation that was never made, its audit row has what is known; of another the
// invitation.
func (v *view) funnelRefusals(tally *iam.FunnelTally, query iam.FunnelQuery) error {
	var b builder
	// The columns of which there may be many different ones only where they are asked for.
	inviter, email, about := `''`, `''`, `''`
	switch query.By {
	case iam.ByInviter:
		inviter = `CASE WHEN e.action <> 'invite.create' THEN COALESCE(m.invited_by, '') WHEN e.actor = 'user' THEN e.actor_email
			ELSE '` + iam.OperatorName + `' END`
	case iam.ByDomain:
		email, about = `COALESCE(m.email, '')`, `CASE WHEN e.action = 'invite.create' THEN e.state_after ELSE '' END`
	}
	b.add(`SELECT e.action, e.denied, `, inviter, `, `, email, `, `, about, `, count(*)
		FROM audit e LEFT JOIN memberships m ON m.id = e.target_id AND m.account_id = e.account_id WHERE e.denied <> ''`)
	ofAccount(&b, `e`, query.AccountID)
	b.add(` AND e.at >= `, b.arg(toMicros(query.Since)), ` AND e.at < `, b.arg(toMicros(query.Until)),
		` AND e.action IN ('invite.create', 'invite.accept', 'invite.reject') GROUP BY 1, 2, 3, 4, 5 LIMIT `, b.arg(iam.MaxFunnelRows+1))
	kinds := 0
	err := v.query(b.String(), b.args, func(r row) error {
		var refusal iam.FunnelRefusal
		err := r.Scan((*text)(&refusal.Action), (*text)(&refusal.Reason), (*text)(&refusal.InvitedBy), (*text)(&refusal.Email),
			(*text)(&refusal.About), (*count)(&refusal.Count))
		if err != nil {
			return fmt.Errorf("scan refusals: %w", err)
		}
		tally.AddRefusal(refusal)
		kinds++
		return nil
	})
	if err != nil {
		return fmt.Errorf("count refusals: %w", err)
	}
	if kinds > iam.MaxFunnelRows {
		return iam.ErrTooMuch
	}
	return nil
}

// MarkDelivered implements iam.Tx.
func (t *tx) MarkDelivered(id iam.ID, on time.Time) error {
	guard := ` AND delivered_on = 0` // the first mail that arrived
	if on.IsZero() {
		guard = ``
	}
	_, err := t.exec(`UPDATE memberships SET delivered_on = $1 WHERE id = $2`+guard, toMicros(on), string(id))
	if err != nil {
		return fmt.Errorf("note a delivery: %w", err)
	}
	return nil
}

// MarkOpened implements iam.Tx.
func (t *tx) MarkOpened(id iam.ID, generation int) (bool, error) {
	n, err := t.exec(`UPDATE memberships SET opened_on = $1 WHERE id = $2 AND opened_on = 0 AND status = 'pending' AND generation = $3`,
		toMicros(t.now), string(id), generation)
	if err != nil {
		return false, fmt.Errorf("note that a page was opened: %w", err)
	}
	return n > 0, nil
}
