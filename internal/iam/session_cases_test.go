package iam_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"hither/internal/iam"
	"hither/internal/id"
	"hither/internal/store"
	"hither/internal/store/storetest"
	"hither/internal/totp"
	"hither/test/postgres"
)

// secrets stand for the instance's key.
type secrets struct{}

func (secrets) MatchCode(purpose iam.ChallengePurpose, id iam.ID, typed string) bool {
	return typed == codeOf(purpose, id)
}

func (secrets) Blind(text string) string {
	sum := sha256.Sum256([]byte("key:" + text))
	return hex.EncodeToString(sum[:])
}

func (s secrets) Blinds(text string) []string {
	return []string{s.Blind(text), s.Blind("older " + text)}
}

func (secrets) SealSeed(userID, factorID iam.ID, seed []byte) []byte {
	return append([]byte("sealed "+string(userID)+string(factorID)), seed...)
}

func (secrets) OpenSeed(userID, factorID iam.ID, sealed []byte) ([]byte, error) {
	seed, ok := bytes.CutPrefix(sealed, []byte("sealed "+string(userID)+string(factorID)))
	if !ok {
		return nil, errors.New("it is sealed for another row")
	}
	return seed, nil
}

func codeOf(purpose iam.ChallengePurpose, id iam.ID) string {
	return string(purpose) + " " + string(id)
}

// onEngines runs a test of use cases on both engines, with closures that run
// twice, since on either they may.
func onEngines(t *testing.T, test func(t *testing.T, s stage)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		test(t, s.signing(t, s.store))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		opened, err := store.OpenPostgres(t.Context(), postgres.Database(t), store.Options{Now: s.now})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = opened.Close() })
		test(t, s.signing(t, opened))
	})
}

func (s stage) now() time.Time { return time.UnixMicro(s.clock.Load()).UTC() }

func (s stage) advance(d time.Duration) { s.clock.Add(d.Microseconds()) }

// signing is the stage over a store, where people sign in by mail.
func (s stage) signing(t *testing.T, over iam.Store) stage {
	t.Helper()
	s.store = storetest.Twice(over)
	s.Service = s.over(s.store)
	return s
}

func (s stage) over(store iam.Store) *iam.Service {
	return iam.NewService(store, id.NewSource(s.now).New, s.now).
		WithMailing(iam.Mailing{Enabled: true}).
		WithSignIn(iam.SignIn{Secrets: secrets{}, Codes: totp.Codes{}})
}

var visitor = iam.Visitor{RemoteAddr: "192.0.2.1", RequestID: "r", Agent: "Browser/1"}

// ask asks for a mail, by whoever still may.
func (s stage) ask(t *testing.T, email string) iam.Asked {
	t.Helper()
	asked, err := s.AskSignIn(t.Context(), visitor, email)
	for _, other := range []iam.Visitor{{RemoteAddr: "192.0.2.2"}, {HasRead: strings.ToLower(email)}} {
		if iam.KindOf(err) == iam.TooManyAttempts {
			asked, err = s.AskSignIn(t.Context(), other, email)
		}
	}
	return must(asked, err)(t)
}

func typed(asked iam.Asked) iam.Proof {
	return iam.Proof{ID: asked.ID, Browser: asked.Browser, Code: codeOf(iam.ForSignIn, asked.ID)}
}

func clicked(asked iam.Asked) iam.Proof { return iam.Proof{ID: asked.ID, ByLink: true} }

// signIn is a session of the user, and the actor who shows it.
func (s stage) signIn(t *testing.T, email string) (iam.SignedIn, iam.Actor) {
	t.Helper()
	signed := must(s.SignIn(t.Context(), visitor, clicked(s.ask(t, email))))(t)
	return signed, signed.Session.Actor(signed.User)
}

// session is what stands behind a secret now; nil where it does not hold.
func (s stage) session(t *testing.T, secret string) *iam.SessionPrincipal {
	t.Helper()
	p := must(s.store.SessionPrincipal(t.Context(), iam.HashSecret(secret)))(t)
	if !p.Session.HoldsAt(s.now()) || p.User.Suspended {
		return nil
	}
	return &p
}

func (s stage) audited(t *testing.T, account iam.ID, action iam.Action) (rows []iam.AuditEntry) {
	t.Helper()
	for _, entry := range must(s.store.Audit(t.Context(), account, 0, 10_000))(t) {
		if entry.Action == action {
			rows = append(rows, entry)
		}
	}
	return rows
}

