package iam_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"hither/internal/iam"
)

// linked is an account and an invitation to it.
type linked struct {
	account iam.ID
	link    iam.InvitationLink
}

func (s stage) linked(t *testing.T, email string, roles ...iam.ID) linked {
	t.Helper()
	account := must(s.CreateAccount(t.Context(), operator, iam.NewAccount{Name: "Example"}))(t).ID
	return linked{account, s.invited(t, account, email, roles...)}
}

func (s stage) invited(t *testing.T, account iam.ID, email string, roles ...iam.ID) iam.InvitationLink {
	t.Helper()
	if roles == nil {
		roles = []iam.ID{role(t, "Minimal Account Access").ID}
	}
	invited := must(s.Invite(t.Context(), operator, account, iam.InviteRequest{Email: email, RoleIDs: roles}))(t)
	return iam.InvitationLink{ID: invited.Member.ID, Generation: 1}
}

// status is the row's, and how many accepted members the account has.
func (s stage) status(t *testing.T, l linked) (iam.Status, int) {
	t.Helper()
	row := must(s.store.Invitation(t.Context(), l.link.ID))(t)
	query := iam.MemberQuery{PageRequest: iam.PageRequest{Number: 1, Size: 9}, Status: iam.Accepted}
	return row.StatusAt(s.now()), must(s.Members(t.Context(), operator, l.account, query))(t).Total
}

// A mailed link whose address has no user makes one, verified, signed in and a
// member, and none of it twice.
func TestLinkMakesANewUser(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		l := s.linked(t, "new@example.com", iam.SuperAdministrator)
		linked := must(s.InvitationByLink(t.Context(), l.link))(t)
		if linked.Known || linked.Link.Generation != 1 || linked.Account.ID != l.account {
			t.Errorf("the link shows %+v", linked)
		}
		got := must(s.AnswerByLink(t.Context(), visitor.Actor(), visitor, l.link, iam.Accepted))(t)
		user := must(s.User(t.Context(), operator, "new@example.com"))(t)
		p := s.session(t, got.SignedIn.Secret)
		if p == nil || p.User != user || !user.Verified || got.Invitation.Status != iam.Accepted || got.Invitation.UserID != user.ID || got.Waits != nil {
			t.Fatalf("got %+v, session %+v of %+v", got, p, user)
		}
		if status, members := s.status(t, l); status != iam.Accepted || members != 1 {
			t.Errorf("the invitation is %s, of %d members", status, members)
		}
		accepts := s.audited(t, l.account, iam.InviteAccept)
		if len(accepts) != 1 || accepts[0].Actor != iam.ByUser || accepts[0].ActorID != user.ID || accepts[0].RemoteAddr != visitor.RemoteAddr {
			t.Errorf("recorded are %+v", accepts)
		}
		if starts := s.audited(t, "", iam.SessionStart); len(starts) != 1 || starts[0].ActorID != user.ID {
			t.Errorf("recorded are %+v", starts)
		}

		// KF-9, KF-99: whoever keeps the link gets nothing more by it, in whichever
		// browser; nor when the member was removed.
		for range 2 {
			again, err := s.AnswerByLink(t.Context(), visitor.Actor(), visitor, l.link, iam.Accepted)
			wantKind(t, err, iam.AlreadyAnswered)
			if again.SignedIn.Secret != "" {
				t.Error("the link signed in a second time")
			}
		}
		if err := s.RemoveMember(t.Context(), operator, l.account, l.link.ID, true, false); err != nil {
			t.Fatal(err)
		}
		for _, actor := range []iam.Actor{visitor.Actor(), p.Session.Actor(user)} {
			for _, answer := range []iam.Status{iam.Accepted, iam.Rejected} {
				_, err := s.AnswerByLink(t.Context(), actor, visitor, l.link, answer)
				wantKind(t, err, iam.NotFound)
			}
		}
		if status, members := s.status(t, l); status != iam.Removed || members != 0 {
			t.Errorf("after all that the invitation is %s, of %d members", status, members)
		}
	})
}

