package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"hither/internal/iam"
)

const factorColumns = `f.id, f.user_id, f.kind, f.seed, f.last_step, f.session_id, f.created_on, f.confirmed_on`

func factorDest(f *iam.Factor) []any {
	return []any{
		(*text)(&f.ID), (*text)(&f.UserID), (*text)(&f.Kind), (*sealed)(&f.Sealed), (*number)(&f.LastStep), (*text)(&f.SessionID),
		(*stamp)(&f.CreatedOn), (*stamp)(&f.ConfirmedOn),
	}
}

// sealed is a value that is kept as bytes.
type sealed []byte

// Scan implements sql.Scanner.
func (s *sealed) Scan(src any) error {
	value, ok := src.([]byte)
	if !ok {
		return fmt.Errorf("a sealed value is a %T", src)
	}
	*s = append((*s)[:0:0], value...) // the engine's own is good for one row
	return nil
}

// Factors implements iam.Store.
func (s *Store) Factors(ctx context.Context, userID iam.ID) (iam.FactorFacts, error) {
	return snapshot(ctx, s, func(v *view) (iam.FactorFacts, error) { return v.factors(userID) })
}

// FactorFacts implements iam.Tx. Where others write at the same time the user is
// held alone: so codes are tried one by one, and what was counted of one is seen
// by the next.
func (t *tx) FactorFacts(userID iam.ID) (iam.FactorFacts, error) {
	if err := t.lockUser(userID); err != nil {
		return iam.FactorFacts{}, err
	}
	return t.factors(userID)
}

func (v *view) factors(userID iam.ID) (iam.FactorFacts, error) {
	user, err := v.user(userID)
	if err != nil {
		return iam.FactorFacts{}, err
	}
	facts := iam.FactorFacts{User: user}
	for _, part := range []struct {
		condition string
		into      **iam.Factor
	}{{`f.confirmed_on > 0`, &facts.Factor}, {`f.confirmed_on = 0`, &facts.SetUp}} {
		var found iam.Factor
		err := one(v, `SELECT `+factorColumns+` FROM factors f WHERE f.user_id = $1 AND `+part.condition,
			[]any{string(userID)}, factorDest(&found)...)
		if errors.Is(err, iam.ErrNoRow) {
			continue
		}
		if err != nil {
			return iam.FactorFacts{}, fmt.Errorf("read factors: %w", err)
		}
		*part.into = &found
	}
	if facts.Factor == nil {
		return facts, nil
	}
	err = one(v, `SELECT count(*) FROM recovery_codes k WHERE k.user_id = $1 AND k.used_on = 0`,
		[]any{string(userID)}, (*count)(&facts.CodesLeft))
	if err != nil {
		return iam.FactorFacts{}, fmt.Errorf("count recovery codes: %w", err)
	}
	return facts, nil
}