// ASVS 6.5.1, 6.5.5, 6.6.2: what is mailed works once, for ten minutes, and the
// code in the browser that asked only.
func TestSignIn(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		proof  func(asked iam.Asked) iam.Proof
		before func(t *testing.T, s stage, user iam.User)
		want   iam.Kind
	}{
		{"by the link", clicked, nil, iam.Internal},
		{"by the code", typed, nil, iam.Internal},
		{"by the code in another browser", func(a iam.Asked) iam.Proof {
			p := typed(a)
			p.Browser = iam.NewSessionSecret()
			return p
		}, nil, iam.ProofRefused},
		{"by a code for something else", func(a iam.Asked) iam.Proof {
			p := typed(a)
			p.Code = codeOf(iam.ForAddress, a.ID)
			return p
		}, nil, iam.ProofRefused},
		{"of an unknown challenge", func(a iam.Asked) iam.Proof {
			p := typed(a)
			p.ID = rowID
			return p
		}, nil, iam.ProofRefused},
		{"at the last moment", clicked, func(_ *testing.T, s stage, _ iam.User) { s.advance(iam.ChallengeLife - time.Microsecond) }, iam.Internal},
		{"too late", clicked, func(_ *testing.T, s stage, _ iam.User) { s.advance(iam.ChallengeLife) }, iam.ProofRefused},
		{"by the code too late", typed, func(_ *testing.T, s stage, _ iam.User) { s.advance(iam.ChallengeLife) }, iam.ProofRefused},
		{"of one who was suspended since", clicked, func(t *testing.T, s stage, u iam.User) {
			t.Helper()
			if err := s.SuspendUser(t.Context(), operator, u.ID, false); err != nil {
				t.Fatal(err)
			}
		}, iam.ProofRefused},
		{"of one who was suspended and is back", clicked, func(t *testing.T, s stage, u iam.User) {
			t.Helper()
			if err := s.SuspendUser(t.Context(), operator, u.ID, false); err != nil {
				t.Fatal(err)
			}
			if err := s.ReactivateUser(t.Context(), operator, u.ID); err != nil {
				t.Fatal(err)
			}
		}, iam.ProofRefused},
		{"of one whose address is unproven since", clicked, func(t *testing.T, s stage, u iam.User) {
			t.Helper()
			no := false
			must(s.SetUserFlags(t.Context(), operator, u.ID, iam.UserFlags{Verified: &no}))(t)
		}, iam.Internal},
		{"of one who is unproven, and the operator, since", clicked, func(t *testing.T, s stage, u iam.User) {
			t.Helper()
			no, yes := false, true
			must(s.SetUserFlags(t.Context(), operator, u.ID, iam.UserFlags{Verified: &no, Operator: &yes}))(t)
		}, iam.ProofRefused},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			s = s.signing(t, s.store)
			user := s.user(t, "user@example.com")
			asked := s.ask(t, "User@example.com")
			if test.before != nil {
				test.before(t, s, user)
			}
			signed, err := s.SignIn(t.Context(), visitor, test.proof(asked))
			wantKind(t, err, test.want)
			starts := s.audited(t, "", iam.SessionStart)
			if len(starts) != 1 {
				t.Fatalf("%d rows of sessions that started or were refused, want 1", len(starts))
			}
			if test.want != iam.Internal {
				if starts[0].Denied != "proof_refused" || signed.Secret != "" {
					t.Errorf("got %+v and the row %+v", signed, starts[0])
				}
				return
			}
			p := s.session(t, signed.Secret)
			if p == nil || p.User.ID != user.ID || p.Session.Agent != visitor.Agent || p.Session.ProvedOn != s.now() || p.Session.Method != iam.ByMailbox {
				t.Fatalf("got session %+v", p)
			}
			if starts[0].Denied != "" || starts[0].ActorID != user.ID || starts[0].TargetID != p.Session.ID {
				t.Errorf("row %+v", starts[0])
			}
			for _, again := range []iam.Proof{clicked(asked), typed(asked)} {
				_, err = s.SignIn(t.Context(), visitor, again)
				wantKind(t, err, iam.ProofRefused)
			}
		})
	}
}

