package storetest

import (
	"fmt"
	"time"

	"hither/internal/iam"
)

var retentionTests = map[string]func(f *fixture){
	// What is younger stays to the microsecond, and so do live rows however old they
	// are; lists and their totals agree with what is left.
	"EndedRowsAreDroppedInTime": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		u := f.user("u@example.com")
		pending, accepted := f.invite(a, "p@example.com", func(m *iam.Membership) { m.ExpiresOn = time.Time{} }), f.member(a, u)
		soon := func(m *iam.Membership) { m.ExpiresOn = f.clock.Now().Add(time.Hour) }
		canceled, rejected := f.end(f.invite(a, "c@example.com"), iam.Canceled), f.answer(f.invite(a, "r@example.com"), f.user("r@example.com"), iam.Rejected)
		expires, removed := f.invite(a, "e@example.com", soon), f.end(f.member(b, u), iam.Removed)
		f.clock.advance(time.Hour)
		f.must(func(tx iam.Tx) error { _, err := tx.Settle(a.ID, ""); return err })
		equal(f, "settled", f.invitation(expires.ID).Status, iam.Expired)
		f.clock.advance(time.Hour)
		late := f.end(f.invite(a, "l@example.com"), iam.Canceled)
		imported := f.pendingRow(b, "i@example.com", func(m *iam.Membership) { m.Status = iam.Canceled })
		wantErr(f, "insert an ended row", f.insert(imported), nil)

		service, keep := f.service(), iam.Retention{Ended: 30 * 24 * time.Hour}
		trim := func() iam.Trimmed {
			trimmed, err := service.Trim(f.ctx(), keep)
			wantErr(f, "Trim", err, nil)
			return trimmed
		}
		there := func(what string, want bool, rows ...iam.Membership) {
			for _, m := range rows {
				_, err := f.store.Invitation(f.ctx(), m.ID)
				if (err == nil) != want {
					f.Errorf("%s: %s row of %s: %v, want it there: %t", what, m.Status, m.Email, err, want)
				}
			}
		}
		rows := len(f.audit(a.ID))
		f.clock.advance(keep.Ended - 2*time.Hour - time.Microsecond)
		equal(f, "a microsecond before", trim(), iam.Trimmed{})
		there("a microsecond before", true, canceled, rejected, expires, removed)
		f.clock.advance(time.Microsecond)
		equal(f, "then", trim(), iam.Trimmed{Ended: 3, More: true})
		there("then", false, canceled, rejected, removed)
		there("then", true, expires, late, imported, pending, accepted)
		f.clock.advance(2 * time.Hour)
		equal(f, "the rest", trim(), iam.Trimmed{Ended: 3, More: true})
		f.clock.advance(10 * keep.Ended)
		equal(f, "what lives", trim(), iam.Trimmed{})
		there("at the end", true, pending, accepted)
		there("at the end", false, expires, late, imported)
		page, err := f.store.AccountInvitations(f.ctx(), a.ID, iam.InvitationQuery{PageRequest: iam.PageRequest{Number: 1, Size: 50}}, f.clock.Now())
		wantErr(f, "AccountInvitations", err, nil)
		equal(f, "invitations left, and their total", [2]int{len(page.Items), page.Total}, [2]int{1, 1})
		equal(f, "audit rows", len(f.audit(a.ID)), rows)
	},

	// A batch takes what many accounts have, and several nodes drop each row once.
	"RacingTrimmersDropOnce": func(f *fixture) {
		const accounts, each = 6, 40
		for i := range accounts {
			a := f.account(fmt.Sprint("A", i))
			for j := range each {
				f.end(f.invite(a, fmt.Sprintf("%d@example.com", j)), iam.Canceled)
			}
			f.invite(a, "stays@example.com", func(m *iam.Membership) { m.ExpiresOn = time.Time{} })
		}
		f.clock.advance(48 * time.Hour)
		dropped := make([]int, 4)
		for _, err := range parallel(len(dropped), func(i int) error {
			trimmed, err := f.service().Trim(f.ctx(), iam.Retention{Ended: 24 * time.Hour})
			dropped[i] = trimmed.Ended
			return err
		}) {
			wantErr(f, "Trim", err, nil)
		}
		total := 0
		for _, n := range dropped {
			total += n
		}
		equal(f, "dropped by all together", total, accounts*each)
		all, err := f.store.Accounts(f.ctx(), "", iam.AccountQuery{PageRequest: iam.PageRequest{Number: 1, Size: 50}})
		wantErr(f, "Accounts", err, nil)
		for _, a := range all.Items {
			page, err := f.store.AccountInvitations(f.ctx(), a.ID, iam.InvitationQuery{PageRequest: iam.PageRequest{Number: 1, Size: 50}}, f.clock.Now())
			wantErr(f, "AccountInvitations", err, nil)
			equal(f, "invitations left, and their total", [2]int{len(page.Items), page.Total}, [2]int{1, 1})
		}
	},

	// Rows that a clock which was ahead gave a later time hold up none behind them,
	// however many they are, in one account or in many.
	"LaterRowsHoldUpNoOlderOnes": func(f *fixture) {
		crowded, start := f.id(), f.clock.Now()
		f.clock.advance(48 * time.Hour)
		for range 510 {
			f.record(f.entry(iam.Import, crowded, ""))
		}
		late := len(f.audit(crowded))
		f.clock.set(start)
		for range 60 {
			f.record(f.entry(iam.Import, f.id(), ""))
		}
		f.record(f.entry(iam.UserCreate, "", ""))
		for range 505 {
			f.record(f.entry(iam.Import, crowded, ""))
		}
		f.clock.set(start.Add(25 * time.Hour))
		total := 0
		for range 10 {
			trimmed, err := f.service().Trim(f.ctx(), iam.Retention{Audit: 24 * time.Hour})
			wantErr(f, "Trim", err, nil)
			if total += trimmed.Audit; !trimmed.More {
				break
			}
		}
		equal(f, "dropped while there is more", total, 60+1+505)
		equal(f, "left", len(f.audit(crowded)), late)
	},

	// A digest that waits, as it does while no mail leaves, has yet to tell of its rows.
	"RowsStayUntilTheyAreTold": func(f *fixture) {
		a := f.account("A")
		soon := func(m *iam.Membership) { m.ExpiresOn = f.clock.Now().Add(time.Hour) }
		var told []iam.Membership
		for i := range 3 {
			told = append(told, f.invite(a, fmt.Sprintf("told%d@example.com", i), soon))
		}
		f.clock.advance(time.Hour)
		f.must(func(tx iam.Tx) error { _, err := tx.Settle(a.ID, ""); return err })
		digest := f.digest(f.user("inviter@example.com"), told[:2]...) // as if the third were beyond its names
		f.must(func(tx iam.Tx) error { _, err := tx.Gather(digest); return err })
		f.clock.advance(48 * time.Hour)
		trim := func() iam.Trimmed {
			trimmed, err := f.service().Trim(f.ctx(), iam.Retention{Ended: 24 * time.Hour})
			wantErr(f, "Trim", err, nil)
			return trimmed
		}
		equal(f, "while it waits", trim().Ended, 1)
		var due iam.DueDelivery
		f.must(func(tx iam.Tx) (err error) { due, err = tx.Delivery(digest.ID); return err })
		equal(f, "what it tells of", due.Addresses, []string{"told0@example.com", "told1@example.com"})
		after := due.Delivery
		after.State, after.EndedOn = iam.Sent, f.clock.Now()
		f.must(func(tx iam.Tx) error { return tx.UpdateDelivery(due.Delivery, after) })
		equal(f, "when it was told", trim().Ended, 2)
	},

	"AuditRowsAreDroppedInTime": func(f *fixture) {
		a := f.id()
		start := f.clock.Now()
		for range 620 {
			f.record(f.entry(iam.Import, a, ""))
		}
		f.clock.advance(time.Minute)
		last := f.entry(iam.Import, a, "")
		f.record(last)
		service := f.service()
		trim := func(keep time.Duration) iam.Trimmed {
			trimmed, err := service.Trim(f.ctx(), iam.Retention{Audit: keep})
			wantErr(f, "Trim", err, nil)
			return trimmed
		}
		f.clock.set(start.Add(24 * time.Hour))
		equal(f, "kept to the microsecond", trim(24*time.Hour), iam.Trimmed{})
		f.clock.advance(time.Microsecond)
		equal(f, "a batch", trim(24*time.Hour), iam.Trimmed{Audit: 500, More: true})
		equal(f, "the rest", trim(24*time.Hour), iam.Trimmed{Audit: 120, More: true})
		equal(f, "no more", trim(24*time.Hour), iam.Trimmed{})
		equal(f, "what is left", operationsOf(f.audit(a)), []string{last.OperationID})
		again := f.entry(iam.Import, a, "")
		f.record(again)
		rows := f.audit(a)
		if len(rows) != 2 || rows[1].Seq <= rows[0].Seq {
			f.Errorf("numbers are used again: %+v", rows)
		}
	},
}
