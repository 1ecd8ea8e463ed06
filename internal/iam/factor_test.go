package iam_test

import (
	"testing"

	"hither/internal/iam"
)

// without and with are a Super Administrator without a second factor, and the
// ways to have one.
func factorActors() map[string]struct {
	actor iam.Actor
	has   bool
} {
	bare := user(false)
	with := func(change func(a *iam.Actor)) iam.Actor {
		a := user(false)
		change(&a)
		return a
	}
	bySession := func(factor string, own bool) iam.Actor {
		return with(func(a *iam.Actor) { a.SessionProved, a.Factor, a.User.OwnFactor = noon, factor, own })
	}
	return map[string]struct {
		actor iam.Actor
		has   bool
	}{
		"none":                                {bare, false},
		"none, by session":                    {bySession("", false), false},
		"its own, by key":                     {with(func(a *iam.Actor) { a.User.OwnFactor = true }), true},
		"its own, shown by session":           {bySession(iam.ByTOTP, true), true},
		"a recovery code shown":               {bySession(iam.ByRecoveryCode, true), true},
		"shown, removed since":                {bySession(iam.ByTOTP, false), false},
		"recovered, removed since":            {bySession(iam.ByRecoveryCode, false), false},
		"by the operator's word":              {with(func(a *iam.Actor) { a.User.TwoFactor = true }), true},
		"by a trusted provider, this session": {bySession("provider", false), true},
		"the operator flag":                   {with(func(a *iam.Actor) { a.User.Operator = true }), false},
		"an operator token":                   {iam.Actor{Kind: iam.ByOperator, CredentialID: rowID}, true},
		"the command line":                    {iam.Actor{Kind: iam.ByCommandLine}, true},
	}
}

// KF-70: what an account enforces holds for everything that is done in it, by
// whatever is shown; the one exception is that a Super Administrator may switch
// it off, and do nothing else by that.
func TestEnforcement(t *testing.T) {
	t.Parallel()
	for name, who := range factorActors() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			facts := accountFacts(t, role(t, super))
			facts.Account.EnforceTwoFactor = true
			want := iam.Internal
			if !who.has {
				want = iam.TwoFactorRequired
			}
			off, on, other := false, true, "Other"
			_, err := iam.DecideEditAccount(facts, who.actor, iam.AccountEdit{Name: &other})
			wantKind(t, err, want)
			_, err = iam.DecideEditAccount(facts, who.actor, iam.AccountEdit{})
			wantKind(t, err, want)
			_, err = iam.DecideEditAccount(facts, who.actor, iam.AccountEdit{EnforceTwoFactor: &on})
			wantKind(t, err, want)
			_, err = iam.DecideEditAccount(facts, who.actor, iam.AccountEdit{EnforceTwoFactor: &off, Name: &other})
			wantKind(t, err, want)
			after, err := iam.DecideEditAccount(facts, who.actor, iam.AccountEdit{EnforceTwoFactor: &off, Name: &facts.Account.Name})
			if err != nil || after.EnforceTwoFactor {
				t.Errorf("a Super Administrator cannot switch enforcement off: %+v, %v", after, err)
			}
			request := iam.InviteRequest{Email: "guest@example.com", RoleIDs: []iam.ID{manager().ID}}
			_, err = iam.DecideInvite(iam.InviteFacts{AccountFacts: facts}, who.actor, request, fresh, noon)
			wantKind(t, err, want)
			_, err = iam.DecideRemove(iam.MemberFacts{
				AccountFacts: facts, OtherSuperAdmins: 1,
				Target: iam.Membership{ID: rowID, AccountID: accountID, Status: iam.Accepted, Roles: []iam.Role{manager()}},
			}, who.actor, false, noon)
			wantKind(t, err, want)

			facts.Account.EnforceTwoFactor = false
			_, err = iam.DecideInvite(iam.InviteFacts{AccountFacts: facts}, who.actor, request, fresh, noon)
			wantKind(t, err, iam.Internal)
		})
	}
}

// Whoever is no Super Administrator switches nothing off without a factor, not
// even who keeps the account's settings; nor does somebody who is no member.
func TestWhoMayNotLiftEnforcement(t *testing.T) {
	t.Parallel()
	off := false
	edit := iam.AccountEdit{EnforceTwoFactor: &off}
	keeper := iam.Role{ID: rowID, Name: "Keeper", Permissions: iam.Permissions{iam.AreaAccount: iam.Read | iam.Write}}
	facts := accountFacts(t, keeper)
	facts.Account.EnforceTwoFactor = true
	_, err := iam.DecideEditAccount(facts, user(false), edit)
	wantKind(t, err, iam.TwoFactorRequired)
	facts = accountFacts(t)
	facts.Account.EnforceTwoFactor = true
	_, err = iam.DecideEditAccount(facts, user(false), edit)
	wantKind(t, err, iam.AccountNotFound)
	_, err = iam.DecideEditAccount(facts, user(true), edit)
	wantKind(t, err, iam.TwoFactorRequired)
	half := user(false)
	half.SessionProved, half.User.OwnFactor = noon, true
	facts = accountFacts(t, role(t, super))
	facts.Account.EnforceTwoFactor = true
	_, err = iam.DecideEditAccount(facts, half, edit)
	wantKind(t, err, iam.FactorFirst)
}

// What a provider said of a session counts where that session answers.
func TestAVouchedSessionAccepts(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		l := s.linked(t, "guest@example.com")
		user := s.user(t, "guest@example.com")
		must(s.EditAccount(t.Context(), operator, l.account, iam.AccountEdit{EnforceTwoFactor: new(true)}))(t)
		key := iam.Actor{Kind: iam.ByUser, User: user}
		vouched := key
		vouched.SessionProved, vouched.Factor = s.now(), "provider"
		wantKind(t, must2(s.AnswerInvitation(t.Context(), key, l.link.ID, iam.Accepted)), iam.TwoFactorRequired)
		must(s.AnswerInvitation(t.Context(), vouched, l.link.ID, iam.Accepted))(t)
		must(s.Account(t.Context(), vouched, l.account))(t)
		wantKind(t, must2(s.Account(t.Context(), key, l.account)), iam.TwoFactorRequired)
		if err := s.LeaveAccount(t.Context(), key, l.account); err != nil { // leaving is always open
			t.Error(err)
		}
	})
}
