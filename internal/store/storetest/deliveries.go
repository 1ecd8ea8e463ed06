package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hither/internal/iam"
)

// message is one about a row, due at once.
func (f *fixture) message(m iam.Membership, edits ...func(*iam.Delivery)) iam.Delivery {
	now := f.clock.Now()
	d := iam.Delivery{
		ID: string(m.ID) + "-message", Kind: iam.InvitationMessage, AccountID: m.AccountID, MembershipID: m.ID,
		Recipient: m.Email, State: iam.Queued, DueOn: now, CreatedOn: now,
	}
	for _, edit := range edits {
		edit(&d)
	}
	return d
}

// digest tells u of rows that ended.
func (f *fixture) digest(u iam.User, of ...iam.Membership) iam.Delivery {
	ids := make([]string, len(of))
	for i, m := range of {
		ids[i] = string(m.ID)
	}
	return f.message(of[0], func(d *iam.Delivery) {
		d.ID, d.Kind, d.UserID, d.Recipient = "digest", iam.ExpiredMessage, u.ID, u.Email
		d.Told, d.Detail = len(of), strings.Join(ids, " ")
	})
}

func (f *fixture) queue(d iam.Delivery) iam.Delivery {
	f.Helper()
	f.must(func(tx iam.Tx) error { return tx.Queue(d) })
	return d
}

// due is what a transaction of now reads as due.
func (f *fixture) due() (d iam.DueDelivery, err error) {
	err = f.update(func(tx iam.Tx) error { d, err = tx.DueDelivery(); return err })
	return d, err
}

func (f *fixture) deliver(before, after iam.Delivery, steps ...iam.DeliveryStep) error {
	return f.update(func(tx iam.Tx) error { return tx.UpdateDelivery(before, after, steps...) })
}

// claimed takes what is due in the way that use cases do.
func (f *fixture) claimed() (iam.Delivery, error) {
	var after iam.Delivery
	err := f.update(func(tx iam.Tx) error {
		d, err := tx.DueDelivery()
		if err != nil {
			return err
		}
		after, _ = iam.DecideDelivery(d, time.Minute, tx.Now())
		return tx.UpdateDelivery(d.Delivery, after)
	})
	return after, err
}

