package storetest

import (
	"context"
	"errors"
	"strings"
	"time"

	"hither/internal/iam"
)

var auditTests = map[string]func(f *fixture){
	"AuditRowComesBackAsItWas": func(f *fixture) {
		want := iam.AuditEntry{
			OperationID: f.ids.New(), Actor: iam.ByUser, ActorID: f.id(), ActorEmail: "a@example.com", Credential: f.id(),
			Means: iam.MeansToken, UserID: f.id(),
			Action: iam.InviteAccept, Denied: "forbidden", AccountID: f.id(), TargetID: f.id(),
			Before: `{"a":1}`, After: `{"a":"ü"}`, RemoteAddr: "192.0.2.1", RequestID: "r",
		}
		written := want
		written.Seq, written.At = 77, f.clock.Now().Add(weekLater) // the store gives both
		f.must(func(tx iam.Tx) error { return tx.Record(written) })
		got := f.audit(want.AccountID)
		want.At = f.clock.Now()
		if len(got) != 1 || got[0].Seq <= 0 {
			f.Fatalf("got %+v, want one row with a position", got)
		}
		want.Seq = got[0].Seq
		equal(f, "audit row", got[0], want)
	},

	"AuditIsReadOnFromAPosition": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		entries := []iam.AuditEntry{f.entry(iam.Import, a.ID, "1"), f.entry(iam.Import, b.ID, "2"), f.entry(iam.Import, "", "3"), f.entry(iam.Import, a.ID, "4")}
		for _, entry := range entries {
			f.must(func(tx iam.Tx) error { return tx.Record(entry) })
		}
		all := f.audit(a.ID)
		targets := idsOf(all, func(e iam.AuditEntry) iam.ID { return e.TargetID })
		equal(f, "of the account, oldest first", targets, []iam.ID{a.ID, "1", "4"})
		rest, err := f.store.Audit(f.ctx(), a.ID, all[0].Seq, 1)
		wantErr(f, "Audit", err, nil)
		equal(f, "the next one", rest, all[1:2])
		rest, err = f.store.Audit(f.ctx(), a.ID, all[2].Seq, 9)
		wantErr(f, "Audit", err, nil)
		equal(f, "after the last", len(rest), 0)
		none := f.audit("")
		equal(f, "of no account", none[len(none)-1].TargetID, "3")
	},

	// An operation whose answer was lost is found by its id, and never done
	// twice: whatever write carries the id of one that took place fails whole.
	"OperationIDIsUnique": func(f *fixture) {
		a := f.account("A")
		u := f.user("u@example.com")
		m := f.invite(a, u.Email)
		done := f.entry(iam.Import, a.ID, "")
		f.must(func(tx iam.Tx) error { return tx.Record(done) })
		changed, role := m, iam.Role{ID: f.id(), Name: "R", Permissions: iam.Permissions{"dns": iam.Read}}
		changed.Status = iam.Canceled
		renamed, account := u, a
		renamed.FirstName, account.Name = "x", "x"
		token, key := iam.Token{ID: f.id()}, iam.Key{ID: f.id(), UserID: u.ID}
		other := f.pendingRow(a, "other@example.com")
		before := len(f.audit(a.ID))
		for what, fn := range map[string]func(tx iam.Tx) error{
			"Record":           func(tx iam.Tx) error { return tx.Record(done) },
			"InsertMembership": func(tx iam.Tx) error { return tx.InsertMembership(other, iam.Link{}, done) },
			"UpdateMembership": func(tx iam.Tx) error { return tx.UpdateMembership(m, changed, done) },
			"InsertUser":       func(tx iam.Tx) error { return tx.InsertUser(iam.User{ID: f.id(), Email: "n@example.com"}, done) },
			"UpdateUser":       func(tx iam.Tx) error { return tx.UpdateUser(renamed, done) },
			"InsertAccount": func(tx iam.Tx) error {
				return tx.InsertAccount(iam.Account{ID: f.id(), Name: "N", Type: iam.Standard}, done)
			},
			"UpdateAccount": func(tx iam.Tx) error { return tx.UpdateAccount(account, done) },
			"DeleteAccount": func(tx iam.Tx) error { return tx.DeleteAccount(a.ID, done) },
			"InsertKey":     func(tx iam.Tx) error { return tx.InsertKey(key, done) },
			"InsertToken":   func(tx iam.Tx) error { return tx.InsertToken(token, done) },
			"InsertRole":    func(tx iam.Tx) error { return tx.InsertRole(role, iam.OriginImport, done) },
		} {
			wantErr(f, what, f.update(fn), iam.ErrDuplicate)
		}
		equal(f, "audit rows", len(f.audit(a.ID)), before)
		equal(f, "row", f.invitation(m.ID), iam.Invitation{Membership: m, Account: a})
		equal(f, "members", f.members(a, iam.MemberQuery{}).Total, 1)
		users, err := f.store.Users(f.ctx(), iam.PageRequest{Number: 1, Size: 9})
		wantErr(f, "Users", err, nil)
		equal(f, "users", users, iam.Page[iam.User]{Items: []iam.User{u}, Total: 1})
		accounts, err := f.store.Accounts(f.ctx(), "", iam.AccountQuery{PageRequest: iam.PageRequest{Number: 1, Size: 9}})
		wantErr(f, "Accounts", err, nil)
		equal(f, "accounts", accounts, iam.Page[iam.Account]{Items: []iam.Account{a}, Total: 1})
	},
}

