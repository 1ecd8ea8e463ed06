package storetest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"hither/internal/iam"
)

func hashOf(s string) [32]byte { return sha256.Sum256([]byte(s)) }

func outcomeOf(s string) iam.Outcome {
	return iam.Outcome{Request: hashOf("request " + s), Result: `{"name":"` + s + `"}`}
}

// keep tries to keep an outcome under the hash of a name.
func (f *fixture) keep(name string, outcome iam.Outcome) error {
	return f.update(func(tx iam.Tx) error { return tx.KeepOutcome(hashOf(name), outcome) })
}

func (f *fixture) kept(name string) (iam.Outcome, error) {
	var found iam.Outcome
	err := f.update(func(tx iam.Tx) (err error) {
		found, err = tx.Outcome(hashOf(name))
		return err
	})
	return found, err
}

func (f *fixture) mustKeep(name string, outcome iam.Outcome) {
	f.Helper()
	wantErr(f, "KeepOutcome of "+name, f.keep(name, outcome), nil)
}

// holds says which outcome a key must have; the zero one is none.
func (f *fixture) holds(name string, want iam.Outcome) {
	f.Helper()
	got, err := f.kept(name)
	if want.Result == "" {
		wantErr(f, "Outcome of "+name, err, iam.ErrNoRow)
		return
	}
	wantErr(f, "Outcome of "+name, err, nil)
	equal(f, "outcome of "+name, got, want)
}