var deliveryTests = map[string]func(f *fixture){
	"AMessageIsQueuedOnceAndReadWithWhatItTells": func(f *fixture) {
		a := f.account("A")
		u := f.user("u@example.com")
		m := f.pendingRow(a, u.Email)
		link := iam.Link{Locale: "de", Generation: 3, SentOn: f.clock.Now(), WakeOn: m.ExpiresOn, AskedOn: f.clock.Now()}
		entry := f.entry(iam.InviteCreate, a.ID, m.ID)
		d := f.message(m, func(d *iam.Delivery) { d.Locale, d.Detail, d.UserID, d.Generation = "fr", "x", u.ID, 3 })
		f.must(func(tx iam.Tx) error {
			return errors.Join(tx.InsertMembership(m, link, entry), tx.Queue(d))
		})
		again := d
		again.Recipient = "other@example.com"
		f.queue(again)

		got, err := f.due()
		wantErr(f, "DueDelivery", err, nil)
		equal(f, "Delivery", got.Delivery, d)
		equal(f, "Invitation", got.Invitation, iam.Invitation{Membership: m, Account: a})
		equal(f, "Link", got.Link, iam.Link{Locale: "de", Generation: 3, AskedOn: f.clock.Now()})
		equal(f, "User", got.User, u)
		equal(f, "Language, of what asks the invited: the row's, whatever it was before", got.Language, "de")
		equal(f, "Hears, of no member", got.Hears, false)
		f.answer(m, u, iam.Accepted)
		got, err = f.due()
		wantErr(f, "DueDelivery", err, nil)
		equal(f, "status, once accepted", got.Invitation.Status, iam.Accepted)
		equal(f, "Hears, of a member", got.Hears, true)
		f.deleteAccount(a)
		got, err = f.due()
		wantErr(f, "DueDelivery", err, nil)
		equal(f, "Account, deleted", got.Invitation.Account, iam.Account{})
	},

	"AMessageOfNothingIsReadToo": func(f *fixture) {
		d := f.queue(iam.Delivery{
			ID: "notice", Kind: iam.NoticeMessage, Recipient: "u@example.com", State: iam.Queued, DueOn: f.clock.Now(), CreatedOn: f.clock.Now(),
		})
		got, err := f.due()
		wantErr(f, "DueDelivery", err, nil)
		equal(f, "DueDelivery", got, iam.DueDelivery{Delivery: d})
	},

	"WhatIsNoInvitationHasALanguageOfItsOwn": func(f *fixture) {
		m := f.invite(f.account("A"), "guest@example.com")
		f.queue(f.message(m, func(d *iam.Delivery) { d.Kind, d.Locale = iam.AcceptedMessage, "fr" }))
		got, err := f.due()
		wantErr(f, "DueDelivery", err, nil)
		equal(f, "Language", got.Language, "fr")
	},

	// Its link holds for ten minutes, and a thousand invitations may stand before it.
	"WhoSignsInWaitsForNoInvitation": func(f *fixture) {
		m := f.invite(f.account("A"), "u@example.com")
		later := func(d *iam.Delivery) { d.DueOn = f.clock.Now().Add(time.Hour) }
		first := f.queue(f.message(m))
		f.clock.advance(time.Second)
		f.queue(f.message(m, later, func(d *iam.Delivery) { d.ID, d.Kind = "later", iam.SignInMessage }))
		for _, kind := range []iam.DeliveryKind{iam.SignInMessage, iam.AddressMessage} {
			d := f.queue(iam.Delivery{
				ID: string(kind), Kind: kind, Recipient: "s@example.com", State: iam.Queued, DueOn: f.clock.Now(), CreatedOn: f.clock.Now(),
			})
			got, err := f.claimed()
			wantErr(f, "DueDelivery", err, nil)
			equal(f, "claimed", got.ID, d.ID)
		}
		got, err := f.claimed()
		wantErr(f, "DueDelivery", err, nil)
		equal(f, "claimed then", got.ID, first.ID)
	},

	"MessagesAreDueInTheirTurn": func(f *fixture) {
		m := f.invite(f.account("A"), "u@example.com")
		start := f.clock.Now()
		_, err := f.due()
		wantErr(f, "DueDelivery of none", err, iam.ErrNoRow)
		_, err = f.store.NextDelivery(f.ctx())
		wantErr(f, "NextDelivery of none", err, iam.ErrNoRow)
		waiting := func(want iam.Outbox) {
			f.Helper()
			got, err := f.store.Outbox(f.ctx())
			wantErr(f, "Outbox", err, nil)
			equal(f, "Outbox", got, want)
		}
		waiting(iam.Outbox{})
		at := func(name string, d time.Duration) {
			f.queue(f.message(m, func(m *iam.Delivery) { m.ID, m.DueOn = name, start.Add(d) }))
		}
		at("late", 2*time.Second)
		at("first", -time.Second)
		at("ended", -time.Hour)
		ended := f.message(m, func(m *iam.Delivery) { m.ID = "ended" })
		after := ended
		after.State, after.EndedOn = iam.Sent, start
		wantErr(f, "end", f.deliver(ended, after), nil)

		next, err := f.store.NextDelivery(f.ctx())
		wantErr(f, "NextDelivery", err, nil)
		equal(f, "NextDelivery", next, start.Add(-time.Second))
		waiting(iam.Outbox{Waiting: 2, DueSince: start.Add(-time.Second)})
		claimed, err := f.claimed()
		wantErr(f, "claim", err, nil)
		equal(f, "claimed", claimed.ID, "first")
		_, err = f.due()
		wantErr(f, "DueDelivery while that is claimed", err, iam.ErrNoRow)
		waiting(iam.Outbox{Waiting: 2})
		f.clock.set(start.Add(2 * time.Second))
		got, err := f.due()
		wantErr(f, "DueDelivery", err, nil)
		equal(f, "due then", got.ID, "late")
		f.clock.set(start.Add(time.Minute))
		got, err = f.due()
		wantErr(f, "DueDelivery", err, nil)
		equal(f, "due when the lease is over, the others' turn first", got.ID, "late")
	},

	"OnlyWhoClaimedLastFinishes": func(f *fixture) {
		m := f.invite(f.account("A"), "u@example.com")
		f.queue(f.message(m))
		first, err := f.claimed()
		wantErr(f, "claim", err, nil)
		f.clock.advance(time.Minute)
		second, err := f.claimed()
		wantErr(f, "claim again", err, nil)
		equal(f, "attempts", [2]int{first.Attempts, second.Attempts}, [2]int{1, 2})
		sent := iam.DecideFinish(first, iam.Verdict{State: iam.Sent}, f.clock.Now())
		wantErr(f, "finish by the first", f.deliver(first, sent), iam.ErrStale)
		put := iam.DecideFinish(second, iam.Verdict{State: iam.Deferred, Code: 451, Words: "later"}, f.clock.Now())
		wantErr(f, "finish by the second", f.deliver(second, put), nil)
		list := func(state iam.DeliveryState) []iam.Delivery {
			got, err := f.store.Deliveries(f.ctx(), state, iam.PageRequest{Number: 1, Size: 10})
			wantErr(f, "Deliveries", err, nil)
			return got
		}
		equal(f, "deferred ones", list(iam.Deferred), []iam.Delivery{put})
		equal(f, "waiting ones", list(""), []iam.Delivery{put})
		equal(f, "queued ones", list(iam.Queued), nil)
		dropped := put
		dropped.State, dropped.EndedOn = iam.Dropped, f.clock.Now()
		wantErr(f, "drop", f.deliver(put, dropped), nil)
		wantErr(f, "finish what ended", f.deliver(put, sent), iam.ErrStale)
		equal(f, "dropped ones", list(iam.Dropped), []iam.Delivery{dropped})
		f.must(func(tx iam.Tx) error {
			got, err := tx.Delivery(put.ID)
			equal(f, "Delivery", got.Delivery, dropped)
			equal(f, "what it tells", got.Invitation.Membership, m)
			return err
		})
		err = f.update(func(tx iam.Tx) error { _, err := tx.Delivery("none"); return err })
		wantErr(f, "Delivery of none", err, iam.ErrNoRow)
	},

	"RacingWorkersShareTheMessages": func(f *fixture) {
		const workers, messages = 8, 60
		a := f.account("A")
		for i := range messages {
			m := f.invite(a, fmt.Sprintf("%d@example.com", i))
			f.queue(f.message(m))
		}
		taken := make([][]string, workers)
		for _, err := range parallel(workers, func(i int) error {
			for {
				d, err := f.claimed()
				if errors.Is(err, iam.ErrNoRow) {
					return nil
				}
				if err != nil {
					return err
				}
				taken[i] = append(taken[i], d.ID)
			}
		}) {
			wantErr(f, "worker", err, nil)
		}
		all := slices.Concat(taken...)
		slices.Sort(all)
		equal(f, "messages taken", len(all), messages)
		equal(f, "messages taken, each once", len(slices.Compact(all)), messages)
	},

	// An erasure takes from a digest what it tells of; who looks at it later reads the
	// rest.
	"AnErasedDigestIsRead": func(f *fixture) {
		a := f.account("A")
		u := f.user("u@example.com")
		digest := f.digest(u, f.end(f.invite(a, "1@example.com"), iam.Expired), f.end(f.invite(a, "2@example.com"), iam.Expired))
		f.must(func(tx iam.Tx) error { _, err := tx.Gather(digest); return err })
		entry := f.entry(iam.UserErase, "", u.ID)
		f.must(func(tx iam.Tx) error {
			erasure := iam.Erasure{UserID: u.ID, Addresses: []iam.HadAddress{{Address: u.Email}}, Instead: "erased@erased.invalid"}
			_, err := tx.CloseUser(erasure, entry)
			return err
		})
		f.must(func(tx iam.Tx) error {
			got, err := tx.Delivery(digest.ID)
			equal(f, "told, state and addresses", []any{got.Told, got.State, got.Addresses}, []any{2, iam.Dropped, []string(nil)})
			return err
		})
	},

	"ADigestGathersUntilItIsTried": func(f *fixture) {
		a := f.account("A")
		u := f.user("u@example.com")
		digest := func(of ...iam.Membership) iam.Delivery { return f.digest(u, of...) }
		gather := func(d iam.Delivery) (gathered bool) {
			f.must(func(tx iam.Tx) (err error) { gathered, err = tx.Gather(d); return err })
			return gathered
		}
		rows := make([]iam.Membership, iam.MaxTold+5)
		var addresses []string
		for i := range rows {
			rows[i] = f.end(f.invite(a, fmt.Sprintf("%02d@example.com", i)), iam.Expired)
			addresses = append(addresses, rows[i].Email)
		}
		equal(f, "the first", gather(digest(rows[0])), true)
		got, err := f.due()
		wantErr(f, "DueDelivery", err, nil)
		equal(f, "of one", got.Delivery, digest(rows[0]))
		equal(f, "addresses of one", got.Addresses, nil)
		equal(f, "two more", gather(digest(rows[1], rows[2])), true)
		got, err = f.due()
		wantErr(f, "DueDelivery", err, nil)
		equal(f, "of three", got.Delivery, digest(rows[:3]...))
		equal(f, "addresses", got.Addresses, addresses[:3])
		for _, m := range rows[3:] {
			gather(digest(m))
		}
		got, err = f.due()
		wantErr(f, "DueDelivery", err, nil)
		equal(f, "told", got.Told, len(rows))
		equal(f, "addresses that are kept", got.Addresses, addresses[:iam.MaxTold])
		claimed := got.Delivery
		claimed.Attempts++
		wantErr(f, "claim", f.deliver(got.Delivery, claimed), nil)
		equal(f, "once it was tried", gather(digest(rows[0])), false)
		f.must(func(tx iam.Tx) error {
			after, err := tx.Delivery("digest")
			equal(f, "is as it was", after.Delivery, claimed)
			return err
		})
	},

	"OldMessagesAreDropped": func(f *fixture) {
		m := f.invite(f.account("A"), "u@example.com")
		start := f.clock.Now()
		_, err := f.store.FirstEnded(f.ctx())
		wantErr(f, "FirstEnded of none", err, iam.ErrNoRow)
		f.queue(f.message(m, func(d *iam.Delivery) { d.ID = "waiting" }))
		for i := range 5 {
			f.queue(f.message(m, func(d *iam.Delivery) {
				d.ID, d.State, d.EndedOn = fmt.Sprint(i), iam.Sent, start.Add(time.Duration(i)*time.Hour)
			}))
		}
		purge := func(before time.Time, limit int) (n int) {
			f.must(func(tx iam.Tx) (err error) { n, err = tx.PurgeDeliveries(before, limit); return err })
			return n
		}
		first, err := f.store.FirstEnded(f.ctx())
		wantErr(f, "FirstEnded", err, nil)
		equal(f, "FirstEnded", first, start)
		equal(f, "none before the first", purge(start, 9), 0)
		equal(f, "the oldest, as many as are asked for", purge(start.Add(3*time.Hour), 2), 2)
		first, err = f.store.FirstEnded(f.ctx())
		wantErr(f, "FirstEnded", err, nil)
		equal(f, "FirstEnded then", first, start.Add(2*time.Hour))
		equal(f, "the rest of them, without the one at the moment", purge(start.Add(3*time.Hour), 9), 1)
		list := func(state iam.DeliveryState) (ids []string) {
			all, err := f.store.Deliveries(f.ctx(), state, iam.PageRequest{Number: 1, Size: 10})
			wantErr(f, "Deliveries", err, nil)
			for _, d := range all {
				ids = append(ids, d.ID)
			}
			return ids
		}
		equal(f, "what is left", [2][]string{list(iam.Sent), list("")}, [2][]string{{"4", "3"}, {"waiting"}})
	},

	"AMessageKnowsWhetherItsProofIsOpen": func(f *fixture) {
		u := f.user("u@example.com")
		c := f.challenge(u.ID)
		f.queue(iam.Delivery{
			ID: "sign-in", Kind: iam.SignInMessage, UserID: u.ID, Recipient: u.Email, Detail: string(c.ID), State: iam.Queued,
			DueOn: f.clock.Now(), CreatedOn: f.clock.Now(),
		})
		open := func() bool {
			d, err := f.due()
			wantErr(f, "DueDelivery", err, nil)
			return d.Open
		}
		equal(f, "open", open(), true)
		start := f.clock.Now()
		f.clock.set(c.ExpiresOn)
		equal(f, "when its time is over", open(), false)
		f.clock.set(start)
		equal(f, "before that", open(), true)
		f.must(func(tx iam.Tx) error { return tx.UseChallenge(c.ID) })
		equal(f, "used", open(), false)
	},
}