// KF-7, KF-17: of any number of uses at once of a link and its code one works.
func TestRacingProofsSignInOnce(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		const racers = 50
		user := s.user(t, "user@example.com")
		asked := s.ask(t, user.Email)
		proofs := []iam.Proof{clicked(asked), typed(asked)}
		var wg sync.WaitGroup
		errs := make([]error, racers)
		for i := range racers {
			wg.Go(func() {
				from := visitor
				from.RemoteAddr = fmt.Sprintf("192.0.2.%d", i)
				_, errs[i] = s.SignIn(t.Context(), from, proofs[i%2])
			})
		}
		wg.Wait()
		won := 0
		for i, err := range errs {
			switch iam.KindOf(err) {
			case iam.ProofRefused, iam.TooManyAttempts:
			default:
				if err != nil {
					t.Errorf("attempt %d: %v", i, err)
				}
				won++
			}
		}
		if sessions := must(s.Sessions(t.Context(), iam.Actor{Kind: iam.ByUser, User: user}))(t); won != 1 || len(sessions) != 1 {
			t.Errorf("%d attempts worked and %d sessions hold, want 1 and 1", won, len(sessions))
		}
	})
}

// KF-48 to 50, KF-53: whatever address is asked for, the answer is the same, and
// so are the rows that are written.
func TestAskingTellsNobodyWhoIsThere(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		s.user(t, "known@example.com")
		suspended := s.user(t, "suspended@example.com")
		if err := s.SuspendUser(t.Context(), operator, suspended.ID, false); err != nil {
			t.Fatal(err)
		}
		must(s.CreateUser(t.Context(), operator, iam.User{Email: "unproven@example.com"}))(t)
		must(s.CreateUser(t.Context(), operator, iam.User{Email: "unproven-operator@example.com", Operator: true}))(t)
		known := map[string]bool{"known@example.com": true, "unproven@example.com": true}
		mails := 0
		for _, email := range []string{
			"known@example.com", "suspended@example.com", "unproven@example.com", "unproven-operator@example.com", "nobody@example.com",
		} {
			watched := &counting{Store: s.store}
			asked, err := s.over(watched).AskSignIn(t.Context(), visitor, email)
			if err != nil || asked.ID == "" || len(asked.Browser) != 43 || asked.ExpiresOn != s.now().Add(iam.ChallengeLife) {
				t.Errorf("%s: got %+v, %v", email, asked, err)
			}
			if len(watched.queued) != 1 || watched.challenges != 1 || watched.tallies != 3 {
				t.Fatalf("%s: %d messages, %d challenges and %d tallies were written, want 1, 1 and 3",
					email, len(watched.queued), watched.challenges, watched.tallies)
			}
			message := watched.queued[0]
			if message.State == iam.Queued {
				mails++
			}
			if sent := message.State == iam.Queued; sent != known[email] || message.Recipient != email || message.Detail != string(asked.ID) {
				t.Errorf("%s: message %+v", email, message)
			}
			_, err = s.SignIn(t.Context(), visitor, iam.Proof{ID: asked.ID, Browser: asked.Browser, Code: "wrong"})
			wantKind(t, err, iam.ProofRefused)
			if !known[email] {
				_, err = s.SignIn(t.Context(), visitor, typed(asked))
				wantKind(t, err, iam.ProofRefused)
			}
		}
		if mails != len(known) {
			t.Errorf("%d mails go out, want %d", mails, len(known))
		}
		for _, malformed := range []string{"", "x", "a@b", "a@example.com,b@example.com", "ı@example.com"} {
			_, err := s.AskSignIn(t.Context(), visitor, malformed)
			wantKind(t, err, iam.Invalid) // KF-78, KF-80
		}
	})
}

// counting sees what a transaction that is committed writes.
type counting struct {
	iam.Store

	queued              []iam.Delivery
	challenges, tallies int
}

func (c *counting) Update(ctx context.Context, fn func(tx iam.Tx) error) error {
	return c.Store.Update(ctx, func(tx iam.Tx) error {
		c.queued, c.challenges, c.tallies = nil, 0, 0
		return fn(countingTx{tx, c})
	})
}

type countingTx struct {
	iam.Tx

	c *counting
}

func (t countingTx) Queue(d iam.Delivery) error {
	t.c.queued = append(t.c.queued, d)
	return t.Tx.Queue(d)
}

func (t countingTx) InsertChallenge(c iam.Challenge, entry iam.AuditEntry) error {
	t.c.challenges++
	return t.Tx.InsertChallenge(c, entry)
}