// InsertFactor implements iam.Tx.
func (t *tx) InsertFactor(f iam.Factor, entry iam.AuditEntry) error {
	_, err := t.exec(`DELETE FROM factors WHERE user_id = $1 AND confirmed_on = 0`, string(f.UserID))
	if err == nil {
		_, err = t.exec(`INSERT INTO factors (id, user_id, kind, seed, last_step, session_id, created_on, confirmed_on)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			string(f.ID), string(f.UserID), f.Kind, f.Sealed, f.LastStep, string(f.SessionID), toMicros(f.CreatedOn), toMicros(f.ConfirmedOn))
	}
	if err != nil {
		return fmt.Errorf("insert factor: %w", err)
	}
	entry.UserID = f.UserID
	return t.Record(entry)
}

// UseStep implements iam.Tx. The guard is in the statement: of any number who
// show one code one passes, on every engine.
func (t *tx) UseStep(f iam.Factor) error {
	return t.changeFactor(`UPDATE factors SET last_step = $1, seed = $2 WHERE id = $3 AND user_id = $4 AND last_step < $1`,
		f.LastStep, f.Sealed, string(f.ID), string(f.UserID))
}

// ConfirmFactor implements iam.Tx.
func (t *tx) ConfirmFactor(f iam.Factor, entry iam.AuditEntry) error {
	err := t.changeFactor(`UPDATE factors SET confirmed_on = $1 WHERE id = $2 AND user_id = $3 AND confirmed_on = 0`,
		toMicros(f.ConfirmedOn), string(f.ID), string(f.UserID))
	if err == nil {
		err = t.changeFactor(`UPDATE users SET own_factor = 1 WHERE id = $1`, string(f.UserID))
	}
	if err != nil {
		return err
	}
	entry.UserID = f.UserID
	return t.Record(entry)
}

// DropFactors implements iam.Tx.
func (t *tx) DropFactors(userID iam.ID, entry iam.AuditEntry) error {
	for _, statement := range []string{
		// An index has those that are set up, another one those that are being.
		`DELETE FROM factors WHERE user_id = $1 AND confirmed_on > 0`,
		`DELETE FROM factors WHERE user_id = $1 AND confirmed_on = 0`,
		`DELETE FROM recovery_codes WHERE user_id = $1`,
		`UPDATE users SET own_factor = 0 WHERE id = $1`,
		// Sessions that showed it have not shown the next one.
		`UPDATE sessions SET factor = '' WHERE user_id = $1 AND ended_on = 0
			AND factor IN ('` + iam.ByTOTP + `', '` + iam.ByRecoveryCode + `')`,
	} {
		if _, err := t.exec(statement, string(userID)); err != nil {
			return fmt.Errorf("drop factors: %w", err)
		}
	}
	entry.UserID = userID
	return t.Record(entry)
}

// KeepRecoveryCodes implements iam.Tx.
func (t *tx) KeepRecoveryCodes(userID iam.ID, hashes []string, entry iam.AuditEntry) error {
	_, err := t.exec(`DELETE FROM recovery_codes WHERE user_id = $1`, string(userID))
	for _, hash := range hashes {
		if err == nil {
			_, err = t.exec(`INSERT INTO recovery_codes (user_id, hash, used_on) VALUES ($1, $2, 0)`, string(userID), hash)
		}
	}
	if err != nil {
		return fmt.Errorf("keep recovery codes: %w", err)
	}
	entry.UserID = userID
	return t.Record(entry)
}

// UseRecoveryCode implements iam.Tx.
func (t *tx) UseRecoveryCode(userID iam.ID, hashes []string) error {
	var b builder
	b.add(`UPDATE recovery_codes SET used_on = `, b.arg(toMicros(t.now)), ` WHERE user_id = `, b.arg(string(userID)), ` AND hash IN (`)
	names := make([]string, len(hashes))
	for i, hash := range hashes {
		names[i] = b.arg(hash)
	}
	b.add(strings.Join(names, `, `), `) AND used_on = 0`)
	return t.changeFactor(b.String(), b.args...)
}

func (t *tx) changeFactor(statement string, args ...any) error {
	n, err := t.exec(statement, args...)
	if err == nil && n == 0 {
		err = iam.ErrStale
	}
	if err != nil {
		return fmt.Errorf("change factor: %w", err)
	}
	return nil
}

// RaiseSession implements iam.Tx.
func (t *tx) RaiseSession(id iam.ID, before, factor string, hash [32]byte) (iam.Session, error) {
	err := t.changeFactor(`UPDATE sessions SET factor = $1, hash = $2, proved_on = $3, seen_on = $3
		WHERE id = $4 AND ended_on = 0 AND factor = $5`, factor, hash[:], toMicros(t.now), string(id), before)
	if err != nil {
		return iam.Session{}, err
	}
	var n userSessionRow
	if err := one(t, `SELECT `+userSessionColumns+` FROM sessions n WHERE n.id = $1`, []any{string(id)}, n.dest()...); err != nil {
		return iam.Session{}, fmt.Errorf("read session: %w", err)
	}
	return n.session(), nil
}
