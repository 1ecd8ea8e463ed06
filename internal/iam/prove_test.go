package iam_test

import (
	"testing"

	"hither/internal/iam"
)

// KF-4, KF-5: a user whose address is unproven accepts nothing, and neither does
// its key; whoever reads the mailbox signs in by it, which proves the address and
// ends everything that opened the user before. Then, and only then, it accepts.
func TestTheMailboxProvesAnAddress(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		ctx := t.Context()
		for name, proof := range map[string]func(iam.Asked) iam.Proof{"link": clicked, "code": typed} {
			email := name + "@example.com"
			user := must(s.CreateUser(ctx, operator, iam.User{Email: email}))(t)
			_, key, err := s.CreateKey(ctx, operator, user.ID, "made before")
			must(user, err)(t)
			_, token, err := s.CreateToken(ctx, operator, user.ID, "made before", noon.AddDate(1, 0, 0))
			must(user, err)(t)
			l := s.linked(t, email)

			// Neither the link alone, nor the key: each way is shut before the proof.
			_, err = s.AnswerByLink(ctx, visitor.Actor(), visitor, l.link, iam.Accepted)
			wantKind(t, err, iam.SignInFirst)
			byKey := iam.Actor{Kind: iam.ByUser, User: user, Key: true}
			_, err = s.AnswerInvitation(ctx, byKey, l.link.ID, iam.Accepted)
			wantKind(t, err, iam.NotFound)
			_, err = s.AnswerByLink(ctx, byKey, visitor, l.link, iam.Accepted)
			wantKind(t, err, iam.WrongAddress)

			asked := s.ask(t, email)
			if now := must(s.User(ctx, operator, email))(t); now != user {
				t.Fatalf("%s: asking for the mail changed the user to %+v", name, now)
			}
			if p := must(s.store.KeyPrincipal(ctx, iam.HashSecret(key)))(t); p.Key.Disabled {
				t.Errorf("%s: asking for the mail ended the key", name)
			}
			signed := must(s.SignIn(ctx, visitor, proof(asked)))(t)
			now := must(s.User(ctx, operator, email))(t)
			if !now.Verified || signed.User != now || now.ID != user.ID {
				t.Fatalf("%s: signed in as %+v, the user is %+v", name, signed.User, now)
			}
			if p := must(s.store.KeyPrincipal(ctx, iam.HashSecret(key)))(t); !p.Key.Disabled {
				t.Errorf("%s: a key from before the proof opens what is the mailbox's", name)
			}
			if p := must(s.store.TokenPrincipal(ctx, iam.HashSecret(token)))(t); !p.Token.Disabled {
				t.Errorf("%s: a token from before the proof opens what is the mailbox's", name)
			}
			if s.session(t, signed.Secret) == nil {
				t.Errorf("%s: the session that proved it does not hold", name)
			}
			got := must(s.AnswerByLink(ctx, signed.Session.Actor(now), visitor, l.link, iam.Accepted))(t)
			if got.Invitation.Status != iam.Accepted || got.Invitation.UserID != user.ID {
				t.Errorf("%s: the invitation is %+v", name, got.Invitation.Membership)
			}
			proofs := 0
			for _, entry := range s.audited(t, "", iam.UserProve) {
				if entry.TargetID == user.ID && entry.ActorID == user.ID && entry.Before != "" && entry.After != "" {
					proofs++
				}
			}
			if proofs != 1 {
				t.Errorf("%s: %d audit rows of the proof, want 1", name, proofs)
			}

			// A sign-in of one who is proven ends nothing.
			_, key, err = s.CreateKey(ctx, operator, user.ID, "made after")
			must(user, err)(t)
			other, _ := s.signIn(t, email)
			if p := must(s.store.KeyPrincipal(ctx, iam.HashSecret(key)))(t); p.Key.Disabled || s.session(t, other.Secret) == nil || s.session(t, signed.Secret) == nil {
				t.Errorf("%s: a later sign-in ended a key or a session", name)
			}
		}
	})
}
