package storetest

import (
	"errors"
	"time"

	"hither/internal/iam"
)

// session is one of a user that is in the store.
func (f *fixture) session(u iam.User, edits ...func(*iam.Session)) iam.Session {
	f.Helper()
	now := f.clock.Now()
	n := iam.Session{
		ID: f.id(), UserID: u.ID, Method: iam.ByMailbox, ProvedOn: now, SeenOn: now, Idle: time.Hour,
		ExpiresOn: now.Add(weekLater), RemoteAddr: "192.0.2.1", Agent: "Browser", CreatedOn: now,
	}
	n.Hash = iam.HashSecret(string(n.ID))
	for _, edit := range edits {
		edit(&n)
	}
	entry := f.entry(iam.SessionStart, "", n.ID)
	f.must(func(tx iam.Tx) error { return tx.InsertSession(n, entry) })
	return n
}

func (f *fixture) sessions(u iam.User) []iam.Session {
	f.Helper()
	list, err := f.store.Sessions(f.ctx(), u.ID)
	wantErr(f, "Sessions", err, nil)
	return list
}

// challenge is one that is in the store.
func (f *fixture) challenge(userID iam.ID) iam.Challenge {
	f.Helper()
	now := f.clock.Now()
	c := iam.Challenge{
		ID: f.id(), Purpose: iam.ForSignIn, Email: "u@example.com", UserID: userID, Browser: iam.HashSecret("browser"),
		CreatedOn: now, ExpiresOn: now.Add(iam.ChallengeLife),
	}
	entry := f.entry(iam.SignInAsk, "", c.ID)
	f.must(func(tx iam.Tx) error { return tx.InsertChallenge(c, entry) })
	return c
}

func (f *fixture) challengeFacts(id iam.ID) (facts iam.ChallengeFacts, err error) {
	err = f.update(func(tx iam.Tx) error {
		facts, err = tx.ChallengeFacts(id)
		return err
	})
	return facts, err
}

