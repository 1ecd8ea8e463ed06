package store

import (
	"context"
	"fmt"

	"hither/internal/iam"
)

// lookColumns are how an account looks. No list reads them.
const lookColumns = `a.brand_name, a.brand_color, a.brand_logo, a.locale`

func lookDest(l *iam.Look) []any {
	return []any{(*text)(&l.Name), (*text)(&l.Color), (*text)(&l.Logo), (*text)(&l.Locale)}
}

// Look implements iam.Store.
func (s *Store) Look(ctx context.Context, accountID iam.ID) (iam.Look, error) {
	return read(ctx, s, func(v *view) (iam.Look, error) { return v.look(accountID) })
}

// Look implements iam.Tx.
func (t *tx) Look(accountID iam.ID) (iam.Look, error) { return t.look(accountID) }

func (v *view) look(accountID iam.ID) (iam.Look, error) {
	var look iam.Look
	err := one(v, `SELECT `+lookColumns+` FROM accounts a WHERE a.id = $1 AND a.deleted_on = 0`, []any{string(accountID)}, lookDest(&look)...)
	if err != nil {
		return iam.Look{}, fmt.Errorf("read an account's look: %w", err)
	}
	return look, nil
}

// UpdateLook implements iam.Tx.
func (t *tx) UpdateLook(accountID iam.ID, look iam.Look, entry iam.AuditEntry) error {
	n, err := t.exec(`UPDATE accounts SET brand_name = $1, brand_color = $2, brand_logo = $3, locale = $4 WHERE id = $5 AND deleted_on = 0`,
		look.Name, look.Color, look.Logo, look.Locale, string(accountID))
	if err == nil && n == 0 {
		err = iam.ErrNoRow
	}
	if err != nil {
		return fmt.Errorf("update an account's look: %w", err)
	}
	return t.Record(entry)
}
