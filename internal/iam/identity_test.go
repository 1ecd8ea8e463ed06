package iam_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"hither/internal/iam"
)

// KF-73, KF-74, KF-78: an identity is its issuer and subject. An address by
// itself opens no user that exists, and makes none that nobody invited.
func TestDecideIdentity(t *testing.T) {
	t.Parallel()
	const refused = iam.IdentityUnlinked
	holder := iam.User{ID: guestID, Email: "guest@example.com", Verified: true}
	known := &iam.Identity{ID: rowID, UserID: guestID}
	with := func(change func(u *iam.User)) *iam.User {
		u := holder
		if change != nil {
			change(&u)
		}
		return &u
	}
	suspended := func(u *iam.User) { u.Suspended = true }
	for _, test := range []struct {
		name          string
		facts         iam.IdentityFacts
		authoritative bool
		want          iam.Kind
		user          iam.ID
		link          iam.LinkReason // "": nothing is linked
	}{
		{"known", iam.IdentityFacts{Identity: known, User: holder}, false, iam.Internal, guestID, ""},
		{"known, with another address by now", iam.IdentityFacts{Identity: known, User: *with(func(u *iam.User) { u.Email = "x@example.org" })}, false, iam.Internal, guestID, ""},
		{"known, suspended", iam.IdentityFacts{Identity: known, User: *with(suspended)}, true, iam.Forbidden, "", ""},
		{"an address with a user", iam.IdentityFacts{Holder: with(nil)}, false, refused, "", ""},
		{"an address with a user who is invited", iam.IdentityFacts{Holder: with(nil), Invited: true}, false, refused, "", ""},
		{"an address that the issuer speaks for", iam.IdentityFacts{Holder: with(nil)}, true, iam.Internal, guestID, iam.LinkedByAuthority},
		{"that it called somebody else by", iam.IdentityFacts{Holder: with(nil), HolderKnown: true}, true, refused, "", ""},
		{"of a user who never proved it", iam.IdentityFacts{Holder: with(func(u *iam.User) { u.Verified = false })}, true, refused, "", ""},
		{"of a suspended user", iam.IdentityFacts{Holder: with(suspended)}, true, refused, "", ""},
		{"of nobody", iam.IdentityFacts{}, true, refused, "", ""},
		{"of nobody, invited", iam.IdentityFacts{Invited: true}, false, iam.Internal, "", iam.LinkedAtCreation},
		{"of nobody, invited, by its own issuer", iam.IdentityFacts{Invited: true}, true, iam.Internal, "", iam.LinkedAtCreation},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := iam.DecideIdentity(test.facts, iam.Assertion{Email: holder.Email, Authoritative: test.authoritative})
			wantKind(t, err, test.want)
			if err != nil {
				return
			}
			if got.User.ID != test.user || got.Link != (test.link != "") || got.Why != test.link || got.New != (test.link == iam.LinkedAtCreation) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

const acme = "https://login.example.com"

func asserted(subject, email string) iam.Assertion {
	return iam.Assertion{Issuer: acme, Subject: subject, Provider: "acme", Email: email}
}

func authoritative(a iam.Assertion) iam.Assertion {
	a.Authoritative = true
	return a
}

func (s stage) identities(t *testing.T, user iam.ID) []iam.Identity {
	t.Helper()
	return must(s.Identities(t.Context(), operator, user))(t)
}

// invite has the operator invite somebody to a new account.
func (s stage) invite(t *testing.T, email string) iam.ID {
	t.Helper()
	account := must(s.CreateAccount(t.Context(), operator, iam.NewAccount{Name: "Example"}))(t)
	request := iam.InviteRequest{Email: email, RoleIDs: []iam.ID{role(t, "Administrator").ID}}
	return must(s.Invite(t.Context(), operator, account.ID, request))(t).Member.ID
}

// The first identity of an authoritative issuer is linked by the address, its
// user keeps it whatever the address becomes, and a second one is not.
func TestAuthoritativeIssuerLinksOnce(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		ada := s.user(t, "ada@example.com")
		known := must(s.Recognize(t.Context(), authoritative(asserted("one", ada.Email)), visitor))(t)
		linked := s.identities(t, ada.ID)
		if known.User.ID != ada.ID || len(linked) != 1 || linked[0].ID != known.IdentityID || linked[0].Reason != iam.LinkedByAuthority {
			t.Fatalf("got %+v, linked %+v", known, linked)
		}
		if rows := s.audited(t, "", iam.IdentityLink); len(rows) != 1 || rows[0].ActorID != ada.ID || rows[0].TargetID != known.IdentityID {
			t.Errorf("audit rows %+v", rows)
		}
		if mails := must(s.store.Deliveries(t.Context(), "", iam.PageRequest{Number: 1, Size: 9}))(t); len(mails) != 1 || mails[0].Detail != string(iam.SignInLinked) {
			t.Errorf("mails %+v, want a notice", mails)
		}
		moved := must(s.Recognize(t.Context(), asserted("one", "ada@elsewhere.example"), visitor))(t)
		if moved != known {
			t.Errorf("with another address: got %+v", moved)
		}
		for _, second := range []iam.Assertion{asserted("two", ada.Email), authoritative(asserted("two", ada.Email))} {
			_, err := s.Recognize(t.Context(), second, visitor)
			wantKind(t, err, iam.IdentityUnlinked)
			_, err = s.SignInByIdentity(t.Context(), visitor, second)
			wantKind(t, err, iam.IdentityUnlinked)
		}
		if again := s.identities(t, ada.ID); len(again) != 1 {
			t.Errorf("a second subject was linked by the address: %+v", again)
		}
	})
}