var idempotencyTests = map[string]func(f *fixture){
	"OutcomeComesBackAsItWas": func(f *fixture) {
		f.holds("a", iam.Outcome{})
		want := iam.Outcome{Request: hashOf("r"), Result: `{"a":"ü\u0000 \" 🦊"}`}
		f.mustKeep("a", want)
		f.holds("a", want)
		f.holds("b", iam.Outcome{})
	},

	"OutcomeIsSeenByItsOwnTransaction": func(f *fixture) {
		f.must(func(tx iam.Tx) error {
			if err := tx.KeepOutcome(hashOf("a"), outcomeOf("a")); err != nil {
				return err
			}
			got, err := tx.Outcome(hashOf("a"))
			equal(f, "outcome", got, outcomeOf("a"))
			return err
		})
	},

	"FirstOutcomeStays": func(f *fixture) {
		f.mustKeep("a", outcomeOf("first"))
		wantErr(f, "KeepOutcome again", f.keep("a", outcomeOf("second")), iam.ErrStale)
		f.holds("a", outcomeOf("first"))
	},

	// The effect and its outcome are there together or not at all, whichever of
	// the two fails.
	"OutcomeAndEffectAreOne": func(f *fixture) {
		a := f.account("A")
		m, stop := f.pendingRow(a, "u@example.com"), errors.New("stop")
		entry := f.entry(iam.InviteCreate, a.ID, m.ID)
		do := func(end error) error {
			return f.update(func(tx iam.Tx) error {
				if err := tx.InsertMembership(m, iam.Link{}, entry); err != nil {
					return err
				}
				if err := tx.KeepOutcome(hashOf("a"), outcomeOf("a")); err != nil {
					return err
				}
				return end
			})
		}
		wantErr(f, "Update that is refused", do(stop), stop)
		f.holds("a", iam.Outcome{})
		f.mustKeep("a", outcomeOf("another's"))
		wantErr(f, "Update whose key is taken", do(nil), iam.ErrStale)
		_, err := f.store.Invitation(f.ctx(), m.ID)
		wantErr(f, "Invitation", err, iam.ErrNoRow)
		equal(f, "members", f.members(a, iam.MemberQuery{}).Total, 0)
		equal(f, "audit rows", len(f.audit(a.ID)), 1)
	},

	"OutcomeLivesADay": func(f *fixture) {
		f.mustKeep("a", outcomeOf("first"))
		f.clock.advance(iam.IdempotencyLife - time.Microsecond)
		f.holds("a", outcomeOf("first"))
		wantErr(f, "KeepOutcome within its life", f.keep("a", outcomeOf("second")), iam.ErrStale)
		f.clock.advance(time.Microsecond)
		f.holds("a", iam.Outcome{})
		f.mustKeep("a", outcomeOf("second"))
		f.holds("a", outcomeOf("second"))
		// The second has a life of its own.
		f.clock.advance(iam.IdempotencyLife - time.Microsecond)
		f.holds("a", outcomeOf("second"))
		wantErr(f, "KeepOutcome within the second life", f.keep("a", outcomeOf("third")), iam.ErrStale)
	},

	// Nothing reads a row whose life is over but what drops it. A clock that was
	// set back shows what is left: of the oldest some went with each outcome that
	// was kept, more than one and not all at once.
	"OldOutcomesGoByAndBy": func(f *fixture) {
		const old = 100
		start := f.clock.Now()
		for i := range old {
			f.mustKeep(fmt.Sprint(i), outcomeOf(fmt.Sprint(i)))
			f.clock.advance(time.Second)
		}
		left := func() (names []int) {
			now := f.clock.Now()
			defer f.clock.set(now)
			f.clock.set(start.Add(old * time.Second))
			for i := range old {
				if _, err := f.kept(fmt.Sprint(i)); err == nil {
					names = append(names, i)
				}
			}
			return names
		}
		equal(f, "left while all live", len(left()), old)
		f.clock.set(start.Add(iam.IdempotencyLife + (old/2-1)*time.Second)) // the first half's life is over
		f.mustKeep("new", outcomeOf("new"))
		remaining := left()
		dropped := old - len(remaining)
		if dropped < 2 || dropped >= old/2 {
			f.Errorf("dropped with one that was kept: got %d of %d, want some", dropped, old/2)
		}
		equal(f, "the oldest that is left", remaining[0], dropped)
		for i := range old / 2 {
			f.mustKeep(fmt.Sprint("new", i), outcomeOf("new"))
		}
		remaining = left()
		equal(f, "left of those that live", len(remaining), old/2)
		equal(f, "the oldest of them", remaining[0], old/2)
		f.holds("new", outcomeOf("new"))
	},

	// One of those that race does it; the others are told to look again, and then
	// find what it led to.
	"OfRacingKeysOneHasAnEffect": func(f *fixture) {
		const racers = 32
		accounts := make([]iam.Account, racers)
		entries := make([]iam.AuditEntry, racers)
		for i := range accounts {
			accounts[i] = iam.Account{ID: f.id(), Name: fmt.Sprint(i), Type: iam.Standard, CreatedOn: f.clock.Now()}
			entries[i] = f.entry(iam.AccountCreate, accounts[i].ID, accounts[i].ID)
		}
		found := make([]iam.Outcome, racers)
		for _, err := range parallel(racers, func(i int) error {
			once := func(tx iam.Tx) (err error) {
				if found[i], err = tx.Outcome(hashOf("a")); !errors.Is(err, iam.ErrNoRow) {
					return err
				}
				if err := tx.InsertAccount(accounts[i], entries[i]); err != nil {
					return err
				}
				found[i] = outcomeOf(accounts[i].Name)
				return tx.KeepOutcome(hashOf("a"), found[i])
			}
			err := f.update(once)
			if errors.Is(err, iam.ErrStale) {
				err = f.update(once)
			}
			return err
		}) {
			wantErr(f, "racer", err, nil)
		}
		page, err := f.store.Accounts(f.ctx(), "", iam.AccountQuery{PageRequest: iam.PageRequest{Number: 1, Size: 9}})
		wantErr(f, "Accounts", err, nil)
		if page.Total != 1 || len(page.Items) != 1 {
			f.Fatalf("accounts: got %+v, want one", page)
		}
		for i := range found {
			equal(f, "outcome that a racer was told", found[i], outcomeOf(page.Items[0].Name))
		}
	},
}
