package storetest

import (
	"fmt"
	"time"

	"hither/internal/iam"
)

func byUser(u iam.User) iam.Actor { return iam.Actor{Kind: iam.ByUser, User: u} }

var factsTests = map[string]func(f *fixture){
	"AccountFactsAreTheAccountItsRolesAndTheActorsOwnRow": func(f *fixture) {
		a, b := f.account("A", func(a *iam.Account) { a.MemberLimit = 3 }), f.account("B")
		u := f.user("u@example.com")
		role := f.role(iam.Role{AccountID: a.ID}, iam.OriginImport)
		own := f.member(a, u, withRoles(role))
		f.must(func(tx iam.Tx) error {
			facts, err := tx.AccountFacts(a.ID, byUser(u))
			equal(f, "Account", facts.Account, a)
			equal(f, "Own", facts.Own, &own)
			_, ok := facts.Catalog.Find(a.ID, role.ID)
			equal(f, "own role in the catalog", ok, true)
			return err
		})
		for what, actor := range map[string]iam.Actor{
			"the command line": operator,
			"a token":          {Kind: iam.ByOperator, CredentialID: f.id()},
			"a stranger":       byUser(f.user("s@example.com")),
		} {
			f.must(func(tx iam.Tx) error {
				facts, err := tx.AccountFacts(a.ID, actor)
				equal(f, "Own of "+what, facts.Own, nil)
				return err
			})
		}
		f.must(func(tx iam.Tx) error {
			facts, err := tx.AccountFacts(b.ID, byUser(u))
			equal(f, "Own in another account", facts.Own, nil)
			return err
		})
		err := f.update(func(tx iam.Tx) error { _, err := tx.AccountFacts(f.id(), operator); return err })
		wantErr(f, "AccountFacts of no account", err, iam.ErrNoRow)
	},

	"AnswerFactsAreReadInOneGo": func(f *fixture) {
		a := f.account("A", func(a *iam.Account) { a.EnforceTwoFactor = true })
		u, manager := f.user("u@example.com", func(u *iam.User) { u.TwoFactor = true }), f.user("m@example.com")
		own := f.member(a, manager, withRoles(f.admin(), f.reader()))
		m := f.invite(a, u.Email, grantedBy(manager))
		read := func(id iam.ID, userID iam.ID) (facts iam.AnswerFacts, err error) {
			err = f.update(func(tx iam.Tx) error { facts, err = tx.AnswerFacts(id, userID); return err })
			return facts, err
		}
		facts, err := read(m.ID, u.ID)
		wantErr(f, "AnswerFacts", err, nil)
		equal(f, "Invitation", facts.Invitation, iam.Invitation{Membership: m, Account: a})
		equal(f, "User", facts.User, u)
		equal(f, "Grantor", facts.Grantor.Grantor, m.Grantor)
		equal(f, "Grantor.Active", facts.Grantor.Active, true)
		equal(f, "Grantor's roles", facts.Grantor.Membership.Roles, own.Roles)

		// KF-11: what became of the grantor is a fact of the answer.
		f.mustChange(own, func(m *iam.Membership) { m.Roles = []iam.Role{f.reader()} })
		facts, _ = read(m.ID, u.ID)
		equal(f, "demoted grantor's roles", facts.Grantor.Membership.Roles, []iam.Role{f.reader()})
		f.changeUser(manager, func(u *iam.User) { u.Suspended = true })
		facts, _ = read(m.ID, u.ID)
		equal(f, "suspended grantor", facts.Grantor.Active, false)

		// KF-33: what the grantor is in another account counts for nothing here.
		elsewhere := f.user("e@example.com")
		f.member(f.account("B"), elsewhere, withRoles(f.super()))
		m = f.mustChange(m, grantedBy(elsewhere))
		facts, _ = read(m.ID, u.ID)
		equal(f, "row of a grantor from another account", facts.Grantor.Membership, nil)
		f.must(func(tx iam.Tx) error {
			member, err := tx.MemberFacts(a.ID, m.ID, operator)
			equal(f, "the same to who edits it", member.Grantor.Membership, nil)
			return err
		})

		_, err = read(f.id(), u.ID)
		wantErr(f, "AnswerFacts of no row", err, iam.ErrNoRow)
		_, err = read(m.ID, f.id())
		wantErr(f, "AnswerFacts of nobody", err, iam.ErrNoRow)
	},

	"GrantorThatIsATokenIsActiveWhileItIs": func(f *fixture) {
		a := f.account("A")
		u := f.user("u@example.com")
		token := f.operatorToken(func(t *iam.Token) { t.ExpiresOn = f.clock.Now().Add(time.Hour) })
		forever := f.operatorToken()
		grantor := func(t iam.Token) iam.Grantor { return iam.Grantor{Kind: iam.ByOperator, ID: t.ID} }
		m := f.invite(a, u.Email, func(m *iam.Membership) { m.Grantor = grantor(token) })
		active := func(m iam.Membership) bool {
			var facts iam.AnswerFacts
			f.must(func(tx iam.Tx) (err error) { facts, err = tx.AnswerFacts(m.ID, u.ID); return err })
			f.must(func(tx iam.Tx) error {
				member, err := tx.MemberFacts(a.ID, m.ID, operator)
				equal(f, "MemberFacts.Grantor", member.Grantor, facts.Grantor)
				return err
			})
			return facts.Grantor.Active
		}
		f.clock.advance(time.Hour - time.Microsecond)
		equal(f, "before it expires", active(m), true)
		f.clock.advance(time.Microsecond)
		equal(f, "when it expires", active(m), false)
		m = f.mustChange(m, func(m *iam.Membership) { m.Grantor = grantor(forever) })
		equal(f, "of a token without an end", active(m), true)
		entry := f.entry(iam.TokenRevoke, "", forever.ID)
		f.must(func(tx iam.Tx) error { return tx.RevokeToken(forever.ID, entry) })
		equal(f, "of a revoked one", active(m), false)
		m = f.mustChange(m, func(m *iam.Membership) { m.Grantor = iam.Grantor{Kind: iam.ByCommandLine} })
		equal(f, "of the command line", active(m), true)
		m = f.mustChange(m, func(m *iam.Membership) { m.Grantor = iam.Grantor{} })
		equal(f, "of nobody", active(m), false)
	},

	// KF-88
	"OtherSuperAdminsAreThoseWhoCanAct": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		u, v, w := f.user("u@example.com"), f.user("v@example.com"), f.user("w@example.com")
		target := f.member(a, u, withRoles(f.reader(), f.super()))
		others := func(m iam.Membership) int {
			var facts iam.MemberFacts
			f.must(func(tx iam.Tx) (err error) { facts, err = tx.MemberFacts(a.ID, m.ID, operator); return err })
			f.must(func(tx iam.Tx) error {
				answer, err := tx.AnswerFacts(m.ID, u.ID)
				equal(f, "AnswerFacts.OtherSuperAdmins", answer.OtherSuperAdmins, facts.OtherSuperAdmins)
				return err
			})
			return facts.OtherSuperAdmins
		}
		f.member(b, v, withRoles(f.super()))
		f.invite(a, w.Email, withRoles(f.super()))
		equal(f, "alone", others(target), 0)
		second := f.member(a, v, withRoles(f.super()))
		equal(f, "with another", others(target), 1)
		v = f.changeUser(v, func(u *iam.User) { u.Suspended = true })
		equal(f, "with a suspended one", others(target), 0)
		f.changeUser(v, func(u *iam.User) { u.Suspended = false })
		second = f.mustChange(second, func(m *iam.Membership) { m.Roles = []iam.Role{f.reader()} })
		equal(f, "with one that was demoted", others(target), 0)
		second = f.mustChange(second, func(m *iam.Membership) { m.Roles = []iam.Role{f.super()} })
		f.end(second, iam.Removed)
		equal(f, "with one that was removed", others(target), 0)
	},

	"MemberFactsAreTheTargetAndWhoTouchesIt": func(f *fixture) {
		a := f.account("A")
		u, manager := f.user("u@example.com"), f.user("m@example.com")
		own := f.member(a, manager, withRoles(f.super()))
		target := f.invite(a, u.Email, grantedBy(manager))
		read := func() (facts iam.MemberFacts) {
			f.must(func(tx iam.Tx) (err error) { facts, err = tx.MemberFacts(a.ID, target.ID, byUser(manager)); return err })
			return facts
		}
		facts := read()
		equal(f, "Account", facts.Account, a)
		equal(f, "Own", facts.Own, &own)
		equal(f, "Target", facts.Target, target)
		equal(f, "TargetUser of a pending row", facts.TargetUser, iam.User{})
		equal(f, "TargetActive of a pending row", facts.TargetActive, false)
		equal(f, "Grantor's roles", facts.Grantor.Membership.Roles, own.Roles)
		target = f.answer(target, u, iam.Accepted)
		facts = read()
		equal(f, "TargetUser", facts.TargetUser, u)
		equal(f, "TargetActive", facts.TargetActive, true)
		u = f.changeUser(u, func(u *iam.User) { u.Suspended = true })
		facts = read()
		equal(f, "TargetUser, suspended", facts.TargetUser, u)
		equal(f, "TargetActive, suspended", facts.TargetActive, false)

		for what, ids := range map[string][2]iam.ID{"row": {a.ID, f.id()}, "account": {f.id(), target.ID}} {
			err := f.update(func(tx iam.Tx) error { _, err := tx.MemberFacts(ids[0], ids[1], operator); return err })
			wantErr(f, "MemberFacts of no "+what, err, iam.ErrNoRow)
		}
	},

	"InviteFactsFindTheLiveRowOfAddressOrUser": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		manager := f.user("m@example.com")
		f.member(a, manager, withRoles(f.super()))
		u := f.user("u@example.com")
		read := func(email string) (facts iam.InviteFacts) {
			f.must(func(tx iam.Tx) (err error) { facts, err = tx.InviteFacts(a.ID, email, byUser(manager)); return err })
			return facts
		}
		f.member(b, u)
		f.end(f.invite(a, u.Email), iam.Canceled)
		facts := read(u.Email)
		equal(f, "Account", facts.Account, a)
		equal(f, "Own", facts.Own.UserID, manager.ID)
		equal(f, "Existing of none", facts.Existing, nil)
		equal(f, "User", facts.User, &u)
		equal(f, "Seats", facts.Seats, iam.Seats{Members: 1})
		equal(f, "User of an unknown address", read("x@example.com").User, nil)

		pending := f.invite(a, "p@example.com", grantedBy(manager))
		facts = read("p@example.com")
		equal(f, "Existing by address, pending", facts.Existing, &pending)
		equal(f, "its grantor", facts.Grantor.Membership.UserID, manager.ID)
		equal(f, "Seats", facts.Seats, iam.Seats{Open: 1, Members: 1})

		accepted := f.member(a, u, func(m *iam.Membership) { m.Email = "old@example.com" })
		equal(f, "Existing by the user, accepted under another address", read(u.Email).Existing, &accepted)
		equal(f, "Existing by the other address", read("old@example.com").Existing, &accepted)
		// KF-4: an address that was not proven makes nobody a member.
		f.changeUser(u, func(u *iam.User) { u.Verified = false })
		equal(f, "Existing by a user who has not proven the address", read(u.Email).Existing, nil)
	},
}

