package storetest

import (
	"time"

	"hither/internal/iam"
)

var membershipTests = map[string]func(f *fixture){
	"MembershipComesBackAsItWas": func(f *fixture) {
		a := f.account("A", func(a *iam.Account) { a.MemberLimit = 4 })
		u, grantor := f.user("u@example.com"), f.user("g@example.com")
		token := f.operatorToken()
		first := f.pendingRow(a, "p@example.com", grantedBy(grantor), withRoles(f.admin(), f.reader()))
		second := f.acceptedRow(a, u, func(m *iam.Membership) {
			m.Grantor = iam.Grantor{Kind: iam.ByOperator, ID: token.ID}
			m.Invited, m.InvitedBy, m.InvitedOn, m.ExpiresOn = true, "x", f.clock.Now().Add(-time.Hour), f.clock.Now().Add(time.Microsecond)
		})
		third := f.acceptedRow(a, grantor, func(m *iam.Membership) { m.Grantor = iam.Grantor{} })
		for _, want := range []iam.Membership{first, second, third} {
			wantErr(f, "InsertMembership", f.insert(want), nil)
			equal(f, "Invitation", f.invitation(want.ID), iam.Invitation{Membership: want, Account: a})
		}
		_, err := f.store.Invitation(f.ctx(), f.id())
		wantErr(f, "Invitation of an unknown id", err, iam.ErrNoRow)
	},

	// KF-13, KF-95: the rule is a unique index, whatever a use case checked.
	"OneLiveRowPerAddressAndPerUser": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		u := f.user("u@example.com")
		m := f.invite(a, u.Email)
		wantErr(f, "pending beside pending", f.insert(f.pendingRow(a, u.Email)), iam.ErrDuplicate)
		wantErr(f, "accepted beside pending", f.insert(f.acceptedRow(a, u)), iam.ErrDuplicate)
		wantErr(f, "in another account", f.insert(f.pendingRow(b, u.Email)), nil)
		m = f.answer(m, u, iam.Accepted)
		wantErr(f, "pending beside accepted", f.insert(f.pendingRow(a, u.Email)), iam.ErrDuplicate)
		other := f.acceptedRow(a, u, func(m *iam.Membership) { m.Email = "other@example.com" })
		wantErr(f, "the same user by another address", f.insert(other), iam.ErrDuplicate)
		second := f.invite(a, "third@example.com")
		accepted := second
		accepted.Status, accepted.UserID = iam.Accepted, u.ID
		wantErr(f, "a second invitation accepted by the same user", f.change(second, accepted), iam.ErrDuplicate)
		equal(f, "which stays pending", f.invitation(second.ID).Status, iam.Pending)
		wantErr(f, "the id of another row", f.insert(f.pendingRow(b, "new@example.com", func(n *iam.Membership) { n.ID = m.ID })), iam.ErrDuplicate)
	},

	"NothingEndedBlocksANewRow": func(f *fixture) {
		a := f.account("A")
		u := f.user("u@example.com")
		for _, status := range []iam.Status{iam.Rejected, iam.Canceled, iam.Expired, iam.Left, iam.Removed} {
			m := f.invite(a, u.Email)
			switch status {
			case iam.Rejected:
				f.answer(m, u, status)
			case iam.Left, iam.Removed:
				f.end(f.answer(m, u, iam.Accepted), status)
			default:
				f.end(m, status)
			}
			again := f.pendingRow(a, u.Email, func(n *iam.Membership) { n.ID = m.ID })
			wantErr(f, "the id of a row that is "+string(status)+" (KF-38)", f.insert(again), iam.ErrDuplicate)
		}
		f.member(a, u)
	},

	// KF-36: a row belongs to an account, a user and a grantor that exist.
	"MembershipRefersToWhatExists": func(f *fixture) {
		a := f.account("A")
		u := f.user("u@example.com")
		for what, m := range map[string]iam.Membership{
			"account":          f.pendingRow(iam.Account{ID: f.id()}, u.Email),
			"account, empty":   f.pendingRow(iam.Account{}, u.Email),
			"user":             f.acceptedRow(a, iam.User{ID: f.id(), Email: "x@example.com"}),
			"grantor":          f.pendingRow(a, u.Email, grantedBy(iam.User{ID: f.id()})),
			"operator's token": f.pendingRow(a, u.Email, func(m *iam.Membership) { m.Grantor = iam.Grantor{Kind: iam.ByOperator, ID: f.id()} }),
		} {
			wantErr(f, "no such "+what, f.insert(m), iam.ErrNoRow)
		}
		equal(f, "members", f.members(a, iam.MemberQuery{}), iam.Page[iam.Member]{})
	},

	"MembershipThatMakesNoSenseIsRefused": func(f *fixture) {
		a := f.account("A")
		u := f.user("u@example.com")
		for what, m := range map[string]iam.Membership{
			"pending that nobody asked": f.pendingRow(a, u.Email, func(m *iam.Membership) { m.Invited = false }),
			"pending of a user":         f.pendingRow(a, u.Email, func(m *iam.Membership) { m.UserID = u.ID }),
			"accepted by nobody":        f.acceptedRow(a, iam.User{Email: u.Email}),
			"an unknown state":          f.pendingRow(a, u.Email, func(m *iam.Membership) { m.Status = "new" }),
			"without an address":        f.pendingRow(a, ""),
			"without roles":             f.pendingRow(a, u.Email, withRoles()),
			"an id that is none":        f.pendingRow(a, u.Email, func(m *iam.Membership) { m.ID = "1" }),
			"a grantor without an id":   f.pendingRow(a, u.Email, func(m *iam.Membership) { m.Grantor.Kind = iam.ByUser }),
		} {
			if err := f.insert(m); err == nil {
				f.Errorf("%s was taken: %+v", what, m)
			}
		}
	},

	// KF-13, KF-14
	"UpdateMembershipIsGuarded": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		u := f.user("u@example.com")
		before := f.invite(a, u.Email)
		after := before
		after.Roles = []iam.Role{f.admin()}
		wantErr(f, "UpdateMembership", f.change(before, after), nil)
		wantErr(f, "again from the same row", f.change(before, after), iam.ErrStale)
		after.Revision = 1
		equal(f, "row", f.invitation(before.ID).Membership, after)
		for what, stale := range map[string]iam.Membership{
			"another state":   func(m iam.Membership) iam.Membership { m.Status = iam.Expired; return m }(after),
			"another account": func(m iam.Membership) iam.Membership { m.AccountID = b.ID; return m }(after),
			"no row":          func(m iam.Membership) iam.Membership { m.ID = f.id(); return m }(after),
		} {
			wantErr(f, what, f.change(stale, stale), iam.ErrStale)
		}
		rows := len(f.audit(a.ID))
		wantErr(f, "stale", f.change(before, after), iam.ErrStale)
		equal(f, "audit rows of what was stale", len(f.audit(a.ID)), rows)
		ended := after
		ended.Status = iam.Canceled
		wantErr(f, "the end", f.change(after, ended), nil)
		wantErr(f, "the end again, with no such row left to count", f.change(after, ended), iam.ErrStale)
	},

	"UpdateMembershipChangesTheRow": func(f *fixture) {
		a := f.account("A")
		u, grantor := f.user("u@example.com"), f.user("g@example.com")
		m := f.invite(a, u.Email)
		m = f.mustChange(m, func(m *iam.Membership) {
			m.Roles, m.Grantor = []iam.Role{f.super(), f.reader()}, iam.Grantor{Kind: iam.ByUser, ID: grantor.ID}
			m.ExpiresOn, m.InvitedBy, m.InvitedOn = m.ExpiresOn.Add(time.Hour), "someone", m.InvitedOn.Add(time.Minute)
		})
		equal(f, "pending", f.invitation(m.ID).Membership, m)
		m = f.answer(m, u, iam.Accepted)
		equal(f, "accepted", f.invitation(m.ID).Membership, m)
		m = f.end(m, iam.Left)
		equal(f, "left", f.invitation(m.ID).Membership, m)
	},

	"MembershipsAreTheUsersOwn": func(f *fixture) {
		u, other := f.user("u@example.com"), f.user("o@example.com")
		accounts := make([]iam.Account, 8)
		for i := range accounts {
			accounts[i] = f.account(string(rune('a' + i)))
		}
		accepted := f.member(accounts[3], u)
		pending := f.invite(accounts[1], u.Email)
		rejected := f.answer(f.invite(accounts[0], u.Email), u, iam.Rejected)
		expired := f.end(f.invite(accounts[2], u.Email), iam.Expired)
		f.end(f.invite(accounts[4], u.Email), iam.Canceled)
		f.end(f.member(accounts[5], u), iam.Left)
		f.end(f.member(accounts[6], u), iam.Removed)
		f.member(accounts[7], other)
		// What another user answered under this address before is not this user's.
		f.answer(f.invite(accounts[7], u.Email), f.user("before@example.com"), iam.Rejected)

		for what, c := range map[string]struct {
			query iam.MembershipQuery
			want  []iam.Membership
		}{
			"by default":            {iam.MembershipQuery{}, []iam.Membership{accepted, pending}},
			"downward":              {iam.MembershipQuery{Descending: true}, []iam.Membership{pending, accepted}},
			"accepted":              {iam.MembershipQuery{Statuses: []iam.Status{iam.Accepted}}, []iam.Membership{accepted}},
			"rejected":              {iam.MembershipQuery{Statuses: []iam.Status{iam.Rejected}}, []iam.Membership{rejected}},
			"every state":           {iam.MembershipQuery{Statuses: everyStatus()}, []iam.Membership{accepted, pending, rejected, expired}},
			"ended by others":       {iam.MembershipQuery{Statuses: []iam.Status{iam.Canceled, iam.Left, iam.Removed}}, nil},
			"by account":            {iam.MembershipQuery{Order: iam.ByAccountName}, []iam.Membership{pending, accepted}},
			"by account, downward":  {iam.MembershipQuery{Order: iam.ByAccountName, Descending: true}, []iam.Membership{accepted, pending}},
			"by state":              {iam.MembershipQuery{Order: iam.ByMembershipStatus}, []iam.Membership{accepted, pending}},
			"by state, downward":    {iam.MembershipQuery{Order: iam.ByMembershipStatus, Descending: true}, []iam.Membership{pending, accepted}},
			"of an account's name":  {iam.MembershipQuery{AccountName: "d"}, []iam.Membership{accepted}},
			"of a name in capitals": {iam.MembershipQuery{AccountName: "D"}, nil},
		} {
			got := pagesOf(f, 1, func(page iam.PageRequest) (iam.Page[iam.Invitation], error) {
				c.query.PageRequest = page
				return f.store.Memberships(f.ctx(), u.Invitee(), c.query, f.clock.Now())
			})
			equal(f, what, idsOf(got, invitationID), idsOf(c.want, func(m iam.Membership) iam.ID { return m.ID }))
		}
	},

	"LiveMembershipIsPendingOrAccepted": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		u := f.user("u@example.com")
		live := func(who iam.Invitee) (iam.ID, error) {
			got, err := f.store.LiveMembership(f.ctx(), a.ID, who, f.clock.Now())
			return got.ID, err
		}
		f.invite(b, u.Email)
		_, err := live(u.Invitee())
		wantErr(f, "none", err, iam.ErrNoRow)
		m := f.invite(a, u.Email)
		got, err := live(u.Invitee())
		wantErr(f, "pending", err, nil)
		equal(f, "pending", got, m.ID)
		_, err = live(iam.Invitee{UserID: u.ID})
		wantErr(f, "pending, by an address that is not verified (KF-4)", err, iam.ErrNoRow)
		m = f.answer(m, u, iam.Accepted)
		got, err = live(iam.Invitee{UserID: u.ID})
		wantErr(f, "accepted", err, nil)
		equal(f, "accepted", got, m.ID)
		_, err = live(iam.Invitee{UserID: f.id(), Email: u.Email})
		wantErr(f, "accepted, by who has the address now (KF-1)", err, iam.ErrNoRow)
		f.end(m, iam.Removed)
		_, err = live(u.Invitee())
		wantErr(f, "removed", err, iam.ErrNoRow)
	},
}

