package store

import (
	"context"
	"fmt"

	"hither/internal/iam"
)

const userColumns = `u.id, u.email, u.verified, u.first_name, u.last_name, u.telephone, u.country, u.zipcode,
	u.two_factor, u.own_factor, u.suspended, u.operator, u.created_on, u.locale`

func userDest(to []any, u *iam.User) []any {
	return append(to,
		(*text)(&u.ID), (*text)(&u.Email), (*flag)(&u.Verified), (*text)(&u.FirstName), (*text)(&u.LastName),
		(*text)(&u.Telephone), (*text)(&u.Country), (*text)(&u.Zipcode), (*flag)(&u.TwoFactor), (*flag)(&u.OwnFactor), (*flag)(&u.Suspended),
		(*flag)(&u.Operator), (*stamp)(&u.CreatedOn), (*text)(&u.Locale))
}

// User implements iam.Store.
func (s *Store) User(ctx context.Context, id iam.ID) (iam.User, error) {
	return read(ctx, s, func(v *view) (iam.User, error) { return v.user(id) })
}

func (v *view) user(id iam.ID) (iam.User, error) {
	var u iam.User
	err := one(v, `SELECT `+userColumns+` FROM users u WHERE u.id = $1`, []any{string(id)}, userDest(nil, &u)...)
	if err != nil {
		return iam.User{}, fmt.Errorf("read user: %w", err)
	}
	return u, nil
}

// UserByEmail implements iam.Store.
func (s *Store) UserByEmail(ctx context.Context, email string) (iam.User, error) {
	return read(ctx, s, func(v *view) (iam.User, error) { return v.userByEmail(email) })
}

func (v *view) userByEmail(email string) (iam.User, error) {
	var u iam.User
	err := one(v, `SELECT `+userColumns+` FROM users u WHERE u.email = $1`, []any{email}, userDest(nil, &u)...)
	if err != nil {
		return iam.User{}, fmt.Errorf("read user by address: %w", err)
	}
	return u, nil
}

// Users implements iam.Store.
func (s *Store) Users(ctx context.Context, page iam.PageRequest) (iam.Page[iam.User], error) {
	return snapshot(ctx, s, func(v *view) (iam.Page[iam.User], error) {
		total, err := v.total("users")
		if err != nil {
			return iam.Page[iam.User]{}, err
		}
		list := iam.Page[iam.User]{Total: total}
		err = v.query(`SELECT `+userColumns+` FROM users u ORDER BY u.id LIMIT $1 OFFSET $2`,
			[]any{page.Size, page.Offset()}, func(r row) error {
				var u iam.User
				if err := r.Scan(userDest(nil, &u)...); err != nil {
					return fmt.Errorf("scan user: %w", err)
				}
				list.Items = append(list.Items, u)
				return nil
			})
		if err != nil {
			return iam.Page[iam.User]{}, fmt.Errorf("list users: %w", err)
		}
		return list, nil
	})
}

// UserFacts implements iam.Tx.
func (t *tx) UserFacts(userID iam.ID) (iam.UserFacts, error) {
	if err := t.lockUserAndGoverned(userID); err != nil {
		return iam.UserFacts{}, err
	}
	user, err := t.user(userID)
	if err != nil {
		return iam.UserFacts{}, err
	}
	facts := iam.UserFacts{User: user}
	err = t.query(`SELECT `+accountColumns+`
		FROM memberships m JOIN accounts a ON a.id = m.account_id AND a.deleted_on = 0
		WHERE m.user_id = $1 AND m.status = 'accepted' AND m.super = 1
		AND NOT EXISTS (`+otherSupers+`) ORDER BY a.id`,
		[]any{string(userID)}, func(r row) error {
			var a accountRow
			if err := r.Scan(a.dest(nil)...); err != nil {
				return fmt.Errorf("scan account: %w", err)
			}
			facts.LastAdminOf = append(facts.LastAdminOf, a.account())
			return nil
		})
	if err != nil {
		return iam.UserFacts{}, fmt.Errorf("read accounts of a last Super Administrator: %w", err)
	}
	return facts, nil
}

// ActingUser implements iam.Tx.
func (t *tx) ActingUser(userID iam.ID) (iam.User, error) {
	if _, err := t.shareUser(userID); err != nil {
		return iam.User{}, err
	}
	return t.user(userID)
}

// UserOfAddress implements iam.Tx.
func (t *tx) UserOfAddress(email string) (iam.User, error) {
	if err := t.shareUserOf(email); err != nil {
		return iam.User{}, err
	}
	return t.userByEmail(email)
}

// InsertUser implements iam.Tx.
func (t *tx) InsertUser(u iam.User, entry iam.AuditEntry) error {
	_, err := t.exec(`INSERT INTO users (id, email, verified, first_name, last_name, telephone, country, zipcode,
			two_factor, suspended, operator, created_on, locale)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		string(u.ID), u.Email, bit(u.Verified), u.FirstName, u.LastName, u.Telephone, u.Country, u.Zipcode,
		bit(u.TwoFactor), bit(u.Suspended), bit(u.Operator), toMicros(u.CreatedOn), u.Locale)
	if err != nil {
		return fmt.Errorf("insert user: %w", err)
	}
	if err := t.addTotal("users"); err != nil {
		return err
	}
	entry.UserID = u.ID
	return t.Record(entry)
}

// UpdateUser implements iam.Tx. A change of address moves the user's accepted
// rows along; ErrDuplicate where the new one is invited there already.
func (t *tx) UpdateUser(u iam.User, entry iam.AuditEntry) error {
	if err := t.lockUser(u.ID); err != nil {
		return err
	}
	before, err := t.user(u.ID)
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE users SET email = $1, verified = $2, first_name = $3, last_name = $4, telephone = $5,
			country = $6, zipcode = $7, two_factor = $8, suspended = $9, operator = $10, locale = $11 WHERE id = $12`,
		u.Email, bit(u.Verified), u.FirstName, u.LastName, u.Telephone, u.Country, u.Zipcode,
		bit(u.TwoFactor), bit(u.Suspended), bit(u.Operator), u.Locale, string(u.ID))
	if err != nil {
		return fmt.Errorf("update user: %w", err)
	}
	if u.FirstName != before.FirstName || u.LastName != before.LastName {
		_, err = t.exec(`UPDATE memberships SET first_name = $1, last_name = $2 WHERE user_id = $3 AND status = 'accepted'`,
			u.FirstName, u.LastName, string(u.ID))
		if err != nil {
			return fmt.Errorf("sort memberships by another name: %w", err)
		}
	}
	if u.Email != before.Email {
		_, err = t.exec(`UPDATE memberships SET email = $1, revision = revision + 1
			WHERE user_id = $2 AND status = 'accepted' AND email = $3`, u.Email, string(u.ID), before.Email)
		if err != nil {
			return fmt.Errorf("move memberships to another address: %w", err)
		}
	}
	entry.UserID = u.ID
	return t.Record(entry)
}
