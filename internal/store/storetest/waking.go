package storetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hither/internal/iam"
)

// wakes is a link of an invitation that the clock has to do with in so long.
func (f *fixture) wakes(in time.Duration) iam.Link {
	return iam.Link{Locale: "de", Generation: 2, SentOn: f.clock.Now(), WakeOn: f.clock.Now().Add(in)}
}

func (f *fixture) waking(limit int) []iam.Waking {
	f.Helper()
	list, err := f.store.Waking(f.ctx(), f.clock.Now(), limit)
	wantErr(f, "Waking", err, nil)
	return list
}

// messages are those of a kind that may still be sent.
func (f *fixture) messages(kind iam.DeliveryKind) []iam.Delivery {
	f.Helper()
	all, err := f.store.Deliveries(f.ctx(), "", iam.PageRequest{Number: 1, Size: 10_000})
	wantErr(f, "Deliveries", err, nil)
	var list []iam.Delivery
	for _, d := range all {
		if d.Kind == kind {
			list = append(list, d)
		}
	}
	return list
}

// service is the use cases over the store; it sends messages.
func (f *fixture) service() *iam.Service {
	return iam.NewService(f.store, f.ids.New, f.clock.Now).WithMailing(iam.Mailing{Enabled: true, ReminderLead: 48 * time.Hour})
}