var invitationTests = map[string]func(f *fixture){
	"InvitationsShowPendingFirstThenNewest": func(f *fixture) {
		u := f.user("u@example.com")
		next := 0
		account := func() iam.Account { next++; return f.account(string(rune('a' + next))) }
		rejected := f.answer(f.invite(account(), u.Email), u, iam.Rejected)
		pending1 := f.invite(account(), u.Email)
		accepted := f.answer(f.invite(account(), u.Email), u, iam.Accepted)
		due := f.invite(account(), u.Email, func(m *iam.Membership) { m.ExpiresOn = f.clock.Now() })
		pending2 := f.invite(account(), u.Email)
		expired := f.end(f.invite(account(), u.Email), iam.Expired)
		f.member(account(), u) // added directly: never an invitation
		f.end(f.invite(account(), u.Email), iam.Canceled)
		f.end(f.answer(f.invite(account(), u.Email), u, iam.Accepted), iam.Removed)
		f.end(f.answer(f.invite(account(), u.Email), u, iam.Accepted), iam.Left)
		f.invite(account(), "other@example.com")

		for what, c := range map[string]struct {
			who      iam.Invitee
			statuses []iam.Status
			limit    int
			want     []iam.Membership
		}{
			"all":                          {u.Invitee(), everyStatus(), 99, []iam.Membership{pending2, pending1, expired, due, accepted, rejected}},
			"cut":                          {u.Invitee(), everyStatus(), 3, []iam.Membership{pending2, pending1, expired}},
			"pending":                      {u.Invitee(), []iam.Status{iam.Pending}, 99, []iam.Membership{pending2, pending1}},
			"expired":                      {u.Invitee(), []iam.Status{iam.Expired}, 99, []iam.Membership{expired, due}},
			"accepted and rejected":        {u.Invitee(), []iam.Status{iam.Accepted, iam.Rejected}, 99, []iam.Membership{accepted, rejected}},
			"by an unproven address, KF-4": {iam.Invitee{UserID: u.ID}, everyStatus(), 99, []iam.Membership{accepted, rejected}},
			"by the address alone":         {iam.Invitee{Email: u.Email}, everyStatus(), 99, []iam.Membership{pending2, pending1, expired, due}},
			"by nothing":                   {iam.Invitee{}, everyStatus(), 99, nil},
		} {
			got, err := f.store.Invitations(f.ctx(), c.who, c.statuses, f.clock.Now(), c.limit)
			wantErr(f, what, err, nil)
			equal(f, what, idsOf(got, invitationID), idsOf(c.want, func(m iam.Membership) iam.ID { return m.ID }))
		}
		got, err := f.store.Invitations(f.ctx(), u.Invitee(), []iam.Status{iam.Accepted}, f.clock.Now(), 1)
		wantErr(f, "Invitations", err, nil)
		equal(f, "Invitations", got, []iam.Invitation{f.invitation(accepted.ID)})
	},

	// KF-8: the last microsecond before expiry, and the first of it.
	"ExpiryIsTheClocks": func(f *fixture) {
		a := f.account("A")
		u := f.user("u@example.com")
		m := f.invite(a, u.Email)
		never := f.invite(a, "never@example.com", func(m *iam.Membership) { m.ExpiresOn = time.Time{} })
		for _, c := range []struct {
			at      time.Time
			pending bool
		}{{m.ExpiresOn.Add(-time.Microsecond), true}, {m.ExpiresOn, false}, {m.ExpiresOn.Add(time.Microsecond), false}} {
			f.clock.set(c.at)
			rows := func(pending bool) []iam.ID {
				if pending == c.pending {
					return []iam.ID{m.ID}
				}
				return []iam.ID{}
			}
			for status, want := range map[iam.Status][]iam.ID{iam.Pending: rows(true), iam.Expired: rows(false)} {
				list, err := f.store.Invitations(f.ctx(), u.Invitee(), []iam.Status{status}, c.at, 9)
				wantErr(f, "Invitations", err, nil)
				equal(f, "Invitations that are "+string(status), idsOf(list, invitationID), want)
				mine, err := f.store.Memberships(f.ctx(), u.Invitee(),
					iam.MembershipQuery{PageRequest: iam.PageRequest{Number: 1, Size: 9}, Statuses: []iam.Status{status}}, c.at)
				wantErr(f, "Memberships", err, nil)
				equal(f, "Memberships that are "+string(status), idsOf(mine.Items, invitationID), want)
				equal(f, "Memberships' total", mine.Total, len(want))
				theirs, err := f.store.AccountInvitations(f.ctx(), a.ID,
					iam.InvitationQuery{PageRequest: iam.PageRequest{Number: 1, Size: 9}, Status: status}, c.at)
				wantErr(f, "AccountInvitations", err, nil)
				if status == iam.Pending {
					want = append([]iam.ID{never.ID}, want...)
				}
				equal(f, "AccountInvitations that are "+string(status), idsOf(theirs.Items, memberID), want)
				equal(f, "AccountInvitations' total", theirs.Total, len(want))
			}
			members := append(rows(true), never.ID)
			for _, query := range []iam.MemberQuery{{}, {Status: iam.Pending}} {
				page := f.members(a, query)
				equal(f, "Members", idsOf(page.Items, memberID), members)
				equal(f, "Members' total", page.Total, len(members))
			}
			equal(f, "Members of the address", f.members(a, iam.MemberQuery{Email: u.Email}).Total, len(rows(true)))
			_, err := f.store.LiveMembership(f.ctx(), a.ID, u.Invitee(), c.at)
			equal(f, "LiveMembership", err == nil, c.pending)
			equal(f, "the row as stored", f.invitation(m.ID).Status, iam.Pending)
			f.must(func(tx iam.Tx) error {
				facts, err := tx.InviteFacts(a.ID, u.Email, operator)
				equal(f, "InviteFacts.Seats", facts.Seats.Taken(), len(members))
				equal(f, "InviteFacts.Existing", facts.Existing != nil, c.pending)
				return err
			})
		}
	},
}
