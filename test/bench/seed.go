package main

import (
	"context"
	"crypto/sha256"
	_ "embed" // for the stamp
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"hither/internal/iam"
	"hither/internal/store"
)

// batch is how many rows are written in a transaction. In one of thousands,
// SQLite spends most of its time on the journal of its savepoint.
const batch = 200

var (
	//go:embed seed.go
	seedSource []byte
	//go:embed world.go
	worldSource []byte
)

// seeded is the path of a database that holds the world. One of an earlier run
// is taken where it was made by the same code for the same schema.
func (b bench) seeded(ctx context.Context, w world) (string, error) {
	stamp, err := stampOf(w)
	if err != nil {
		return "", err
	}
	path := filepath.Join(b.dir, fmt.Sprintf("seed-%d.db", w.rows))
	if old, err := os.ReadFile(path + ".stamp"); err == nil && string(old) == stamp {
		b.sayf("the database of an earlier run is taken: %s", path)
		return path, nil
	}
	old, err := filepath.Glob(path + "*")
	if err != nil {
		return "", err
	}
	for _, file := range old {
		if err := os.Remove(file); err != nil {
			return "", err
		}
	}
	begin := time.Now()
	if err := b.seed(ctx, w, path); err != nil {
		return "", fmt.Errorf("seed: %w", err)
	}
	b.sayf("seeded %d memberships in %s", w.rows, time.Since(begin).Round(time.Second))
	return path, os.WriteFile(path+".stamp", []byte(stamp), 0o600)
}

// stampOf tells databases apart that are not the same.
func stampOf(w world) (string, error) {
	hash := sha256.New()
	hash.Write(fmt.Append(nil, w.rows))
	hash.Write(seedSource)
	hash.Write(worldSource)
	folder, err := repository()
	if err != nil {
		return "", err
	}
	migrations := os.DirFS(filepath.Join(folder, "internal", "store", "migrations"))
	err = fs.WalkDir(migrations, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(migrations, path)
		hash.Write(text)
		return err
	})
	return hex.EncodeToString(hash.Sum(nil)), err
}

// seed makes the database. Accounts come one after the other: that keeps the
// pages that a transaction touches few, and the whole to a few minutes.
func (b bench) seed(ctx context.Context, w world, path string) (err error) {
	db, err := store.OpenSQLite(ctx, path, store.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s := seeder{world: w, store: db}
	s.super, s.roles = builtinRoles()
	if err := s.each(ctx, w.users, s.addUser); err != nil {
		return fmt.Errorf("users: %w", err)
	}
	if err := s.each(ctx, w.accounts+1, s.addAccount); err != nil {
		return fmt.Errorf("accounts: %w", err)
	}
	step := time.Now()
	return s.each(ctx, w.rows, func(tx iam.Tx, n int) error {
		if time.Since(step) > 10*time.Second {
			step = time.Now()
			b.sayf("seeding: %d of %d memberships", n, w.rows)
		}
		return s.addMembership(tx, n)
	})
}

type seeder struct {
	world

	store *store.Store
	super iam.Role
	roles []iam.Role
}

// builtinRoles are the Super Administrator, and all others.
func builtinRoles() (super iam.Role, others []iam.Role) {
	for _, role := range iam.BuiltinRoles() {
		if role.All() {
			super = role
		} else {
			others = append(others, role)
		}
	}
	return super, others
}

// each calls add for 0 to n-1, many to a transaction.
func (s seeder) each(ctx context.Context, n int, add func(tx iam.Tx, i int) error) error {
	for first := 0; first < n; first += batch {
		err := s.store.Update(ctx, func(tx iam.Tx) error {
			for i := first; i < min(first+batch, n); i++ {
				if err := add(tx, i); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s seeder) entry(action iam.Action, account, target iam.ID, after string) iam.AuditEntry {
	entry := iam.Actor{Kind: iam.ByCommandLine}.Entry("seed-"+string(action)+"-"+string(target), action, account, target)
	entry.After = after
	return entry
}

func (s seeder) addUser(tx iam.Tx, n int) error {
	id, email := rowID(userKind, n), string(appendEmail(nil, n))
	user := iam.User{
		ID: id, Email: email, Verified: true, CreatedOn: start,
		FirstName: fmt.Sprintf("First%d", mix(uint64(n))%1000), LastName: fmt.Sprintf("Last%d", mix(uint64(n))%10000),
	}
	if err := tx.InsertUser(user, s.entry(iam.UserCreate, "", id, fmt.Sprintf(`{"email":%q}`, email))); err != nil {
		return err
	}
	key := iam.Key{ID: rowID(keyKind, n), UserID: id, Name: "bench", Hash: iam.HashSecret(s.keys[n]), CreatedOn: start}
	return tx.InsertKey(key, s.entry(iam.KeyCreate, "", key.ID, ""))
}

func (s seeder) addAccount(tx iam.Tx, n int) error {
	id := rowID(accountKind, n)
	account := iam.Account{ID: id, Name: fmt.Sprintf("Account %d", n), Type: iam.Standard, CreatedOn: start}
	return tx.InsertAccount(account, s.entry(iam.AccountCreate, id, id, fmt.Sprintf(`{"name":%q}`, account.Name)))
}

// addMembership adds the n-th membership: the first of an account is its Super
// Administrator, of the rest most have accepted.
func (s seeder) addMembership(tx iam.Tx, n int) error {
	account, member := n/perAccount, n%perAccount
	user, first := s.user(account, member), 0
	if n >= s.accounts*perAccount {
		account, member = s.bigAccount(), n-s.accounts*perAccount
		user, first = member, bigAdmins-1
	}
	created := createdOn(n)
	m := iam.Membership{
		ID: rowID(memberKind, n), AccountID: rowID(accountKind, account), Email: string(appendEmail(nil, user)),
		UserID: rowID(userKind, user), Status: iam.Accepted, Roles: []iam.Role{s.super},
		Grantor: iam.Actor{Kind: iam.ByCommandLine}.Grantor(), CreatedOn: created, AnsweredOn: created,
	}
	if member > first {
		s.invited(&m, n, account)
	}
	after := fmt.Sprintf(`{"status":%q,"email":%q,"user_id":%q,"roles":[%q],"grantor_kind":%q}`,
		m.Status, m.Email, m.UserID, m.Roles[0].ID, m.Grantor.Kind)
	return tx.InsertMembership(m, iam.Link{WakeOn: m.ExpiresOn}, s.entry(iam.Import, m.AccountID, m.ID, after))
}

// invited makes the row one that was asked, by its account's first member.
func (s seeder) invited(m *iam.Membership, n, account int) {
	admin := s.admin(account)
	if account == s.bigAccount() {
		admin = 0
	}
	m.Roles = []iam.Role{s.roles[n%len(s.roles)]}
	m.Invited, m.InvitedBy, m.InvitedOn = true, string(appendEmail(nil, admin)), m.CreatedOn
	m.ExpiresOn = time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	m.Grantor = iam.Grantor{Kind: iam.ByUser, ID: rowID(userKind, admin)}
	switch n % 20 {
	case 17:
		m.Status = iam.Rejected
	case 18, 19:
		m.Status, m.UserID, m.AnsweredOn = iam.Pending, "", time.Time{}
	}
}
