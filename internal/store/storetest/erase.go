package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hither/internal/iam"
)

var eraseTests = map[string]func(f *fixture){
	// The rows of an erased user end and stay, its counts agree with them, and the log
	// says what happened without saying to whom.
	"ErasureEndsRowsAndKeepsTheirNumbers": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		u := f.user("ada@example.com", named("Ada", "Lovelace"))
		other := f.user("o@example.com")
		for _, email := range []string{"former@example.com", "ada@example.com"} { // as a change of address is recorded
			entry := f.entry(iam.AddressChange, "", u.ID)
			entry.Before, entry.After = `{"email":"`+u.Email+`","first_name":"Ada","last_name":"Lovelace"}`, `{"email":"`+email+`"}`
			u.Email = email
			changed := u
			f.must(func(tx iam.Tx) error { return tx.UpdateUser(changed, entry) })
		}
		old := f.end(f.invite(a, "former@example.com"), iam.Canceled)
		in, left := f.member(a, u), f.end(f.member(b, u), iam.Left)
		asked := f.invite(b, u.Email)
		named := f.invite(a, "x@example.com", func(m *iam.Membership) { m.InvitedBy = u.Email }, grantedBy(u))
		f.member(a, other, withRoles(f.super()))
		f.clock.advance(time.Minute)
		erased, err := f.service().EraseUser(f.ctx(), iam.Actor{Kind: iam.ByCommandLine}, u.ID, false)
		wantErr(f, "EraseUser", err, nil)
		equal(f, "rows that ended", erased.Ended, 2)
		equal(f, "what is left of the user", erased.User, iam.User{
			ID: u.ID, Email: "erased-" + string(u.ID) + "@erased.invalid", Suspended: true, CreatedOn: u.CreatedOn,
		})
		for _, test := range []struct {
			row    iam.Membership
			status iam.Status
		}{{in, iam.Removed}, {left, iam.Left}, {asked, iam.Canceled}, {old, iam.Canceled}} {
			got := f.invitation(test.row.ID)
			equal(f, "row of "+test.row.Email, [2]string{string(got.Status), got.Email}, [2]string{string(test.status), erased.User.Email})
		}
		equal(f, "whom it invited", f.invitation(named.ID).InvitedBy, erased.User.Email)
		equal(f, "members of A", f.members(a, iam.MemberQuery{}).Total, 2)
		equal(f, "members of B", f.members(b, iam.MemberQuery{}).Total, 0)
		for _, entry := range f.everything() {
			text := entry.ActorEmail + entry.Before + entry.After
			for _, personal := range []string{"ada@", "former@", "Lovelace"} {
				if strings.Contains(text, personal) {
					f.Errorf("row %s of the log has %q: %s", entry.Action, personal, text)
				}
			}
		}
		// Once more nothing happens, and the address is free.
		again, err := f.service().EraseUser(f.ctx(), iam.Actor{Kind: iam.ByCommandLine}, u.ID, false)
		wantErr(f, "EraseUser again", err, nil)
		equal(f, "ended again", again.Ended, 0)
		f.user("ada@example.com")
	},

	// Who has by now an address that the person had before keeps all that is its own:
	// rows that name it, rows with that address since, and what the person did to it.
	"ErasureLeavesWhoHasTheAddressNow": func(f *fixture) {
		a := f.account("A")
		u := f.user("shared@example.com", named("Ada", "Lovelace"), func(u *iam.User) { u.Operator = true })
		older := f.end(f.invite(a, "shared@example.com"), iam.Canceled)
		f.clock.advance(time.Minute)
		prior := f.moveTo(f.user("ada@example.com", named("Cy", "Prior")), "prior@example.com")
		u = f.moveTo(u, "ada@example.com")
		f.clock.advance(time.Minute)
		next := f.user("shared@example.com", named("Bob", "Next"))
		edit := byUser(u).Entry(f.ids.New(), iam.UserEdit, "", next.ID)
		edit.Before, edit.After = `{"email":"shared@example.com","first_name":"Bo"}`, `{"email":"shared@example.com","first_name":"Bob"}`
		f.must(func(tx iam.Tx) error { return tx.UpdateUser(next, edit) })
		in, left := f.member(a, next), f.end(f.member(f.account("B"), next), iam.Left)
		open := f.invite(f.account("C"), "shared@example.com")
		gone := f.end(f.invite(f.account("D"), "shared@example.com"), iam.Canceled)
		guest := f.invite(a, "x@example.com", func(m *iam.Membership) { m.InvitedBy, m.InvitedOn = next.Email, f.clock.Now() }, grantedBy(next))
		contact := f.account("E", func(a *iam.Account) { a.AbuseContactEmail = "shared@example.com" })
		own := byUser(next).Entry(f.ids.New(), iam.UserEdit, "", next.ID)
		own.RemoteAddr, own.After = "192.0.2.1", `{"email":"shared@example.com","first_name":"Bob"}`
		f.record(own)
		said := f.entry(iam.Suppress, "", open.ID)
		said.After = `{"mailbox":"shared@example.com"}`
		f.must(func(tx iam.Tx) error {
			return tx.Queue(iam.Delivery{
				ID: "d", Kind: iam.SignInMessage, UserID: next.ID, Recipient: next.Email, State: iam.Queued, DueOn: tx.Now(), CreatedOn: tx.Now(),
			})
		})
		f.must(func(tx iam.Tx) error {
			return tx.Suppress(iam.Suppression{Mailbox: next.Email, CreatedOn: tx.Now()}, said)
		})
		nameless := f.entry(iam.InviteCancel, a.ID, f.id())
		nameless.Before = `{"email":"shared@example.com","status":"pending"}`
		f.record(nameless)
		before := f.everything()
		f.clock.advance(time.Minute)
		f.erase(u, false)
		equal(f, "the other user", f.reread(next), next)
		equal(f, "who had its address before", f.reread(prior), prior)
		for _, entry := range before {
			after := f.entryOf(entry.OperationID)
			told := entry.TargetID == u.ID || entry.TargetID == older.ID
			if entry.TargetID == next.ID && entry.ActorID == u.ID {
				equal(f, "what the person did to the other", [2]string{after.Before, after.After}, [2]string{entry.Before, entry.After})
			} else if !told && entry.ActorID != u.ID && after != entry {
				f.Errorf("%s of another became %+v, was %+v", entry.Action, after, entry)
			}
		}
		equal(f, "its row from before", f.invitation(older.ID).Email, "erased-"+string(u.ID)+"@erased.invalid")
		for _, row := range []iam.Membership{in, left, open, gone, guest} {
			equal(f, "a row of the other's", f.invitation(row.ID).Membership, row)
		}
		account, _, err := f.store.Access(f.ctx(), contact.ID, next.ID)
		wantErr(f, "Access", err, nil)
		equal(f, "contact", account.AbuseContactEmail, "shared@example.com")
		list, err := f.store.Suppressions(f.ctx(), iam.PageRequest{Number: 1, Size: 10})
		wantErr(f, "Suppressions", err, nil)
		equal(f, "suppressions", len(list), 1)
		waiting, err := f.store.Deliveries(f.ctx(), "", iam.PageRequest{Number: 1, Size: 10})
		wantErr(f, "Deliveries", err, nil)
		equal(f, "messages that wait", len(waiting), 1)
	},

	// Wherever an erasure breaks off, it goes on when it is asked for once more.
	"ErasureGoesOnWhereItWasInterrupted": func(f *fixture) {
		a := f.account("A")
		for allowed := 0; ; allowed++ {
			address := func(kind string) string { return fmt.Sprintf("%s-%d@example.com", kind, allowed) }
			u := f.user(address("former"), named("Ada", "Lovelace"))
			f.clock.advance(time.Minute)
			f.end(f.invite(a, u.Email), iam.Canceled)
			u = f.moveTo(u, address("ada"))
			f.record(byUser(u).Entry(f.ids.New(), iam.Import, a.ID, ""))
			f.end(f.invite(a, u.Email), iam.Canceled)
			service := iam.NewService(&interrupted{f.store, allowed}, f.ids.New, f.clock.Now)
			_, err := service.EraseUser(f.ctx(), operator, u.ID, false)
			if err != nil {
				wantErr(f, "EraseUser", err, errInterrupted)
				f.erase(u, false)
			}
			f.nowhere(address("former"), address("ada"), "Lovelace")
			if err == nil {
				equal(f, "transactions, at least", allowed >= 4, true)
				return
			}
		}
	},

	// What tells a former address goes last: here a step has passed it, and another one
	// has yet to come to where that address is.
	"ErasureThatWasInterruptedStillKnowsFormerAddresses": func(f *fixture) {
		a := f.account("A")
		u := f.moveTo(f.user("former@example.com"), "ada@example.com")
		entries := make([]iam.AuditEntry, 1000)
		for i := range entries {
			entries[i] = f.entry(iam.Import, a.ID, "")
		}
		last := f.entry(iam.InviteCancel, a.ID, f.id())
		last.Before = `{"email":"former@example.com","status":"pending"}`
		f.must(func(tx iam.Tx) error {
			for _, entry := range append(slices.Clone(entries), last) {
				if err := tx.Record(entry); err != nil {
					return err
				}
			}
			return nil
		})
		service := iam.NewService(&interrupted{f.store, 2}, f.ids.New, f.clock.Now)
		_, err := service.EraseUser(f.ctx(), operator, u.ID, false)
		wantErr(f, "EraseUser", err, errInterrupted)
		f.erase(u, false)
		f.nowhere("former@", "ada@")
	},

	// What is written behind the first pass over the log is found by the second.
	"ErasureFindsWhatIsWrittenBesideIt": func(f *fixture) {
		a := f.account("A")
		u := f.user("ada@example.com")
		beside := &interposed{Store: f.store, at: 4, do: func() {
			entry := f.entry(iam.InviteCreate, a.ID, f.id())
			entry.After = `{"email":"ada@example.com"}`
			f.record(entry)
		}}
		_, err := iam.NewService(beside, f.ids.New, f.clock.Now).EraseUser(f.ctx(), operator, u.ID, false)
		wantErr(f, "EraseUser", err, nil)
		if beside.at > 0 {
			f.Fatal("nothing was written beside it")
		}
		f.nowhere("ada@example.com")
	},

	"ErasureReachesWhatOnlyStandsForTheAddress": func(f *fixture) {
		a := f.account("A", func(a *iam.Account) { a.AbuseContactEmail = "R&D.Ada+old@Example.com" })
		u := f.moveTo(f.user("r&d.ada+old@example.com"), "ada@example.com")
		f.clock.advance(time.Minute)
		late := f.invite(a, "r&d.ada+old@example.com") // nobody has it any more
		said := f.entry(iam.Suppress, "", late.ID)
		said.After = `{"mailbox":"r&d.ada@example.com"}`
		f.must(func(tx iam.Tx) error {
			return tx.Suppress(iam.Suppression{Mailbox: "r&d.ada@example.com", AccountID: a.ID, CreatedOn: tx.Now()}, said)
		})
		changed := f.entry(iam.AccountChange, a.ID, a.ID)
		changed.After = `{"abuse_contact_email":"R&D.Ada+old@Example.com"}`
		f.record(changed)
		keep := func(n byte, email string) {
			text, err := json.Marshal(map[string]string{"email": email})
			wantErr(f, "Marshal", err, nil)
			f.must(func(tx iam.Tx) error { return tx.KeepOutcome([32]byte{n}, iam.Outcome{Result: string(text)}) })
		}
		keep(1, "r&d.ada+old@example.com")
		keep(2, "grand.ada@example.com")
		erased := f.erase(u, false)
		equal(f, "rows that ended", erased.Ended, 1)
		equal(f, "the invitation of a former address", f.invitation(late.ID).Status, iam.Canceled)
		f.nowhere("ada+old@", "ada@", "Ada+old@", `"r\u0026d`, `"mailbox":"r`)
		account, _, err := f.store.Access(f.ctx(), a.ID, u.ID)
		wantErr(f, "Access", err, nil)
		equal(f, "contact", account.AbuseContactEmail, "")
		list, err := f.store.Suppressions(f.ctx(), iam.PageRequest{Number: 1, Size: 10})
		wantErr(f, "Suppressions", err, nil)
		equal(f, "suppressions", len(list), 0)
		for n, want := range map[byte]error{1: iam.ErrNoRow, 2: nil} {
			err := f.update(func(tx iam.Tx) error { _, err := tx.Outcome([32]byte{n}); return err })
			wantErr(f, fmt.Sprintf("outcome %d", n), err, want)
		}
	},

	"ErasureIsRefusedToTheLastSuperAdministrator": func(f *fixture) {
		a := f.account("A")
		u := f.user("u@example.com")
		m := f.member(a, u, withRoles(f.super()))
		_, err := f.service().EraseUser(f.ctx(), iam.Actor{Kind: iam.ByCommandLine}, u.ID, false)
		equal(f, "kind of refusal", iam.KindOf(err), iam.LastSuperAdmin)
		equal(f, "its row", f.invitation(m.ID).Status, iam.Accepted)
		_, err = f.service().EraseUser(f.ctx(), iam.Actor{Kind: iam.ByCommandLine}, u.ID, true)
		wantErr(f, "forced", err, nil)
		account, _, err := f.store.Access(f.ctx(), a.ID, u.ID)
		wantErr(f, "Access", err, nil)
		equal(f, "flagged", account.NeedsSuperAdmin, true)
	},
}

