package iam_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"hither/internal/iam"
	"hither/internal/id"
	"hither/internal/store"

	"pgregory.net/rapid"
)

func (s stage) wrong(t *testing.T, from iam.Visitor, asked iam.Asked) iam.Kind {
	t.Helper()
	_, err := s.SignIn(t.Context(), from, iam.Proof{ID: asked.ID, Browser: asked.Browser, Code: "wrong"})
	return iam.KindOf(err)
}

func from(addr string) iam.Visitor { return iam.Visitor{RemoteAddr: addr} }

// KF-71: wrong codes stay counted, though each of them is refused; and the right
// one comes too late behind the last of them.
func TestAChallengeTakesFewWrongCodes(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		s.user(t, "user@example.com")
		for wrong, want := range map[int]iam.Kind{iam.MaxChallengeFailures - 1: iam.Internal, iam.MaxChallengeFailures: iam.ProofRefused} {
			asked := s.ask(t, "user@example.com")
			for range wrong {
				if kind := s.wrong(t, visitor, asked); kind != iam.ProofRefused {
					t.Errorf("a wrong code: kind %d", kind)
				}
			}
			_, err := s.SignIn(t.Context(), visitor, typed(asked))
			wantKind(t, err, want)
			s.advance(time.Hour)
		}
	})
}

// ASVS 6.3.1, KF-79; NIST SP 800-63B: n and n+1 of every limit. For codes the
// plus-addresses of a mailbox count together, another mailbox and another client
// do not.
func TestLimitsOfSigningIn(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		ask := func(from iam.Visitor, email string) error {
			_, err := s.AskSignIn(t.Context(), from, email)
			return err
		}
		for i := range 3 {
			wantKind(t, ask(from(fmt.Sprintf("198.51.100.%d", i/2)), "user@example.com"), iam.Internal)
		}
		err := ask(from("198.51.100.9"), "user@example.com")
		wantKind(t, err, iam.TooManyAttempts)
		wantKind(t, ask(visitor, "other@example.com"), iam.Internal)
		if refusal, ok := err.(*iam.Error); !ok || refusal.RetryAfter <= 0 || refusal.RetryAfter > iam.ChallengeLife { //nolint:errorlint // as it is returned
			t.Errorf("got %#v, want it to say when to come back", err)
		}
		s.advance(iam.ChallengeLife)
		for range 2 { // and of one client two
			wantKind(t, ask(visitor, "user@example.com"), iam.Internal)
		}
		wantKind(t, ask(visitor, "user@example.com"), iam.TooManyAttempts)
		wantKind(t, ask(from("198.51.100.9"), "user@example.com"), iam.Internal)

		// Codes of an address: ten in a stretch, whoever tries them.
		s.advance(24 * time.Hour)
		s.user(t, "user@example.com")
		tries := 0
		for range 4 {
			asked := s.ask(t, "user@example.com")
			for range iam.MaxChallengeFailures {
				if kind := s.wrong(t, from(fmt.Sprintf("203.0.113.%d", tries)), asked); kind != iam.ProofRefused {
					if kind != iam.TooManyAttempts {
						t.Errorf("kind %d", kind)
					}
					break
				}
				tries++
			}
		}
		if tries != 10 {
			t.Errorf("%d wrong codes were looked at, want 10", tries)
		}
		// Its user is not locked out: what cannot be guessed still works.
		asked := s.ask(t, "user@example.com")
		_, err = s.SignIn(t.Context(), visitor, typed(asked))
		wantKind(t, err, iam.TooManyAttempts)
		_, err = s.SignIn(t.Context(), visitor, clicked(asked))
		wantKind(t, err, iam.Internal)

		// A client: a hundred, in IPv6 from all of its /64.
		s.advance(24 * time.Hour)
		tries = 0
		for i := range 101 {
			unknown := iam.Asked{ID: iam.ID(fmt.Sprintf("%032x", i)), Browser: "b"}
			if s.wrong(t, from(fmt.Sprintf("2001:db8::%x", i+1)), unknown) == iam.ProofRefused {
				tries++
			}
		}
		if kind := s.wrong(t, from("2001:db8:0:1::1"), iam.Asked{ID: rowID}); tries != 100 || kind != iam.ProofRefused {
			t.Errorf("a client had %d tries, want 100; its neighbour's was of kind %d", tries, kind)
		}
		// KF-71: one address may be everybody behind a proxy. Whoever spends its
		// tries keeps nobody out who holds a link; a dead one is refused with the codes.
		asked, spent := s.ask(t, "user@example.com"), from("2001:db8::1")
		_, err = s.SignIn(t.Context(), spent, typed(asked))
		wantKind(t, err, iam.TooManyAttempts)
		_, err = s.SignIn(t.Context(), spent, clicked(asked))
		wantKind(t, err, iam.Internal)
		_, err = s.SignIn(t.Context(), spent, clicked(asked))
		wantKind(t, err, iam.TooManyAttempts)
	})
}

