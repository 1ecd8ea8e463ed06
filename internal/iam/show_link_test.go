package iam_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hither/internal/iam"
)

func TestDecideShowLink(t *testing.T) {
	t.Parallel()
	superRole, minimal := role(t, super), role(t, "Minimal Account Access")
	for _, test := range []struct {
		name  string
		facts func(*iam.MemberFacts)
		own   iam.Role
		want  iam.Kind
	}{
		{"a manager", nil, manager(), iam.Internal},
		{"right after it was mailed", func(f *iam.MemberFacts) { f.Link.SentOn = noon }, manager(), iam.Internal},
		{"one that never had a link", func(f *iam.MemberFacts) { f.Link = iam.Link{} }, superRole, iam.Internal},
		{"KF-18: above the ceiling", func(f *iam.MemberFacts) { f.Target.Roles = []iam.Role{superRole} }, manager(), iam.RoleCeiling},
		{"KF-22: a member who doesn't manage", nil, minimal, iam.Forbidden},
		{"a suspended account", func(f *iam.MemberFacts) { f.Account.Suspended = true }, superRole, iam.AccountSuspended},
		{"KF-8: what expired", func(f *iam.MemberFacts) { f.Target.ExpiresOn = noon }, superRole, iam.InviteExpired},
		{"KF-9: what was accepted", func(f *iam.MemberFacts) { f.Target.Status = iam.Accepted }, superRole, iam.AlreadyAnswered},
		{"KF-10: what was withdrawn", func(f *iam.MemberFacts) { f.Target.Status = iam.Canceled }, superRole, iam.InviteCanceled},
		{"the last one", func(f *iam.MemberFacts) { f.Link.Generation = 10 }, superRole, iam.Internal},
		{"KF-61: once too often", func(f *iam.MemberFacts) { f.Link.Generation = 11 }, superRole, iam.BudgetSpent},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			facts := resendFacts(t, test.own)
			if test.facts != nil {
				test.facts(&facts)
			}
			row, link, err := iam.DecideShowLink(facts, user(false), mailing, noon)
			wantKind(t, err, test.want)
			if err != nil {
				return
			}
			want := facts.Link
			want.Generation, want.AskedOn = want.Generation+1, time.Time{}
			if link != want {
				t.Errorf("got link %+v, want %+v", link, want)
			}
			if row.Grantor != user(false).Grantor() || !row.ExpiresOn.Equal(facts.Target.ExpiresOn) {
				t.Errorf("got %+v, want the actor to vouch for it, and the same end", row)
			}
		})
	}
}

// A link has room for so many generations: what has them all gets no other, where
// nothing else bounds it.
func TestGenerationsEnd(t *testing.T) {
	t.Parallel()
	facts := resendFacts(t, role(t, super))
	for generation, want := range map[int]iam.Kind{iam.MaxGeneration - 1: iam.Internal, iam.MaxGeneration: iam.BudgetSpent} {
		facts.Link.Generation = generation
		_, _, err := iam.DecideShowLink(facts, user(false), iam.Mailing{}, noon)
		wantKind(t, err, want)
		_, _, err = iam.DecideResend(facts, user(false), time.Time{}, iam.Mailing{}, noon)
		wantKind(t, err, want)
	}
}

// shows asks for the link of an invitation, as text that names what it holds.
func (l life) shows(t *testing.T, by iam.Actor, row iam.ID, key iam.IdempotencyKey) (iam.Replayable[iam.Invited], iam.InvitationLink, error) {
	t.Helper()
	var shown iam.InvitationLink
	made, text, err := l.ShowLink(t.Context(), by, l.account, row, key, func(link iam.InvitationLink) string {
		shown = link
		return "text"
	})
	if text != "" != (shown.ID != "") {
		t.Errorf("the text is %q for %+v", text, shown)
	}
	return made, shown, err
}

