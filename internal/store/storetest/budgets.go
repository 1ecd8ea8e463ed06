package storetest

import (
	"errors"
	"time"

	"hither/internal/iam"
)

// budgetTests are of what holds messages back: budgets and suppressions.
var budgetTests = map[string]func(f *fixture){
	"SpendingStopsAtTheLimitOfAny": func(f *fixture) {
		now := f.clock.Now()
		tally := func(name string, limit int) iam.Tally {
			return iam.Tally{Name: name, Subject: "s", StartsOn: now, EndsOn: now.Add(time.Hour), Limit: limit}
		}
		spend := func(tallies ...iam.Tally) (refused string) {
			f.must(func(tx iam.Tx) error {
				found, err := tx.Spend(tallies)
				if refused = ""; found != nil {
					refused = found.Name
				}
				return err
			})
			return refused
		}
		wide, narrow := tally("wide", 3), tally("narrow", 1)
		equal(f, "nothing to spend", spend(), "")
		equal(f, "the first", spend(wide, narrow), "")
		for range 5 {
			equal(f, "spent", spend(wide, narrow), "narrow")
		}
		other := narrow
		other.Subject = "other"
		equal(f, "of somebody else, which the refusals left", spend(wide, other), "")
		equal(f, "the last of the wide one", spend(wide), "")
		equal(f, "no more of it", spend(wide), "wide")
		f.clock.advance(2 * time.Hour)
		later := narrow
		later.StartsOn, later.EndsOn = now.Add(2*time.Hour), now.Add(3*time.Hour)
		equal(f, "in the next stretch", spend(later), "")
	},

	// KF-61: of any number of racing transactions no more pass than the limit.
	"RacingSpendersStayWithinTheLimit": func(f *fixture) {
		const racers, limit = 24, 7
		now := f.clock.Now()
		full := errors.New("full")
		tally := iam.Tally{Name: "t", Subject: "s", StartsOn: now, EndsOn: now.Add(time.Hour), Limit: limit}
		won, refused := f.countErrs(parallel(racers, func(int) error {
			return f.update(func(tx iam.Tx) error {
				found, err := tx.Spend([]iam.Tally{tally})
				if err == nil && found != nil {
					return full
				}
				return err
			})
		}), full)
		equal(f, "won, refused", [2]int{won, refused}, [2]int{limit, racers - limit})
	},

	"ASuppressionIsOfAnAccountOrOfAll": func(f *fixture) {
		a, b := f.account("A"), f.account("B")
		m := f.invite(a, "u+tag@example.com")
		f.queue(f.message(m))
		suppress := func(account iam.ID) {
			s := iam.Suppression{Mailbox: "u@example.com", AccountID: account, CreatedOn: f.clock.Now()}
			entry := f.entry(iam.Suppress, "", "")
			f.must(func(tx iam.Tx) error { return tx.Suppress(s, entry) })
		}
		suppressed := func() bool {
			d, err := f.due()
			wantErr(f, "DueDelivery", err, nil)
			return d.Suppressed
		}
		lift := func(account iam.ID) error {
			entry := f.entry(iam.Unsuppress, "", "")
			return f.update(func(tx iam.Tx) error {
				return tx.Unsuppress(iam.Suppression{Mailbox: "u@example.com", AccountID: account}, entry)
			})
		}
		suppress(b.ID)
		equal(f, "by another account", suppressed(), false)
		suppress(a.ID)
		audited := len(f.audit(""))
		suppress(a.ID)
		equal(f, "audit rows of what was said again", len(f.audit("")), audited)
		equal(f, "by the account", suppressed(), true)
		wantErr(f, "lift", lift(a.ID), nil)
		equal(f, "lifted", suppressed(), false)
		wantErr(f, "lift again", lift(a.ID), iam.ErrNoRow)
		suppress("")
		equal(f, "of all", suppressed(), true)
		list, err := f.store.Suppressions(f.ctx(), iam.PageRequest{Number: 1, Size: 10})
		wantErr(f, "Suppressions", err, nil)
		equal(f, "Suppressions", list, []iam.Suppression{
			{Mailbox: "u@example.com", CreatedOn: f.clock.Now()}, {Mailbox: "u@example.com", AccountID: b.ID, CreatedOn: f.clock.Now()},
		})
	},
}
