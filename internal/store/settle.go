package store

import (
	"fmt"
	"strconv"

	"hither/internal/iam"
)

// settleBound is how many due rows of an account one transaction writes down
// beside the ones of its own address.
const settleBound = 500

// Settle implements iam.Tx. Nearly always nothing is due, and it costs one
// statement.
func (t *tx) Settle(accountID iam.ID, email string) ([]iam.Member, error) {
	if err := t.lockAccount(accountID); err != nil {
		return nil, err
	}
	if anyDue, err := t.anyDue(accountID); err != nil || !anyDue {
		return nil, err
	}
	var (
		ended []iam.Member
		err   error
	)
	if email != "" {
		if ended, err = t.expire(accountID, func(b *builder) { b.add(` AND m.email = `, b.arg(email)) }); err != nil {
			return nil, err
		}
	}
	more, err := t.expire(accountID, func(b *builder) {
		b.add(` AND m.id IN (SELECT d.id FROM memberships d
			WHERE d.account_id = `, b.arg(string(accountID)), ` AND d.status = 'pending' AND d.expires_on > 0
			AND d.expires_on <= `, b.arg(toMicros(t.now)), ` ORDER BY d.expires_on, d.id LIMIT `, b.arg(settleBound), `)`)
	})
	return append(ended, more...), err
}

// anyDue tells whether a row of the account is due.
func (t *tx) anyDue(accountID iam.ID) (bool, error) {
	var anyDue bool
	err := one(t, `SELECT CASE WHEN EXISTS (SELECT 1 FROM memberships m WHERE m.account_id = a.id AND m.status = 'pending'
			AND `+due("$1")+`) THEN 1 ELSE 0 END
		FROM accounts a WHERE a.id = $2 AND a.deleted_on = 0`,
		[]any{toMicros(t.now), string(accountID)}, (*flag)(&anyDue))
	if err != nil {
		return false, fmt.Errorf("look for due rows: %w", err)
	}
	return anyDue, nil
}

// expire ends an account's due rows, of which more narrows the choice, and returns
// them. The clock does it, so the audit rows have no actor.
func (t *tx) expire(accountID iam.ID, more func(b *builder)) ([]iam.Member, error) {
	condition := func(b *builder) {
		b.add(`m.account_id = `, b.arg(string(accountID)), ` AND m.status = 'pending' AND `, due(b.arg(toMicros(t.now))))
		more(b)
	}
	var b builder
	b.add(`FROM memberships m `, joinMember, ` WHERE `)
	condition(&b)
	ended, err := t.members(b.String(), b.args, 1, t.now)
	if err != nil || len(ended) == 0 {
		return nil, err
	}
	// With the time in it: a row that was dropped, and imported under its id once
	// more, ends a second time, while the audit row of the first may still be kept.
	entry := iam.AuditEntry{OperationID: "expire-" + strconv.FormatInt(toMicros(t.now), 10), Action: iam.InviteExpire}
	n, err := t.endRows(entry, iam.Expired, condition)
	if err == nil {
		err = t.move(seats{accountID, iam.Pending, true}, seats{accountID, iam.Expired, true}, n)
	}
	if err != nil {
		return nil, err
	}
	t.operation = entry.OperationID + "-" + string(ended[0].ID)
	for i := range ended {
		ended[i].Status = iam.Expired
		ended[i].Revision++
	}
	return ended, nil
}

// endRows ends the rows that condition names, each with an audit row like
// entry, and tells how many there were. Counts are the caller's.
func (t *tx) endRows(entry iam.AuditEntry, becomes iam.Status, condition func(b *builder)) (int64, error) {
	if err := t.recordEach(entry, becomes, condition); err != nil {
		return 0, err
	}
	var b builder
	b.add(`UPDATE memberships AS m SET status = `, b.arg(string(becomes)), `, first_name = '', last_name = '',
		ended_on = CAST(`, b.arg(toMicros(t.now)), ` AS BIGINT), revision = revision + 1 WHERE `)
	condition(&b)
	n, err := t.exec(b.String(), b.args...)
	if err != nil {
		return 0, fmt.Errorf("end memberships: %w", err)
	}
	return n, nil
}