// KF-13: however many accept at once, and by however many tabs, there is one
// user, one member, one session and one row of the audit log.
func TestRacingLinksMakeOneUser(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		const racers = 64
		l := s.linked(t, "new@example.com")
		second := s.linked(t, "new@example.com") // another account asks the same person
		var wg sync.WaitGroup
		errs := make([]error, racers)
		secrets := make([]string, racers)
		for i := range racers {
			link := l.link
			if i%8 == 7 {
				link = second.link
			}
			wg.Go(func() {
				got, err := s.AnswerByLink(t.Context(), visitor.Actor(), visitor, link, iam.Accepted)
				errs[i], secrets[i] = err, got.SignedIn.Secret
			})
		}
		wg.Wait()
		won := 0
		for i, err := range errs {
			switch kind := iam.KindOf(err); {
			case err == nil && secrets[i] != "":
				won++
			case err == nil, kind != iam.AlreadyAnswered && kind != iam.SignInFirst:
				t.Errorf("answer %d: %v", i, err)
			}
		}
		_, members := s.status(t, l)
		_, others := s.status(t, second)
		accepts := len(s.audited(t, l.account, iam.InviteAccept)) + len(s.audited(t, second.account, iam.InviteAccept))
		users := must(s.Users(t.Context(), operator, iam.PageRequest{Number: 1, Size: 9}))(t).Total
		if won != 1 || members+others != 1 || accepts != 1 || users != 1 || len(s.audited(t, "", iam.SessionStart)) != 1 {
			t.Errorf("%d won; %d+%d members, %d rows, %d users; want 1 of each", won, members, others, accepts, users)
		}
	})
}

// KF-29 to 31: an invitation signs nobody in to a user that exists, and changes
// nothing of it.
func TestLinkNeverOpensAnExistingUser(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		for name, edit := range map[string]iam.User{
			"verified": {Verified: true}, "unproven": {}, "operator": {Verified: true, Operator: true}, "with a second factor": {TwoFactor: true, Verified: true},
		} {
			edit.Email, edit.FirstName = strings.ReplaceAll(name, " ", "")+"@example.com", "Ada"
			before := must(s.CreateUser(t.Context(), operator, edit))(t)
			l := s.linked(t, before.Email, iam.SuperAdministrator)
			if linked := must(s.InvitationByLink(t.Context(), l.link))(t); !linked.Known {
				t.Errorf("%s: the page would offer to make the user again", name)
			}
			got, err := s.AnswerByLink(t.Context(), visitor.Actor(), visitor, l.link, iam.Accepted)
			wantKind(t, err, iam.SignInFirst)
			if got.SignedIn.Secret != "" {
				t.Errorf("%s: signed in by an invitation", name)
			}
			if after := must(s.User(t.Context(), operator, before.Email))(t); after != before {
				t.Errorf("%s: the user became %+v", name, after)
			}
			if status, members := s.status(t, l); status != iam.Pending || members != 0 {
				t.Errorf("%s: the invitation is %s, of %d members", name, status, members)
			}
			if !strings.Contains(err.Error(), "***@example.com") || strings.Contains(err.Error(), before.Email) {
				t.Errorf("%s: %q; want the address masked", name, err)
			}
		}
		if sessions := s.audited(t, "", iam.SessionStart); len(sessions) > 0 {
			t.Errorf("sessions %+v", sessions)
		}
	})
}