func (t countingTx) Spend(tallies []iam.Tally) (*iam.Tally, error) {
	t.c.tallies += len(tallies)
	for _, tally := range tallies {
		if strings.Contains(tally.Subject, "@") || strings.Contains(tally.Subject, "192.0.2") {
			return nil, fmt.Errorf("the tally %s names its subject: %q", tally.Name, tally.Subject)
		}
	}
	return t.Tx.Spend(tallies)
}

// A session ends by itself, unused or used, and not earlier.
func TestSessionEndsByItself(t *testing.T) {
	t.Parallel()
	s := open(t)
	s = s.signing(t, s.store)
	s.user(t, "user@example.com")
	signed, actor := s.signIn(t, "user@example.com")
	s.advance(iam.DefaultSessionIdle - time.Microsecond)
	if s.session(t, signed.Secret) == nil {
		t.Fatal("it ended before it was unused for long enough")
	}
	see := func() {
		if err := s.store.Update(t.Context(), func(tx iam.Tx) error { return tx.SeeSession(signed.Session.ID) }); err != nil {
			t.Fatal(err)
		}
	}
	see()
	const rest = iam.DefaultSessionIdle - time.Minute
	for s.now().Add(rest).Before(signed.Session.ExpiresOn) {
		s.advance(rest)
		see()
		if s.session(t, signed.Secret) == nil {
			t.Fatalf("a session in use ended at %s", s.now())
		}
	}
	s.advance(signed.Session.ExpiresOn.Sub(s.now()))
	if s.session(t, signed.Secret) != nil {
		t.Error("a session in use outlived its end")
	}
	if left := must(s.Sessions(t.Context(), actor))(t); len(left) != 0 {
		t.Errorf("listed are %+v, want none", left)
	}
	other, _ := s.signIn(t, "user@example.com")
	s.advance(iam.DefaultSessionIdle)
	if s.session(t, other.Secret) != nil {
		t.Error("an unused session outlived its idle time")
	}
}

// KF-82, KF-83; ASVS 7.2.4, 7.4.1 to 7.4.3, 7.5.2: a sign-in ends the session that
// the browser had, and sessions end one by one, all others, and with their user.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		ctx := t.Context()
		user := s.user(t, "user@example.com")
		s.user(t, "other@example.com")
		first, _ := s.signIn(t, user.Email)
		same := visitor
		same.Session = first.Session.ID
		second := must(s.SignIn(ctx, same, clicked(s.ask(t, user.Email))))(t)
		if s.session(t, first.Secret) != nil || s.session(t, second.Secret) == nil || first.Secret == second.Secret {
			t.Fatal("signing in again did not replace the browser's session")
		}
		third, actor := s.signIn(t, user.Email)
		strange, stranger := s.signIn(t, "other@example.com")

		wantKind(t, s.EndSession(ctx, stranger, third.Session.ID), iam.NotFound)
		wantKind(t, s.EndSession(ctx, actor, rowID), iam.NotFound)
		if listed := must(s.Sessions(ctx, actor))(t); len(listed) != 2 || listed[0].ID != second.Session.ID || listed[1].ID != third.Session.ID {
			t.Errorf("listed are %+v", listed)
		}
		if err := s.EndSession(ctx, actor, second.Session.ID); err != nil || s.session(t, second.Secret) != nil {
			t.Errorf("a session that was ended holds, or %v", err)
		}
		wantKind(t, s.EndSession(ctx, actor, second.Session.ID), iam.NotFound)

		fourth, _ := s.signIn(t, user.Email)
		if err := s.EndOtherSessions(ctx, actor); err != nil || s.session(t, fourth.Secret) != nil || s.session(t, third.Secret) == nil {
			t.Errorf("ending the others did not end them, or ended all, or %v", err)
		}
		if err := s.SuspendUser(ctx, operator, user.ID, false); err != nil || s.session(t, third.Secret) != nil {
			t.Errorf("a session of a suspended user holds, or %v", err)
		}
		if err := s.ReactivateUser(ctx, operator, user.ID); err != nil || s.session(t, third.Secret) != nil {
			t.Errorf("a session came back with its user, or %v", err)
		}
		if s.session(t, strange.Secret) == nil {
			t.Error("the session of somebody else ended as well")
		}
	})
}