var settleTests = map[string]func(f *fixture){
	"SettleWritesDownWhatTheClockEnded": func(f *fixture) {
		a, other := f.account("A"), f.account("other")
		soon := func(m *iam.Membership) { m.ExpiresOn = f.clock.Now().Add(time.Hour) }
		one, two := f.invite(a, "1@example.com", soon), f.invite(a, "2@example.com", soon)
		later := f.invite(a, "3@example.com")
		never := f.invite(a, "4@example.com", func(m *iam.Membership) { m.ExpiresOn = time.Time{} })
		elsewhere := f.invite(other, "1@example.com", soon)
		settle := func() { f.must(func(tx iam.Tx) error { _, err := tx.Settle(a.ID, "1@example.com"); return err }) }

		f.clock.advance(time.Hour - time.Microsecond)
		settle()
		equal(f, "a microsecond early (KF-8)", f.invitation(one.ID).Status, iam.Pending)
		f.clock.advance(time.Microsecond)
		rows := len(f.audit(a.ID))
		settle()
		one.Status, one.Revision = iam.Expired, 1
		equal(f, "a due row", f.invitation(one.ID).Membership, one)
		equal(f, "another due row of the account", f.invitation(two.ID).Status, iam.Expired)
		equal(f, "a row that is not due", f.invitation(later.ID).Membership, later)
		equal(f, "a row without an end", f.invitation(never.ID).Membership, never)
		equal(f, "a due row of another account", f.invitation(elsewhere.ID).Membership, elsewhere)
		entries := f.audit(a.ID)[rows:]
		equal(f, "audit rows", len(entries), 2)
		for i, m := range []iam.Membership{one, two} {
			got := entries[i]
			got.Seq, got.Before, got.After = 0, "", ""
			equal(f, "audit row", got, iam.AuditEntry{
				OperationID: fmt.Sprintf("expire-%d-%s", f.clock.Now().UnixMicro(), m.ID), At: f.clock.Now(), Action: iam.InviteExpire, AccountID: a.ID, TargetID: m.ID, Sequence: 2,
			})
		}
		equal(f, "members left", f.members(a, iam.MemberQuery{}).Total, 2)
		wantErr(f, "the address is free again", f.insert(f.pendingRow(a, "1@example.com")), nil)
		settle()
		equal(f, "audit rows after settling again", len(f.audit(a.ID)), rows+3)
		err := f.update(func(tx iam.Tx) error { _, err := tx.Settle(f.id(), "1@example.com"); return err })
		wantErr(f, "Settle of no account", err, iam.ErrNoRow)
	},

	// Retention drops the row, an import brings its id back, and the audit row of the
	// first end is still there: the second end must not keep the account from writing.
	"RowThatWasDroppedAndImportedEndsAgain": func(f *fixture) {
		a := f.account("A")
		row := f.pendingRow(a, "1@example.com", func(m *iam.Membership) { m.ExpiresOn = f.clock.Now().Add(time.Hour) })
		for round := range 2 {
			row.ExpiresOn = f.clock.Now().Add(time.Hour)
			wantErr(f, "insert", f.insert(row), nil)
			f.clock.advance(time.Hour)
			f.must(func(tx iam.Tx) error { _, err := tx.Settle(a.ID, ""); return err })
			equal(f, "ended", f.invitation(row.ID).Status, iam.Expired)
			f.clock.advance(24 * time.Hour)
			if round == 0 {
				f.must(func(tx iam.Tx) error { _, err := tx.DropEnded(a.ID, f.clock.Now(), 10); return err })
			}
		}
	},

	"SettleIsBoundedButForTheAddress": func(f *fixture) {
		const rows = 510
		a := f.account("A")
		entry := f.entry(iam.Import, a.ID, "")
		pending := make([]iam.Membership, rows)
		for i := range pending {
			// The address to be settled is due last.
			expires := f.clock.Now().Add(time.Duration(i) * time.Second)
			pending[i] = f.pendingRow(a, string(f.id())+"@example.com", func(m *iam.Membership) { m.ExpiresOn = expires })
		}
		f.must(func(tx iam.Tx) error {
			for _, m := range pending {
				e := entry
				e.OperationID += string(m.ID)
				if err := tx.InsertMembership(m, iam.Link{}, e); err != nil {
					return err
				}
			}
			return nil
		})
		f.clock.advance(weekLater)
		f.must(func(tx iam.Tx) error { _, err := tx.Settle(a.ID, pending[rows-1].Email); return err })
		equal(f, "the address' own row", f.invitation(pending[rows-1].ID).Status, iam.Expired)
		equal(f, "the row due first", f.invitation(pending[0].ID).Status, iam.Expired)
		equal(f, "one too many", f.invitation(pending[rows-2].ID).Status, iam.Pending)
		page, err := f.store.AccountInvitations(f.ctx(), a.ID,
			iam.InvitationQuery{PageRequest: iam.PageRequest{Number: 1, Size: 1}, Status: iam.Expired}, f.clock.Now())
		wantErr(f, "AccountInvitations", err, nil)
		equal(f, "expired, settled or not", page.Total, rows)
		equal(f, "members", f.members(a, iam.MemberQuery{}).Total, 0)
	},
}
