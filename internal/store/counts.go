package store

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"hither/internal/iam"
)

// seats names a kept count: an account's rows in one state, and whether
// somebody was asked.
type seats struct {
	accountID iam.ID
	status    iam.Status
	invited   bool
}

func seatOf(m iam.Membership) seats { return seats{m.AccountID, m.Status, m.Invited} }

// move counts n rows that went from one state to another.
func (t *tx) move(from, to seats, n int64) error {
	for _, change := range moved(from, to, n) {
		if _, err := t.exec(change.text, change.args...); err != nil {
			return fmt.Errorf("count %s and %s rows: %w", from.status, to.status, err)
		}
	}
	return nil
}

// moved are the statements of move.
func moved(from, to seats, n int64) []statement {
	less := statement{
		`UPDATE counts SET n = n - $1 WHERE account_id = $2 AND status = $3 AND invited = $4`,
		[]any{n, string(from.accountID), string(from.status), bit(from.invited)},
	}
	return []statement{less, added(to, n)}
}

// added counts n more rows.
func added(to seats, n int64) statement {
	return statement{
		`INSERT INTO counts (account_id, status, invited, n) VALUES ($1, $2, $3, $4)
		ON CONFLICT (account_id, status, invited) DO UPDATE SET n = counts.n + excluded.n`,
		[]any{string(to.accountID), string(to.status), bit(to.invited), n},
	}
}

// recount counts an account's rows anew, where most of them changed at once.
func (t *tx) recount(accountID iam.ID) error {
	if _, err := t.exec(`DELETE FROM counts WHERE account_id = $1`, string(accountID)); err != nil {
		return fmt.Errorf("forget counts: %w", err)
	}
	_, err := t.exec(`INSERT INTO counts (account_id, status, invited, n)
		SELECT m.account_id, m.status, m.invited, count(*) FROM memberships m
		WHERE m.account_id = $1 GROUP BY m.account_id, m.status, m.invited`, string(accountID))
	if err != nil {
		return fmt.Errorf("count anew: %w", err)
	}
	return nil
}

// addTotal counts a row of the whole database.
func (t *tx) addTotal(name string) error {
	if _, err := t.exec(`UPDATE totals SET n = n + 1 WHERE name = $1`, name); err != nil {
		return fmt.Errorf("count %s: %w", name, err)
	}
	return nil
}

// total reads what addTotal counted.
func (v *view) total(name string) (int, error) {
	var n int
	if err := one(v, `SELECT n FROM totals WHERE name = $1`, []any{name}, (*count)(&n)); err != nil {
		return 0, fmt.Errorf("read how many %s there are: %w", name, err)
	}
	return n, nil
}

// countMembers adds up what was kept for some states of an account, less the
// pending rows that are due where pending is among them, plus these where
// expired is. It reads a few rows however large the account is.
func (v *view) countMembers(accountID iam.ID, statuses []iam.Status, invitedOnly bool, now time.Time) (int, error) {
	var (
		b         builder
		kept, due int
		over      int // accepted rows whose time is up
	)
	b.add(`SELECT (SELECT `, sumOfCounts(statuses...), ` FROM counts c WHERE c.account_id = a.id`)
	if invitedOnly {
		b.add(` AND c.invited = 1`)
	}
	clock := b.arg(toMicros(now))
	b.add(`), (SELECT count(*) FROM memberships d WHERE d.account_id = a.id AND d.status = 'pending'
			AND d.expires_on > 0 AND d.expires_on <= `, clock, `),
		(SELECT count(*) FROM memberships d WHERE d.account_id = a.id AND d.status = 'accepted'
			AND d.ends_on > 0 AND d.ends_on <= `, clock)
	if invitedOnly {
		b.add(` AND d.invited = 1`)
	}
	b.add(`)
		FROM accounts a WHERE a.id = `, b.arg(string(accountID)), ` AND a.deleted_on = 0`)
	err := one(v, b.String(), b.args, (*count)(&kept), (*count)(&due), (*count)(&over))
	if errors.Is(err, iam.ErrNoRow) {
		return 0, nil // no account, no members
	}
	if err != nil {
		return 0, fmt.Errorf("read kept counts: %w", err)
	}
	if slices.Contains(statuses, iam.Pending) {
		kept -= due
	}
	if slices.Contains(statuses, iam.Expired) {
		kept += due
	}
	if slices.Contains(statuses, iam.Accepted) {
		kept -= over
	}
	return kept, nil
}

// seats counts what takes a place in an account.
func (v *view) seats(accountID iam.ID, now time.Time) (iam.Seats, error) {
	open, err := v.countMembers(accountID, []iam.Status{iam.Pending}, false, now)
	if err != nil {
		return iam.Seats{}, err
	}
	members, err := v.countMembers(accountID, []iam.Status{iam.Accepted}, false, now)
	return iam.Seats{Open: open, Members: members}, err
}

// sumOfCounts adds up what rows c of counts hold for some states. An account
// has a dozen such rows: to pass over some is cheaper than to look each up.
func sumOfCounts(statuses ...iam.Status) string {
	var b builder
	b.add(`CAST(COALESCE(SUM(CASE WHEN `)
	for i, status := range statuses {
		if i > 0 {
			b.add(` OR `)
		}
		b.add(`c.status = '`, string(status), `'`)
	}
	b.add(` THEN c.n ELSE 0 END), 0) AS BIGINT)`)
	return b.String()
}
