package store

import (
	"fmt"

	"hither/internal/iam"
)

// TermFacts implements iam.Tx. However few rows are named, the statement is the
// same. Whether a user can act does not change meanwhile: to suspend one that governs
// an account takes that account's lock, which is held here.
func (t *tx) TermFacts(accountID iam.ID, ids []iam.ID) ([]iam.TermFacts, error) {
	if err := t.lockAccount(accountID); err != nil {
		return nil, err
	}
	var b builder
	b.add(`SELECT (SELECT i.roles_version FROM instance i), `, countOtherSupers, `, CASE WHEN u.suspended = 0 THEN 1 ELSE 0 END, `,
		linkRowColumns, `
		FROM memberships m JOIN accounts a ON a.id = m.account_id AND a.deleted_on = 0 JOIN users u ON u.id = m.user_id
		`, joinGrantor, `
		WHERE m.status = 'accepted' AND m.end_wake > 0 AND m.end_wake <= `, b.arg(toMicros(t.now)), `
		AND m.account_id = `, b.arg(string(accountID)), ` AND m.id IN (`)
	for i := range iam.MaxWaking {
		id := ""
		if i < len(ids) {
			id = string(ids[i])
		}
		if i > 0 {
			b.add(`, `)
		}
		b.add(b.arg(id))
	}
	b.add(`) ORDER BY m.id`)
	var (
		version int64
		facts   []iam.TermFacts
		rows    []*linkRow
		named   []*membershipRow
	)
	err := t.query(b.String(), b.args, func(r row) error {
		var (
			l    linkRow
			fact iam.TermFacts
		)
		dest := destinations((*number)(&version), (*count)(&fact.OtherSuperAdmins), (*flag)(&fact.Active))
		if err := r.Scan(l.dest(dest)...); err != nil {
			return fmt.Errorf("scan a member whose time is bounded: %w", err)
		}
		facts, rows, named = append(facts, fact), append(rows, &l), append(named, &l.membershipRow, l.grantor.of(&l.membershipRow))
		return nil
	})
	if err == nil {
		err = t.resolve(version, named...)
	}
	if err != nil {
		return nil, fmt.Errorf("read whose time is bounded: %w", err)
	}
	for i, l := range rows {
		facts[i].Invitation, facts[i].Grantor = l.invitation(), l.grantor.facts(l.Grantor, t.now)
	}
	return facts, nil
}