// KF-1 to 5, 28: a link is for its address; an unproven one is nobody's, and a
// link that was shown to the inviter proves no mailbox.
func TestLinkIsForItsAddress(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		ctx := t.Context()
		l := s.linked(t, "guest@example.com")
		session := iam.Actor{Kind: iam.ByUser, CredentialID: rowID, SessionProved: s.now()}
		for _, user := range []iam.User{
			{Email: "other@example.com", Verified: true},
			{Email: "guest@example.org", Verified: true},
			{Email: "guest@sub.example.com", Verified: true},
			{Email: "guest+1@example.com", Verified: true},
			{Email: "guest@evilexample.com", Verified: true},
			{Email: "guest@example.com"},
		} {
			session.User = must(s.CreateUser(ctx, operator, user))(t)
			for _, answer := range []iam.Status{iam.Accepted, iam.Rejected} {
				before := len(s.denied(t, l.account, "mismatch"))
				_, err := s.AnswerByLink(ctx, session, visitor, l.link, answer)
				wantKind(t, err, iam.WrongAddress)
				if !strings.Contains(fmt.Sprint(err), "g***@example.com") || strings.Contains(fmt.Sprint(err), "guest@") {
					t.Errorf("%q; want the address masked", err)
				}
				if rows := s.denied(t, l.account, "mismatch"); len(rows) != before+1 || rows[before].ActorID != session.User.ID {
					t.Errorf("%+v: recorded are %+v", user, rows)
				}
			}
			if status, _ := s.status(t, l); status != iam.Pending {
				t.Fatalf("%+v: the invitation is %s", user, status)
			}
		}
		// The operator's own programs are nobody's mailbox either.
		_, err := s.AnswerByLink(ctx, operator, visitor, l.link, iam.Accepted)
		wantKind(t, err, iam.Forbidden)

		shown := s.linked(t, "new@example.com")
		shown.link.Shown = true
		for _, answer := range []iam.Status{iam.Accepted, iam.Rejected} {
			_, err := s.AnswerByLink(ctx, visitor.Actor(), visitor, shown.link, answer)
			wantKind(t, err, iam.SignInFirst)
		}
		if !must(s.InvitationByLink(ctx, shown.link))(t).Known {
			t.Error("a shown link tells that the address has no user")
		}
		session.User = s.user(t, "new@example.com")
		must(s.AnswerByLink(ctx, session, visitor, shown.link, iam.Accepted))(t)
		if status, members := s.status(t, shown); status != iam.Accepted || members != 1 {
			t.Errorf("signed in, the invitation is %s, of %d members", status, members)
		}
	})
}

func (s stage) denied(t *testing.T, account iam.ID, why string) (rows []iam.AuditEntry) {
	t.Helper()
	for _, entry := range must(s.store.Audit(t.Context(), account, 0, 10_000))(t) {
		if entry.Denied == why {
			rows = append(rows, entry)
		}
	}
	return rows
}

// The newest link of a pending invitation opens it, no other does, and each says
// why.
func TestDeadLinks(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before func(t *testing.T, s stage, l *linked)
		want   iam.Kind
	}{
		"older generation":        {func(_ *testing.T, _ stage, l *linked) { l.link.Generation = 0 }, iam.LinkReplaced},
		"of a generation to come": {func(_ *testing.T, _ stage, l *linked) { l.link.Generation = 2 }, iam.LinkReplaced},
		"withdrawn": {func(t *testing.T, s stage, l *linked) {
			t.Helper()
			if err := s.CancelInvitation(t.Context(), operator, l.account, l.link.ID, false); err != nil {
				t.Fatal(err)
			}
		}, iam.InviteWithdrawn},
		"expired": {func(_ *testing.T, s stage, _ *linked) { s.advance(30 * 24 * time.Hour) }, iam.InviteExpired},
		"of a deleted account": {func(t *testing.T, s stage, l *linked) {
			t.Helper()
			if err := s.DeleteAccount(t.Context(), operator, l.account); err != nil {
				t.Fatal(err)
			}
		}, iam.NotFound},
		"of a suspended account": {func(t *testing.T, s stage, l *linked) {
			t.Helper()
			yes := true
			must(s.EditAccount(t.Context(), operator, l.account, iam.AccountEdit{Suspended: &yes}))(t)
		}, iam.AccountSuspended},
		"of a member who was added directly": {func(t *testing.T, s stage, l *linked) {
			t.Helper()
			l.link.ID = s.add(t, l.account, "direct@example.com", role(t, "Minimal Account Access").ID)
		}, iam.NotFound},
		"of nothing": {func(_ *testing.T, _ stage, l *linked) { l.link.ID = rowID }, iam.NotFound},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			s = s.signing(t, s.store)
			l := s.linked(t, "guest@example.com")
			test.before(t, s, &l)
			_, err := s.AnswerByLink(t.Context(), visitor.Actor(), visitor, l.link, iam.Accepted)
			wantKind(t, err, test.want)
			if _, err := s.User(t.Context(), operator, "guest@example.com"); iam.KindOf(err) != iam.NotFound {
				t.Errorf("a user was made, or %v", err)
			}
		})
	}
}

