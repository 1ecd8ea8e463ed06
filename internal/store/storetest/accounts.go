package storetest

import (
	"slices"
	"strings"
	"time"

	"hither/internal/iam"
)

var accountTests = map[string]func(f *fixture){
	"AccountComesBackAsItWas": func(f *fixture) {
		want := f.account("Ünïcode, Inc.", func(a *iam.Account) {
			a.Type, a.EnforceTwoFactor, a.AbuseContactEmail = iam.Enterprise, true, "abuse, please"
			a.InviteDomains = "*.example.org example.com"
			a.InviteLifetime, a.MemberLimit, a.Suspended, a.NeedsSuperAdmin = 90*time.Minute, 7, true, true
		})
		got, own, err := f.store.Access(f.ctx(), want.ID, "")
		wantErr(f, "Access", err, nil)
		equal(f, "Account", got, want)
		equal(f, "own", own, nil)
		_, _, err = f.store.Access(f.ctx(), f.id(), "")
		wantErr(f, "Access to no account", err, iam.ErrNoRow)
	},

	"UpdateAccountChangesIt": func(f *fixture) {
		a := f.account("A")
		want := a
		want.Name, want.Type, want.EnforceTwoFactor, want.AbuseContactEmail = "B", iam.Enterprise, true, "x"
		want.InviteDomains = "xn--bcher-kva.example"
		want.InviteLifetime, want.MemberLimit, want.Suspended, want.NeedsSuperAdmin = time.Hour, 3, true, true
		entry := f.entry(iam.AccountChange, a.ID, a.ID)
		f.must(func(tx iam.Tx) error { return tx.UpdateAccount(want, entry) })
		got, _, err := f.store.Access(f.ctx(), a.ID, "")
		wantErr(f, "Access", err, nil)
		equal(f, "Account", got, want)

		missing := iam.Account{ID: f.id(), Name: "C", Type: iam.Standard}
		entry = f.entry(iam.AccountChange, missing.ID, missing.ID)
		err = f.update(func(tx iam.Tx) error { return tx.UpdateAccount(missing, entry) })
		wantErr(f, "UpdateAccount of none", err, iam.ErrNoRow)
	},

	"LookComesBackAsItWas": func(f *fixture) {
		a := f.account("A")
		look := func() iam.Look {
			got, err := f.store.Look(f.ctx(), a.ID)
			wantErr(f, "Look", err, nil)
			return got
		}
		equal(f, "at first", look(), iam.Look{})
		want := iam.Look{Brand: iam.Brand{Name: "Ünïcode", Color: "#aabbcc", Logo: "https://a.example/x.png"}, Locale: "de-AT"}
		entry := f.entry(iam.AccountChange, a.ID, a.ID)
		f.must(func(tx iam.Tx) error { return tx.UpdateLook(a.ID, want, entry) })
		equal(f, "Look", look(), want)
		f.must(func(tx iam.Tx) error {
			got, err := tx.Look(a.ID)
			equal(f, "in the transaction", got, want)
			return err
		})
		account, _, err := f.store.Access(f.ctx(), a.ID, "")
		wantErr(f, "Access", err, nil)
		equal(f, "the account itself", account, a)

		none := f.id()
		entry = f.entry(iam.AccountChange, none, none)
		wantErr(f, "UpdateLook of none", f.update(func(tx iam.Tx) error { return tx.UpdateLook(none, want, entry) }), iam.ErrNoRow)
		_, err = f.store.Look(f.ctx(), none)
		wantErr(f, "Look of none", err, iam.ErrNoRow)
	},

	"AccessReadsTheAcceptedMembershipOnly": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		u, other := f.user("u@example.com"), f.user("other@example.com")
		pending := f.invite(a, u.Email)
		own := func() *iam.Membership {
			_, own, err := f.store.Access(f.ctx(), a.ID, u.ID)
			wantErr(f, "Access", err, nil)
			return own
		}
		equal(f, "while pending", own(), nil)
		accepted := f.answer(pending, u, iam.Accepted)
		equal(f, "while accepted", own(), &accepted)
		for what, ids := range map[string][2]iam.ID{"another account": {b.ID, u.ID}, "another user": {a.ID, other.ID}} {
			_, own, err := f.store.Access(f.ctx(), ids[0], ids[1])
			wantErr(f, "Access", err, nil)
			equal(f, what, own, nil)
		}
		f.end(accepted, iam.Removed)
		equal(f, "after removal (KF-82, KF-85)", own(), nil)
	},

	"AccountsAreListedByName": func(f *fixture) {
		u := f.user("u@example.com")
		byName := map[string]iam.Account{}
		for _, name := range []string{"delta", "alpha", "Zulu", "charlie", "bravo"} {
			byName[name] = f.account(name)
		}
		twin := f.account("alpha")
		f.member(byName["charlie"], u)
		f.member(byName["alpha"], u)
		f.invite(byName["bravo"], u.Email)
		gone := f.account("gone")
		f.member(gone, u)
		f.deleteAccount(gone)

		all := []iam.Account{byName["Zulu"], byName["alpha"], twin, byName["bravo"], byName["charlie"], byName["delta"]}
		mine := []iam.Account{byName["alpha"], byName["charlie"]}
		for what, c := range map[string]struct {
			userID iam.ID
			query  iam.AccountQuery
			want   []iam.Account
		}{
			"all":                {"", iam.AccountQuery{}, all},
			"all, descending":    {"", iam.AccountQuery{Descending: true}, reversed(all)},
			"of a name":          {"", iam.AccountQuery{Name: "alpha"}, all[1:3]},
			"of no name":         {"", iam.AccountQuery{Name: "ALPHA"}, nil},
			"a user's":           {u.ID, iam.AccountQuery{}, mine},
			"a user's, downward": {u.ID, iam.AccountQuery{Descending: true}, reversed(mine)},
			"a user's, named":    {u.ID, iam.AccountQuery{Name: "charlie"}, mine[1:]},
			"of nobody":          {f.id(), iam.AccountQuery{}, nil},
		} {
			got := pagesOf(f, 2, func(page iam.PageRequest) (iam.Page[iam.Account], error) {
				c.query.PageRequest = page
				return f.store.Accounts(f.ctx(), c.userID, c.query)
			})
			equal(f, what, got, c.want)
		}
	},

	// KF-86
	"DeleteAccountEndsItsRows": func(f *fixture) {
		a, kept := f.account("A"), f.account("kept")
		u, v := f.user("u@example.com"), f.user("v@example.com")
		accepted := f.member(a, u)
		pending := f.invite(a, v.Email)
		due := f.invite(a, "due@example.com", func(m *iam.Membership) { m.ExpiresOn = f.clock.Now().Add(time.Hour) })
		rejected := f.answer(f.invite(a, "r@example.com"), v, iam.Rejected)
		elsewhere := f.member(kept, u)
		f.clock.advance(time.Hour)
		before := len(f.audit(a.ID))
		f.deleteAccount(a)

		ended := map[iam.ID]iam.AuditEntry{}
		for _, entry := range f.audit(a.ID)[before:] {
			ended[entry.TargetID] = entry
		}
		equal(f, "audit rows", len(ended), 4)
		for id, want := range map[iam.ID]struct {
			action        iam.Action
			actor         iam.ActorKind
			before, after string
		}{
			accepted.ID: {iam.MemberRemove, iam.ByCommandLine, "accepted", "removed"},
			pending.ID:  {iam.InviteCancel, iam.ByCommandLine, "pending", "canceled"},
			due.ID:      {iam.InviteExpire, "", "pending", "expired"},
			a.ID:        {iam.AccountDelete, iam.ByCommandLine, "", ""},
		} {
			got := ended[id]
			if got.Action != want.action || got.Actor != want.actor || !strings.Contains(got.Before, want.before) || !strings.Contains(got.After, want.after) {
				f.Errorf("audit row of %s: got %+v, want %+v", id, got, want)
			}
		}
		for _, m := range []iam.Membership{accepted, pending, due, rejected} {
			_, err := f.store.Invitation(f.ctx(), m.ID)
			wantErr(f, "Invitation to a deleted account", err, iam.ErrNoRow)
			_, err = f.store.Member(f.ctx(), a.ID, m.ID)
			wantErr(f, "Member of a deleted account", err, iam.ErrNoRow)
		}
		equal(f, "a row of another account", f.invitation(elsewhere.ID).Status, iam.Accepted)
	},

	// KF-36, KF-86
	"DeletedAccountIsNowhere": func(f *fixture) {
		a := f.account("A")
		u := f.user("u@example.com")
		f.member(a, u)
		rejecting := f.user("r@example.com")
		f.answer(f.invite(a, "r@example.com"), rejecting, iam.Rejected)
		f.end(f.invite(a, "e@example.com"), iam.Expired)
		f.invite(a, "p@example.com")
		f.deleteAccount(a)
		now := f.clock.Now()
		_, _, err := f.store.Access(f.ctx(), a.ID, u.ID)
		wantErr(f, "Access", err, iam.ErrNoRow)
		_, err = f.store.Catalog(f.ctx(), a.ID)
		wantErr(f, "Catalog", err, iam.ErrNoRow)
		_, err = f.store.LiveMembership(f.ctx(), a.ID, u.Invitee(), now)
		wantErr(f, "LiveMembership", err, iam.ErrNoRow)
		for _, query := range []iam.MemberQuery{{}, {Status: iam.Rejected}, {Email: "r@example.com", Status: iam.Rejected}} {
			equal(f, "Members", f.members(a, query), iam.Page[iam.Member]{})
		}
		page, err := f.store.AccountInvitations(f.ctx(), a.ID, iam.InvitationQuery{PageRequest: iam.PageRequest{Number: 1, Size: 9}}, now)
		wantErr(f, "AccountInvitations", err, nil)
		equal(f, "AccountInvitations", page, iam.Page[iam.Member]{})
		for _, who := range []iam.Invitee{u.Invitee(), rejecting.Invitee(), {Email: "e@example.com"}, {Email: "p@example.com"}} {
			list, err := f.store.Invitations(f.ctx(), who, everyStatus(), now, 9)
			wantErr(f, "Invitations", err, nil)
			equal(f, "Invitations", len(list), 0)
			mine, err := f.store.Memberships(f.ctx(), who, iam.MembershipQuery{PageRequest: iam.PageRequest{Number: 1, Size: 9}, Statuses: everyStatus()}, now)
			wantErr(f, "Memberships", err, nil)
			equal(f, "Memberships", mine, iam.Page[iam.Invitation]{})
		}
		for what, fn := range map[string]func(tx iam.Tx) error{
			"Settle":       func(tx iam.Tx) error { _, err := tx.Settle(a.ID, "x@example.com"); return err },
			"AccountFacts": func(tx iam.Tx) error { _, err := tx.AccountFacts(a.ID, operator); return err },
			"InviteFacts":  func(tx iam.Tx) error { _, err := tx.InviteFacts(a.ID, "x@example.com", operator); return err },
			"UpdateAccount": func(tx iam.Tx) error {
				return tx.UpdateAccount(a, iam.AuditEntry{OperationID: "u", Action: iam.AccountChange})
			},
			"DeleteAccount": func(tx iam.Tx) error {
				return tx.DeleteAccount(a.ID, iam.AuditEntry{OperationID: "d", Action: iam.AccountDelete})
			},
		} {
			wantErr(f, what, f.update(fn), iam.ErrNoRow)
		}
		wantErr(f, "InsertMembership", f.insert(f.pendingRow(a, "x@example.com")), iam.ErrNoRow)
	},

	"AccountIDIsNeverReused": func(f *fixture) { // KF-38
		a := f.account("A")
		insert := func() error {
			entry := f.entry(iam.AccountCreate, a.ID, a.ID)
			return f.update(func(tx iam.Tx) error { return tx.InsertAccount(a, entry) })
		}
		wantErr(f, "while it is there", insert(), iam.ErrDuplicate)
		f.deleteAccount(a)
		wantErr(f, "after it is gone", insert(), iam.ErrDuplicate)
	},
}

func everyStatus() []iam.Status {
	return []iam.Status{iam.Pending, iam.Accepted, iam.Rejected, iam.Expired, iam.Canceled, iam.Left, iam.Removed}
}

func reversed[T any](list []T) []T {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}
