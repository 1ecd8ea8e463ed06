package storetest

import (
	"fmt"
	"strings"
	"time"

	"hither/internal/iam"
)

// factor is one that is being set up, in the store.
func (f *fixture) factor(u iam.User, edits ...func(*iam.Factor)) iam.Factor {
	f.Helper()
	factor := iam.Factor{
		ID: f.id(), UserID: u.ID, Kind: iam.ByTOTP, Sealed: []byte("sealed \x00 " + u.ID), SessionID: f.id(), CreatedOn: f.clock.Now(),
	}
	for _, edit := range edits {
		edit(&factor)
	}
	entry := f.entry(iam.FactorBegin, "", factor.ID)
	f.must(func(tx iam.Tx) error { return tx.InsertFactor(factor, entry) })
	return factor
}

func (f *fixture) confirm(factor iam.Factor) iam.Factor {
	f.Helper()
	factor.ConfirmedOn = f.clock.Now()
	entry := f.entry(iam.FactorAdd, "", factor.ID)
	f.must(func(tx iam.Tx) error { return tx.ConfirmFactor(factor, entry) })
	return factor
}

func (f *fixture) factors(u iam.User) iam.FactorFacts {
	f.Helper()
	read, err := f.store.Factors(f.ctx(), u.ID)
	wantErr(f, "Factors", err, nil)
	var facts iam.FactorFacts
	f.must(func(tx iam.Tx) (err error) {
		facts, err = tx.FactorFacts(u.ID)
		return err
	})
	equal(f, "Factors and FactorFacts", read, facts)
	return facts
}

func hashes(of string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%064s", fmt.Sprintf("%s%d", of, i))
	}
	return all
}