// The mailbox alone may reject; whose row it is then depends on whether somebody
// proved the address.
func TestRejectingByLinkNeedsNoSignIn(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		known := s.user(t, "known@example.com")
		unproven := must(s.CreateUser(t.Context(), operator, iam.User{Email: "unproven@example.com"}))(t)
		for email, want := range map[string]iam.ID{"nobody@example.com": "", known.Email: known.ID, unproven.Email: ""} {
			l := s.linked(t, email)
			for range 2 { // the same answer again stands
				got := must(s.AnswerByLink(t.Context(), visitor.Actor(), visitor, l.link, iam.Rejected))(t)
				if got.SignedIn.Secret != "" || got.Invitation.Status != iam.Rejected {
					t.Errorf("%s: got %+v", email, got)
				}
			}
			row := must(s.store.Invitation(t.Context(), l.link.ID))(t)
			if row.Status != iam.Rejected || row.UserID != want || len(s.audited(t, l.account, iam.InviteReject)) != 1 {
				t.Errorf("%s: the row is %s of %q, want rejected of %q", email, row.Status, row.UserID, want)
			}
			_, err := s.AnswerByLink(t.Context(), visitor.Actor(), visitor, l.link, iam.Accepted)
			wantKind(t, err, iam.AlreadyAnswered)
			s.invited(t, l.account, email) // and nothing ended blocks another one
		}
		// KF-4
		actor := iam.Actor{Kind: iam.ByUser, User: unproven}
		if list := must(s.Invitations(t.Context(), actor, nil))(t); len(list) > 0 {
			t.Errorf("an unproven user sees %+v", list)
		}
	})
}

// KF-70: being invited by an account that asks for a second factor locks nobody
// out: the user comes in, and accepts when it has one.
func TestLinkWaitsForASecondFactor(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		yes := true
		l := s.linked(t, "new@example.com")
		must(s.EditAccount(t.Context(), operator, l.account, iam.AccountEdit{EnforceTwoFactor: &yes}))(t)
		got := must(s.AnswerByLink(t.Context(), visitor.Actor(), visitor, l.link, iam.Accepted))(t)
		wantKind(t, got.Waits, iam.TwoFactorRequired)
		if status, members := s.status(t, l); status != iam.Pending || members != 0 || s.session(t, got.SignedIn.Secret) == nil {
			t.Fatalf("the invitation is %s, of %d members; got %+v", status, members, got)
		}
		if rows := s.audited(t, l.account, iam.InviteAccept); len(rows) > 0 {
			t.Errorf("recorded are %+v", rows)
		}
		_, err := s.AnswerByLink(t.Context(), visitor.Actor(), visitor, l.link, iam.Accepted)
		wantKind(t, err, iam.SignInFirst)
		actor := got.SignedIn.Session.Actor(got.SignedIn.User)
		_, err = s.AnswerByLink(t.Context(), actor, visitor, l.link, iam.Accepted)
		wantKind(t, err, iam.TwoFactorRequired)
		must(s.SetUserFlags(t.Context(), operator, got.SignedIn.User.ID, iam.UserFlags{TwoFactor: &yes}))(t)
		must(s.AnswerByLink(t.Context(), actor, visitor, l.link, iam.Accepted))(t)
		if status, members := s.status(t, l); status != iam.Accepted || members != 1 {
			t.Errorf("with a factor the invitation is %s, of %d members", status, members)
		}
	})
}

