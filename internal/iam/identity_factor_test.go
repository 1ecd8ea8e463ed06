package iam_test

import (
	"slices"
	"testing"

	"hither/internal/iam"
)

// Who reads the mailbox of a user with a second factor links nothing to it before
// that is shown, and what its provider says of one stands in for nothing.
func TestNothingIsLinkedPastASecondFactor(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		ctx := t.Context()
		ada := s.user(t, "ada@example.com")
		a, _, _ := s.protect(t, ada.Email)
		shown := asserted("one", ada.Email)
		shown.Factor = "amr:mfa"
		for _, assertion := range []iam.Assertion{shown, authoritative(shown)} {
			_, err := s.SignInByIdentity(ctx, visitor, assertion)
			wantKind(t, err, iam.IdentityUnlinked)
			_, err = s.Recognize(ctx, assertion, visitor)
			wantKind(t, err, iam.IdentityUnlinked)
		}
		signed := must(s.SignInAndLink(ctx, visitor, typed(s.ask(t, ada.Email)), shown))(t)
		half := signed.Session.Actor(signed.User)
		if !signed.LinkWaits || !half.LacksFactor() || len(s.identities(t, ada.ID)) != 0 {
			t.Fatalf("by the mailbox alone: %+v, linked %+v", signed, s.identities(t, ada.ID))
		}
		wantKind(t, must2(s.ShowFactorAndLink(ctx, half, iam.ShownFactor{Code: "000000"}, shown)), iam.ProofRefused)
		if linked := s.identities(t, ada.ID); len(linked) != 0 {
			t.Fatalf("linked by a wrong code: %+v", linked)
		}
		whole := must(s.ShowFactorAndLink(ctx, half, a.next(t), shown))(t)
		if linked := s.identities(t, ada.ID); whole.Session.Factor != iam.ByTOTP || len(linked) != 1 || linked[0].Subject != "one" {
			t.Errorf("by both: %+v, linked %+v", whole.Session, linked)
		}
		if by := must(s.SignInByIdentity(ctx, visitor, shown))(t); by.User.ID != ada.ID {
			t.Errorf("from then on: %+v", by)
		}
	})
}

// An identity of another address is not linked by showing a factor.
func TestShowingAFactorLinksTheProvedMailboxAlone(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		ada := s.user(t, "ada@example.com")
		a, _, _ := s.protect(t, ada.Email)
		_, half := s.signIn(t, ada.Email)
		must(s.ShowFactorAndLink(t.Context(), half, a.next(t), asserted("one", "eve@example.com")))(t)
		if linked := s.identities(t, ada.ID); len(linked) != 0 {
			t.Errorf("linked %+v", linked)
		}
	})
}

// A session that showed a factor which is no longer there has not shown the one
// that came after it.
func TestANewFactorAsksEverySessionAnew(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		ctx := t.Context()
		user := s.user(t, "user@example.com")
		a, confirmed, actor := s.protect(t, user.Email)
		_, half := s.signIn(t, user.Email)
		other := must(s.ShowFactor(ctx, half, a.next(t)))(t)
		if err := s.RemoveFactor(ctx, actor, iam.ShownFactor{Code: confirmed.Codes[0], Recovery: true}); err != nil {
			t.Fatal(err)
		}
		s.advance(iam.ChallengeLife)
		s.protect(t, user.Email)
		p := s.session(t, other.Secret)
		if p == nil || !p.Session.Actor(p.User).LacksFactor() {
			t.Errorf("the other session: %+v, want one that has yet to show the new factor", p)
		}
	})
}

// Drawing recovery codes anew is told.
func TestNewRecoveryCodesAreTold(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		s.user(t, "user@example.com")
		_, _, actor := s.protect(t, "user@example.com")
		must(s.RenewRecoveryCodes(t.Context(), actor))(t)
		if got := s.notices(t); !slices.Contains(got, "recovery-renewed") {
			t.Errorf("notices: %v", got)
		}
	})
}

// Asking for a new address answers alike, ask by ask, whether or not somebody has
// it, also in a browser that was signed in before.
func TestAskingForAnAddressTellsNobodyWhoHasIt(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		s.user(t, "taken@example.com")
		user := s.user(t, "user@example.com")
		_, actor := s.signIn(t, user.Email)
		at := visitor
		at.Known = user.ID
		for i := range 4 {
			_, free := s.AskAddress(t.Context(), actor, at, "free@example.com")
			_, taken := s.AskAddress(t.Context(), actor, at, "taken@example.com")
			if iam.KindOf(free) != iam.KindOf(taken) {
				t.Errorf("ask %d: %v where it is free, %v where it is taken", i+1, free, taken)
			}
		}
	})
}

// A session that ended while its address was being proved begins no other one.
func TestAnEndedSessionProvesNoAddress(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		ctx := t.Context()
		user := s.user(t, "user@example.com")
		_, actor := s.signIn(t, user.Email)
		asked := must(s.AskAddress(ctx, actor, visitor, "new@example.com"))(t)
		if err := s.EndSession(ctx, actor, actor.CredentialID); err != nil {
			t.Fatal(err)
		}
		_, err := s.ProveAddress(ctx, actor, visitor, moved(asked, true))
		wantKind(t, err, iam.SignInFirst)
		if kept := must(s.User(ctx, operator, user.Email))(t); kept.ID != user.ID {
			t.Errorf("the address moved: %+v", kept)
		}
	})
}
