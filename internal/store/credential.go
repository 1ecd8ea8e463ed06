package store

import (
	"context"
	"fmt"

	"hither/internal/iam"
)

const (
	keyColumns   = `k.id, k.user_id, k.name, k.hash, k.disabled, k.created_on`
	tokenColumns = `t.id, t.user_id, t.name, t.hash, t.disabled, t.expires_on, t.created_on`
)

// The statements of credentials by their hash, up to what it is compared with.
const (
	selectKey = `SELECT ` + keyColumns + `, ` + userColumns + `
		FROM user_keys k JOIN users u ON u.id = k.user_id WHERE k.hash`
	selectToken = `SELECT ` + tokenColumns + `, ` + userColumns + `
		FROM tokens t LEFT JOIN users u ON u.id = t.user_id WHERE t.hash`
)

// hash32 scans a SHA-256.
type hash32 [32]byte

// Scan implements sql.Scanner.
func (h *hash32) Scan(src any) error {
	b, ok := src.([]byte)
	if !ok || len(b) != len(h) {
		return fmt.Errorf("a hash is a %T of %d bytes", src, len(b))
	}
	copy(h[:], b)
	return nil
}

func keyDest(to []any, k *iam.Key) []any {
	return append(to,
		(*text)(&k.ID), (*text)(&k.UserID), (*text)(&k.Name), (*hash32)(&k.Hash), (*flag)(&k.Disabled), (*stamp)(&k.CreatedOn))
}

func tokenDest(to []any, t *iam.Token) []any {
	return append(to,
		(*text)(&t.ID), (*text)(&t.UserID), (*text)(&t.Name), (*hash32)(&t.Hash), (*flag)(&t.Disabled),
		(*stamp)(&t.ExpiresOn), (*stamp)(&t.CreatedOn))
}

// KeyPrincipal implements iam.Store. Every request begins with it or with
// TokenPrincipal: nothing of the answer is kept beyond the request, so that a
// change by any process holds from the next one on.
func (s *Store) KeyPrincipal(ctx context.Context, hash [32]byte) (iam.KeyPrincipal, error) {
	if s.points != nil {
		return s.points.keys.get(ctx, hash)
	}
	return read(ctx, s, func(v *view) (iam.KeyPrincipal, error) {
		var p iam.KeyPrincipal
		err := one(v, selectKey+` = $1`, []any{hash[:]}, userDest(keyDest(destinations(), &p.Key), &p.User)...)
		if err != nil {
			return iam.KeyPrincipal{}, fmt.Errorf("read key: %w", err)
		}
		return p, nil
	})
}

// TokenPrincipal implements iam.Store.
func (s *Store) TokenPrincipal(ctx context.Context, hash [32]byte) (iam.TokenPrincipal, error) {
	if s.points != nil {
		return s.points.tokens.get(ctx, hash)
	}
	return read(ctx, s, func(v *view) (iam.TokenPrincipal, error) {
		var p iam.TokenPrincipal
		err := one(v, selectToken+` = $1`, []any{hash[:]}, userDest(tokenDest(destinations(), &p.Token), &p.User)...)
		if err != nil {
			return iam.TokenPrincipal{}, fmt.Errorf("read token: %w", err)
		}
		return p, nil
	})
}

// Keys implements iam.Store.
func (s *Store) Keys(ctx context.Context, userID iam.ID) ([]iam.Key, error) {
	return read(ctx, s, func(v *view) ([]iam.Key, error) {
		var keys []iam.Key
		err := v.query(`SELECT `+keyColumns+` FROM user_keys k WHERE k.user_id = $1 ORDER BY k.id`,
			[]any{string(userID)}, func(r row) error {
				var key iam.Key
				if err := r.Scan(keyDest(nil, &key)...); err != nil {
					return fmt.Errorf("scan key: %w", err)
				}
				keys = append(keys, key)
				return nil
			})
		if err != nil {
			return nil, fmt.Errorf("list keys: %w", err)
		}
		return keys, nil
	})
}