var factorTests = map[string]func(f *fixture){
	"FactorComesAndGoes": func(f *fixture) {
		u, other := f.user("u@example.com"), f.user("o@example.com")
		equal(f, "none", f.factors(u), iam.FactorFacts{User: u})
		_, err := f.store.Factors(f.ctx(), f.id())
		wantErr(f, "Factors of nobody", err, iam.ErrNoRow)
		wantErr(f, "FactorFacts of nobody", f.update(func(tx iam.Tx) error {
			_, err := tx.FactorFacts(f.id())
			return err
		}), iam.ErrNoRow)

		first := f.factor(u)
		equal(f, "being set up", f.factors(u), iam.FactorFacts{User: u, SetUp: &first})
		second := f.factor(u)
		strange := f.factor(other)
		equal(f, "begun anew", f.factors(u), iam.FactorFacts{User: u, SetUp: &second})

		stale := func(what string, fn func(tx iam.Tx) error) { f.Helper(); wantErr(f, what, f.update(fn), iam.ErrStale) }
		entry := f.entry(iam.FactorAdd, "", first.ID)
		stale("confirming one that is gone", func(tx iam.Tx) error { return tx.ConfirmFactor(first, entry) })
		foreign := second
		foreign.UserID, foreign.LastStep = other.ID, 99
		stale("confirming another's", func(tx iam.Tx) error { return tx.ConfirmFactor(foreign, entry) })
		stale("using another's", func(tx iam.Tx) error { return tx.UseStep(foreign) })
		f.clock.advance(time.Minute)
		second = f.confirm(second)
		stale("confirming again", func(tx iam.Tx) error { return tx.ConfirmFactor(second, entry) })
		u.OwnFactor = true
		third := f.factor(u)
		equal(f, "confirmed, and another one begun", f.factors(u), iam.FactorFacts{User: u, Factor: &second, SetUp: &third})

		renamed := f.changeUser(iam.User{ID: u.ID, Email: u.Email, Verified: true, CreatedOn: u.CreatedOn}, named("A", "B"))
		renamed.OwnFactor = true
		equal(f, "a change of the user leaves its factor", f.factors(u).User, renamed)
		principal, err := f.store.SessionPrincipal(f.ctx(), f.session(u).Hash)
		wantErr(f, "SessionPrincipal", err, nil)
		equal(f, "whoever signs in has a factor", principal.User, renamed)

		keep := f.entry(iam.RecoveryRenew, "", u.ID)
		f.must(func(tx iam.Tx) error { return tx.KeepRecoveryCodes(u.ID, hashes("a", 3), keep) })
		drop := f.entry(iam.FactorRemove, "", u.ID)
		f.must(func(tx iam.Tx) error { return tx.DropFactors(u.ID, drop) })
		renamed.OwnFactor = false
		equal(f, "dropped", f.factors(u), iam.FactorFacts{User: renamed})
		equal(f, "another's", f.factors(other), iam.FactorFacts{User: other, SetUp: &strange})
		f.confirm(f.factor(u))
		equal(f, "codes of a factor that was dropped", f.factors(u).CodesLeft, 0)
	},

	// KF-17: the guard is the statement's own, whatever the facts said.
	"OfRacingStepsOneIsUsed": func(f *fixture) {
		const racers = 16
		u := f.user("u@example.com")
		factor := f.confirm(f.factor(u))
		use := func(step int64) error {
			after := factor
			after.LastStep, after.Sealed = step, []byte(fmt.Sprint("sealed ", step))
			return f.update(func(tx iam.Tx) error { return tx.UseStep(after) })
		}
		won, refused := f.countErrs(parallel(racers, func(int) error { return use(7) }), iam.ErrStale)
		equal(f, "won, refused", [2]int{won, refused}, [2]int{1, racers - 1})
		wantErr(f, "an earlier step", use(6), iam.ErrStale)
		wantErr(f, "a later step", use(8), nil)
		left := f.factors(u).Factor
		equal(f, "kept", [2]any{left.LastStep, string(left.Sealed)}, [2]any{int64(8), "sealed 8"})
	},

	"OfRacingRecoveryCodesOneIsUsed": func(f *fixture) {
		const racers = 16
		u, other := f.user("u@example.com"), f.user("o@example.com")
		f.confirm(f.factor(u))
		for _, of := range []struct {
			user iam.User
			name string
		}{{u, "old"}, {u, "a"}, {other, "b"}} {
			entry := f.entry(iam.RecoveryRenew, "", of.user.ID)
			f.must(func(tx iam.Tx) error { return tx.KeepRecoveryCodes(of.user.ID, hashes(of.name, 10), entry) })
		}
		use := func(hash ...string) error {
			return f.update(func(tx iam.Tx) error { return tx.UseRecoveryCode(u.ID, hash) })
		}
		equal(f, "left", f.factors(u).CodesLeft, 10)
		won, refused := f.countErrs(parallel(racers, func(int) error { return use("none", hashes("a", 10)[3]) }), iam.ErrStale)
		equal(f, "won, refused", [2]int{won, refused}, [2]int{1, racers - 1})
		wantErr(f, "another's", use(hashes("b", 1)...), iam.ErrStale)
		wantErr(f, "one of an earlier set", use(hashes("old", 1)...), iam.ErrStale)
		equal(f, "left", f.factors(u).CodesLeft, 9)
	},

	// KF-71: what was counted of one try is seen by the next.
	"RacingGuessesAreCountedOneByOne": func(f *fixture) {
		const racers, most = 24, 5
		u := f.user("u@example.com")
		f.confirm(f.factor(u))
		now := f.clock.Now()
		tally := []iam.Tally{{Name: "t", Subject: "s", StartsOn: now, EndsOn: now.Add(time.Hour), Limit: most}}
		full := fmt.Errorf("full")
		tried, refused := f.countErrs(parallel(racers, func(int) error {
			return f.update(func(tx iam.Tx) error {
				if _, err := tx.FactorFacts(u.ID); err != nil {
					return err
				}
				if spent, err := tx.Spent(tally); err != nil || spent != nil {
					return firstOf(err, full)
				}
				_, err := tx.Spend(tally)
				return err
			})
		}), full)
		equal(f, "tried, refused", [2]int{tried, refused}, [2]int{most, racers - most})
	},

	"OfRacingCompletionsOneRaisesTheSession": func(f *fixture) {
		const racers = 16
		u := f.user("u@example.com")
		want := f.session(u)
		f.clock.advance(time.Minute)
		got := make([]iam.Session, racers)
		won, refused := f.countErrs(parallel(racers, func(i int) error {
			return f.update(func(tx iam.Tx) (err error) {
				got[i], err = tx.RaiseSession(want.ID, "", iam.ByTOTP, iam.HashSecret(fmt.Sprint(i)))
				return err
			})
		}), iam.ErrStale)
		equal(f, "won, refused", [2]int{won, refused}, [2]int{1, racers - 1})
		for i, raised := range got {
			if raised.ID == "" {
				continue
			}
			want.Factor, want.ProvedOn, want.SeenOn, want.Hash = iam.ByTOTP, f.clock.Now(), f.clock.Now(), iam.HashSecret(fmt.Sprint(i))
			equal(f, "raised", raised, want)
		}
		equal(f, "sessions", f.sessions(u), []iam.Session{want})
		entry := f.entry(iam.SessionEnd, "", want.ID)
		f.must(func(tx iam.Tx) error { return tx.EndSession(want.ID, entry) })
		wantErr(f, "one that ended", f.update(func(tx iam.Tx) error {
			_, err := tx.RaiseSession(want.ID, iam.ByTOTP, iam.ByTOTP, iam.HashSecret(strings.Repeat("x", 9)))
			return err
		}), iam.ErrStale)
	},
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