var sessionTests = map[string]func(f *fixture){
	"SessionFindsItsUser": func(f *fixture) {
		u := f.user("a@example.com", named("A", "B"))
		want := f.session(u, func(n *iam.Session) { n.Factor = "totp" })
		got, err := f.store.SessionPrincipal(f.ctx(), want.Hash)
		wantErr(f, "SessionPrincipal", err, nil)
		equal(f, "SessionPrincipal", got, iam.SessionPrincipal{Session: want, User: u})
		_, err = f.store.SessionPrincipal(f.ctx(), iam.HashSecret("other"))
		wantErr(f, "SessionPrincipal of an unknown one", err, iam.ErrNoRow)
		_, err = f.store.KeyPrincipal(f.ctx(), want.Hash)
		wantErr(f, "a session shown as a key", err, iam.ErrNoRow)
		second := f.session(u)
		equal(f, "Sessions", f.sessions(u), []iam.Session{want, second})
		equal(f, "Sessions of another", f.sessions(f.user("b@example.com")), nil)
		for what, n := range map[string]iam.Session{
			"the same hash": {ID: f.id(), UserID: u.ID, Hash: want.Hash}, "the same id": {ID: want.ID, UserID: u.ID, Hash: iam.HashSecret("x")},
		} {
			entry := f.entry(iam.SessionStart, "", n.ID)
			err := f.update(func(tx iam.Tx) error { return tx.InsertSession(n, entry) })
			wantErr(f, what, err, iam.ErrDuplicate)
		}
	},

	// KF-83
	"EndedSessionSaysSo": func(f *fixture) {
		u, other := f.user("a@example.com"), f.user("b@example.com")
		first, second, third, strange := f.session(u), f.session(u), f.session(u), f.session(other)
		end := func(id iam.ID) error {
			entry := f.entry(iam.SessionEnd, "", id)
			return f.update(func(tx iam.Tx) error { return tx.EndSession(id, entry) })
		}
		wantErr(f, "EndSession", end(first.ID), nil)
		wantErr(f, "EndSession again", end(first.ID), iam.ErrNoRow)
		wantErr(f, "EndSession of none", end(f.id()), iam.ErrNoRow)
		got, err := f.store.SessionPrincipal(f.ctx(), first.Hash)
		wantErr(f, "SessionPrincipal", err, nil)
		equal(f, "ended on", got.Session.EndedOn, f.clock.Now())
		equal(f, "Sessions", f.sessions(u), []iam.Session{second, third})

		endAll := func(keep iam.ID) {
			entry := f.entry(iam.SessionEnd, "", u.ID)
			f.must(func(tx iam.Tx) error { return tx.EndSessions(u.ID, keep, entry) })
		}
		endAll(third.ID)
		equal(f, "all but one", f.sessions(u), []iam.Session{third})
		rows := len(f.audit(""))
		endAll(third.ID)
		equal(f, "audit rows where none ended", len(f.audit("")), rows)
		endAll("")
		equal(f, "all", f.sessions(u), nil)
		equal(f, "another's", f.sessions(other), []iam.Session{strange})
	},

	"ChallengeIsRead": func(f *fixture) {
		want := f.challenge(f.user("a@example.com").ID)
		got, err := f.store.Challenge(f.ctx(), want.ID)
		wantErr(f, "Challenge", err, nil)
		equal(f, "Challenge", got, want)
		_, err = f.store.Challenge(f.ctx(), f.id())
		wantErr(f, "Challenge of nothing", err, iam.ErrNoRow)
	},

	"CredentialsEndTogether": func(f *fixture) {
		u, other := f.user("a@example.com"), f.user("b@example.com")
		for _, who := range []iam.User{u, other} {
			for _, name := range []string{"one", "two"} {
				key := iam.Key{ID: f.id(), UserID: who.ID, Name: name, CreatedOn: f.clock.Now()}
				key.Hash = iam.HashSecret(string(key.ID))
				token := iam.Token{ID: f.id(), UserID: who.ID, Name: name, CreatedOn: f.clock.Now()}
				token.Hash = iam.HashSecret(string(token.ID))
				made, given := f.entry(iam.KeyCreate, "", key.ID), f.entry(iam.TokenCreate, "", token.ID)
				f.must(func(tx iam.Tx) error { return errors.Join(tx.InsertKey(key, made), tx.InsertToken(token, given)) })
			}
		}
		end := func() {
			entry := f.entry(iam.CredentialsEnd, "", u.ID)
			f.must(func(tx iam.Tx) error { return tx.EndCredentials(u.ID, entry) })
		}
		live := func(who iam.User) (n int) {
			keys, err := f.store.Keys(f.ctx(), who.ID)
			wantErr(f, "Keys", err, nil)
			tokens, err := f.store.Tokens(f.ctx(), who.ID)
			wantErr(f, "Tokens", err, nil)
			for _, key := range keys {
				if !key.Disabled {
					n++
				}
			}
			for _, token := range tokens {
				if !token.Disabled {
					n++
				}
			}
			return n
		}
		rows := len(f.audit(""))
		end()
		end()
		equal(f, "live", live(u), 0)
		equal(f, "live of another", live(other), 4)
		equal(f, "audit rows", len(f.audit("")), rows+1)
	},

	"SeenIsNotedSeldom": func(f *fixture) {
		u := f.user("a@example.com")
		n := f.session(u)
		see := func() time.Time {
			f.must(func(tx iam.Tx) error { return tx.SeeSession(n.ID) })
			return f.sessions(u)[0].SeenOn
		}
		f.clock.advance(iam.SeenEvery - time.Microsecond)
		equal(f, "seen too soon", see(), n.SeenOn)
		f.clock.advance(time.Microsecond)
		equal(f, "seen", see(), f.clock.Now())
	},

	"SessionsWhoseTimeIsOverAreDropped": func(f *fixture) {
		u := f.user("a@example.com")
		old := f.session(u)
		f.clock.advance(weekLater)
		f.session(u)
		_, err := f.store.SessionPrincipal(f.ctx(), old.Hash)
		wantErr(f, "SessionPrincipal of one that is over", err, iam.ErrNoRow)
	},

	// KF-17
	"ChallengeIsSettledOnce": func(f *fixture) {
		u := f.user("u@example.com")
		c := f.challenge(u.ID)
		facts, err := f.challengeFacts(c.ID)
		wantErr(f, "ChallengeFacts", err, nil)
		equal(f, "ChallengeFacts", facts, iam.ChallengeFacts{Challenge: c, User: u})
		_, err = f.challengeFacts(f.id())
		wantErr(f, "ChallengeFacts of none", err, iam.ErrNoRow)
		facts, err = f.challengeFacts(f.challenge("").ID)
		wantErr(f, "ChallengeFacts of nobody", err, nil)
		equal(f, "user of nobody", facts.User, iam.User{})

		f.must(func(tx iam.Tx) error { return tx.FailChallenge(c.ID) })
		won, refused := f.countErrs(parallel(16, func(int) error {
			return f.update(func(tx iam.Tx) error { return tx.UseChallenge(c.ID) })
		}), iam.ErrStale)
		equal(f, "won, refused", [2]int{won, refused}, [2]int{1, 15})
		facts, err = f.challengeFacts(c.ID)
		wantErr(f, "ChallengeFacts", err, nil)
		equal(f, "failures and when it was used", [2]any{facts.Challenge.Failures, facts.Challenge.UsedOn}, [2]any{1, f.clock.Now()})

		open := f.challenge(u.ID)
		f.must(func(tx iam.Tx) error { return errors.Join(tx.EndChallenges(u.ID), tx.EndChallenges(u.ID)) })
		wantErr(f, "UseChallenge of one that ended", f.update(func(tx iam.Tx) error { return tx.UseChallenge(open.ID) }), iam.ErrStale)
		f.clock.advance(iam.ChallengeLife)
		f.challenge("")
		_, err = f.challengeFacts(c.ID)
		wantErr(f, "ChallengeFacts of one whose time is over", err, iam.ErrNoRow)
	},

	// KF-71: codes are tried one by one, so that no number of them at once is
	// more than the challenge takes.
	"RacingCodesAreCountedOneByOne": func(f *fixture) {
		const racers, most = 24, 5
		c := f.challenge(f.user("u@example.com").ID)
		full := errors.New("full")
		tried, refused := f.countErrs(parallel(racers, func(int) error {
			return f.update(func(tx iam.Tx) error {
				facts, err := tx.ChallengeFacts(c.ID)
				if err != nil {
					return err
				}
				if facts.Challenge.Failures >= most {
					return full
				}
				return tx.FailChallenge(c.ID)
			})
		}), full)
		equal(f, "tried, refused", [2]int{tried, refused}, [2]int{most, racers - most})
	},

	"SpentLooksOnly": func(f *fixture) {
		now := f.clock.Now()
		tally := iam.Tally{Name: "t", Subject: "s", StartsOn: now, EndsOn: now.Add(time.Hour), Limit: 1}
		spent := func() (full *iam.Tally) {
			f.must(func(tx iam.Tx) (err error) {
				full, err = tx.Spent([]iam.Tally{{Name: "t", Subject: "other", StartsOn: now, Limit: 1}, tally})
				return err
			})
			return full
		}
		equal(f, "before", spent(), nil)
		equal(f, "again", spent(), nil)
		f.must(func(tx iam.Tx) error { _, err := tx.Spend([]iam.Tally{tally}); return err })
		equal(f, "after", spent(), &tally)
	},

	// A key or token that somebody rotates is ended by one, and is its user's.
	"CredentialOfAUserEndsOnce": func(f *fixture) {
		u, other := f.user("a@example.com"), f.user("b@example.com")
		key := iam.Key{ID: f.id(), UserID: u.ID, Hash: iam.HashSecret("one")}
		entry := f.entry(iam.KeyCreate, "", key.ID)
		f.must(func(tx iam.Tx) error { return tx.InsertKey(key, entry) })
		own := f.operatorToken(func(t *iam.Token) { t.UserID = u.ID })
		operators := f.operatorToken()
		for what, end := range map[string]func(tx iam.Tx, userID iam.ID, entry iam.AuditEntry) error{
			"key":              func(tx iam.Tx, userID iam.ID, e iam.AuditEntry) error { return tx.EndKeyOf(userID, key.ID, e) },
			"token":            func(tx iam.Tx, userID iam.ID, e iam.AuditEntry) error { return tx.EndTokenOf(userID, own.ID, e) },
			"operator's token": func(tx iam.Tx, userID iam.ID, e iam.AuditEntry) error { return tx.EndTokenOf(userID, operators.ID, e) },
		} {
			owner := u.ID
			if what == "operator's token" {
				owner = ""
			}
			attempt := func(userID iam.ID) error {
				entry := f.entry(iam.KeyDisable, "", key.ID)
				return f.update(func(tx iam.Tx) error { return end(tx, userID, entry) })
			}
			wantErr(f, what+" of another", attempt(other.ID), iam.ErrNoRow)
			wantErr(f, what, attempt(owner), nil)
			wantErr(f, what+" again", attempt(owner), iam.ErrNoRow)
		}
	},

	"LinkTellsWhoHoldsTheAddress": func(f *fixture) {
		a := f.account("A")
		m := f.pendingRow(a, "u@example.com")
		entry := f.entry(iam.InviteCreate, a.ID, m.ID)
		f.must(func(tx iam.Tx) error { return tx.InsertMembership(m, iam.Link{Generation: 3}, entry) })
		facts := func(userID iam.ID) (facts iam.LinkAnswerFacts) {
			f.must(func(tx iam.Tx) (err error) {
				facts, err = tx.LinkAnswerFacts(m.ID, userID)
				return err
			})
			return facts
		}
		linked := func() iam.LinkedInvitation {
			got, err := f.store.LinkedInvitation(f.ctx(), m.ID, f.clock.Now())
			wantErr(f, "LinkedInvitation", err, nil)
			return got
		}
		got := facts("")
		equal(f, "facts of nobody", [3]any{got.User, got.Holder == nil, got.Generation}, [3]any{iam.User{}, true, 3})
		equal(f, "the row", got.Invitation.Membership, m)
		equal(f, "LinkedInvitation", linked(), iam.LinkedInvitation{Invitation: f.invitation(m.ID), Link: iam.Link{Generation: 3}})
		holder, other := f.user(m.Email), f.user("other@example.com")
		got = facts(other.ID)
		equal(f, "facts of another", [2]iam.User{got.User, *got.Holder}, [2]iam.User{other, holder})
		equal(f, "known", linked().Known, true)
		err := f.update(func(tx iam.Tx) error {
			_, err := tx.LinkAnswerFacts(f.id(), "")
			return err
		})
		wantErr(f, "LinkAnswerFacts of none", err, iam.ErrNoRow)
		f.deleteAccount(a)
		_, err = f.store.LinkedInvitation(f.ctx(), m.ID, f.clock.Now())
		wantErr(f, "LinkedInvitation of an account that is gone", err, iam.ErrNoRow)
	},

	"OnlyWhoHoldsTheLinkRejectsWithoutAUser": func(f *fixture) {
		a := f.account("A")
		m := f.invite(a, "u@example.com")
		f.mustChange(m, func(m *iam.Membership) { m.Status, m.AnsweredOn = iam.Rejected, f.clock.Now() })
		again := f.invite(a, "u@example.com")
		after := again
		after.Status = iam.Accepted
		if err := f.change(again, after); err == nil {
			f.Error("a row was accepted by nobody")
		}
	},
}
