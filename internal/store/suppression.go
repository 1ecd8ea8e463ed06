package store

import (
	"context"
	"fmt"

	"hither/internal/iam"
)

// Suppress implements iam.Tx.
func (t *tx) Suppress(s iam.Suppression, entry iam.AuditEntry) error {
	n, err := t.exec(`INSERT INTO suppressions (recipient, account_id, created_on) VALUES ($1, $2, $3)
		ON CONFLICT (recipient, account_id) DO NOTHING`, s.Mailbox, string(s.AccountID), toMicros(s.CreatedOn))
	if err != nil {
		return fmt.Errorf("suppress a recipient: %w", err)
	}
	if n == 0 { // said again, which anybody who holds the link can as often as they like
		return nil
	}
	return t.Record(entry)
}

// Unsuppress implements iam.Tx.
func (t *tx) Unsuppress(s iam.Suppression, entry iam.AuditEntry) error {
	n, err := t.exec(`DELETE FROM suppressions WHERE recipient = $1 AND account_id = $2`, s.Mailbox, string(s.AccountID))
	if err == nil && n == 0 {
		err = iam.ErrNoRow
	}
	if err != nil {
		return fmt.Errorf("lift a suppression: %w", err)
	}
	return t.Record(entry)
}

// suppressed tells whether a mailbox wants no invitations from an account.
func (t *tx) suppressed(mailbox string, accountID iam.ID) (bool, error) {
	var found bool
	err := one(t, `SELECT CASE WHEN EXISTS (SELECT 1 FROM suppressions s WHERE s.recipient = $1 AND s.account_id IN ('', $2))
		THEN 1 ELSE 0 END`, []any{mailbox, string(accountID)}, (*flag)(&found))
	if err != nil {
		return false, fmt.Errorf("look for a suppression: %w", err)
	}
	return found, nil
}

// Suppressions implements iam.Store.
func (s *Store) Suppressions(ctx context.Context, page iam.PageRequest) ([]iam.Suppression, error) {
	return read(ctx, s, func(v *view) ([]iam.Suppression, error) {
		var list []iam.Suppression
		err := v.query(`SELECT w.recipient, w.account_id, w.created_on FROM suppressions w
			ORDER BY w.recipient, w.account_id LIMIT $1 OFFSET $2`, []any{page.Size, page.Offset()}, func(r row) error {
			var one iam.Suppression
			if err := r.Scan((*text)(&one.Mailbox), (*text)(&one.AccountID), (*stamp)(&one.CreatedOn)); err != nil {
				return fmt.Errorf("scan suppression: %w", err)
			}
			list = append(list, one)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("list suppressions: %w", err)
		}
		return list, nil
	})
}
