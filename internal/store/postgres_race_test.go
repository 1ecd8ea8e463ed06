package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"hither/internal/clock"
	"hither/internal/iam"
	"hither/internal/id"
	"hither/test/postgres"
)

// world is a store on PostgreSQL with short ways to bring rows about.
type world struct {
	*testing.T
	store *Store
	url   string
	ids   *id.Source
}

func newWorld(t *testing.T, options Options) *world {
	t.Helper()
	url := postgres.Database(t)
	return &world{T: t, store: openPostgres(t, url, options), url: url, ids: newIDs()}
}

func newIDs() *id.Source { return id.NewSource(clock.Now) }

func (w *world) transactor() *transactor {
	w.Helper()
	writer, ok := w.store.writer.(*transactor)
	if !ok {
		w.Fatalf("the updater is a %T", w.store.writer)
	}
	return writer
}

func (w *world) id() iam.ID { return iam.ID(w.ids.New()) }

func (w *world) entry(action iam.Action, account, target iam.ID) iam.AuditEntry {
	return operatorOnPostgres.Entry(w.ids.New(), action, account, target)
}

var operatorOnPostgres = iam.Actor{Kind: iam.ByCommandLine}

func (w *world) must(fn func(tx iam.Tx) error) {
	w.Helper()
	if err := w.store.Update(w.Context(), fn); err != nil {
		w.Fatalf("update: %v", err)
	}
}

func (w *world) account(limit int) iam.Account {
	w.Helper()
	a := iam.Account{ID: w.id(), Name: "A", Type: iam.Standard, MemberLimit: limit, CreatedOn: time.Now()}
	entry := w.entry(iam.AccountCreate, a.ID, a.ID)
	w.must(func(tx iam.Tx) error { return tx.InsertAccount(a, entry) })
	return a
}

func (w *world) user(name string) iam.User {
	w.Helper()
	u := iam.User{ID: w.id(), Email: name + "@example.com", Verified: true, FirstName: name, CreatedOn: time.Now()}
	entry := w.entry(iam.UserCreate, "", u.ID)
	w.must(func(tx iam.Tx) error { return tx.InsertUser(u, entry) })
	return u
}

func (w *world) pending(a iam.Account, email string, roles ...iam.Role) iam.Membership {
	if roles == nil {
		roles = []iam.Role{w.builtin("5c35d2bf3a545e6b7560b826c0d23c39")}
	}
	return iam.Membership{
		ID: w.id(), AccountID: a.ID, Email: email, Status: iam.Pending, Roles: roles, Invited: true, InvitedBy: "x",
		InvitedOn: time.Now(), ExpiresOn: time.Now().Add(time.Hour), Grantor: operatorOnPostgres.Grantor(), CreatedOn: time.Now(),
	}
}

func (w *world) accepted(a iam.Account, u iam.User, roles ...iam.Role) iam.Membership {
	m := w.pending(a, u.Email, roles...)
	m.Status, m.UserID, m.AnsweredOn = iam.Accepted, u.ID, time.Now()
	return m
}

func (w *world) builtin(id iam.ID) iam.Role {
	role, ok := iam.BuiltinRole(id)
	if !ok {
		w.Fatalf("role %s is not built in", id)
	}
	return role
}

func (w *world) super() iam.Role { return w.builtin(iam.SuperAdministrator) }

func (w *world) insert(m iam.Membership) iam.Membership {
	w.Helper()
	entry := w.entry(iam.InviteCreate, m.AccountID, m.ID)
	w.must(func(tx iam.Tx) error { return tx.InsertMembership(m, iam.Link{}, entry) })
	return m
}

// number reads one with a statement of the test's own.
func (w *world) number(statement string, args ...any) int64 {
	w.Helper()
	n, err := read(context.Background(), w.store, func(v *view) (int64, error) {
		var n number
		err := one(v, statement, args, &n)
		return int64(n), err
	})
	if err != nil {
		w.Fatalf("%s: %v", statement, err)
	}
	return n
}