// A link is shown once: the links before are dead, what comes again under the same
// key shows nothing, and no message leaves.
func TestShowingALink(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	row := l.invite(t, l.manager, l.guest.Email).ID
	before := l.messages(t, iam.InvitationMessage)
	_, shown, err := l.shows(t, l.founder, row, keyOf("k", "r"))
	wantKind(t, err, iam.Internal)
	if want := (iam.InvitationLink{ID: row, Generation: 2, Shown: true}); shown != want {
		t.Errorf("shown is %+v, want %+v", shown, want)
	}
	if page := l.page(t, row); page.Live(1, l.now()) || !page.Live(2, l.now()) {
		t.Errorf("the link is %+v", page.Link)
	}
	again, shown, err := l.shows(t, l.founder, row, keyOf("k", "r"))
	if err != nil || !again.Replayed || again.Result.Member.ID != row || shown.ID != "" {
		t.Errorf("the same key shows %+v, %+v, %v", again, shown, err)
	}
	if page := l.page(t, row); !page.Live(2, l.now()) {
		t.Errorf("the same key made another link: %+v", page.Link)
	}
	wantMessages(t, l.messages(t, iam.InvitationMessage), before...)
	if got, want := l.actions(t, row), []string{"invite.create", "invite.show_link"}; !slices.Equal(got, want) {
		t.Errorf("the audit log has %q, want %q", got, want)
	}
	// It proves nothing: its holder, nobody else, is asked to sign in for either answer.
	visitor := iam.Visitor{RemoteAddr: "192.0.2.1"}
	for _, answer := range []iam.Status{iam.Accepted, iam.Rejected} {
		_, err := l.AnswerByLink(t.Context(), visitor.Actor(), visitor, iam.InvitationLink{ID: row, Generation: 2, Shown: true}, answer)
		wantKind(t, err, iam.SignInFirst)
	}
	// Whoever may not manage, or sees no account, gets none.
	_, _, err = l.shows(t, iam.Actor{Kind: iam.ByUser, User: l.guest}, row, iam.IdempotencyKey{})
	wantKind(t, err, iam.AccountNotFound)
	// Nor whoever finds a browser unattended: it takes a fresh sign-in.
	stale := l.founder
	stale.SessionProved = l.now().Add(-iam.FreshFor)
	_, _, err = l.shows(t, stale, row, iam.IdempotencyKey{})
	wantKind(t, err, iam.SignInAgain)
	_, err = l.ConfirmInvitation(t.Context(), stale, l.account, row, iam.IdempotencyKey{})
	wantKind(t, err, iam.SignInAgain)
	_, _, err = l.ShowLink(t.Context(), l.founder, l.account, row, iam.IdempotencyKey{}, nil)
	wantKind(t, err, iam.Invalid)
	if page := l.page(t, row); page.Link.Generation != 2 {
		t.Errorf("what was refused made a link: %+v", page.Link)
	}
}

// Whoever holds a shown link can have the invitation mailed: to the invited
// address alone, while there is something to answer, and not any number of times.
func TestMailingALinkToItsHolder(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before     func(t *testing.T, l life, row iam.ID)
		generation int
		want       int // messages beside the invitation's own
	}{
		"the live one":            {nil, 2, 1},
		"a dead one":              {nil, 1, 0},
		"one that was never made": {nil, 3, 0},
		"withdrawn": {func(t *testing.T, l life, row iam.ID) {
			t.Helper()
			if err := l.CancelInvitation(t.Context(), l.founder, l.account, row, false); err != nil {
				t.Fatal(err)
			}
		}, 2, 0},
		"expired": {func(_ *testing.T, l life, _ iam.ID) { l.pass(iam.DefaultLifetime) }, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t)
			l.Service = l.WithSignIn(iam.SignIn{Secrets: secrets{}})
			row := l.invite(t, l.manager, "newcomer@example.com").ID
			_, _, err := l.shows(t, l.founder, row, iam.IdempotencyKey{})
			wantKind(t, err, iam.Internal)
			if test.before != nil {
				test.before(t, l, row)
			}
			wantKind(t, l.MailLink(t.Context(), l.holder(row, test.generation)), iam.Internal)
			mails := 0
			for _, d := range must(l.store.Deliveries(t.Context(), "", iam.PageRequest{Number: 1, Size: 100}))(t) {
				if d.Kind == iam.InvitationMessage && d.Generation == 2 {
					mails++
					if d.Recipient != "newcomer@example.com" || d.MembershipID != row || d.State != iam.Queued {
						t.Errorf("the message is %+v", d)
					}
				}
			}
			if mails != test.want {
				t.Errorf("%d messages, want %d", mails, test.want)
			}
		})
	}

	l := newLife(t)
	row := l.invite(t, l.manager, "newcomer@example.com").ID
	wantKind(t, l.MailLink(t.Context(), l.holder(row, 1)), iam.Forbidden) // nobody proves a mailbox here
	l.Service = l.WithSignIn(iam.SignIn{Secrets: secrets{}})
	var err error
	n := 0
	for ; n < 20 && err == nil; n++ {
		err = l.MailLink(t.Context(), l.holder(row, 1))
	}
	wantKind(t, err, iam.TooManyAttempts)
	if n != 6 || len(l.messages(t, iam.InvitationMessage)) != 6 || strings.Contains(err.Error(), "newcomer") {
		t.Errorf("refused after %d, with %d messages: %v", n, len(l.messages(t, iam.InvitationMessage)), err)
	}
}