// KF-66: what was counted is in the database: it is there after a restart, and
// filling the table with others pushes nothing out.
func TestLimitsSurviveARestart(t *testing.T) {
	t.Parallel()
	s := open(t)
	path := filepath.Join(t.TempDir(), "kept.db")
	reopen := func() stage {
		opened, err := store.OpenSQLite(t.Context(), path, store.Options{Now: s.now})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = opened.Close() })
		return s.signing(t, opened)
	}
	before := reopen()
	before.user(t, "user@example.com")
	first, second := before.ask(t, "user@example.com"), before.ask(t, "user@example.com")
	third := before.ask(t, "user@example.com")
	for range iam.MaxChallengeFailures {
		before.wrong(t, visitor, first)
		before.wrong(t, visitor, second)
	}
	drawn := id.NewSource(s.now)
	err := before.store.Update(t.Context(), func(tx iam.Tx) error {
		for range 20_000 {
			_, err := tx.Spend([]iam.Tally{{Name: "fail_address", Subject: drawn.New(), StartsOn: s.now(), EndsOn: s.now().Add(time.Hour), Limit: 9}})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if kind := before.wrong(t, visitor, third); kind != iam.TooManyAttempts {
		t.Errorf("before the restart: kind %d", kind)
	}
	if kind := reopen().wrong(t, visitor, third); kind != iam.TooManyAttempts {
		t.Errorf("after the restart: kind %d", kind)
	}
}

// TestStrangersKeepNobodyOut: clients ask for mails to an address, as they like.
// Whenever its user is refused one, the link of one that was sent works, also in
// the user's own browser, which asked for none.
func TestStrangersKeepNobodyOut(t *testing.T) {
	t.Parallel()
	s := open(t)
	s = s.signing(t, s.store)
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		email, other := fmt.Sprintf("user%d@example.com", n), fmt.Sprintf("user%d+a@example.com", n)
		s.user(t, email)
		s.advance(time.Duration(rapid.IntRange(3600, 4200).Draw(r, "before")) * time.Second)
		var sent []iam.Asked
		for range rapid.IntRange(1, 40).Draw(r, "asks") {
			s.advance(time.Duration(rapid.IntRange(0, 400).Draw(r, "seconds")) * time.Second)
			to := rapid.SampledFrom([]string{email, email, other}).Draw(r, "to")
			asked, err := s.AskSignIn(t.Context(), from(fmt.Sprintf("198.51.100.%d", rapid.IntRange(0, 5).Draw(r, "client"))), to)
			if err == nil && to == email {
				sent = append(sent, asked)
			}
		}
		asked, err := s.AskSignIn(t.Context(), visitor, email)
		if iam.KindOf(err) == iam.TooManyAttempts {
			if len(sent) == 0 {
				r.Fatal("refused, and nothing was ever sent")
			}
			asked, err = sent[len(sent)-1], nil
		}
		if err != nil {
			r.Fatal(err)
		}
		if _, err := s.SignIn(t.Context(), visitor, clicked(asked)); err != nil {
			r.Fatalf("the newest link does not work: %v", err)
		}
	})
}

// TestAKnownBrowserHasMailsOfItsOwn: strangers cannot spend those, and it cannot
// ask without end either. Of another user, or for an address that it has not read,
// it is a stranger.
func TestAKnownBrowserHasMailsOfItsOwn(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		user, other := s.user(t, "user@example.com"), s.user(t, "other@example.com")
		ask := func(v iam.Visitor, email string) error {
			_, err := s.AskSignIn(t.Context(), v, email)
			return err
		}
		for i := range 3 {
			wantKind(t, ask(from(fmt.Sprintf("198.51.100.%d", i)), "user@example.com"), iam.Internal)
		}
		known, holder := visitor, visitor
		known.Known, holder.HasRead = user.ID, "user@example.com"
		stranger, elsewhere := visitor, visitor
		stranger.Known, elsewhere.HasRead = other.ID, "other@example.com"
		wantKind(t, ask(stranger, "user@example.com"), iam.TooManyAttempts)
		wantKind(t, ask(elsewhere, "user@example.com"), iam.TooManyAttempts)
		wantKind(t, ask(known, "user@example.com"), iam.Internal)
		wantKind(t, ask(holder, "user@example.com"), iam.Internal)
		wantKind(t, ask(known, "user@example.com"), iam.Internal)
		wantKind(t, ask(known, "user@example.com"), iam.TooManyAttempts)
		wantKind(t, ask(known, "nobody@example.com"), iam.Internal)
		s.advance(iam.ChallengeLife)
		wantKind(t, ask(known, "user@example.com"), iam.Internal)
	})
}

// TestAskingForAnotherPurposeSpendsNoSignIn: a mail that only proves a new address
// lets nobody in.
func TestAskingForAnotherPurposeSpendsNoSignIn(t *testing.T) {
	t.Parallel()
	s := open(t)
	s = s.signing(t, s.store)
	s.user(t, "victim@example.com")
	s.user(t, "user@example.com")
	_, actor := s.signIn(t, "user@example.com")
	for i := 0; ; i++ {
		_, err := s.AskAddress(t.Context(), actor, from(fmt.Sprintf("203.0.113.%d", i)), "victim@example.com")
		if iam.KindOf(err) == iam.TooManyAttempts {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.AskSignIn(t.Context(), from("198.51.100.1"), "victim@example.com"); err != nil {
		t.Errorf("a sign-in after that: %v", err)
	}
}