// ASVS 7.5.1: a role that may manage members asks a session for a fresh sign-in,
// by the link and by the lists alike; keys prove themselves each time.
func TestManagersSignInAfresh(t *testing.T) {
	t.Parallel()
	s := open(t)
	s = s.signing(t, s.store)
	user := s.user(t, "guest@example.com")
	answers := map[string]func(actor iam.Actor, link iam.InvitationLink) error{
		"by link": func(actor iam.Actor, link iam.InvitationLink) error {
			_, err := s.AnswerByLink(t.Context(), actor, visitor, link, iam.Accepted)
			return err
		},
		"as an invitation": func(actor iam.Actor, link iam.InvitationLink) error {
			_, err := s.AnswerInvitation(t.Context(), actor, link.ID, iam.Accepted)
			return err
		},
		"as a membership": func(actor iam.Actor, link iam.InvitationLink) error {
			_, err := s.AnswerMembership(t.Context(), actor, link.ID, iam.Accepted)
			return err
		},
	}
	if err := s.SyncRoles(t.Context(), operator, iam.OriginFile, []iam.Role{manager()}); err != nil {
		t.Fatal(err)
	}
	manages, reads := manager().ID, role(t, "Administrator").ID
	for name, answer := range answers {
		for _, test := range []struct {
			role iam.ID
			ago  time.Duration
			key  bool
			want iam.Kind
		}{
			{manages, iam.FreshFor - time.Microsecond, false, iam.Internal},
			{manages, iam.FreshFor, false, iam.SignInAgain},
			{iam.SuperAdministrator, time.Hour, false, iam.SignInAgain},
			{reads, time.Hour, false, iam.Internal},
			{manages, 0, true, iam.Internal},
		} {
			actor := iam.Actor{Kind: iam.ByUser, User: user, CredentialID: rowID}
			if !test.key {
				actor.SessionProved = s.now().Add(-test.ago)
			}
			l := s.linked(t, user.Email, test.role)
			err := answer(actor, l.link)
			if iam.KindOf(err) != test.want {
				t.Errorf("%s, signed in %s ago, role %s: got %v, want kind %d", name, test.ago, test.role, err, test.want)
			}
			if status, _ := s.status(t, l); (status == iam.Accepted) != (test.want == iam.Internal) {
				t.Errorf("%s: the invitation is %s", name, status)
			}
		}
	}
}

// A user who was suspended after its credential was looked at takes up nothing.
func TestSuspendedMeanwhile(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		ctx := t.Context()
		user := must(s.CreateUser(ctx, operator, iam.User{Email: "user@example.com", Verified: true, Operator: true}))(t)
		l := s.linked(t, user.Email)
		actor := iam.Actor{Kind: iam.ByUser, User: user, CredentialID: rowID} // as it was looked up
		if err := s.SuspendUser(ctx, operator, user.ID, false); err != nil {
			t.Fatal(err)
		}
		_, err := s.CreateAccount(ctx, actor, iam.NewAccount{Name: "Mine"})
		wantKind(t, err, iam.Forbidden)
		_, err = s.AnswerInvitation(ctx, actor, l.link.ID, iam.Accepted)
		wantKind(t, err, iam.Forbidden)
		_, err = s.AnswerByLink(ctx, actor, visitor, l.link, iam.Accepted)
		wantKind(t, err, iam.Forbidden)
		_, err = s.AskAddress(ctx, actor, visitor, "new@example.com")
		wantKind(t, err, iam.Forbidden)
		if accounts := must(s.Accounts(ctx, operator, iam.AccountQuery{PageRequest: iam.PageRequest{Number: 1, Size: 9}}))(t); accounts.Total != 1 {
			t.Errorf("%d accounts, want the one before", accounts.Total)
		}
		no := false
		if err := s.ReactivateUser(ctx, operator, user.ID); err != nil {
			t.Fatal(err)
		}
		must(s.SetUserFlags(ctx, operator, user.ID, iam.UserFlags{Operator: &no}))(t)
		_, err = s.CreateAccount(ctx, actor, iam.NewAccount{Name: "Mine"})
		wantKind(t, err, iam.Forbidden)
	})
}
