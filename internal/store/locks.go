package store

import (
	"errors"
	"fmt"
	"slices"

	"hither/internal/iam"
)

// On PostgreSQL transactions run beside each other, each statement sees what
// was committed before it began, and one that waited for a row sees that row
// anew but no other. So what a decision rests on is locked by a statement of
// its own, before the facts are read by the next one. SQLite's one writer has
// nobody beside it: there tx.locks is nil, and none of this costs a statement.
//
// Everybody locks in one order, which keeps deadlocks out:
//
//  1. the roles: shared by every transaction, alone by one that changes roles,
//     asks who holds one, or erases a user. It comes with BEGIN, so that within a
//     transaction roles never change, and nobody is given a role while it is
//     dropped; who holds them alone has no other transaction beside it;
//  2. accounts, by id: whatever changes memberships of an account, its seats,
//     its Super Administrators or the account holds its row;
//  3. users, by id: shared by what makes a user's row a member's (its names,
//     and whether it can act, are read then), alone by what changes the user;
//  4. rows that the statements write: memberships and counts, which belong to
//     an account that is locked, then totals.
//
// Where only the facts tell what should have been locked first, the closure
// starts over. See docs/adr/0011.
//
// Accounts, and users that are shared, are locked together with the statement
// that comes next, in one round trip: it begins when they are held.

// locks are what a transaction holds.
type locks struct {
	rolesAlone bool
	accounts   map[iam.ID]bool
	users      map[iam.ID]bool // true: alone
}

func newLocks(rolesAlone bool) *locks {
	return &locks{rolesAlone: rolesAlone, accounts: map[iam.ID]bool{}, users: map[iam.ID]bool{}}
}

var (
	// errRolesAlone makes a closure start over with the roles for itself: to
	// wait for them now could be to wait for who waits for us.
	errRolesAlone = errors.New("the roles have to be locked first")
	// errLateLock makes a closure start over, since what it has to lock came up
	// when its turn was over.
	errLateLock = errors.New("what the facts are about changed before it was locked")
)

// lockRoles holds the roles alone, for who changes them.
func (t *tx) lockRoles() error {
	if t.locks == nil || t.locks.rolesAlone {
		return nil
	}
	t.watch.note(errRolesAlone)
	return errRolesAlone
}

// lockAccount holds an account that is named by its id. Where there is none
// the facts will tell.
func (t *tx) lockAccount(id iam.ID) error {
	if t.locks == nil || t.locks.accounts[id] {
		return nil
	}
	return t.lockAccounts(`a.id = $1`, string(id))
}

// lockAccounts holds the accounts that condition names. Foreign keys that
// refer to them go on: no id ever changes.
func (t *tx) lockAccounts(condition string, args ...any) error {
	err := t.later(`SELECT a.id FROM accounts a WHERE `+condition+` ORDER BY a.id FOR NO KEY UPDATE`, args, func(r row) error {
		var id iam.ID
		if err := r.Scan((*text)(&id)); err != nil {
			return fmt.Errorf("scan id: %w", err)
		}
		t.locks.accounts[id] = true
		return nil
	})
	if err != nil {
		return fmt.Errorf("lock accounts: %w", err)
	}
	return nil
}

// lockAccountOf holds the account of a membership, which never moves.
func (t *tx) lockAccountOf(membershipID iam.ID) error {
	if t.locks == nil {
		return nil
	}
	return t.lockAccounts(`a.id = (SELECT m.account_id FROM memberships m WHERE m.id = $1)`, string(membershipID))
}

// shareUser keeps a user as it is. It reports whether it is only held from now
// on: what was read of it before has to be read again.
func (t *tx) shareUser(id iam.ID) (late bool, err error) {
	if t.locks == nil || id == "" {
		return false, nil
	}
	if _, held := t.locks.users[id]; held {
		return false, nil
	}
	return true, t.lockUsers(`u.id = $1 FOR SHARE`, false, string(id))
}

// shareUserOf is shareUser by address.
func (t *tx) shareUserOf(email string) error {
	if t.locks == nil {
		return nil
	}
	return t.lockUsers(`u.email = $1 FOR SHARE`, false, email)
}

// lockUserOf is lockUser by address.
func (t *tx) lockUserOf(email string) error {
	if t.locks == nil {
		return nil
	}
	return t.lockUsers(`u.email = $1 FOR NO KEY UPDATE`, true, email)
}

// lockUser holds a user alone.
func (t *tx) lockUser(id iam.ID) error {
	if t.locks == nil || t.locks.users[id] {
		return nil
	}
	return t.lockUsers(`u.id = $1 FOR NO KEY UPDATE`, true, string(id))
}

func (t *tx) lockUsers(condition string, alone bool, args ...any) error {
	lock := t.later
	if alone {
		lock = t.query
	}
	err := lock(`SELECT u.id FROM users u WHERE `+condition, args, func(r row) error {
		var id iam.ID
		if err := r.Scan((*text)(&id)); err != nil {
			return fmt.Errorf("scan id: %w", err)
		}
		t.locks.users[id] = alone
		return nil
	})
	if err != nil {
		return fmt.Errorf("lock users: %w", err)
	}
	return nil
}

// lockUserAndGoverned holds a user alone, and before it the accounts that it
// governs. One that it came to govern between the two cannot be locked any
// more: it would be out of order.
func (t *tx) lockUserAndGoverned(id iam.ID) error {
	if t.locks == nil || t.locks.users[id] {
		return nil
	}
	if err := t.lockAccounts(`a.id IN (`+governedBy+`)`, string(id)); err != nil {
		return err
	}
	if err := t.lockUser(id); err != nil {
		return err
	}
	var governed []iam.ID
	err := t.query(governedBy, []any{string(id)}, func(r row) error {
		var account iam.ID
		if err := r.Scan((*text)(&account)); err != nil {
			return fmt.Errorf("scan id: %w", err)
		}
		governed = append(governed, account)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read governed accounts: %w", err)
	}
	if slices.ContainsFunc(governed, func(account iam.ID) bool { return !t.locks.accounts[account] }) {
		t.watch.note(errLateLock)
		return errLateLock
	}
	return nil
}

// governedBy are the accounts of which a user is a Super Administrator.
const governedBy = `SELECT m.account_id FROM memberships m WHERE m.user_id = $1 AND m.status = 'accepted' AND m.super = 1`
