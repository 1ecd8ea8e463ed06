package storetest

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"hither/internal/iam"
	"hither/internal/id"
)

// fixture is a store, a clock that stands still unless it is moved, and short
// ways to bring rows about.
type fixture struct {
	*testing.T
	store iam.Store
	clock *clock
	ids   *id.Source
}

func newFixture(t *testing.T, open Open) *fixture {
	t.Helper()
	c := &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)}
	return &fixture{T: t, store: open(t, c.Now), clock: c, ids: id.NewSource(c.Now)}
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

func (c *clock) advance(d time.Duration) { c.set(c.Now().Add(d)) }

func (f *fixture) ctx() context.Context { return f.Context() }

func (f *fixture) id() iam.ID { return iam.ID(f.ids.New()) }

// update runs a transaction; must is one that has to succeed.
func (f *fixture) update(fn func(tx iam.Tx) error) error { return f.store.Update(f.ctx(), fn) }

func (f *fixture) must(fn func(tx iam.Tx) error) {
	f.Helper()
	if err := f.update(fn); err != nil {
		f.Fatalf("update: %v", err)
	}
}

// entry is an audit row of the command line's.
func (f *fixture) entry(action iam.Action, accountID, targetID iam.ID) iam.AuditEntry {
	return iam.Actor{Kind: iam.ByCommandLine}.Entry(f.ids.New(), action, accountID, targetID)
}

func (f *fixture) user(email string, edits ...func(*iam.User)) iam.User {
	f.Helper()
	u := iam.User{ID: f.id(), Email: email, Verified: true, CreatedOn: f.clock.Now()}
	for _, edit := range edits {
		edit(&u)
	}
	entry := f.entry(iam.UserCreate, "", u.ID)
	f.must(func(tx iam.Tx) error { return tx.InsertUser(u, entry) })
	return u
}

func named(first, last string) func(*iam.User) {
	return func(u *iam.User) { u.FirstName, u.LastName = first, last }
}

func (f *fixture) changeUser(u iam.User, edit func(*iam.User)) iam.User {
	f.Helper()
	edit(&u)
	entry := f.entry(iam.UserEdit, "", u.ID)
	f.must(func(tx iam.Tx) error { return tx.UpdateUser(u, entry) })
	return u
}

func (f *fixture) account(name string, edits ...func(*iam.Account)) iam.Account {
	f.Helper()
	a := iam.Account{ID: f.id(), Name: name, Type: iam.Standard, CreatedOn: f.clock.Now()}
	for _, edit := range edits {
		edit(&a)
	}
	entry := f.entry(iam.AccountCreate, a.ID, a.ID)
	f.must(func(tx iam.Tx) error { return tx.InsertAccount(a, entry) })
	return a
}

func (f *fixture) deleteAccount(a iam.Account) {
	f.Helper()
	entry := f.entry(iam.AccountDelete, a.ID, a.ID)
	f.must(func(tx iam.Tx) error { return tx.DeleteAccount(a.ID, entry) })
}

func (f *fixture) role(r iam.Role, origin string) iam.Role {
	f.Helper()
	if r.ID == "" {
		r.ID = f.id()
	}
	if r.Name == "" {
		r.Name = "Role " + string(r.ID)
	}
	if r.Permissions == nil {
		r.Permissions = iam.Permissions{"dns": iam.Read}
	}
	entry := f.entry(iam.RoleDefine, r.AccountID, r.ID)
	f.must(func(tx iam.Tx) error { return tx.InsertRole(r, origin, entry) })
	return r
}

func (f *fixture) dropRole(r iam.Role) {
	f.Helper()
	entry := f.entry(iam.RoleDrop, r.AccountID, r.ID)
	f.must(func(tx iam.Tx) error { return tx.DropRole(r.ID, entry) })
}

func (f *fixture) operatorToken(edits ...func(*iam.Token)) iam.Token {
	f.Helper()
	token := iam.Token{ID: f.id(), Name: "t", CreatedOn: f.clock.Now()}
	token.Hash = iam.HashSecret(string(token.ID))
	for _, edit := range edits {
		edit(&token)
	}
	entry := f.entry(iam.TokenCreate, "", token.ID)
	f.must(func(tx iam.Tx) error { return tx.InsertToken(token, entry) })
	return token
}

// The built-in roles that tests give, as a fresh database has them.
const (
	readerID  iam.ID = "5c35d2bf3a545e6b7560b826c0d23c39" // Minimal Account Access
	adminID   iam.ID = "05784afa30c1afe1440e79d9351c7430" // Administrator
	weekLater        = 7 * 24 * time.Hour
)

func builtin(t testing.TB, id iam.ID) iam.Role {
	t.Helper()
	role, ok := iam.NewCatalog(nil).Find("", id)
	if !ok {
		t.Fatalf("role %s is not built in", id)
	}
	return role
}

func (f *fixture) super() iam.Role  { return builtin(f, iam.SuperAdministrator) }
func (f *fixture) reader() iam.Role { return builtin(f, readerID) }
func (f *fixture) admin() iam.Role  { return builtin(f, adminID) }

// pendingRow is an invitation that is not in the store yet.
func (f *fixture) pendingRow(a iam.Account, email string, edits ...func(*iam.Membership)) iam.Membership {
	now := f.clock.Now()
	m := iam.Membership{
		ID: f.id(), AccountID: a.ID, Email: email, Status: iam.Pending, Roles: []iam.Role{f.reader()},
		Invited: true, InvitedBy: "admin@example.com", InvitedOn: now, ExpiresOn: now.Add(weekLater),
		Grantor: iam.Grantor{Kind: iam.ByCommandLine}, Note: "Hällo,\n'you'", CreatedOn: now,
	}
	for _, edit := range edits {
		edit(&m)
	}
	return m
}

