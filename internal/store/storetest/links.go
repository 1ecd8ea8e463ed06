package storetest

import (
	"time"

	"hither/internal/iam"
)

// linked adds an invitation with a link.
func (f *fixture) linked(a iam.Account, email string, link iam.Link, edits ...func(*iam.Membership)) iam.Membership {
	f.Helper()
	m := f.pendingRow(a, email, edits...)
	entry := f.entry(iam.InviteCreate, a.ID, m.ID)
	f.must(func(tx iam.Tx) error { return tx.InsertMembership(m, link, entry) })
	return m
}

func (f *fixture) linkFacts(id iam.ID) (facts iam.LinkFacts, err error) {
	err = f.update(func(tx iam.Tx) error { facts, err = tx.LinkFacts(id); return err })
	return facts, err
}

var linkTests = map[string]func(f *fixture){
	"UpdateInvitationChangesRowAndLinkOrNeither": func(f *fixture) {
		a := f.account("A")
		link := f.wakes(time.Hour)
		m, other := f.linked(a, "1@example.com", link), f.linked(a, "2@example.com", link)
		after, next := m, iam.Link{
			Locale: "en", Generation: 3, SentOn: f.clock.Now().Add(1 * time.Minute), WakeOn: f.clock.Now().Add(2 * time.Minute),
			AskedOn: f.clock.Now().Add(3 * time.Minute),
		}
		after.ExpiresOn = m.ExpiresOn.Add(time.Hour)
		entry := f.entry(iam.InviteResend, a.ID, m.ID)
		change := func(before, after iam.Membership, link iam.Link) error {
			entry.OperationID += "x"
			return f.update(func(tx iam.Tx) error { return tx.UpdateInvitation(before, after, link, entry) })
		}
		wantErr(f, "UpdateInvitation", change(m, after, next), nil)
		after.Revision++
		facts, err := f.linkFacts(m.ID)
		wantErr(f, "LinkFacts", err, nil)
		equal(f, "row", facts.Invitation.Membership, after)
		equal(f, "link", facts.Link, next)
		f.must(func(tx iam.Tx) error {
			member, err := tx.MemberFacts(a.ID, m.ID, operator)
			equal(f, "MemberFacts.Link", member.Link, next)
			return err
		})
		equal(f, "Member.AskedOn", f.members(a, iam.MemberQuery{Email: m.Email}).Items[0].AskedOn, next.AskedOn)
		rows := len(f.audit(a.ID))
		wantErr(f, "from the row before", change(m, after, link), iam.ErrStale)
		facts, _ = f.linkFacts(m.ID)
		equal(f, "link after what was stale", facts.Link, next)
		equal(f, "audit rows after what was stale", len(f.audit(a.ID)), rows)
		facts, _ = f.linkFacts(other.ID)
		equal(f, "another row's link", facts.Link, link)
		equal(f, "another row", facts.Invitation.Membership, other)
	},

	"LinkFactsAreReadInOneGo": func(f *fixture) {
		a, other := f.account("A"), f.account("other")
		manager, first, second := f.user("m@example.com"), f.user("1@example.com"), f.user("2@example.com")
		own := f.member(a, manager, withRoles(f.admin()))
		m := f.linked(a, "u@example.com", f.wakes(time.Hour), grantedBy(manager))
		f.linked(other, "u@example.com", iam.Link{})
		facts, err := f.linkFacts(m.ID)
		wantErr(f, "LinkFacts", err, nil)
		equal(f, "Invitation", facts.Invitation, iam.Invitation{Membership: m, Account: a})
		equal(f, "Link", facts.Link, f.wakes(time.Hour))
		equal(f, "Grantor.Active", facts.Grantor.Active, true)
		equal(f, "Grantor's row", facts.Grantor.Membership.ID, own.ID)
		equal(f, "SuperAdmin of an account without one", facts.SuperAdmin, nil)
		equal(f, "LiveElsewhere", facts.LiveElsewhere, false)

		one := f.member(a, first, withRoles(f.super()))
		f.member(a, second, withRoles(f.super()))
		f.member(other, f.user("0@example.com"), withRoles(f.super()))
		admin := func() iam.Membership {
			now, err := f.linkFacts(m.ID)
			wantErr(f, "LinkFacts", err, nil)
			if now.SuperAdmin == nil {
				f.Fatal("no Super Administrator")
			}
			return *now.SuperAdmin
		}
		equal(f, "SuperAdmin", [2]string{string(admin().UserID), admin().Email}, [2]string{string(first.ID), first.Email})
		equal(f, "SuperAdmin's roles", admin().Roles, []iam.Role{f.super()})
		f.changeUser(first, func(u *iam.User) { u.Suspended = true })
		equal(f, "SuperAdmin where the first is suspended", admin().UserID, second.ID)
		f.changeUser(first, func(u *iam.User) { u.Suspended = false })
		f.end(one, iam.Removed)
		equal(f, "SuperAdmin where the first was removed", admin().UserID, second.ID)

		f.end(m, iam.Expired)
		again := f.linked(a, "u@example.com", iam.Link{})
		facts, _ = f.linkFacts(m.ID)
		equal(f, "LiveElsewhere of one invited anew", facts.LiveElsewhere, true)
		facts, _ = f.linkFacts(again.ID)
		equal(f, "LiveElsewhere of the new one", facts.LiveElsewhere, false)
		_, err = f.linkFacts(f.id())
		wantErr(f, "LinkFacts of no row", err, iam.ErrNoRow)
		f.deleteAccount(a)
		_, err = f.linkFacts(m.ID)
		wantErr(f, "LinkFacts in an account that is gone", err, iam.ErrNoRow)
	},

	"AskedInvitationsAreThoseThatSomebodyWaitsFor": func(f *fixture) {
		a, other := f.account("A"), f.account("other")
		u := f.user("u@example.com")
		asked := func(of iam.Account, email string, ago int, edits ...func(*iam.Membership)) iam.Membership {
			return f.linked(of, email, iam.Link{Generation: 2, AskedOn: f.clock.Now().Add(-time.Duration(ago) * time.Hour)}, edits...)
		}
		pending := asked(a, "1@example.com", 1)
		due := asked(a, "2@example.com", 3, func(m *iam.Membership) { m.ExpiresOn = f.clock.Now() })
		expired := f.end(asked(a, "3@example.com", 2), iam.Expired)
		f.end(asked(a, "4@example.com", 4), iam.Canceled)
		f.answer(asked(a, u.Email, 4), u, iam.Accepted)
		f.end(asked(a, "5@example.com", 4), iam.Expired)
		twice := f.end(asked(a, "7@example.com", 5), iam.Expired)
		f.linked(a, "7@example.com", iam.Link{}, func(m *iam.Membership) { m.ExpiresOn = f.clock.Now() }) // which ran out as well
		f.linked(a, "5@example.com", iam.Link{})                                                          // invited anew
		f.linked(a, "6@example.com", iam.Link{})                                                          // asked for nothing
		asked(other, "1@example.com", 9)
		list := func(account iam.Account, status iam.Status) []iam.Member {
			return pagesOf(f, 2, func(page iam.PageRequest) (iam.Page[iam.Member], error) {
				return f.store.AccountInvitations(f.ctx(), account.ID,
					iam.InvitationQuery{PageRequest: page, Status: status, Asked: true}, f.clock.Now())
			})
		}
		for status, want := range map[iam.Status][]iam.Membership{
			"":           {twice, due, expired, pending},
			iam.Pending:  {pending},
			iam.Expired:  {twice, due, expired},
			iam.Accepted: nil,
			iam.Canceled: nil,
		} {
			got := list(a, status)
			equal(f, "asked, "+string(status), idsOf(got, memberID), idsOf(want, func(m iam.Membership) iam.ID { return m.ID }))
		}
		equal(f, "AskedOn", list(a, iam.Pending)[0].AskedOn, f.clock.Now().Add(-time.Hour))
		f.deleteAccount(a)
		equal(f, "of an account that is gone", list(a, ""), nil)
	},

	"LinkedInvitationIsReadInOneGo": func(f *fixture) {
		a := f.account("A")
		manager := f.user("m@example.com")
		own := f.member(a, manager, withRoles(f.super()))
		m := f.linked(a, "u@example.com", f.wakes(time.Hour), grantedBy(manager))
		read := func() iam.LinkedInvitation {
			page, err := f.store.LinkedInvitation(f.ctx(), m.ID, f.clock.Now())
			wantErr(f, "LinkedInvitation", err, nil)
			return page
		}
		equal(f, "page", read(), iam.LinkedInvitation{Invitation: iam.Invitation{Membership: m, Account: a}, Link: f.wakes(time.Hour)})
		f.user("u@example.com")
		equal(f, "Known", read().Known, true)
		f.end(own, iam.Left) // KF-11
		equal(f, "NeedsConfirmation", read().NeedsConfirmation, true)
		_, err := f.store.LinkedInvitation(f.ctx(), f.id(), f.clock.Now())
		wantErr(f, "of no row", err, iam.ErrNoRow)
		f.deleteAccount(a)
		_, err = f.store.LinkedInvitation(f.ctx(), m.ID, f.clock.Now())
		wantErr(f, "of an account that is gone", err, iam.ErrNoRow)
	},
}
