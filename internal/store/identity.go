package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hither/internal/iam"
)

const identityColumns = `y.id, y.issuer, y.subject, y.user_id, y.reason, y.created_on`

func identityDest(y *iam.Identity) []any {
	return []any{
		(*text)(&y.ID), (*text)(&y.Issuer), (*text)(&y.Subject), (*text)(&y.UserID), (*text)(&y.Reason), (*stamp)(&y.CreatedOn),
	}
}

// IdentityFacts implements iam.Store. Each request with a JWT begins with it;
// that of an identity that is linked is one statement.
func (s *Store) IdentityFacts(ctx context.Context, a iam.Assertion, now time.Time) (iam.IdentityFacts, error) {
	return read(ctx, s, func(v *view) (iam.IdentityFacts, error) {
		facts, err := v.linked(a)
		if err != nil || facts.Identity != nil {
			return facts, err
		}
		facts, err = v.unlinked(a, now)
		if err != nil || facts.Holder == nil {
			return facts, err
		}
		// The holder may be who the identity was linked with between the two.
		if linked, err := v.linked(a); err != nil || linked.Identity != nil {
			return linked, err
		}
		return facts, nil
	})
}

// IdentityFacts implements iam.Tx. What a known identity's user is, is held as it
// is; who has the address of an unknown one is held alone, so that no other
// identity is linked with it meanwhile.
func (t *tx) IdentityFacts(a iam.Assertion) (iam.IdentityFacts, error) {
	facts, err := t.linked(a)
	if err != nil {
		return iam.IdentityFacts{}, err
	}
	if facts.Identity == nil && t.locks != nil {
		// Whoever held the user until now may have linked it.
		if err := t.lockUserOf(a.Email); err != nil {
			return iam.IdentityFacts{}, err
		}
		if facts, err = t.linked(a); err != nil {
			return iam.IdentityFacts{}, err
		}
	}
	if facts.Identity == nil {
		return t.heldUnlinked(a)
	}
	late, err := t.shareUser(facts.User.ID)
	if err == nil && late {
		facts, err = t.linked(a)
	}
	return facts, err
}

// heldUnlinked is unlinked with the holder held. One that came only after it was
// looked for to be held makes the closure start over.
func (t *tx) heldUnlinked(a iam.Assertion) (iam.IdentityFacts, error) {
	facts, err := t.unlinked(a, t.now)
	if err == nil && t.locks != nil && facts.Holder != nil && !t.locks.users[facts.Holder.ID] {
		t.watch.note(errLateLock)
		err = errLateLock
	}
	return facts, err
}

// linked reads the user whose identity it is.
func (v *view) linked(a iam.Assertion) (iam.IdentityFacts, error) {
	var (
		found iam.Identity
		user  iam.User
	)
	err := one(v, `SELECT `+identityColumns+`, `+userColumns+`
		FROM identities y JOIN users u ON u.id = y.user_id WHERE y.issuer = $1 AND y.subject = $2`,
		[]any{a.Issuer, a.Subject}, userDest(identityDest(&found), &user)...)
	if errors.Is(err, iam.ErrNoRow) {
		return iam.IdentityFacts{}, nil
	}
	if err != nil {
		return iam.IdentityFacts{}, fmt.Errorf("read identity: %w", err)
	}
	return iam.IdentityFacts{Identity: &found, User: user}, nil
}

// unlinked reads whom an assertion is about by its address.
func (v *view) unlinked(a iam.Assertion, now time.Time) (iam.IdentityFacts, error) {
	var facts iam.IdentityFacts
	holder, err := v.userByEmail(a.Email)
	switch {
	case errors.Is(err, iam.ErrNoRow):
		facts.Invited, err = v.invited(a.Email, now)
		return facts, err
	case err != nil:
		return iam.IdentityFacts{}, err
	}
	facts.Holder = &holder
	err = one(v, `SELECT count(*) FROM identities y WHERE y.user_id = $1 AND y.issuer = $2`,
		[]any{string(holder.ID), a.Issuer}, (*flag)(&facts.HolderKnown))
	if err != nil {
		return iam.IdentityFacts{}, fmt.Errorf("count identities: %w", err)
	}
	return facts, nil
}

// invited reports whether an invitation waits for an address.
func (v *view) invited(email string, now time.Time) (bool, error) {
	err := one(v, `SELECT m.id FROM memberships m JOIN accounts a ON a.id = m.account_id AND a.deleted_on = 0
		WHERE m.email = $1 AND m.status = 'pending' AND m.invited = 1 AND (m.expires_on = 0 OR m.expires_on > $2) LIMIT 1`,
		[]any{email, toMicros(now)}, new(text))
	if errors.Is(err, iam.ErrNoRow) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for an invitation: %w", err)
	}
	return true, nil
}

// Identities implements iam.Store.
func (s *Store) Identities(ctx context.Context, userID iam.ID) ([]iam.Identity, error) {
	return read(ctx, s, func(v *view) ([]iam.Identity, error) {
		var identities []iam.Identity
		err := v.query(`SELECT `+identityColumns+` FROM identities y WHERE y.user_id = $1 ORDER BY y.id`,
			[]any{string(userID)}, func(r row) error {
				var y iam.Identity
				if err := r.Scan(identityDest(&y)...); err != nil {
					return fmt.Errorf("scan identity: %w", err)
				}
				identities = append(identities, y)
				return nil
			})
		if err != nil {
			return nil, fmt.Errorf("list identities: %w", err)
		}
		return identities, nil
	})
}

// InsertIdentity implements iam.Tx.
func (t *tx) InsertIdentity(y iam.Identity, entry iam.AuditEntry) error {
	_, err := t.exec(`INSERT INTO identities (id, issuer, subject, user_id, reason, created_on) VALUES ($1, $2, $3, $4, $5, $6)`,
		string(y.ID), y.Issuer, y.Subject, string(y.UserID), string(y.Reason), toMicros(y.CreatedOn))
	if err != nil {
		return fmt.Errorf("insert identity: %w", err)
	}
	return t.Record(entry)
}

// DeleteIdentity implements iam.Tx.
func (t *tx) DeleteIdentity(userID, id iam.ID, entry iam.AuditEntry) error {
	return t.endCredential(`DELETE FROM identities WHERE id = $1 AND user_id = $2`, []any{string(id), string(userID)}, entry)
}
