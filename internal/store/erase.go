package store

import (
	"context"
	"fmt"

	"hither/internal/iam"
)

// Where an erasure looks for what no index leads to it goes through a table, once:
// whoever erases a person does not do it every minute.

// EraseFacts implements iam.Tx: UserFacts, with all accounts held in which a row of
// the user lives.
func (t *tx) EraseFacts(userID iam.ID) (iam.UserFacts, error) {
	if t.locks != nil {
		err := t.lockAccounts(`a.id IN (SELECT m.account_id FROM memberships m WHERE m.user_id = $1 AND m.status = 'accepted'
			UNION ALL SELECT m.account_id FROM users u JOIN memberships m ON m.email = u.email AND m.status = 'pending' WHERE u.id = $1)`,
			string(userID))
		if err != nil {
			return iam.UserFacts{}, err
		}
	}
	return t.UserFacts(userID)
}

// CloseUser implements iam.Tx.
func (t *tx) CloseUser(u iam.User, entry iam.AuditEntry) (int, error) {
	entry.UserID = u.ID
	ended := 0
	for _, end := range []struct {
		from, to iam.Status
		action   iam.Action
		column   string
		value    string
	}{
		{iam.Accepted, iam.Removed, iam.MemberRemove, `m.user_id`, string(u.ID)},
		{iam.Pending, iam.Canceled, iam.InviteCancel, `m.email`, u.Email},
	} {
		each := entry
		each.Action = end.action
		n, err := t.endAll(each, end.from, end.to, end.column, end.value)
		if err != nil {
			return 0, err
		}
		ended += n
	}
	for _, statement := range []string{
		`UPDATE users SET suspended = 1, verified = 0, operator = 0, two_factor = 0, own_factor = 0 WHERE id = $1`,
		`DELETE FROM factors /* of one person */ WHERE user_id = $1`,
		`DELETE FROM recovery_codes WHERE user_id = $1`,
		`DELETE FROM identities WHERE user_id = $1`,
		`UPDATE user_keys SET disabled = 1, name = '' WHERE user_id = $1`,
		`UPDATE tokens SET disabled = 1, name = '' WHERE user_id = $1`,
		`UPDATE sessions SET ended_on = CASE WHEN ended_on = 0 THEN seen_on ELSE ended_on END, remote_addr = '', agent = '' /* of one person */
			WHERE user_id = $1`,
	} {
		if _, err := t.exec(statement, string(u.ID)); err != nil {
			return 0, fmt.Errorf("close user: %w", err)
		}
	}
	if err := t.EndChallenges(u.ID); err != nil {
		return 0, err
	}
	return ended, t.Record(entry)
}

// endAll ends the rows of a state in which a column has a value, in all accounts.
func (t *tx) endAll(entry iam.AuditEntry, from, to iam.Status, column, value string) (int, error) {
	condition := func(b *builder) { b.add(column, ` = `, b.arg(value), ` AND m.status = '`, string(from), `'`) }
	var b builder
	b.add(`SELECT m.account_id, m.invited, count(*) FROM memberships m WHERE `)
	condition(&b)
	b.add(` GROUP BY m.account_id, m.invited`)
	held := map[seats]int64{}
	err := t.query(b.String(), b.args, func(r row) error {
		seat, n := seats{status: from}, int64(0)
		if err := r.Scan((*text)(&seat.accountID), (*flag)(&seat.invited), (*number)(&n)); err != nil {
			return fmt.Errorf("scan a count: %w", err)
		}
		held[seat] = n
		return nil
	})
	if err != nil || len(held) == 0 {
		return 0, err
	}
	n, err := t.endRows(entry, to, condition)
	if err != nil {
		return 0, err
	}
	for seat, rows := range held {
		if err := t.move(seat, seats{seat.accountID, to, seat.invited}, rows); err != nil {
			return 0, err
		}
	}
	return int(n), nil
}

// AuditRows implements iam.Store.
func (s *Store) AuditRows(ctx context.Context, after int64, limit int) ([]iam.AuditEntry, error) {
	return read(ctx, s, func(v *view) ([]iam.AuditEntry, error) {
		return v.entries(`SELECT `+auditColumns+` FROM audit e WHERE e.seq > $1 ORDER BY e.seq LIMIT $2`, []any{after, limit})
	})
}

// RewriteAudit implements iam.Tx.
func (t *tx) RewriteAudit(entries []iam.AuditEntry) error {
	for _, e := range entries {
		_, err := t.exec(`UPDATE audit SET actor_email = $1, remote_addr = $2, state_before = $3, state_after = $4 WHERE seq = $5`,
			e.ActorEmail, e.RemoteAddr, e.Before, e.After, e.Seq)
		if err != nil {
			return fmt.Errorf("rewrite an audit row: %w", err)
		}
	}
	return nil
}

// EraseUser implements iam.Tx. Rows that others change meanwhile change from what
// they are now: their revisions rise.
func (t *tx) EraseUser(e iam.Erasure) error {
	if err := t.lockUser(e.UserID); err != nil {
		return err
	}
	statements := []statement{
		{`UPDATE users SET email = $1, first_name = '', last_name = '', telephone = '', country = '', zipcode = '', locale = '',
			verified = 0, suspended = 1, operator = 0, two_factor = 0 WHERE id = $2`, []any{e.Instead, string(e.UserID)}},
		{`UPDATE memberships SET email = $1, first_name = '', last_name = '', locale = '', revision = revision + 1 /* of one person */
			WHERE user_id = $2`, []any{e.Instead, string(e.UserID)}},
	}
	for _, address := range e.Addresses {
		statements = append(statements,
			statement{`UPDATE memberships SET email = $1, locale = '', revision = revision + 1 /* of one person */
				WHERE email = $2 AND status <> 'pending'`, []any{e.Instead, address}},
			statement{
				`UPDATE memberships SET invited_by = $1, revision = revision + 1 /* of one person */ WHERE invited_by = $2`,
				[]any{e.Instead, address},
			},
			statement{`UPDATE deliveries SET recipient = $1, words = '', detail = '' /* of one person */,
				state = CASE WHEN ended_on = 0 THEN 'dropped' ELSE state END, ended_on = CASE WHEN ended_on = 0 THEN $2 ELSE ended_on END
				WHERE recipient = $3 OR user_id = $4`, []any{e.Instead, toMicros(t.now), address, string(e.UserID)}},
			statement{`DELETE FROM suppressions WHERE recipient = $1 OR recipient = $2`, []any{address, iam.Mailbox(address)}},
			statement{`DELETE FROM challenges /* of one person */ WHERE email = $1 OR user_id = $2`, []any{address, string(e.UserID)}},
			statement{`DELETE FROM idempotency /* of one person */ WHERE replace(outcome, $1, '') <> outcome`, []any{address}},
		)
	}
	for _, s := range statements {
		if _, err := t.exec(s.text, s.args...); err != nil {
			return fmt.Errorf("erase user: %w", err)
		}
	}
	return nil
}
