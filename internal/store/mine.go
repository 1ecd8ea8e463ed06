package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"hither/internal/iam"
)

// Lists of a user: the rows that it answered, found by its id, and those that
// its verified address may still answer, found by the address. What the
// account took back and what the user gave up is in neither.

// mine writes the statement of the ids of who's rows in some states, each with
// its account and its state as it reads. It reports false where there can be
// none. more narrows every branch.
func mine(b *builder, who iam.Invitee, statuses []iam.Status, now time.Time, more func() string) bool {
	user, email, clock := b.lazy(string(who.UserID)), b.lazy(who.Email), b.lazy(toMicros(now))
	var selects []string
	for _, part := range branchesOf(statuses) {
		var owner string
		switch part.stored {
		case iam.Accepted, iam.Rejected:
			if who.UserID == "" {
				continue
			}
			owner = `m.user_id = ` + user()
		case iam.Pending, iam.Expired:
			if who.Email == "" {
				continue
			}
			owner = `m.email = ` + email()
		case iam.Canceled, iam.Left, iam.Removed:
			continue
		}
		selects = append(selects, `SELECT m.id AS id, m.account_id AS account_id, '`+string(part.reads)+`' AS state
			FROM memberships m WHERE `+owner+part.where(clock)+more())
	}
	b.add(strings.Join(selects, ` UNION ALL `))
	return len(selects) > 0
}

// Invitations implements iam.Store.
func (s *Store) Invitations(
	ctx context.Context, who iam.Invitee, statuses []iam.Status, now time.Time, limit int,
) ([]iam.Invitation, error) {
	return read(ctx, s, func(v *view) ([]iam.Invitation, error) {
		var b builder
		b.add(`FROM (`)
		if !mine(&b, who, statuses, now, func() string { return ` AND m.invited = 1` }) {
			return nil, nil
		}
		b.add(`) mine JOIN memberships m ON m.id = mine.id JOIN accounts a ON a.id = m.account_id AND a.deleted_on = 0
			ORDER BY CASE WHEN mine.state = 'pending' THEN 0 ELSE 1 END, mine.id DESC LIMIT `, b.arg(limit))
		invitations, err := v.invitations(&b)
		if err != nil {
			return nil, fmt.Errorf("list invitations: %w", err)
		}
		return invitations, nil
	})
}

// invitations reads invitationRows; b has the statement from its FROM on.
func (v *view) invitations(b *builder) ([]iam.Invitation, error) {
	var (
		version int64
		next    invitationRow // each in turn
		rows    []invitationRow
	)
	dest := next.dest(destinations((*number)(&version)))
	err := v.query(`SELECT (SELECT i.roles_version FROM instance i), `+invitationColumns+` `+b.String(), b.args, func(r row) error {
		if err := r.Scan(dest...); err != nil {
			return fmt.Errorf("scan membership: %w", err)
		}
		rows = append(rows, next)
		return nil
	})
	named := make([]*membershipRow, len(rows))
	for i := range rows {
		named[i] = &rows[i].membershipRow
	}
	if err == nil {
		err = v.resolve(version, named...)
	}
	if err != nil {
		return nil, err
	}
	invitations := make([]iam.Invitation, len(rows))
	for i := range rows {
		invitations[i] = rows[i].invitation()
	}
	return invitations, nil
}

// Memberships implements iam.Store.
func (s *Store) Memberships(
	ctx context.Context, who iam.Invitee, query iam.MembershipQuery, now time.Time,
) (iam.Page[iam.Invitation], error) {
	statuses := query.Statuses
	if len(statuses) == 0 {
		statuses = []iam.Status{iam.Pending, iam.Accepted}
	}
	return snapshot(ctx, s, func(v *view) (iam.Page[iam.Invitation], error) {
		var from builder
		from.add(` FROM (`)
		if !mine(&from, who, statuses, now, func() string { return `` }) {
			return iam.Page[iam.Invitation]{}, nil
		}
		from.add(`) mine JOIN accounts a ON a.id = mine.account_id AND a.deleted_on = 0`)
		if query.AccountName != "" {
			from.add(` AND a.name = `, from.arg(query.AccountName))
		}
		var page iam.Page[iam.Invitation]
		err := one(v, `SELECT count(*)`+from.String(), from.args, (*count)(&page.Total))
		if err == nil && query.Offset() < page.Total {
			way := direction(query.Descending)
			from.add(` JOIN memberships m ON m.id = mine.id ORDER BY `, membershipSort(query.Order, way), `mine.id`, way,
				` LIMIT `, from.arg(query.Size), ` OFFSET `, from.arg(query.Offset()))
			page.Items, err = v.invitations(&from)
		}
		if err != nil {
			return iam.Page[iam.Invitation]{}, fmt.Errorf("list memberships: %w", err)
		}
		return page, nil
	})
}

func membershipSort(order iam.MembershipOrder, way string) string {
	switch order {
	case iam.ByAccountName:
		return `a.name` + way + `, `
	case iam.ByMembershipStatus:
		return `mine.state` + way + `, `
	case iam.ByMembershipID:
	}
	return ``
}

// LiveMembership implements iam.Store. The answered row comes before one that
// asks the same person again under another address.
func (s *Store) LiveMembership(ctx context.Context, accountID iam.ID, who iam.Invitee, now time.Time) (iam.Invitation, error) {
	return read(ctx, s, func(v *view) (iam.Invitation, error) {
		var b builder
		b.add(`FROM (`)
		account := b.lazy(string(accountID))
		inAccount := func() string { return ` AND m.account_id = ` + account() }
		if !mine(&b, who, []iam.Status{iam.Accepted, iam.Pending}, now, inAccount) {
			return iam.Invitation{}, fmt.Errorf("read live membership: %w", iam.ErrNoRow)
		}
		b.add(`) mine JOIN memberships m ON m.id = mine.id JOIN accounts a ON a.id = m.account_id AND a.deleted_on = 0
			ORDER BY mine.state LIMIT 1`)
		live, err := v.invitations(&b)
		if err == nil && len(live) == 0 {
			err = iam.ErrNoRow
		}
		if err != nil {
			return iam.Invitation{}, fmt.Errorf("read live membership: %w", err)
		}
		return live[0], nil
	})
}