// Of two subjects that claim an address at once one is linked.
func TestRacingSubjectsLinkOnce(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		const racers = 16
		ada := s.user(t, "ada@example.com")
		errs := make([]error, racers)
		var wg sync.WaitGroup
		for i := range racers {
			wg.Go(func() {
				_, errs[i] = s.Recognize(t.Context(), authoritative(asserted(fmt.Sprint("subject ", i), ada.Email)), visitor)
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
				continue
			}
			wantKind(t, err, iam.IdentityUnlinked)
		}
		if linked := s.identities(t, ada.ID); won != 1 || len(linked) != 1 {
			t.Errorf("%d won, %d are linked, want 1", won, len(linked))
		}
	})
}

// Who was invited and is new becomes a user by its identity, once.
func TestIdentityMakesAnInvitedUser(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		const racers = 16
		a := asserted("new", "guest@example.com")
		_, err := s.Recognize(t.Context(), authoritative(a), visitor)
		wantKind(t, err, iam.IdentityUnlinked)
		id := s.invite(t, a.Email)
		found := make([]iam.Recognized, racers)
		errs := make([]error, racers)
		var wg sync.WaitGroup
		for i := range racers {
			wg.Go(func() { found[i], errs[i] = s.Recognize(t.Context(), a, visitor) })
		}
		wg.Wait()
		for i := range racers {
			if errs[i] != nil || found[i].User.ID != found[0].User.ID || found[i].IdentityID != found[0].IdentityID {
				t.Errorf("got %+v, %v, want all the same", found[i], errs[i])
			}
		}
		user := found[0].User
		if !user.Verified || user.Email != a.Email || len(s.identities(t, user.ID)) != 1 {
			t.Errorf("made %+v", user)
		}
		if made := s.audited(t, "", iam.UserCreate); len(made) != 1 {
			t.Errorf("%d users were made, want 1", len(made))
		}
		actor := iam.Actor{Kind: iam.ByUser, User: user, CredentialID: found[0].IdentityID}
		if got := must(s.AnswerInvitation(t.Context(), actor, id, iam.Accepted))(t); got.Status != iam.Accepted {
			t.Errorf("accepted: %+v", got)
		}
	})
}

// An invitation that is over makes nobody a user.
func TestExpiredInvitationMakesNobody(t *testing.T) {
	t.Parallel()
	s := open(t)
	s = s.signing(t, s.store)
	s.invite(t, "guest@example.com")
	s.advance(iam.DefaultLifetime)
	_, err := s.Recognize(t.Context(), authoritative(asserted("new", "guest@example.com")), visitor)
	wantKind(t, err, iam.IdentityUnlinked)
}

// KF-84: what a provider once vouched for ends with the user, at once.
func TestSuspendedUserIsNotRecognized(t *testing.T) {
	t.Parallel()
	s := open(t)
	s = s.signing(t, s.store)
	ada := s.user(t, "ada@example.com")
	a := authoritative(asserted("one", ada.Email))
	must(s.Recognize(t.Context(), a, visitor))(t)
	if err := s.SuspendUser(t.Context(), operator, ada.ID, false); err != nil {
		t.Fatal(err)
	}
	_, err := s.Recognize(t.Context(), a, visitor)
	wantKind(t, err, iam.Forbidden)
	_, err = s.SignInByIdentity(t.Context(), visitor, a)
	wantKind(t, err, iam.Forbidden)
}

// A session by an identity says so, and carries the factor that the provider saw;
// it replaces the browser's session. A factor counts in that session only (KF-70).
func TestSignInByIdentity(t *testing.T) {
	t.Parallel()
	s := open(t)
	s = s.signing(t, s.store)
	ada := s.user(t, "ada@example.com")
	before, _ := s.signIn(t, ada.Email)
	from := visitor
	from.Session = before.Session.ID
	a := authoritative(asserted("one", ada.Email))
	a.Factor = "amr:mfa"
	signed := must(s.SignInByIdentity(t.Context(), from, a))(t)
	p := s.session(t, signed.Secret)
	if p == nil || p.User.ID != ada.ID || p.Session.Method != iam.ByIdentity || p.Session.Factor != "amr:mfa" || s.session(t, before.Secret) != nil {
		t.Fatalf("got %+v", p)
	}
	a.Factor = ""
	without := must(s.SignInByIdentity(t.Context(), visitor, a))(t)

	account := must(s.CreateAccount(t.Context(), operator, iam.NewAccount{Name: "Example"}))(t)
	yes := true
	must(s.EditAccount(t.Context(), operator, account.ID, iam.AccountEdit{EnforceTwoFactor: &yes}))(t)
	request := iam.InviteRequest{Email: ada.Email, RoleIDs: []iam.ID{role(t, "Administrator").ID}}
	id := must(s.Invite(t.Context(), operator, account.ID, request))(t).Member.ID
	mailed, byMail := s.signIn(t, ada.Email)
	for _, actor := range []iam.Actor{without.Session.Actor(without.User), byMail} {
		_, err := s.AnswerInvitation(t.Context(), actor, id, iam.Accepted)
		wantKind(t, err, iam.TwoFactorRequired)
	}
	_ = mailed
	must(s.AnswerInvitation(t.Context(), signed.Session.Actor(signed.User), id, iam.Accepted))(t)
}