// acceptedRow is a member who was added directly and is not in the store yet.
func (f *fixture) acceptedRow(a iam.Account, u iam.User, edits ...func(*iam.Membership)) iam.Membership {
	now := f.clock.Now()
	m := iam.Membership{
		ID: f.id(), AccountID: a.ID, Email: u.Email, UserID: u.ID, Status: iam.Accepted, Roles: []iam.Role{f.reader()},
		Grantor: iam.Grantor{Kind: iam.ByCommandLine}, CreatedOn: now, AnsweredOn: now,
	}
	for _, edit := range edits {
		edit(&m)
	}
	return m
}

func withRoles(roles ...iam.Role) func(*iam.Membership) {
	return func(m *iam.Membership) { m.Roles = roles }
}

func grantedBy(u iam.User) func(*iam.Membership) {
	return func(m *iam.Membership) { m.Grantor = iam.Grantor{Kind: iam.ByUser, ID: u.ID} }
}

// insert tries to add a row.
func (f *fixture) insert(m iam.Membership) error {
	entry := f.entry(iam.InviteCreate, m.AccountID, m.ID)
	return f.update(func(tx iam.Tx) error { return tx.InsertMembership(m, iam.Link{}, entry) })
}

func (f *fixture) invite(a iam.Account, email string, edits ...func(*iam.Membership)) iam.Membership {
	f.Helper()
	m := f.pendingRow(a, email, edits...)
	if err := f.insert(m); err != nil {
		f.Fatalf("insert %s row of %s: %v", m.Status, email, err)
	}
	return m
}

func (f *fixture) member(a iam.Account, u iam.User, edits ...func(*iam.Membership)) iam.Membership {
	f.Helper()
	m := f.acceptedRow(a, u, edits...)
	if err := f.insert(m); err != nil {
		f.Fatalf("insert member %s: %v", u.Email, err)
	}
	return m
}

// change tries to bring a row from one form to another.
func (f *fixture) change(before, after iam.Membership) error {
	entry := f.entry(iam.MemberEdit, before.AccountID, before.ID)
	return f.update(func(tx iam.Tx) error { return tx.UpdateMembership(before, after, entry) })
}

func (f *fixture) mustChange(before iam.Membership, edit func(*iam.Membership)) iam.Membership {
	f.Helper()
	after := before
	edit(&after)
	if err := f.change(before, after); err != nil {
		f.Fatalf("change row to %s: %v", after.Status, err)
	}
	after.Revision++
	return after
}

// answer is what a user does with a row.
func (f *fixture) answer(m iam.Membership, u iam.User, status iam.Status) iam.Membership {
	f.Helper()
	return f.mustChange(m, func(m *iam.Membership) { m.Status, m.UserID, m.AnsweredOn = status, u.ID, f.clock.Now() })
}

// end is what takes a row away.
func (f *fixture) end(m iam.Membership, status iam.Status) iam.Membership {
	f.Helper()
	return f.mustChange(m, func(m *iam.Membership) { m.Status = status })
}

func (f *fixture) invitation(id iam.ID) iam.Invitation {
	f.Helper()
	got, err := f.store.Invitation(f.ctx(), id)
	if err != nil {
		f.Fatalf("Invitation(%s): %v", id, err)
	}
	return got
}

func (f *fixture) members(a iam.Account, query iam.MemberQuery) iam.Page[iam.Member] {
	f.Helper()
	page, err := f.store.Members(f.ctx(), a.ID, paged(query), f.clock.Now())
	if err != nil {
		f.Fatalf("Members(%+v): %v", query, err)
	}
	return page
}

func paged(query iam.MemberQuery) iam.MemberQuery {
	if query.Size == 0 {
		query.PageRequest = iam.PageRequest{Number: 1, Size: 50}
	}
	return query
}

func (f *fixture) audit(accountID iam.ID) []iam.AuditEntry {
	f.Helper()
	entries, err := f.store.Audit(f.ctx(), accountID, 0, 10_000)
	if err != nil {
		f.Fatalf("Audit: %v", err)
	}
	return entries
}

// wantErr compares an error with what it must wrap; nil wants none.
func wantErr(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

// equal compares two values as a whole.
func equal[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// idsOf names rows by their ids, for comparisons that can be read.
func idsOf[T any](rows []T, id func(T) iam.ID) []iam.ID {
	ids := make([]iam.ID, len(rows))
	for i, row := range rows {
		ids[i] = id(row)
	}
	return ids
}

func memberID(m iam.Member) iam.ID         { return m.ID }
func invitationID(i iam.Invitation) iam.ID { return i.ID }
func accountID(a iam.Account) iam.ID       { return a.ID }

// pagesOf puts a list together from its pages.
func pagesOf[T any](t testing.TB, size int, list func(page iam.PageRequest) (iam.Page[T], error)) []T {
	t.Helper()
	var all []T
	for number := 1; ; number++ {
		page, err := list(iam.PageRequest{Number: number, Size: size})
		if err != nil {
			t.Fatalf("page %d: %v", number, err)
		}
		all = append(all, page.Items...)
		if len(page.Items) > size {
			t.Fatalf("page %d has %d rows, more than %d", number, len(page.Items), size)
		}
		if len(page.Items) == 0 {
			if len(all) != page.Total {
				t.Errorf("the pages have %d rows, the total says %d", len(all), page.Total)
			}
			return all
		}
	}
}
