package iam_test

import (
	"testing"
	"time"

	"hither/internal/iam"
)

func moved(asked iam.Asked, byLink bool) iam.Proof {
	if byLink {
		return iam.Proof{ID: asked.ID, ByLink: true}
	}
	return iam.Proof{ID: asked.ID, Browser: asked.Browser, Code: codeOf(iam.ForAddress, asked.ID)}
}

// KF-77: with the address everything that the old one opened goes, and nothing
// before the new one is proven.
func TestAddressMoves(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		ctx := t.Context()
		for _, byLink := range []bool{true, false} {
			name := map[bool]string{true: "link", false: "code"}[byLink]
			user := s.user(t, name+"-old@example.com")
			member := s.linked(t, user.Email)
			pending := s.linked(t, user.Email)
			other, _ := s.signIn(t, user.Email)
			signed, actor := s.signIn(t, user.Email)
			must(s.AnswerByLink(ctx, actor, visitor, member.link, iam.Accepted))(t)
			stale := s.ask(t, user.Email)

			asked := must(s.AskAddress(ctx, actor, visitor, name+"-NEW@example.com"))(t)
			if now := must(s.User(ctx, operator, string(user.ID)))(t); now != user {
				t.Fatalf("%s: before the proof the user is %+v", name, now)
			}
			got := must(s.ProveAddress(ctx, actor, visitor, moved(asked, byLink)))(t)
			now := must(s.User(ctx, operator, string(user.ID)))(t)
			if now.Email != name+"-new@example.com" || !now.Verified || got.User != now {
				t.Fatalf("%s: the user is %+v", name, now)
			}
			if s.session(t, other.Secret) != nil || s.session(t, signed.Secret) != nil || s.session(t, got.Secret) == nil {
				t.Errorf("%s: a session from before holds, or the new one does not", name)
			}
			if row := must(s.store.Invitation(ctx, member.link.ID))(t); row.Email != now.Email || row.Status != iam.Accepted {
				t.Errorf("%s: the membership is %+v", name, row.Membership)
			}
			actor = got.Session.Actor(now)
			_, err := s.AnswerByLink(ctx, actor, visitor, pending.link, iam.Accepted)
			wantKind(t, err, iam.WrongAddress)
			_, err = s.AnswerInvitation(ctx, actor, pending.link.ID, iam.Accepted)
			wantKind(t, err, iam.NotFound)
			for _, old := range []iam.Proof{clicked(stale), typed(stale)} {
				_, err = s.SignIn(ctx, visitor, old)
				wantKind(t, err, iam.ProofRefused)
			}
			if changes := s.audited(t, "", iam.AddressChange); len(changes) == 0 || changes[len(changes)-1].ActorID != user.ID {
				t.Errorf("%s: recorded are %+v", name, changes)
			}
			_, err = s.ProveAddress(ctx, actor, visitor, moved(asked, byLink))
			wantKind(t, err, iam.ProofRefused)
		}
	})
}

// A proof is for the user who asked: who follows a link that somebody else had
// sent hands its mailbox to nobody (KF-7 among them: no proof fits another lock).
func TestAddressStaysWhereItIs(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		ctx := t.Context()
		s.user(t, "user@example.com")
		s.user(t, "taken@example.com")
		_, actor := s.signIn(t, "user@example.com")
		_, stranger := s.signIn(t, "taken@example.com")

		stale := actor
		stale.SessionProved = s.now().Add(-iam.FreshFor)
		_, err := s.AskAddress(ctx, stale, visitor, "new@example.com")
		wantKind(t, err, iam.SignInAgain)
		_, err = s.AskAddress(ctx, visitor.Actor(), visitor, "new@example.com")
		wantKind(t, err, iam.SignInFirst)

		asked := must(s.AskAddress(ctx, actor, visitor, "new@example.com"))(t)
		_, err = s.ProveAddress(ctx, stranger, visitor, moved(asked, true))
		wantKind(t, err, iam.SignInFirst)
		_, err = s.ProveAddress(ctx, visitor.Actor(), visitor, moved(asked, true))
		wantKind(t, err, iam.SignInFirst)
		key := actor
		key.SessionProved = time.Time{}
		_, err = s.ProveAddress(ctx, key, visitor, moved(asked, true))
		wantKind(t, err, iam.SignInFirst)
		_, err = s.SignIn(ctx, visitor, moved(asked, true))
		wantKind(t, err, iam.ProofRefused)
		signIn := s.ask(t, "user@example.com")
		_, err = s.ProveAddress(ctx, actor, visitor, clicked(signIn))
		wantKind(t, err, iam.ProofRefused)
		_, err = s.ProveAddress(ctx, actor, visitor, moved(asked, true)) // all that consumed nothing
		wantKind(t, err, iam.Internal)

		// An address that somebody has is asked for in vain, and the asker not told.
		_, actor = s.signIn(t, "new@example.com")
		asked = must(s.AskAddress(ctx, actor, visitor, "taken@example.com"))(t)
		_, err = s.ProveAddress(ctx, actor, visitor, moved(asked, false))
		wantKind(t, err, iam.ProofRefused)

		// One that somebody got meanwhile is refused, as is one that is invited
		// where the user is a member.
		asked = must(s.AskAddress(ctx, actor, visitor, "late@example.com"))(t)
		s.user(t, "late@example.com")
		_, err = s.ProveAddress(ctx, actor, visitor, moved(asked, true))
		wantKind(t, err, iam.Invalid)
		l := s.linked(t, "new@example.com")
		must(s.AnswerByLink(ctx, actor, visitor, l.link, iam.Accepted))(t)
		s.invited(t, l.account, "second@example.com")
		asked = must(s.AskAddress(ctx, actor, visitor, "second@example.com"))(t)
		_, err = s.ProveAddress(ctx, actor, visitor, moved(asked, true))
		wantKind(t, err, iam.AlreadyInvited)
	})
}

// KF-78: what only looks like an address is none, and what is the same one is
// asked for in its one form.
func TestAddressesThatLookAlike(t *testing.T) {
	t.Parallel()
	s := open(t)
	s = s.signing(t, s.store)
	s.user(t, "mike@example.com")
	for _, alike := range []string{"mıke@example.com", "mi\u212ae@example.com", "ﬁ@example.com", "ß@example.com", "İ@example.com", "ｍike@example.com", "mi\u0301ke@example.com", "mikе@example.com"} {
		_, err := s.AskSignIn(t.Context(), visitor, alike)
		wantKind(t, err, iam.Invalid)
	}
	for _, same := range []string{"MIKE@example.com", " mike@EXAMPLE.com ", "mike@ｅxample.com"} {
		signed := must(s.SignIn(t.Context(), visitor, clicked(s.ask(t, same))))(t)
		if signed.User.Email != "mike@example.com" {
			t.Errorf("%q signs in %q", same, signed.User.Email)
		}
	}
	asked := s.ask(t, "mike@exämple.com") // its punycode is another domain
	_, err := s.SignIn(t.Context(), visitor, clicked(asked))
	wantKind(t, err, iam.ProofRefused)
}