// The proof of a mailbox links the identity that the same browser showed, of that
// address and no other. Whoever else has the link or the code links nothing.
func TestMailboxProofLinks(t *testing.T) {
	t.Parallel()
	elsewhere := func(p iam.Proof) iam.Proof {
		p.Browser = ""
		return p
	}
	here := func(a iam.Asked) iam.Proof { return iam.Proof{ID: a.ID, ByLink: true, Browser: a.Browser} }
	for _, test := range []struct {
		name  string
		email string // asserted
		proof func(asked iam.Asked) iam.Proof
		links bool
	}{
		{"by the code", "ada@example.com", typed, true},
		{"by the link, in the browser that asked", "ada@example.com", here, true},
		{"by the link, elsewhere", "ada@example.com", func(a iam.Asked) iam.Proof { return elsewhere(here(a)) }, false},
		{"of another address", "other@example.com", typed, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			onEngines(t, func(t *testing.T, s stage) {
				t.Helper()
				ada := s.user(t, "ada@example.com")
				s.user(t, "other@example.com")
				a := asserted("one", test.email)
				a.Factor = "amr:mfa"
				asked := s.ask(t, ada.Email)
				signed := must(s.SignInAndLink(t.Context(), visitor, test.proof(asked), a))(t)
				linked := s.identities(t, ada.ID)
				if signed.User.ID != ada.ID || (len(linked) == 1) != test.links || (signed.Session.Factor != "") != test.links {
					t.Fatalf("signed in %+v, linked %+v", signed.Session, linked)
				}
				_, err := s.Recognize(t.Context(), asserted("one", "whatever@example.com"), visitor)
				if test.links {
					wantKind(t, err, iam.Internal)
				} else {
					wantKind(t, err, iam.IdentityUnlinked)
				}
			})
		})
	}
	t.Run("a wrong code", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		s = s.signing(t, s.store)
		ada := s.user(t, "ada@example.com")
		proof := typed(s.ask(t, ada.Email))
		proof.Code = "wrong"
		_, err := s.SignInAndLink(t.Context(), visitor, proof, asserted("one", ada.Email))
		wantKind(t, err, iam.ProofRefused)
		if linked := s.identities(t, ada.ID); len(linked) != 0 {
			t.Errorf("linked %+v", linked)
		}
	})
	t.Run("an identity that is somebody else's by now", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		s = s.signing(t, s.store)
		ada, eve := s.user(t, "ada@example.com"), s.user(t, "eve@example.com")
		must(s.Recognize(t.Context(), authoritative(asserted("one", eve.Email)), visitor))(t)
		_, err := s.SignInAndLink(t.Context(), visitor, typed(s.ask(t, ada.Email)), asserted("one", ada.Email))
		wantKind(t, err, iam.IdentityUnlinked)
		if linked := s.identities(t, ada.ID); len(linked) != 0 {
			t.Errorf("linked %+v", linked)
		}
	})
}

// An identity that the operator takes away stands for nobody, and the sessions
// that may rest on it end.
func TestUnlink(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		ada, eve := s.user(t, "ada@example.com"), s.user(t, "eve@example.com")
		a := authoritative(asserted("one", ada.Email))
		signed := must(s.SignInByIdentity(t.Context(), visitor, a))(t)
		id := s.identities(t, ada.ID)[0].ID
		wantKind(t, s.Unlink(t.Context(), operator, eve.ID, id), iam.NotFound)
		wantKind(t, s.Unlink(t.Context(), iam.Actor{Kind: iam.ByUser, User: ada}, ada.ID, id), iam.Forbidden)
		if err := s.Unlink(t.Context(), operator, ada.ID, id); err != nil {
			t.Fatal(err)
		}
		if s.session(t, signed.Secret) != nil || len(s.identities(t, ada.ID)) != 0 {
			t.Error("the session holds or the identity is still there")
		}
		_, err := s.Recognize(t.Context(), asserted("one", ada.Email), visitor)
		wantKind(t, err, iam.IdentityUnlinked)
		s.advance(time.Second)
		if rows := s.audited(t, "", iam.IdentityUnlink); len(rows) != 1 || !slices.ContainsFunc(rows, func(e iam.AuditEntry) bool { return e.TargetID == id }) {
			t.Errorf("audit rows %+v", rows)
		}
	})
}
