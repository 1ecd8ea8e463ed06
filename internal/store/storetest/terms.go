package storetest

import (
	"time"

	"hither/internal/iam"
)

// until is an edit that gives a membership an end in so long.
func (f *fixture) until(in time.Duration) func(*iam.Membership) {
	return func(m *iam.Membership) {
		m.EndsOn = f.clock.Now().Add(in)
		m.EndWake = m.EndsOn
	}
}

func (f *fixture) termFacts(a iam.Account, ids ...iam.ID) (facts []iam.TermFacts) {
	f.Helper()
	f.must(func(tx iam.Tx) (err error) { facts, err = tx.TermFacts(a.ID, ids); return err })
	return facts
}

// termTests are about memberships that have an end: no read takes one for a member any
// more from then on, written down or not.
var termTests = map[string]func(f *fixture){
	"WhoIsOverIsNoMemberInAnyRead": func(f *fixture) {
		a := f.account("A")
		u, grantor := f.user("u@example.com"), f.user("g@example.com")
		over := f.member(a, u, f.until(time.Hour), withRoles(f.admin()))
		f.member(a, grantor)
		asked := f.invite(a, "asked@example.com", grantedBy(u))
		who := u.Invitee()
		page := iam.PageRequest{Number: 1, Size: 10}
		counts := func() (members, accounts, memberships, named int, own, seats, grants bool) {
			f.Helper()
			m := f.members(a, iam.MemberQuery{Status: iam.Accepted, Order: iam.ByFirstName})
			if len(m.Items) != m.Total {
				f.Errorf("%d members, the total says %d", len(m.Items), m.Total)
			}
			acc, err := f.store.Accounts(f.ctx(), u.ID, iam.AccountQuery{PageRequest: page})
			wantErr(f, "Accounts", err, nil)
			mine, err := f.store.Memberships(f.ctx(), who, iam.MembershipQuery{PageRequest: page}, f.clock.Now())
			wantErr(f, "Memberships", err, nil)
			_, row, err := f.store.Access(f.ctx(), a.ID, u.ID)
			wantErr(f, "Access", err, nil)
			var facts iam.InviteFacts
			f.must(func(tx iam.Tx) error {
				var err error
				facts, err = tx.InviteFacts(a.ID, u.Email, iam.Actor{Kind: iam.ByUser, User: u})
				if err == nil && (facts.Own == nil) != (row == nil) {
					f.Errorf("Access finds %+v, a transaction %+v", row, facts.Own)
				}
				return err
			})
			equal(f, "one is a member, or over", facts.Existing != nil, facts.Over == "")
			member, err := f.store.Member(f.ctx(), a.ID, asked.ID)
			wantErr(f, "Member", err, nil)
			byName := f.members(a, iam.MemberQuery{Email: u.Email}).Total
			return m.Total, acc.Total, mine.Total, byName, row != nil, facts.Seats.Taken() == 3, member.GrantorFacts.Membership != nil
		}
		for _, test := range []struct {
			what    string
			pass    time.Duration
			members int
			is      bool
		}{{"before", time.Hour - time.Microsecond, 2, true}, {"at its end", time.Microsecond, 1, false}} {
			f.clock.advance(test.pass)
			one := map[bool]int{true: 1}[test.is]
			members, accounts, memberships, named, own, seats, grants := counts()
			equal(f, test.what, []int{members, accounts, memberships, named}, []int{test.members, one, one, one})
			equal(f, test.what+": access, seats, grantor", []bool{own, seats, grants}, []bool{test.is, test.is, test.is})
		}
		_, err := f.store.LiveMembership(f.ctx(), a.ID, who, f.clock.Now())
		wantErr(f, "LiveMembership", err, iam.ErrNoRow)
		news := f.queue(f.message(over, func(d *iam.Delivery) { d.Kind, d.UserID = iam.AcceptedMessage, u.ID }))
		due, err := f.due()
		wantErr(f, "DueDelivery", err, nil)
		equal(f, "the message", due.ID, news.ID)
		equal(f, "Hears", due.Hears, false)
	},

	"AnEndIsKeptWithTheRow": func(f *fixture) {
		a, u := f.account("A"), f.user("u@example.com")
		m := f.invite(a, u.Email, func(m *iam.Membership) { m.EndsOn = f.clock.Now().Add(time.Hour) })
		equal(f, "pending", f.invitation(m.ID).Membership, m)
		m = f.answer(m, u, iam.Accepted)
		equal(f, "accepted", f.invitation(m.ID).Membership, m)
		m = f.mustChange(m, func(m *iam.Membership) { m.EndsOn, m.EndWake = time.Time{}, time.Time{} })
		equal(f, "without", f.invitation(m.ID).Membership, m)
	},

	"WhatTheClockHasToDoWithMembers": func(f *fixture) {
		a, other := f.account("A"), f.account("other")
		setter := f.user("s@example.com")
		own := f.member(a, setter, withRoles(f.admin()))
		warned := f.member(a, f.user("1@example.com"), f.until(2*time.Hour), grantedBy(setter), func(m *iam.Membership) { m.EndWake = f.clock.Now().Add(time.Hour) })
		over := f.member(a, f.user("2@example.com"), f.until(time.Hour))
		f.member(a, f.user("3@example.com"))
		f.member(other, f.user("4@example.com"), f.until(3*time.Hour))
		equal(f, "too early", f.waking(10), nil)
		next, err := f.store.NextWake(f.ctx())
		wantErr(f, "NextWake", err, nil)
		equal(f, "NextWake", next, warned.EndWake)
		equal(f, "facts, too early", len(f.termFacts(a, warned.ID, over.ID)), 0)
		f.clock.advance(time.Hour)
		woken := map[iam.ID]iam.Waking{}
		for _, w := range f.waking(10) {
			woken[w.ID] = w
		}
		equal(f, "what wakes", woken, map[iam.ID]iam.Waking{
			warned.ID: {ID: warned.ID, AccountID: a.ID, Member: true}, over.ID: {ID: over.ID, AccountID: a.ID, Member: true, Due: true},
		})
		facts := f.termFacts(a, warned.ID, over.ID, own.ID)
		if len(facts) != 2 {
			f.Fatalf("facts: %+v", facts)
		}
		equal(f, "the row", facts[0].Invitation, iam.Invitation{Membership: warned, Account: a})
		equal(f, "who set its end", facts[0].Grantor.Membership.ID, own.ID)
		equal(f, "its user can act", facts[0].Active, true)
		equal(f, "in another account", len(f.termFacts(other, warned.ID)), 0)
	},

	"NoSuperAdministratorForATimeStandsInForOthers": func(f *fixture) {
		a := f.account("A")
		first, second := f.user("1@example.com"), f.user("2@example.com")
		one := f.member(a, first, withRoles(f.super()))
		two := f.member(a, second, withRoles(f.super()), f.until(time.Hour))
		others := func(id iam.ID) (n int) {
			f.Helper()
			f.must(func(tx iam.Tx) error {
				facts, err := tx.MemberFacts(a.ID, id, operator)
				n = facts.OtherSuperAdmins
				return err
			})
			return n
		}
		equal(f, "beside the one without an end", others(one.ID), 0)
		equal(f, "beside the one with an end", others(two.ID), 1)
		f.must(func(tx iam.Tx) error {
			facts, err := tx.UserFacts(first.ID)
			equal(f, "LastAdminOf", facts.LastAdminOf, []iam.Account{a})
			return err
		})
		f.clock.advance(time.Hour)
		equal(f, "TermFacts", f.termFacts(a, two.ID)[0].OtherSuperAdmins, 1)
		f.changeUser(second, func(u *iam.User) { u.Suspended = true })
		equal(f, "a user that cannot act", f.termFacts(a, two.ID)[0].Active, false)
	},

	"RacingSweepsEndEachOnce": func(f *fixture) {
		a := f.account("A")
		setter := f.user("s@example.com")
		f.member(a, setter, withRoles(f.super()))
		const rows = 40
		for i := range rows {
			f.member(a, f.user(string(rune('a'+i%26))+string(rune('a'+i/26))+"@example.com"), f.until(time.Hour), grantedBy(setter))
		}
		f.clock.advance(time.Hour)
		services := []*iam.Service{f.service(), f.service(), f.service()}
		done := make(chan int, len(services))
		for _, s := range services {
			go func() {
				ended := 0
				for range 20 {
					swept, err := s.Sweep(f.ctx())
					if err != nil {
						f.Errorf("Sweep: %v", err)
					}
					ended += swept.Ended
				}
				done <- ended
			}()
		}
		total := 0
		for range services {
			total += <-done
		}
		equal(f, "ended", total, rows)
		ends := 0
		for _, entry := range f.audit(a.ID) {
			if entry.Action == iam.MemberExpire {
				ends++
			}
		}
		equal(f, "audit rows of ends", ends, rows)
		equal(f, "members that are left", f.members(a, iam.MemberQuery{}).Total, 1)
	},
}