// everything is the whole audit log.
func (f *fixture) everything() []iam.AuditEntry {
	f.Helper()
	var entries []iam.AuditEntry
	f.must(func(tx iam.Tx) error {
		entries = nil
		_, err := tx.RewriteAudit(iam.AuditPart{Limit: 10_000}, func(entry *iam.AuditEntry) bool {
			entries = append(entries, *entry)
			return false
		})
		return err
	})
	return entries
}

func (f *fixture) erase(u iam.User, force bool) iam.Erased {
	f.Helper()
	erased, err := f.service().EraseUser(f.ctx(), operator, u.ID, force)
	wantErr(f, "EraseUser", err, nil)
	return erased
}

// moveTo gives a user another address, as that is recorded.
func (f *fixture) moveTo(u iam.User, email string) iam.User {
	f.Helper()
	entry := byUser(u).Entry(f.ids.New(), iam.AddressChange, "", u.ID)
	state := func(email string) string {
		return fmt.Sprintf(`{"email":%q,"first_name":%q,"last_name":%q}`, email, u.FirstName, u.LastName)
	}
	entry.Before, entry.After = state(u.Email), state(email)
	u.Email = email
	f.must(func(tx iam.Tx) error { return tx.UpdateUser(u, entry) })
	return u
}

// nowhere says that the log has none of some texts.
func (f *fixture) nowhere(texts ...string) {
	f.Helper()
	for _, entry := range f.everything() {
		for _, text := range texts {
			if row := entry.ActorEmail + entry.Before + entry.After; strings.Contains(row, text) {
				f.Errorf("row %s of the log has %q: %s", entry.Action, text, row)
			}
		}
	}
}

func (f *fixture) reread(u iam.User) iam.User {
	f.Helper()
	user, err := f.store.User(f.ctx(), u.ID)
	wantErr(f, "User", err, nil)
	return user
}

func (f *fixture) entryOf(operation string) iam.AuditEntry {
	f.Helper()
	all := f.everything()
	at := slices.IndexFunc(all, func(e iam.AuditEntry) bool { return e.OperationID == operation })
	if at < 0 {
		f.Fatalf("row %s is gone", operation)
	}
	return all[at]
}

var errInterrupted = errors.New("interrupted")

// interrupted is a store that takes some transactions, and then no more.
type interrupted struct {
	iam.Store

	left int
}

func (s *interrupted) Update(ctx context.Context, fn func(tx iam.Tx) error) error {
	if s.left--; s.left < 0 {
		return errInterrupted
	}
	return s.Store.Update(ctx, fn)
}

// interposed is a store that has something else done before one of its transactions.
type interposed struct {
	iam.Store

	at int
	do func()
}

func (s *interposed) Update(ctx context.Context, fn func(tx iam.Tx) error) error {
	if s.at--; s.at == 0 {
		s.do()
	}
	return s.Store.Update(ctx, fn)
}