// waiters counts the transactions that wait for another one.
const waiters = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`

// eventually waits until something holds; it fails the test where it never does.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	if !await(holds) {
		t.Fatalf("waited in vain for: %s", what)
	}
}

func await(holds func() bool) bool {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(20 * time.Second); !holds(); <-ticker.C {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// race is two use cases that would do harm if both read their facts before
// either writes.
type race struct {
	// one and other are closures; between its facts and its writes each calls
	// pause.
	one, other func(tx iam.Tx, pause func()) error
	// harm tells whether a rule is broken afterwards.
	harm func() bool
}

// run has the two meet: each waits between facts and writes until the other is
// there too, or is seen to wait for a lock. Then one writes first, and holds its
// commit back until the other is done, or waits.
func (w *world) run(r race) {
	w.Helper()
	arrived, wrote, done := make(chan int, 64), make(chan struct{}), make(chan struct{})
	written := sync.OnceFunc(func() { close(wrote) })
	release := []chan struct{}{make(chan struct{}), make(chan struct{})}
	var wg sync.WaitGroup
	for i, fn := range []func(tx iam.Tx, pause func()) error{r.one, r.other} {
		wg.Go(func() {
			err := w.store.Update(w.Context(), func(tx iam.Tx) error {
				err := fn(tx, func() {
					arrived <- i
					<-release[i]
				})
				if i == 0 {
					written()
				}
				if i == 0 && !await(func() bool { return isClosed(done) || w.number(waiters) > 0 }) {
					w.Error("the other closure neither waits nor ends")
				}
				return err
			})
			if i == 1 {
				close(done)
			}
			if err != nil && !errors.Is(err, errRefusedByRule) && !errors.Is(err, iam.ErrStale) {
				w.Errorf("closure %d: %v", i, err)
			}
		})
	}
	first, both := <-arrived, false
	met := await(func() bool {
		select {
		case i := <-arrived:
			both = i != first
			return both
		default:
			return w.number(waiters) > 0
		}
	})
	if !met {
		w.Error("the other closure neither comes nor waits")
	}
	close(release[0])
	if both {
		<-wrote
	}
	close(release[1])
	wg.Wait()
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

var errRefusedByRule = errors.New("refused by a rule")

// races are the rules that locks keep; the comments of locks.go name them.
var races = map[string]func(w *world) race{
	// KF-14, KF-16
	"the last seat": func(w *world) race {
		a := w.account(1)
		invite := func(email string) func(tx iam.Tx, pause func()) error {
			m := w.pending(a, email)
			entry := w.entry(iam.InviteCreate, a.ID, m.ID)
			return func(tx iam.Tx, pause func()) error {
				facts, err := tx.InviteFacts(a.ID, email, operatorOnPostgres)
				if err != nil {
					return err
				}
				pause()
				if facts.Seats.Taken() >= facts.Account.MemberLimit {
					return errRefusedByRule
				}
				return tx.InsertMembership(m, iam.Link{}, entry)
			}
		}
		return race{invite("a@example.com"), invite("b@example.com"), func() bool {
			return w.number(`SELECT count(*) FROM memberships`) != 1
		}}
	},

	// KF-88
	"one leaves while the other is suspended": func(w *world) race {
		a, u, v := w.account(0), w.user("u"), w.user("v")
		leaver := w.insert(w.accepted(a, u, w.super()))
		w.insert(w.accepted(a, v, w.super()))
		return race{w.leave(leaver, u), w.suspend(v), w.ungoverned}
	},

	"somebody is made Super Administrator while it is suspended": func(w *world) race {
		a, v := w.account(0), w.user("v")
		member := w.insert(w.accepted(a, v))
		entry := w.entry(iam.MemberEdit, a.ID, member.ID)
		return race{func(tx iam.Tx, pause func()) error {
			facts, err := tx.MemberFacts(a.ID, member.ID, operatorOnPostgres)
			if err != nil {
				return err
			}
			pause()
			if !facts.TargetActive {
				return errRefusedByRule
			}
			after := facts.Target
			after.Roles = []iam.Role{w.super()}
			return tx.UpdateMembership(facts.Target, after, entry)
		}, w.suspend(v), w.ungoverned}
	},

	"somebody becomes Super Administrator by an answer while it is suspended": func(w *world) race {
		a, v := w.account(0), w.user("v")
		m := w.insert(w.pending(a, v.Email, w.super()))
		return race{w.accept(m, v), w.suspend(v), w.ungoverned}
	},

	"a role is dropped while it is given": func(w *world) race {
		a := w.account(0)
		role := iam.Role{ID: w.id(), Name: "R", Permissions: iam.Permissions{"dns": iam.Read}}
		define := w.entry(iam.RoleDefine, "", role.ID)
		w.must(func(tx iam.Tx) error { return tx.InsertRole(role, iam.OriginFile, define) })
		m := w.pending(a, "a@example.com", role)
		entry, drop := w.entry(iam.InviteCreate, a.ID, m.ID), w.entry(iam.RoleDrop, "", role.ID)
		return race{func(tx iam.Tx, pause func()) error {
			facts, err := tx.InviteFacts(a.ID, m.Email, operatorOnPostgres)
			if err != nil {
				return err
			}
			pause()
			if _, ok := facts.Catalog.Find(a.ID, role.ID); !ok {
				return errRefusedByRule
			}
			return tx.InsertMembership(m, iam.Link{}, entry)
		}, func(tx iam.Tx, pause func()) error {
			holders, err := tx.RoleHolders(role.ID)
			if err != nil {
				return err
			}
			pause()
			if holders > 0 {
				return errRefusedByRule
			}
			return tx.DropRole(role.ID, drop)
		}, func() bool {
			return w.number(`SELECT count(*) FROM memberships m JOIN roles r ON r.id = m.roles AND r.dropped_on > 0`) > 0
		}}
	},

	"somebody accepts while it is renamed": func(w *world) race {
		a, v := w.account(0), w.user("v")
		m := w.insert(w.pending(a, v.Email))
		entry := w.entry(iam.UserEdit, "", v.ID)
		return race{w.accept(m, v), func(tx iam.Tx, pause func()) error {
			facts, err := tx.UserFacts(v.ID)
			if err != nil {
				return err
			}
			pause()
			after := facts.User
			after.FirstName = "Other"
			return tx.UpdateUser(after, entry)
		}, func() bool {
			return w.number(`SELECT count(*) FROM memberships m JOIN users u ON u.id = m.user_id
				WHERE m.status = 'accepted' AND m.first_name <> u.first_name`) > 0
		}}
	},

	"two change one user": func(w *world) race {
		v := w.user("v")
		change := func(edit func(*iam.User)) func(tx iam.Tx, pause func()) error {
			entry := w.entry(iam.UserEdit, "", v.ID)
			return func(tx iam.Tx, pause func()) error {
				facts, err := tx.UserFacts(v.ID)
				if err != nil {
					return err
				}
				pause()
				edit(&facts.User)
				return tx.UpdateUser(facts.User, entry)
			}
		}
		return race{
			change(func(u *iam.User) { u.FirstName = "Other" }),
			change(func(u *iam.User) { u.TwoFactor = true }),
			func() bool {
				return w.number(`SELECT count(*) FROM users WHERE first_name = 'Other' AND two_factor = 1`) != 1
			},
		}
	},

	// What it writes must be visible to who takes it out of the rows.
	"somebody invites while it is erased": func(w *world) race {
		a, v := w.account(0), w.user("v")
		w.insert(w.accepted(a, v))
		m := w.pending(a, "a@example.com")
		m.InvitedBy = v.Email
		entry, end := w.entry(iam.InviteCreate, a.ID, m.ID), w.entry(iam.UserErase, "", v.ID)
		return race{func(tx iam.Tx, pause func()) error {
			facts, err := tx.AccountFacts(a.ID, iam.Actor{Kind: iam.ByUser, User: v})
			if err != nil {
				return err
			}
			pause()
			if facts.Own == nil {
				return errRefusedByRule
			}
			return tx.InsertMembership(m, iam.Link{}, entry)
		}, func(tx iam.Tx, pause func()) error {
			facts, err := tx.EraseFacts(v.ID, nil)
			if err != nil {
				return err
			}
			pause()
			erasure := iam.Erasure{UserID: v.ID, Instead: "erased@erased.invalid", Addresses: []iam.HadAddress{{Address: facts.User.Email}}}
			_, err = tx.CloseUser(erasure, end)
			return err
		}, func() bool { return w.number(`SELECT count(*) FROM memberships WHERE invited_by = $1`, v.Email) > 0 }}
	},

	"two who did something to each other are erased": func(w *world) race {
		entry := w.entry(iam.UserEdit, "", w.id())
		entry.Before, entry.After = "one", "other"
		w.must(func(tx iam.Tx) error { return tx.Record(entry) })
		erase := func(clean func(entry *iam.AuditEntry)) func(tx iam.Tx, pause func()) error {
			return func(tx iam.Tx, pause func()) error {
				paused := false
				_, err := tx.RewriteAudit(iam.AuditPart{Limit: 10}, func(row *iam.AuditEntry) bool {
					if row.OperationID != entry.OperationID {
						return false
					}
					if !paused {
						pause()
					}
					paused = true
					clean(row)
					return true
				})
				return err
			}
		}
		return race{
			erase(func(row *iam.AuditEntry) { row.Before = "" }),
			erase(func(row *iam.AuditEntry) { row.After = "" }),
			func() bool {
				return w.number(`SELECT count(*) FROM audit WHERE state_before || state_after <> ''`+" AND action = 'user.edit'") > 0
			},
		}
	},

	"an account is deleted while somebody is invited": func(w *world) race {
		a := w.account(0)
		m := w.pending(a, "a@example.com")
		entry, end := w.entry(iam.InviteCreate, a.ID, m.ID), w.entry(iam.AccountDelete, a.ID, a.ID)
		return race{func(tx iam.Tx, pause func()) error {
			_, err := tx.InviteFacts(a.ID, m.Email, operatorOnPostgres)
			if errors.Is(err, iam.ErrNoRow) {
				return errRefusedByRule
			}
			if err != nil {
				return err
			}
			pause()
			return tx.InsertMembership(m, iam.Link{}, entry)
		}, func(tx iam.Tx, pause func()) error {
			if _, err := tx.AccountFacts(a.ID, operatorOnPostgres); err != nil {
				return err
			}
			pause()
			return tx.DeleteAccount(a.ID, end)
		}, func() bool {
			return w.number(`SELECT count(*) FROM memberships m JOIN accounts a ON a.id = m.account_id AND a.deleted_on > 0
				WHERE m.status = 'pending'`) > 0
		}}
	},
}

func (w *world) leave(m iam.Membership, u iam.User) func(tx iam.Tx, pause func()) error {
	entry := w.entry(iam.MemberLeave, m.AccountID, m.ID)
	return func(tx iam.Tx, pause func()) error {
		facts, err := tx.AnswerFacts(m.ID, u.ID)
		if err != nil {
			return err
		}
		pause()
		if facts.OtherSuperAdmins == 0 {
			return errRefusedByRule
		}
		after := facts.Invitation.Membership
		after.Status = iam.Left
		return tx.UpdateMembership(facts.Invitation.Membership, after, entry)
	}
}

func (w *world) accept(m iam.Membership, u iam.User) func(tx iam.Tx, pause func()) error {
	entry := w.entry(iam.InviteAccept, m.AccountID, m.ID)
	return func(tx iam.Tx, pause func()) error {
		facts, err := tx.AnswerFacts(m.ID, u.ID)
		if err != nil {
			return err
		}
		pause()
		if facts.User.Suspended {
			return errRefusedByRule
		}
		after := facts.Invitation.Membership
		after.Status, after.UserID = iam.Accepted, u.ID
		return tx.UpdateMembership(facts.Invitation.Membership, after, entry)
	}
}

func (w *world) suspend(u iam.User) func(tx iam.Tx, pause func()) error {
	entry := w.entry(iam.UserSuspend, "", u.ID)
	return func(tx iam.Tx, pause func()) error {
		facts, err := tx.UserFacts(u.ID)
		if err != nil {
			return err
		}
		pause()
		if len(facts.LastAdminOf) > 0 {
			return errRefusedByRule
		}
		facts.User.Suspended = true
		return tx.UpdateUser(facts.User, entry)
	}
}

// ungoverned tells whether an account that has a Super Administrator, or had
// one, has none that can act.
func (w *world) ungoverned() bool {
	return w.number(`SELECT count(*) FROM accounts a
		WHERE EXISTS (SELECT 1 FROM memberships m WHERE m.account_id = a.id AND m.super = 1 AND m.status <> 'pending')
		AND NOT EXISTS (SELECT 1 FROM memberships m JOIN users u ON u.id = m.user_id AND u.suspended = 0
			WHERE m.account_id = a.id AND m.super = 1 AND m.status = 'accepted')`) > 0
}

// TestLocksKeepRules has use cases meet between facts and writes, in either
// order. The control takes the locks away: then each rule breaks, or the test
// would prove nothing.
func TestLocksKeepRules(t *testing.T) {
	t.Parallel()
	for name, prepare := range races {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, locked := range []bool{true, false} {
				t.Run(fmt.Sprintf("locked=%t", locked), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, Options{})
					if !locked {
						w.transactor().newLocks = func(bool) *locks { return nil }
					}
					r := prepare(w)
					w.run(r)
					if harmed := r.harm(); harmed == locked {
						t.Errorf("a rule was broken: got %t, want %t", harmed, !locked)
					}
				})
			}
		})
	}
}

// TestClosuresRunAgain holds what makes PostgreSQL run a closure again.
func TestClosuresRunAgain(t *testing.T) {
	t.Parallel()
	t.Run("a deadlock", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, Options{})
		users := []iam.User{w.user("a"), w.user("b")}
		var wg, both sync.WaitGroup
		both.Add(len(users))
		for i := range users {
			entry, met := w.entry(iam.UserEdit, "", users[i].ID), sync.OnceFunc(func() { both.Done(); both.Wait() })
			wg.Go(func() {
				w.must(func(tx iam.Tx) error {
					if err := inside(tx).lockUser(users[i].ID); err != nil {
						return err
					}
					met()
					if err := inside(tx).lockUser(users[1-i].ID); err != nil {
						return err
					}
					return tx.Record(entry)
				})
			})
		}
		wg.Wait()
		if got := w.store.Stats().Reruns; got < 1 {
			t.Errorf("reruns: got %d, want one at least", got)
		}
	})

	t.Run("a serialization failure, so many times", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, Options{})
		for _, test := range []struct {
			failures int
			want     iam.Kind
			runs     int
		}{{3, 0, 4}, {maxTries, iam.Unavailable, maxTries}} {
			runs, entry := 0, w.entry(iam.Import, "", "")
			err := w.store.Update(t.Context(), func(tx iam.Tx) error {
				if runs++; runs <= test.failures {
					_, err := inside(tx).exec(`DO $$ BEGIN RAISE EXCEPTION 'met' USING ERRCODE = '40001'; END $$`)
					return err
				}
				return tx.Record(entry)
			})
			if (err != nil) != (test.want != 0) || err != nil && iam.KindOf(err) != test.want || runs != test.runs {
				t.Errorf("after %d failures: got %v after %d runs, want kind %d after %d", test.failures, err, runs, test.want, test.runs)
			}
		}
	})

	// Both find that nobody has the address, and one makes the user.
	t.Run("a row that was not there", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, Options{})
		var wg, both sync.WaitGroup
		const callers = 2
		both.Add(callers)
		for range callers {
			a, u := w.account(0), iam.User{ID: w.id(), Email: "new@example.com", Verified: true}
			m := w.accepted(a, u)
			create, add, met := w.entry(iam.UserCreate, "", u.ID), w.entry(iam.MemberAdd, a.ID, m.ID), sync.OnceFunc(func() { both.Done(); both.Wait() })
			wg.Go(func() {
				w.must(func(tx iam.Tx) error {
					facts, err := tx.InviteFacts(a.ID, u.Email, operatorOnPostgres)
					if err != nil {
						return err
					}
					met()
					row := m
					if facts.User != nil {
						row.UserID = facts.User.ID
					} else if err := tx.InsertUser(u, create); err != nil {
						return err
					}
					return tx.InsertMembership(row, iam.Link{}, add)
				})
			})
		}
		wg.Wait()
		if got := w.number(`SELECT count(*) FROM memberships m JOIN users u ON u.id = m.user_id`); got != callers {
			t.Errorf("members: got %d, want %d", got, callers)
		}
	})
}

func inside(t iam.Tx) *tx {
	own, _ := t.(*tx) // a panic says what it was
	return own
}

// TestLockTimeoutIsBusy holds that who waits too long is told to come again,
// and that what it did is undone.
func TestLockTimeoutIsBusy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{busyTimeout: 200 * time.Millisecond})
	a, entries := w.account(0), []iam.AuditEntry{w.entry(iam.Import, "", ""), w.entry(iam.Import, "", "")}
	held, done := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		w.must(func(tx iam.Tx) error {
			if _, err := tx.AccountFacts(a.ID, operatorOnPostgres); err != nil {
				return err
			}
			close(held)
			<-done
			return tx.Record(entries[0])
		})
	})
	<-held
	err := w.store.Update(t.Context(), func(tx iam.Tx) error {
		if err := tx.Record(entries[1]); err != nil {
			return err
		}
		_, err := tx.AccountFacts(a.ID, operatorOnPostgres)
		return err
	})
	var refusal *iam.Error
	if !errors.As(err, &refusal) || refusal.Kind != iam.Unavailable || refusal.Undecided {
		t.Errorf("got %v, want Unavailable and decided", err)
	}
	close(done)
	wg.Wait()
	audit, err := w.store.Audit(t.Context(), "", 0, 100)
	operations := make([]string, len(audit))
	for i, row := range audit {
		operations[i] = row.OperationID
	}
	if err != nil || !slices.Contains(operations, entries[0].OperationID) || slices.Contains(operations, entries[1].OperationID) {
		t.Errorf("operations: got %v, %v, want the first one's only", operations, err)
	}
}