var wakingTests = map[string]func(f *fixture){
	"WakingIsWhatTheClockHasToDoWith": func(f *fixture) {
		next := func() time.Time {
			at, err := f.store.NextWake(f.ctx())
			wantErr(f, "NextWake", err, nil)
			return at
		}
		equal(f, "NextWake of an empty database", next(), time.Time{})
		a, b := f.account("A"), f.account("B")
		start, u := f.clock.Now(), f.user("u@example.com")
		remind := f.linked(a, "1@example.com", f.wakes(2*time.Hour))
		ends := f.linked(b, "2@example.com", f.wakes(time.Hour), func(m *iam.Membership) { m.ExpiresOn = start.Add(time.Hour) })
		f.linked(a, "3@example.com", iam.Link{}) // nobody said when
		f.linked(a, "4@example.com", f.wakes(3*time.Hour))
		f.answer(f.linked(a, u.Email, f.wakes(time.Minute)), u, iam.Rejected)
		equal(f, "NextWake", next(), start.Add(time.Hour))
		f.clock.advance(time.Hour - time.Microsecond)
		equal(f, "a microsecond early", f.waking(9), nil)
		f.clock.advance(time.Microsecond)
		equal(f, "due", f.waking(9), []iam.Waking{{ID: ends.ID, AccountID: b.ID, Due: true}})
		f.clock.advance(time.Hour)
		both := []iam.Waking{{ID: ends.ID, AccountID: b.ID, Due: true}, {ID: remind.ID, AccountID: a.ID}}
		equal(f, "both, the longest wait first", f.waking(9), both)
		equal(f, "cut", f.waking(1), both[:1])

		facts := func(account iam.Account, ids ...iam.ID) (got []iam.ID) {
			f.must(func(tx iam.Tx) error {
				rows, err := tx.WakeFacts(account.ID, ids)
				got = idsOf(rows, func(r iam.LinkFacts) iam.ID { return r.Invitation.ID })
				for _, r := range rows {
					equal(f, "WakeFacts", r.Invitation, iam.Invitation{Membership: remind, Account: a})
					equal(f, "their link", r.Link.WakeOn, start.Add(2*time.Hour))
					equal(f, "their grantor", r.Grantor.Grantor, remind.Grantor)
				}
				return err
			})
			return got
		}
		equal(f, "WakeFacts", facts(a, remind.ID, ends.ID, f.id()), []iam.ID{remind.ID})
		equal(f, "WakeFacts of one that is due", facts(b, ends.ID), []iam.ID{})
		equal(f, "WakeFacts of another account's (KF-33)", facts(b, remind.ID), []iam.ID{})
		equal(f, "WakeFacts of none", facts(a), []iam.ID{})
		f.deleteAccount(a)
		equal(f, "where the account is gone", f.waking(9), both[:1])
	},

	// A mail of an earlier link says nothing of the newest.
	"WakingKnowsWhatCameBack": func(f *fixture) {
		a := f.account("A")
		m := f.linked(a, "1@example.com", iam.Link{Generation: 2, SentOn: f.clock.Now(), WakeOn: f.clock.Now()})
		bounced := func() bool {
			var got bool
			f.must(func(tx iam.Tx) error {
				rows, err := tx.WakeFacts(a.ID, []iam.ID{m.ID})
				got = len(rows) == 1 && rows[0].Bounced
				return err
			})
			return got
		}
		mail := func(suffix string, generation int, state iam.DeliveryState) {
			f.queue(f.message(m, func(d *iam.Delivery) {
				d.ID, d.Generation, d.State, d.EndedOn = string(m.ID)+suffix, generation, state, f.clock.Now()
			}))
		}
		mail("-1", 1, iam.Bounced)
		mail("-2", 2, iam.Sent)
		equal(f, "of the mail before", bounced(), false)
		mail("-3", 2, iam.Bounced)
		equal(f, "of the newest link", bounced(), true)
	},

	"SettleTellsWhatEnded": func(f *fixture) {
		a := f.account("A")
		manager := f.user("m@example.com")
		own := f.member(a, manager, withRoles(f.admin()))
		soon := func(m *iam.Membership) { m.ExpiresOn = f.clock.Now().Add(time.Hour) }
		one := f.linked(a, "1@example.com", f.wakes(time.Hour), soon, grantedBy(manager))
		two := f.linked(a, "2@example.com", f.wakes(time.Hour), soon)
		f.linked(a, "3@example.com", f.wakes(time.Hour))
		settle := func() (ended []iam.Member) {
			f.must(func(tx iam.Tx) (err error) { ended, err = tx.Settle(a.ID, ""); return err })
			return ended
		}
		equal(f, "before", settle(), nil)
		f.clock.advance(time.Hour)
		ended := settle()
		equal(f, "ended", idsOf(ended, memberID), []iam.ID{one.ID, two.ID})
		one.Status, one.Revision = iam.Expired, 1
		equal(f, "the first as it is now", ended[0].Membership, f.invitation(one.ID).Membership)
		equal(f, "the first", ended[0].Membership, one)
		equal(f, "its grantor", ended[0].GrantorFacts.Membership.ID, own.ID)
		equal(f, "its grantor's address", ended[0].GrantorFacts.Membership.Email, manager.Email)
		equal(f, "its grantor's roles", ended[0].GrantorFacts.Membership.Roles, own.Roles)
		equal(f, "again", settle(), nil)
	},

	// Nodes that wake at the same moment do everything once, and what they tell is
	// told once.
	"RacingSweepersEndAndRemindOnce": func(f *fixture) {
		const sweepers, accounts, each = 6, 5, 40
		var ends, reminds []iam.ID
		accountIDs := make([]iam.ID, accounts)
		for i := range accounts {
			a := f.account("A")
			manager := f.user(fmt.Sprintf("m%d@example.com", i))
			f.member(a, manager, withRoles(f.super()))
			accountIDs[i] = a.ID
			for j := range each {
				email := fmt.Sprintf("%d-%d@example.com", i, j)
				soon := func(m *iam.Membership) { m.ExpiresOn = f.clock.Now().Add(time.Hour) }
				ends = append(ends, f.linked(a, email, f.wakes(time.Hour), soon, grantedBy(manager)).ID)
				reminds = append(reminds, f.linked(a, "r"+email, f.wakes(time.Hour), grantedBy(manager)).ID)
			}
		}
		f.clock.advance(time.Hour)
		done := make([]iam.Swept, sweepers)
		for _, err := range parallel(sweepers, func(i int) error {
			service := f.service()
			for more := true; more; {
				swept, err := service.Sweep(f.ctx())
				if err != nil {
					return err
				}
				done[i].Expired += swept.Expired
				done[i].Reminded += swept.Reminded
				more = swept.More || len(f.waking(1)) > 0
			}
			return nil
		}) {
			wantErr(f, "sweeper", err, nil)
		}
		var all iam.Swept
		for _, one := range done {
			all.Expired += one.Expired
			all.Reminded += one.Reminded
		}
		equal(f, "swept by all together", all, iam.Swept{Expired: accounts * each, Reminded: accounts * each})
		told := 0
		for _, digest := range f.messages(iam.ExpiredMessage) {
			told += digest.Told
		}
		equal(f, "messages of what ended, one an account", len(f.messages(iam.ExpiredMessage)), accounts)
		equal(f, "what they tell", told, accounts*each)
		equal(f, "reminders", len(f.messages(iam.ReminderMessage)), accounts*each)
		actions := map[iam.Action]int{}
		for _, id := range accountIDs {
			for _, entry := range f.audit(id) {
				actions[entry.Action]++
			}
		}
		equal(f, "audit rows", [2]int{actions[iam.InviteExpire], actions[iam.InviteRemind]}, [2]int{accounts * each, accounts * each})
		for _, id := range ends {
			equal(f, "what is due", f.invitation(id).Status, iam.Expired)
		}
		for _, id := range reminds {
			m := f.invitation(id)
			equal(f, "what was reminded of", m.Status, iam.Pending)
			facts, err := f.linkFacts(id)
			wantErr(f, "LinkFacts", err, nil)
			equal(f, "when it wakes next", facts.Link.WakeOn, m.ExpiresOn)
		}
	},

	// A sweep with nothing to do leaves no trace.
	"AnIdleSweepWritesNothing": func(f *fixture) {
		a := f.account("A")
		m := f.linked(a, "u@example.com", f.wakes(time.Hour))
		readOnly := iam.NewService(noUpdates{f.store}, f.ids.New, f.clock.Now)
		swept, err := readOnly.Sweep(f.ctx())
		wantErr(f, "Sweep", err, nil)
		equal(f, "swept", swept, iam.Swept{Next: f.clock.Now().Add(time.Hour)})
		f.end(m, iam.Canceled)
		swept, err = readOnly.Sweep(f.ctx())
		wantErr(f, "Sweep", err, nil)
		equal(f, "swept where nothing waits", swept, iam.Swept{})
	},

	// One account that fails keeps no other from being swept.
	"ASweepGoesOnPastWhatFails": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		soon := func(m *iam.Membership) { m.ExpiresOn = f.clock.Now().Add(time.Hour) }
		one, two := f.linked(a, "1@example.com", f.wakes(time.Hour), soon), f.linked(b, "2@example.com", f.wakes(time.Hour), soon)
		f.clock.advance(time.Hour)
		service := iam.NewService(&failsOnce{Store: f.store}, f.ids.New, f.clock.Now)
		swept, err := service.Sweep(f.ctx())
		wantErr(f, "the first sweep", err, errRehearsed)
		equal(f, "swept", swept.Expired, 1)
		ended := 0
		for _, m := range []iam.Membership{one, two} {
			if f.invitation(m.ID).Status == iam.Expired {
				ended++
			}
		}
		equal(f, "ended", ended, 1)
		swept, err = service.Sweep(f.ctx())
		wantErr(f, "the second sweep", err, nil)
		equal(f, "swept", swept.Expired, 1)
	},
}

// noUpdates is a store in which nothing may be written.
type noUpdates struct{ iam.Store }

func (noUpdates) Update(context.Context, func(tx iam.Tx) error) error {
	return errors.New("something is to be written")
}

// failsOnce is a store whose first transaction fails.
type failsOnce struct {
	iam.Store

	failed bool
}

func (s *failsOnce) Update(ctx context.Context, fn func(tx iam.Tx) error) error {
	if !s.failed {
		s.failed = true
		return errRehearsed
	}
	return s.Store.Update(ctx, fn)
}