var transactionTests = map[string]func(f *fixture){
	"ErrorUndoesTheTransaction": func(f *fixture) {
		a := f.account("A")
		m, stop := f.pendingRow(a, "u@example.com"), errors.New("stop")
		entry := f.entry(iam.InviteCreate, a.ID, m.ID)
		err := f.update(func(tx iam.Tx) error {
			if err := tx.InsertMembership(m, iam.Link{}, entry); err != nil {
				return err
			}
			return stop
		})
		wantErr(f, "Update", err, stop)
		_, err = f.store.Invitation(f.ctx(), m.ID)
		wantErr(f, "Invitation", err, iam.ErrNoRow)
		equal(f, "members", f.members(a, iam.MemberQuery{}).Total, 0)
		equal(f, "audit rows", len(f.audit(a.ID)), 1)
	},

	// A statement that failed has ended the transaction on some engines and
	// left half a write on others: nothing can be made of it by ignoring that.
	"WriteThatFailedCannotBeIgnored": func(f *fixture) {
		a := f.account("A")
		m := f.invite(a, "u@example.com")
		done := f.entry(iam.Import, a.ID, "")
		f.must(func(tx iam.Tx) error { return tx.Record(done) })
		changed := m
		changed.Status = iam.Canceled
		err := f.update(func(tx iam.Tx) error {
			_ = tx.UpdateMembership(m, changed, done) // the row is changed before its audit row is refused
			return nil
		})
		wantErr(f, "Update", err, iam.ErrDuplicate)
		equal(f, "row", f.invitation(m.ID).Membership, m)
	},

	// What goes with a guarded write, its counts and its audit row, may have been
	// written when the guard refuses.
	"GuardThatRefusedCannotBeIgnored": func(f *fixture) {
		a := f.account("A")
		m := f.invite(a, "u@example.com")
		stale, changed, gone := m, m, f.pendingRow(a, "v@example.com")
		stale.Revision, changed.Status, gone.AccountID = 7, iam.Canceled, f.id()
		rows := len(f.audit(a.ID))
		for what, write := range map[string]struct {
			fn   func(tx iam.Tx, entry iam.AuditEntry) error
			want error
		}{
			"UpdateMembership": {func(tx iam.Tx, entry iam.AuditEntry) error { return tx.UpdateMembership(stale, changed, entry) }, iam.ErrStale},
			"InsertMembership": {func(tx iam.Tx, entry iam.AuditEntry) error { return tx.InsertMembership(gone, iam.Link{}, entry) }, iam.ErrNoRow},
		} {
			entry := f.entry(iam.Import, a.ID, m.ID)
			err := f.update(func(tx iam.Tx) error {
				_ = write.fn(tx, entry)
				return nil
			})
			wantErr(f, what, err, write.want)
		}
		equal(f, "audit rows", len(f.audit(a.ID)), rows)
		equal(f, "members", f.members(a, iam.MemberQuery{}).Total, 1)
	},

	"ReadsInATransactionSeeItsWrites": func(f *fixture) {
		a := f.account("A")
		u := f.user("u@example.com")
		m := f.pendingRow(a, u.Email)
		one, two := f.entry(iam.InviteCreate, a.ID, m.ID), f.entry(iam.InviteAccept, a.ID, m.ID)
		f.must(func(tx iam.Tx) error {
			if err := tx.InsertMembership(m, iam.Link{}, one); err != nil {
				return err
			}
			facts, err := tx.AnswerFacts(m.ID, u.ID)
			if err != nil {
				return err
			}
			equal(f, "AnswerFacts", facts.Invitation.Membership, m)
			_, err = f.store.Invitation(f.ctx(), m.ID)
			wantErr(f, "a reader, before the commit", err, iam.ErrNoRow)
			after := facts.Invitation.Membership
			after.Status, after.UserID = iam.Accepted, u.ID
			return tx.UpdateMembership(facts.Invitation.Membership, after, two)
		})
		equal(f, "a reader, after it", f.invitation(m.ID).Status, iam.Accepted)
	},

	"TransactionHasOneTime": func(f *fixture) {
		start := f.clock.Now()
		defer f.clock.set(start)
		f.must(func(tx iam.Tx) error {
			f.clock.set(start)
			first := tx.Now()
			f.clock.advance(time.Hour)
			equal(f, "Now", tx.Now(), first)
			equal(f, "Now's zone", tx.Now().Location(), time.UTC)
			return nil
		})
	},

	"PanicIsAnError": func(f *fixture) {
		a := f.account("A")
		m := f.pendingRow(a, "u@example.com")
		entry := f.entry(iam.InviteCreate, a.ID, m.ID)
		err := f.update(func(tx iam.Tx) error {
			if err := tx.InsertMembership(m, iam.Link{}, entry); err != nil {
				return err
			}
			panic("out of order")
		})
		if err == nil || !strings.Contains(err.Error(), "out of order") {
			f.Errorf("got %v, want an error that tells of the panic", err)
		}
		wantErr(f, "the same, after", f.insert(m), nil)
	},

	"CallerThatIsGoneGetsItsOwnError": func(f *fixture) {
		ctx, cancel := context.WithCancel(f.ctx())
		cancel()
		err := f.store.Update(ctx, func(iam.Tx) error { return nil })
		wantErr(f, "Update", err, context.Canceled)
		_, err = f.store.User(ctx, f.id())
		wantErr(f, "User", err, context.Canceled)
	},
}