// Tokens implements iam.Store.
func (s *Store) Tokens(ctx context.Context, userID iam.ID) ([]iam.Token, error) {
	statement, args := `SELECT `+tokenColumns+` FROM tokens t WHERE t.user_id = $1 ORDER BY t.id`, []any{string(userID)}
	if userID == "" {
		statement, args = `SELECT `+tokenColumns+` FROM tokens t WHERE t.user_id IS NULL ORDER BY t.id`, nil
	}
	return read(ctx, s, func(v *view) ([]iam.Token, error) {
		var tokens []iam.Token
		err := v.query(statement, args, func(r row) error {
			var token iam.Token
			if err := r.Scan(tokenDest(nil, &token)...); err != nil {
				return fmt.Errorf("scan token: %w", err)
			}
			tokens = append(tokens, token)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("list tokens: %w", err)
		}
		return tokens, nil
	})
}

// InsertKey implements iam.Tx.
func (t *tx) InsertKey(key iam.Key, entry iam.AuditEntry) error {
	_, err := t.exec(`INSERT INTO user_keys (id, user_id, name, hash, disabled, created_on) VALUES ($1, $2, $3, $4, $5, $6)`,
		string(key.ID), string(key.UserID), key.Name, key.Hash[:], bit(key.Disabled), toMicros(key.CreatedOn))
	if err != nil {
		return fmt.Errorf("insert key: %w", err)
	}
	entry.UserID = key.UserID
	return t.Record(entry)
}

// DisableKey implements iam.Tx.
func (t *tx) DisableKey(id iam.ID, entry iam.AuditEntry) error {
	return t.endOwned(`user_keys`, id, entry, `UPDATE user_keys SET disabled = 1 WHERE id = $1`, string(id))
}

// InsertToken implements iam.Tx.
func (t *tx) InsertToken(token iam.Token, entry iam.AuditEntry) error {
	_, err := t.exec(`INSERT INTO tokens (id, user_id, name, hash, disabled, expires_on, created_on)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		string(token.ID), reference(token.UserID), token.Name, token.Hash[:], bit(token.Disabled),
		toMicros(token.ExpiresOn), toMicros(token.CreatedOn))
	if err != nil {
		return fmt.Errorf("insert token: %w", err)
	}
	entry.UserID = token.UserID
	return t.Record(entry)
}

// RevokeToken implements iam.Tx.
func (t *tx) RevokeToken(id iam.ID, entry iam.AuditEntry) error {
	return t.endOwned(`tokens`, id, entry, `UPDATE tokens SET disabled = 1 WHERE id = $1`, string(id))
}

// EndKeyOf implements iam.Tx. That it was not ended yet is asked by the statement
// itself, so that of any number of rotations of one key one wins.
func (t *tx) EndKeyOf(userID, id iam.ID, entry iam.AuditEntry) error {
	entry.UserID = userID
	return t.endCredential(`UPDATE user_keys SET disabled = 1 WHERE id = $1 AND user_id = $2 AND disabled = 0`,
		[]any{string(id), string(userID)}, entry)
}

// EndTokenOf implements iam.Tx, as EndKeyOf does.
func (t *tx) EndTokenOf(userID, id iam.ID, entry iam.AuditEntry) error {
	entry.UserID = userID
	if userID == "" {
		return t.endCredential(`UPDATE tokens SET disabled = 1 WHERE id = $1 AND user_id IS NULL AND disabled = 0`,
			[]any{string(id)}, entry)
	}
	return t.endCredential(`UPDATE tokens SET disabled = 1 WHERE id = $1 AND user_id = $2 AND disabled = 0`,
		[]any{string(id), string(userID)}, entry)
}

// EndCredentials implements iam.Tx.
func (t *tx) EndCredentials(userID iam.ID, entry iam.AuditEntry) error {
	entry.UserID = userID
	ended := int64(0)
	for _, statement := range []string{
		`UPDATE user_keys SET disabled = 1 WHERE user_id = $1 AND disabled = 0`,
		`UPDATE tokens SET disabled = 1 WHERE user_id = $1 AND disabled = 0`,
		`DELETE FROM identities WHERE user_id = $1`,
	} {
		n, err := t.exec(statement, string(userID))
		if err != nil {
			return fmt.Errorf("end credentials of a user: %w", err)
		}
		ended += n
	}
	if ended == 0 {
		return nil
	}
	return t.Record(entry)
}

// endOwned is endCredential where only the credential's row tells whose it is.
func (t *tx) endOwned(table string, id iam.ID, entry iam.AuditEntry, statement string, args ...any) error {
	err := one(t, `SELECT k.user_id FROM `+table+` k WHERE k.id = $1`, []any{string(id)}, (*text)(&entry.UserID))
	if err != nil {
		return fmt.Errorf("find a credential: %w", err)
	}
	return t.endCredential(statement, args, entry)
}

func (t *tx) endCredential(statement string, args []any, entry iam.AuditEntry) error {
	n, err := t.exec(statement, args...)
	if err == nil && n == 0 {
		err = iam.ErrNoRow
	}
	if err != nil {
		return fmt.Errorf("end credential: %w", err)
	}
	return t.Record(entry)
}
