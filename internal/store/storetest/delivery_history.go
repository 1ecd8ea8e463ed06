package storetest

import (
	"fmt"
	"slices"
	"time"

	"hither/internal/iam"
)

// step is one that became of a message now.
func (f *fixture) step(state iam.DeliveryState, words string) iam.DeliveryStep {
	return iam.DeliveryStep{On: f.clock.Now(), Source: iam.ByServer, State: state, Code: 451, Words: words, NextOn: f.clock.Now().Add(time.Hour)}
}

// remembered is a message with its history.
func (f *fixture) remembered(id string) iam.DeliveryRecord {
	f.Helper()
	got, err := f.store.DeliveryRecord(f.ctx(), id)
	wantErr(f, "DeliveryRecord", err, nil)
	return got
}

var deliveryHistoryTests = map[string]func(f *fixture){
	// What is kept of an attempt is kept with what it led to, or not at all.
	"AMessageKeepsWhatBecameOfIt": func(f *fixture) {
		m := f.invite(f.account("A"), "u@example.com")
		d := f.queue(f.message(m))
		equal(f, "of one that was not tried", f.remembered(d.ID), iam.DeliveryRecord{Delivery: d})
		first, second := f.step(iam.Deferred, "later"), f.step(iam.Bounced, "never")
		second.NextOn = time.Time{}
		put := d
		put.State, put.Attempts, put.Words = iam.Deferred, 1, "later"
		wantErr(f, "first", f.deliver(d, put, first), nil)
		wantErr(f, "a late one", f.deliver(d, put, f.step(iam.Deferred, "stale")), iam.ErrStale)
		ended := put
		ended.State, ended.EndedOn, ended.Words = iam.Bounced, f.clock.Now(), "never"
		wantErr(f, "second", f.deliver(put, ended, second), nil)
		equal(f, "history", f.remembered(d.ID), iam.DeliveryRecord{Delivery: ended, Steps: []iam.DeliveryStep{first, second}})
		_, err := f.store.DeliveryRecord(f.ctx(), "none")
		wantErr(f, "of none", err, iam.ErrNoRow)
	},

	"AHistoryIsBounded": func(f *fixture) {
		d := f.queue(f.message(f.invite(f.account("A"), "u@example.com")))
		for i := range iam.MaxDeliverySteps + 3 {
			after := d
			after.Attempts++
			wantErr(f, "deliver", f.deliver(d, after, f.step(iam.Deferred, fmt.Sprint(i))), nil)
			d = after
		}
		steps := f.remembered(d.ID).Steps
		equal(f, "steps", len(steps), iam.MaxDeliverySteps)
		equal(f, "the first that is left", steps[0].Words, "3")
		equal(f, "the last", steps[len(steps)-1].Words, fmt.Sprint(iam.MaxDeliverySteps+2))
	},

	// An account sees the mails to whom it invited: none of another invitation or
	// account, and none to its own people.
	"AnInvitationsMailsAreListed": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		m, other := f.invite(a, "u@example.com"), f.invite(b, "u@example.com")
		var want []string
		for i := range 7 {
			d := f.queue(f.message(m, func(d *iam.Delivery) { d.ID, d.Generation = fmt.Sprintf("%s-invitation-%d", m.ID, i+1), i+1 }))
			want = append(want, d.ID)
			f.clock.advance(time.Second)
		}
		reminder := f.queue(f.message(m, func(d *iam.Delivery) { d.ID, d.Kind = string(m.ID)+"-reminder-1", iam.ReminderMessage }))
		want = append(want, reminder.ID)
		slices.Reverse(want)
		u := f.user("owner@example.com")
		f.queue(f.message(m, func(d *iam.Delivery) { d.ID, d.Kind, d.UserID = string(m.ID)+"-accepted", iam.AcceptedMessage, u.ID }))
		f.queue(f.message(other))
		after := reminder
		after.Attempts++
		step := f.step(iam.Deferred, "later")
		wantErr(f, "deliver", f.deliver(reminder, after, step), nil)

		list := func(accountID, id iam.ID, number int) (ids []string, page iam.Page[iam.DeliveryRecord]) {
			page, err := f.store.InvitationDeliveries(f.ctx(), accountID, id, iam.PageRequest{Number: number, Size: 5})
			wantErr(f, "InvitationDeliveries", err, nil)
			for _, d := range page.Items {
				ids = append(ids, d.ID)
			}
			return ids, page
		}
		ids, page := list(a.ID, m.ID, 1)
		equal(f, "the newest", ids, want[:5])
		equal(f, "total", page.Total, len(want))
		equal(f, "its history", page.Items[0].Steps, []iam.DeliveryStep{step})
		equal(f, "no other's history", page.Items[1].Steps, nil)
		ids, _ = list(a.ID, m.ID, 2)
		equal(f, "the rest", ids, want[5:])
		ids, page = list(a.ID, m.ID, 3)
		equal(f, "behind the end", ids, nil)
		equal(f, "total behind the end", page.Total, len(want))
		ids, _ = list(b.ID, m.ID, 1)
		equal(f, "by another account", ids, nil)
	},

	"AHistoryGoesWithItsMessageAndItsPerson": func(f *fixture) {
		a := f.account("A")
		u := f.user("u@example.com")
		message := func(id, email string) iam.Delivery {
			d := f.queue(f.message(f.invite(a, email), func(d *iam.Delivery) { d.ID = id }))
			sent := d
			sent.State, sent.Attempts, sent.EndedOn = iam.Sent, 1, f.clock.Now()
			wantErr(f, "deliver", f.deliver(d, sent, f.step(iam.Sent, email+" is welcome")), nil)
			return sent
		}
		message("hers", u.Email)
		message("another's", "v@example.com")
		entry := f.entry(iam.UserErase, "", u.ID)
		f.must(func(tx iam.Tx) error {
			_, err := tx.CloseUser(iam.Erasure{UserID: u.ID, Addresses: []iam.HadAddress{{Address: u.Email}}, Instead: "erased@erased.invalid"}, entry)
			return err
		})
		equal(f, "words of who was erased", f.remembered("hers").Steps[0].Words, "")
		equal(f, "words of another", f.remembered("another's").Steps[0].Words, "v@example.com is welcome")
		f.must(func(tx iam.Tx) error {
			n, err := tx.PurgeDeliveries(f.clock.Now().Add(time.Second), 10)
			equal(f, "dropped", n, 2)
			return err
		})
		again := f.queue(f.message(f.invite(a, "w@example.com"), func(d *iam.Delivery) { d.ID = "hers" }))
		equal(f, "one of the same id", f.remembered("hers"), iam.DeliveryRecord{Delivery: again})
	},

	// Reports find a mail by its id, or the last one to a mailbox, and what is noted of
	// it already.
	"ReportedMessagesAreFound": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		tried := func(id string, a iam.Account, email string, edits ...func(*iam.Delivery)) iam.Delivery {
			f.clock.advance(time.Second)
			edits = append(edits, func(d *iam.Delivery) { d.ID = id })
			d := f.queue(f.message(f.invite(a, email), edits...))
			after := d
			after.Attempts, after.State, after.EndedOn = 1, iam.Sent, f.clock.Now()
			wantErr(f, "deliver", f.deliver(d, after, f.step(iam.Sent, "")), nil)
			return after
		}
		first, last := tried("first", a, "u@example.com"), tried("last", b, "u@example.com")
		other := tried("other", a, "v@example.com")
		tried("notice", a, "w@example.com", func(d *iam.Delivery) { d.Kind = iam.NoticeMessage })
		f.queue(f.message(f.invite(a, "x@example.com"), func(d *iam.Delivery) { d.ID = "untried" }))
		report := f.step(iam.Deferred, "later")
		report.Source, report.Report = iam.ByReport, "r1"
		wantErr(f, "report", f.deliver(first, first, report), nil)

		facts := func(ids, recipients []string) (got iam.ReportedMessages) {
			f.must(func(tx iam.Tx) (err error) { got, err = tx.ReportFacts(ids, recipients); return err })
			return got
		}
		equal(f, "of nothing", facts(nil, nil), nil)
		equal(f, "by id", facts([]string{"first", "none", "other"}, nil), iam.ReportedMessages{
			{Delivery: first, Known: []string{"r1"}}, {Delivery: other},
		})
		equal(f, "by recipient", facts(nil, []string{"none@example.com", "u@example.com", "w@example.com", "x@example.com"}),
			iam.ReportedMessages{{Delivery: last}})
		equal(f, "by both", facts([]string{"last"}, []string{"u@example.com", "v@example.com"}),
			iam.ReportedMessages{{Delivery: last}, {Delivery: other}})
	},
}
