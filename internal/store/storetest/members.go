package storetest

import (
	"fmt"
	"time"

	"hither/internal/iam"
)

var memberTests = map[string]func(f *fixture){
	"ANoteIsChangedWithTheRow": func(f *fixture) {
		a := f.account("A")
		m := f.invite(a, "guest@example.com")
		link := iam.Link{Locale: "de", Generation: 2, SentOn: f.clock.Now(), WakeOn: f.clock.Now().Add(time.Hour)}
		after := m
		after.Note, after.ExpiresOn = "Another", m.ExpiresOn.Add(time.Hour)
		entry := f.entry(iam.InviteEdit, a.ID, m.ID)
		f.must(func(tx iam.Tx) error { return tx.UpdateInvitation(m, after, link, entry) })
		after.Revision++
		got, err := f.store.Member(f.ctx(), a.ID, m.ID)
		wantErr(f, "Member", err, nil)
		equal(f, "the row", got.Membership, after)
		equal(f, "its language", got.Locale, "de")
	},

	"MembersAreListedInEveryOrder": func(f *fixture) {
		a, other := f.account("A"), f.account("other")
		ann := f.member(a, f.user("z@example.com", named("Ann", "Young")))
		bob := f.member(a, f.user("y@example.com", named("Bob", "Xu")))
		pen := f.invite(a, "x@example.com")
		cid := f.member(a, f.user("w@example.com", named("Bob", "Wu")))
		que := f.invite(a, "v@example.com")
		rej := f.answer(f.invite(a, "u@example.com"), f.user("u@example.com", named("Aaron", "Aaronson")), iam.Rejected)
		f.end(f.invite(a, "t@example.com"), iam.Canceled)
		f.end(f.invite(a, "s@example.com"), iam.Expired)
		f.end(f.member(a, f.user("r@example.com")), iam.Left)
		f.end(f.member(a, f.user("q@example.com")), iam.Removed)
		f.member(other, f.user("p@example.com"))

		for order, want := range map[iam.MemberOrder][]iam.Membership{
			"":                 {ann, bob, pen, cid, que},
			iam.ByFirstName:    {pen, que, ann, bob, cid},
			iam.ByLastName:     {pen, que, cid, bob, ann},
			iam.ByEmail:        {que, cid, pen, bob, ann},
			iam.ByMemberStatus: {ann, bob, cid, pen, que},
		} {
			for _, descending := range []bool{false, true} {
				for status, want := range map[iam.Status][]iam.Membership{
					"":           want,
					iam.Accepted: only(want, iam.Accepted),
					iam.Pending:  only(want, iam.Pending),
					iam.Rejected: {rej},
					iam.Canceled: nil,
					iam.Removed:  nil,
				} {
					if descending {
						want = reversed(want)
					}
					got := pagesOf(f, 3, func(page iam.PageRequest) (iam.Page[iam.Member], error) {
						query := iam.MemberQuery{PageRequest: page, Status: status, Order: order, Descending: descending}
						return f.store.Members(f.ctx(), a.ID, query, f.clock.Now())
					})
					what := fmt.Sprintf("Members that are %q, by %q, descending %v", status, order, descending)
					equal(f, what, idsOf(got, memberID), idsOf(want, func(m iam.Membership) iam.ID { return m.ID }))
				}
			}
		}
		for email, want := range map[string][]iam.ID{
			"z@example.com": {ann.ID}, "x@example.com": {pen.ID}, "u@example.com": {}, "p@example.com": {}, "Z@example.com": {},
		} {
			page := f.members(a, iam.MemberQuery{Email: email, Order: iam.ByEmail})
			equal(f, "Members with "+email, idsOf(page.Items, memberID), want)
			equal(f, "their total", page.Total, len(want))
		}
		page := f.members(a, iam.MemberQuery{Email: "u@example.com", Status: iam.Rejected})
		equal(f, "rejected Members with an address", idsOf(page.Items, memberID), []iam.ID{rej.ID})
		page = f.members(iam.Account{ID: f.id()}, iam.MemberQuery{})
		equal(f, "Members of no account", page, iam.Page[iam.Member]{})
	},

	// KF-46, KF-51: before it accepted, the account learns of a person the
	// address only: no user, and no name by way of the order either.
	"NobodyIsKnownBeforeAccepting": func(f *fixture) {
		a := f.account("A")
		aaron := f.user("aaron@example.com", named("Aaron", "Aaronson"))
		zoe := f.user("zoe@example.com", named("Zoe", "Zuse"))
		mz := f.invite(a, zoe.Email)
		ma := f.invite(a, aaron.Email)
		rejected := f.answer(f.invite(a, "r@example.com"), f.user("r@example.com", named("R", "R")), iam.Rejected)
		for _, order := range []iam.MemberOrder{iam.ByFirstName, iam.ByLastName} {
			got := f.members(a, iam.MemberQuery{Order: order}).Items
			equal(f, "pending, by "+string(order), idsOf(got, memberID), []iam.ID{mz.ID, ma.ID})
			for _, m := range got {
				equal(f, "user of a pending row", m.User, iam.User{})
			}
		}
		member := func(m iam.Membership) iam.Member {
			got, err := f.store.Member(f.ctx(), a.ID, m.ID)
			wantErr(f, "Member", err, nil)
			equal(f, "row", got.Membership, m)
			return got
		}
		equal(f, "user of a rejected row", member(rejected).User, iam.User{})
		ma = f.answer(ma, aaron, iam.Accepted)
		equal(f, "user of an accepted row", member(ma).User, aaron)
		equal(f, "user of an accepted row in a list", f.members(a, iam.MemberQuery{Email: aaron.Email}).Items[0].User, aaron)
		ma = f.end(ma, iam.Left)
		equal(f, "user of a row that left", member(ma).User, iam.User{})
	},

	// KF-33, KF-35, KF-37
	"MemberIsReadInItsAccountOnly": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		m := f.invite(a, "u@example.com")
		for what, accountID := range map[string]iam.ID{"another account": b.ID, "no account": f.id(), "nothing": ""} {
			_, err := f.store.Member(f.ctx(), accountID, m.ID)
			wantErr(f, "Member in "+what, err, iam.ErrNoRow)
		}
		_, err := f.store.Member(f.ctx(), a.ID, f.id())
		wantErr(f, "Member of an unknown id", err, iam.ErrNoRow)
		err = f.update(func(tx iam.Tx) error { _, err := tx.MemberFacts(b.ID, m.ID, operator); return err })
		wantErr(f, "MemberFacts in another account", err, iam.ErrNoRow)
		for _, status := range everyStatus()[2:] {
			m := f.invite(a, string(status)+"@example.com")
			switch status {
			case iam.Rejected:
				m = f.answer(m, f.user(m.Email), status)
			case iam.Left, iam.Removed:
				m = f.end(f.answer(m, f.user(m.Email), iam.Accepted), status)
			default:
				m = f.end(m, status)
			}
			got, err := f.store.Member(f.ctx(), a.ID, m.ID)
			wantErr(f, "Member that is "+string(status), err, nil)
			equal(f, "Member that is "+string(status), got.Membership, m)
		}
	},

	"PendingMembersShowWhetherTheirGrantorStillCan": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		manager, outsider := f.user("m@example.com"), f.user("o@example.com")
		own := f.member(a, manager, withRoles(f.super()))
		f.member(b, outsider, withRoles(f.super()))
		token := f.operatorToken(func(t *iam.Token) { t.ExpiresOn = f.clock.Now().Add(time.Hour) })
		byToken := func(m *iam.Membership) { m.Grantor = iam.Grantor{Kind: iam.ByOperator, ID: token.ID} }
		f.invite(a, "1@example.com", grantedBy(manager))
		f.invite(a, "2@example.com", grantedBy(outsider))
		f.invite(a, "3@example.com", byToken)
		f.invite(a, "4@example.com")
		facts := func() map[string]iam.GrantorFacts {
			got := map[string]iam.GrantorFacts{}
			for _, m := range f.members(a, iam.MemberQuery{Status: iam.Pending}).Items {
				got[m.Email] = m.GrantorFacts
			}
			page, err := f.store.AccountInvitations(f.ctx(), a.ID, iam.InvitationQuery{PageRequest: iam.PageRequest{Number: 1, Size: 50}}, f.clock.Now())
			wantErr(f, "AccountInvitations", err, nil)
			for _, m := range page.Items {
				equal(f, "in both lists", m.GrantorFacts, got[m.Email])
			}
			return got
		}
		check := func(email string, active, member bool) {
			f.Helper()
			got := facts()[email]
			if got.Active != active || (got.Membership != nil) != member {
				f.Errorf("grantor of %s: got active %v, membership %v, want %v, %v", email, got.Active, got.Membership, active, member)
			}
		}
		check("1@example.com", true, true)
		check("2@example.com", true, false)
		check("3@example.com", true, false)
		check("4@example.com", true, false)
		got := facts()["1@example.com"]
		equal(f, "grantor", got.Grantor, iam.Grantor{Kind: iam.ByUser, ID: manager.ID})
		equal(f, "grantor's row", got.Membership.ID, own.ID)
		equal(f, "grantor's roles", got.Membership.Roles, own.Roles)
		f.changeUser(manager, func(u *iam.User) { u.Suspended = true })
		check("1@example.com", false, true)
		f.end(own, iam.Removed) // KF-11
		check("1@example.com", false, false)
		f.clock.advance(time.Hour - time.Microsecond)
		check("3@example.com", true, false)
		f.clock.advance(time.Microsecond)
		check("3@example.com", false, false)
		equal(f, "of a row that was added directly", f.members(a, iam.MemberQuery{Status: iam.Accepted}).Items, nil)
	},

	// A walk by id misses nothing and tells nothing twice, although what it has
	// seen last ends before it goes on.
	"WalksGoOnBehindWhatEnded": func(f *fixture) {
		a := f.account("A")
		var rows []iam.Membership
		for i := range 7 {
			if i%2 == 0 {
				rows = append(rows, f.invite(a, fmt.Sprintf("p%d@example.com", i)))
			} else {
				rows = append(rows, f.member(a, f.user(fmt.Sprintf("m%d@example.com", i))))
			}
		}
		f.invite(f.account("other"), "p0@example.com")
		ids := idsOf(rows, func(m iam.Membership) iam.ID { return m.ID })
		for descending, want := range map[bool][]iam.ID{false: ids, true: reversed(ids)} {
			query := iam.MemberQuery{PageRequest: iam.PageRequest{Number: 1, Size: 2}, Descending: descending}
			var got []iam.ID
			for {
				page, err := f.store.Members(f.ctx(), a.ID, query, f.clock.Now())
				wantErr(f, "Members", err, nil)
				if len(page.Items) == 0 {
					break
				}
				got = append(got, idsOf(page.Items, memberID)...)
				query.After = got[len(got)-1]
			}
			equal(f, fmt.Sprintf("a walk, descending %v", descending), got, want)
		}
		f.end(rows[4], iam.Canceled)
		page, err := f.store.Members(f.ctx(), a.ID, iam.MemberQuery{PageRequest: iam.PageRequest{Number: 9, Size: 9}, After: ids[4]}, f.clock.Now())
		wantErr(f, "Members", err, nil)
		equal(f, "what follows a row that ended", idsOf(page.Items, memberID), ids[5:])
		asked := []iam.ID{ids[2], ids[0]} // newest first; who was added directly was not asked
		invitations, err := f.store.AccountInvitations(f.ctx(), a.ID,
			iam.InvitationQuery{PageRequest: iam.PageRequest{Number: 1, Size: 9}, Status: iam.Pending, After: ids[4]}, f.clock.Now())
		wantErr(f, "AccountInvitations", err, nil)
		equal(f, "invitations before that row", idsOf(invitations.Items, memberID), asked)
	},
	"AccountInvitationsAreWhomItAsked": func(f *fixture) {
		a, other := f.account("A"), f.account("other")
		pending := f.invite(a, "1@example.com")
		u := f.user("2@example.com")
		accepted := f.answer(f.invite(a, u.Email), u, iam.Accepted)
		f.member(a, f.user("3@example.com"))
		rejected := f.answer(f.invite(a, "4@example.com"), f.user("4@example.com"), iam.Rejected)
		due := f.invite(a, "5@example.com", func(m *iam.Membership) { m.ExpiresOn = f.clock.Now() })
		canceled := f.end(f.invite(a, "6@example.com"), iam.Canceled)
		expired := f.end(f.invite(a, "7@example.com"), iam.Expired)
		f.end(f.answer(f.invite(a, "8@example.com"), f.user("8@example.com"), iam.Accepted), iam.Left)
		f.end(f.answer(f.invite(a, "9@example.com"), f.user("9@example.com"), iam.Accepted), iam.Removed)
		f.invite(other, "1@example.com")
		for status, want := range map[iam.Status][]iam.Membership{
			"":           {expired, canceled, due, rejected, accepted, pending},
			iam.Pending:  {pending},
			iam.Accepted: {accepted},
			iam.Rejected: {rejected},
			iam.Expired:  {expired, due},
			iam.Canceled: {canceled},
			iam.Left:     nil,
			iam.Removed:  nil,
		} {
			got := pagesOf(f, 2, func(page iam.PageRequest) (iam.Page[iam.Member], error) {
				return f.store.AccountInvitations(f.ctx(), a.ID, iam.InvitationQuery{PageRequest: page, Status: status}, f.clock.Now())
			})
			equal(f, "invitations that are "+string(status), idsOf(got, memberID), idsOf(want, func(m iam.Membership) iam.ID { return m.ID }))
			for _, m := range got {
				equal(f, "user of a row that is "+string(m.Status), m.User.ID != "", m.Status == iam.Accepted)
			}
		}
	},

	// Kept counts are what counting would find, whichever way rows went.
	"TotalsAreWhatCountingFinds": func(f *fixture) {
		a := f.account("A")
		f.clock.advance(time.Hour)
		for i := range 30 {
			email := fmt.Sprintf("%d@example.com", i)
			u := f.user(email)
			if i%5 == 0 {
				f.member(a, u)
				continue
			}
			m := f.invite(a, email, func(m *iam.Membership) { m.ExpiresOn = f.clock.Now().Add(time.Duration(i) * time.Minute) })
			switch i % 5 {
			case 1:
				m = f.answer(m, u, iam.Accepted)
				if i%2 == 0 {
					f.end(m, iam.Left)
				}
			case 2:
				f.answer(m, u, iam.Rejected)
			case 3:
				if i%2 == 0 {
					f.end(m, iam.Canceled)
				}
			}
			if i%9 == 0 {
				f.clock.advance(10 * time.Minute)
			}
			if i%13 == 0 {
				f.must(func(tx iam.Tx) error { _, err := tx.Settle(a.ID, email); return err })
			}
			if i%6 != 5 {
				continue
			}
			// pagesOf holds each total against the rows that there are.
			for _, status := range []iam.Status{"", iam.Pending, iam.Accepted, iam.Rejected} {
				live := pagesOf(f, 7, func(page iam.PageRequest) (iam.Page[iam.Member], error) {
					return f.store.Members(f.ctx(), a.ID, iam.MemberQuery{PageRequest: page, Status: status}, f.clock.Now())
				})
				if status != "" {
					continue
				}
				f.must(func(tx iam.Tx) error {
					facts, err := tx.InviteFacts(a.ID, email, operator)
					equal(f, "seats", facts.Seats.Taken(), len(live))
					return err
				})
			}
			for _, status := range []iam.Status{"", iam.Pending, iam.Accepted, iam.Rejected, iam.Expired, iam.Canceled} {
				pagesOf(f, 7, func(page iam.PageRequest) (iam.Page[iam.Member], error) {
					return f.store.AccountInvitations(f.ctx(), a.ID, iam.InvitationQuery{PageRequest: page, Status: status}, f.clock.Now())
				})
			}
		}
	},
}

func only(rows []iam.Membership, status iam.Status) []iam.Membership {
	var list []iam.Membership
	for _, m := range rows {
		if m.Status == status {
			list = append(list, m)
		}
	}
	return list
}
