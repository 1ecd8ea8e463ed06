package iam_test

import (
	"strings"
	"testing"
	"time"

	"hither/internal/iam"
)

func TestDecideTerm(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	superRole := role(t, super)
	tests := []struct {
		name  string
		facts func(*iam.TermFacts)
		want  iam.Action
	}{
		{"a microsecond before its end", func(f *iam.TermFacts) { f.Invitation.EndsOn = noon.Add(time.Microsecond) }, iam.MemberWarn},
		{"at its end", nil, iam.MemberExpire},
		{"before it is to be warned", func(f *iam.TermFacts) { f.Invitation.EndsOn, f.Invitation.EndWake = noon.Add(8*day), noon.Add(day) }, ""},
		{"when it is to be warned", func(f *iam.TermFacts) { f.Invitation.EndsOn = noon.Add(7 * day) }, iam.MemberWarn},
		{"a warning that comes too late ends it", func(f *iam.TermFacts) { f.Invitation.EndWake = noon.Add(-day) }, iam.MemberExpire},
		{"without an end", func(f *iam.TermFacts) { f.Invitation.EndsOn, f.Invitation.EndWake = time.Time{}, time.Time{} }, ""},
		{"a pending one has no membership that could end", func(f *iam.TermFacts) { f.Invitation.Status = iam.Pending }, ""},
		{"removed before", func(f *iam.TermFacts) { f.Invitation.Status = iam.Removed }, ""},
		{"KF-88: a Super Administrator beside another one", func(f *iam.TermFacts) { f.Invitation.Roles, f.OtherSuperAdmins = []iam.Role{superRole}, 1 }, iam.MemberExpire},
		{"KF-88: the last Super Administrator", func(f *iam.TermFacts) { f.Invitation.Roles = []iam.Role{superRole} }, iam.MemberKeep},
		{"KF-88: one that cannot act keeps nothing", func(f *iam.TermFacts) { f.Invitation.Roles, f.Active = []iam.Role{superRole}, false }, iam.MemberExpire},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			facts := iam.TermFacts{
				Invitation: iam.Invitation{Membership: iam.Membership{ID: rowID, Status: iam.Accepted, Roles: []iam.Role{manager()}, EndsOn: noon, EndWake: noon}},
				Active:     true,
			}
			if test.facts != nil {
				test.facts(&facts)
			}
			before := facts.Invitation.Membership
			got := iam.DecideTerm(facts, noon)
			if got.Action != test.want {
				t.Fatalf("got %q, want %q", got.Action, test.want)
			}
			row := got.Row
			switch test.want {
			case iam.MemberWarn:
				if row.Status != iam.Accepted || !row.EndWake.Equal(before.EndsOn) || !row.EndsOn.Equal(before.EndsOn) {
					t.Errorf("got %+v", row)
				}
			case iam.MemberExpire:
				if row.Status != iam.Removed {
					t.Errorf("got %+v", row)
				}
			case iam.MemberKeep:
				if row.Status != iam.Accepted || !row.EndsOn.IsZero() || !row.EndWake.IsZero() {
					t.Errorf("got %+v", row)
				}
			}
		})
	}
}

// An end that is set, moved or taken away, of a member and of what an invitation
// offers.
func TestDecideEditOfAnEnd(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	superRole := role(t, super)
	at := func(d time.Duration) *time.Time { return new(noon.Add(d)) }
	never := new(time.Time)
	accepted := func(edits ...func(*iam.MemberFacts)) func(*iam.MemberFacts) {
		return func(f *iam.MemberFacts) {
			f.Target.Status, f.Target.UserID, f.TargetActive = iam.Accepted, guestID, true
			for _, edit := range edits {
				edit(f)
			}
		}
	}
	ends := func(d time.Duration) func(*iam.MemberFacts) {
		return func(f *iam.MemberFacts) { f.Target.EndsOn = noon.Add(d) }
	}
	governs := func(others int) func(*iam.MemberFacts) {
		return func(f *iam.MemberFacts) { f.Target.Roles, f.OtherSuperAdmins = []iam.Role{superRole}, others }
	}
	tests := []struct {
		name    string
		facts   func(*iam.MemberFacts)
		edit    iam.MemberChange
		want    iam.Kind
		ends    time.Time
		wakes   time.Time
		expires time.Time // of a pending row
	}{
		{"a member gets an end", accepted(), iam.MemberChange{ExpiresOn: at(30 * day)}, iam.Internal, noon.Add(30 * day), noon.Add(23 * day), time.Time{}},
		{"by its longer name", accepted(), iam.MemberChange{EndsOn: at(30 * day)}, iam.Internal, noon.Add(30 * day), noon.Add(23 * day), time.Time{}},
		{"two names, two ends", accepted(), iam.MemberChange{EndsOn: at(30 * day), ExpiresOn: at(31 * day)}, iam.Invalid, time.Time{}, time.Time{}, time.Time{}},
		{"so near that it is warned at once", accepted(), iam.MemberChange{ExpiresOn: at(2 * day)}, iam.Internal, noon.Add(2 * day), noon, time.Time{}},
		{"in the past", accepted(), iam.MemberChange{ExpiresOn: at(-day)}, iam.Invalid, time.Time{}, time.Time{}, time.Time{}},
		{"too near", accepted(), iam.MemberChange{ExpiresOn: at(time.Hour - 1)}, iam.Invalid, time.Time{}, time.Time{}, time.Time{}},
		{"the end that it has, however near", accepted(ends(time.Minute)), iam.MemberChange{ExpiresOn: at(time.Minute)}, iam.Internal, noon.Add(time.Minute), time.Time{}, time.Time{}},
		{"null takes it away", accepted(ends(day)), iam.MemberChange{ExpiresOn: never}, iam.Internal, time.Time{}, time.Time{}, time.Time{}},
		{"the end that its invitation had is none", accepted(), iam.MemberChange{ExpiresOn: at(7 * day)}, iam.Internal, time.Time{}, time.Time{}, time.Time{}},
		{"KF-8: a member whose time is up is none", accepted(ends(0)), iam.MemberChange{ExpiresOn: never}, iam.NotFound, time.Time{}, time.Time{}, time.Time{}},
		{"KF-88: the last Super Administrator", accepted(governs(0)), iam.MemberChange{ExpiresOn: at(30 * day)}, iam.LastSuperAdmin, time.Time{}, time.Time{}, time.Time{}},
		{"KF-88: one beside another", accepted(governs(1)), iam.MemberChange{ExpiresOn: at(30 * day)}, iam.Internal, noon.Add(30 * day), noon.Add(23 * day), time.Time{}},
		{"KF-88: one that has an end already", accepted(governs(0), ends(day)), iam.MemberChange{ExpiresOn: at(30 * day)}, iam.Internal, noon.Add(30 * day), noon.Add(23 * day), time.Time{}},
		{"what an invitation offers", nil, iam.MemberChange{EndsOn: at(30 * day)}, iam.Internal, noon.Add(30 * day), time.Time{}, noon.Add(7 * day)},
		{"an invitation ends no later than that", nil, iam.MemberChange{EndsOn: at(3 * day)}, iam.Internal, noon.Add(3 * day), time.Time{}, noon.Add(3 * day)},
		{"and is not asked to", nil, iam.MemberChange{EndsOn: at(3 * day), ExpiresOn: at(4 * day)}, iam.Invalid, time.Time{}, time.Time{}, time.Time{}},
		{"nor by what is sent again", ends(8 * day), iam.MemberChange{Resend: true, ExpiresOn: at(9 * day)}, iam.Invalid, time.Time{}, time.Time{}, time.Time{}},
		{"what is sent again gives way", func(f *iam.MemberFacts) { ends(2 * day)(f); f.Target.ExpiresOn = noon.Add(day) }, iam.MemberChange{Resend: true}, iam.Internal, noon.Add(2 * day), time.Time{}, noon.Add(2 * day)},
		{"an invitation may offer it for good again", ends(8 * day), iam.MemberChange{EndsOn: never}, iam.Internal, time.Time{}, time.Time{}, noon.Add(7 * day)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			facts := resendFacts(t, superRole)
			facts.Target.ExpiresOn, facts.Link.WakeOn = noon.Add(7*day), noon.Add(5*day)
			if test.facts != nil {
				test.facts(&facts)
			}
			got, err := iam.DecideEdit(facts, user(false), test.edit, mailing, noon)
			wantKind(t, err, test.want)
			if err != nil {
				return
			}
			if !got.Row.EndsOn.Equal(test.ends) || !got.Row.EndWake.Equal(test.wakes) {
				t.Errorf("ends on %s, wakes on %s, want %s and %s", got.Row.EndsOn, got.Row.EndWake, test.ends, test.wakes)
			}
			if !test.expires.IsZero() && !got.Row.ExpiresOn.Equal(test.expires) {
				t.Errorf("the invitation ends on %s, want %s", got.Row.ExpiresOn, test.expires)
			}
			if moved := !got.Row.EndsOn.Equal(facts.Target.EndsOn); moved && got.Row.Grantor != user(false).Grantor() {
				t.Errorf("set by %+v, want the actor, who hears of it", got.Row.Grantor)
			}
		})
	}
}

// A membership for a time: from the invitation on, warned once, over by the clock
// before anybody swept, ended once, and its address free.
func TestAMembershipForATime(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	l := newLife(t)
	ends := l.now().Add(20 * day)
	asked := must(l.Invite(t.Context(), l.founder, l.account, iam.InviteRequest{Email: l.guest.Email, RoleIDs: []iam.ID{l.managing}, EndsOn: ends}))(t).Member
	guest := iam.Actor{Kind: iam.ByUser, User: l.guest}
	must(l.AnswerInvitation(t.Context(), guest, asked.ID, iam.Accepted))(t)
	if got := l.sweep(t); got != (iam.Swept{}) {
		t.Errorf("long before: %+v", got)
	}
	l.pass(13 * day)
	if got := l.sweep(t); got != (iam.Swept{Warned: 1}) {
		t.Errorf("a week before: %+v", got)
	}
	l.pass(day)
	if got := l.sweep(t); got != (iam.Swept{}) {
		t.Errorf("warned twice: %+v", got)
	}
	wantMessages(t, l.messages(t, iam.MembershipEndsMessage, iam.MemberEndsMessage),
		"membership_ends to guest@example.com", "member_ends to founder@example.com")
	invited := must(l.Invite(t.Context(), guest, l.account, iam.InviteRequest{Email: "next@example.com", RoleIDs: []iam.ID{l.managing}}))(t).Member

	l.pass(6*day - time.Microsecond)
	must(l.Members(t.Context(), guest, l.account, iam.MemberQuery{PageRequest: iam.PageRequest{Number: 1, Size: 10}}))(t)
	l.pass(time.Microsecond)
	if _, err := l.Members(t.Context(), guest, l.account, iam.MemberQuery{PageRequest: iam.PageRequest{Number: 1, Size: 10}}); iam.KindOf(err) != iam.AccountNotFound {
		t.Errorf("who is over reads on: %v", err)
	}
	if _, err := l.Invite(t.Context(), guest, l.account, iam.InviteRequest{Email: "x@example.com", RoleIDs: []iam.ID{l.managing}}); iam.KindOf(err) != iam.AccountNotFound {
		t.Errorf("who is over invites: %v", err)
	}
	if page := l.page(t, invited.ID); !page.NeedsConfirmation {
		t.Error("what it granted needs no confirmation")
	}
	// Without a sweep: the address can be invited anew, which writes the end down.
	again := must(l.Invite(t.Context(), l.founder, l.account, iam.InviteRequest{Email: l.guest.Email, RoleIDs: []iam.ID{l.managing}}))(t)
	if again.Member.ID == asked.ID || again.Member.Status != iam.Pending {
		t.Errorf("invited anew: %+v", again.Member)
	}
	if got := l.sweep(t); got.Ended != 0 {
		t.Errorf("it ends twice: %+v", got)
	}
	want := "invite.create invite.accept member.warn member.expire"
	if got := strings.Join(l.actions(t, asked.ID), " "); !strings.HasPrefix(got, want) || strings.Count(got, "member.expire") != 1 {
		t.Errorf("audit rows: got %q, want %q", got, want)
	}
}

// KF-88: who was one of several Super Administrators when its end was set, and is the
// last one when it comes, stays, and its account is governed again.
func TestTheLastSuperAdministratorStays(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	second := l.user(t, "second@example.com")
	row := l.add(t, l.account, second.Email, iam.SuperAdministrator)
	ends := l.now().Add(2 * time.Hour)
	must(l.EditMember(t.Context(), l.founder, l.account, row, iam.MemberChange{ExpiresOn: &ends}))(t)
	members := must(l.Members(t.Context(), operator, l.account, iam.MemberQuery{PageRequest: iam.PageRequest{Number: 1, Size: 10}, Email: l.founder.User.Email}))(t)
	founder := members.Items[0].ID
	// An account is not left to one whose time is bounded, but by force.
	if err := l.RemoveMember(t.Context(), operator, l.account, founder, false, false); iam.KindOf(err) != iam.LastSuperAdmin {
		t.Errorf("the last one without an end: %v", err)
	}
	if err := l.RemoveMember(t.Context(), operator, l.account, founder, true, false); err != nil {
		t.Fatal(err)
	}
	if !l.flagged(t, l.account) {
		t.Error("the account is not flagged")
	}
	l.pass(2 * time.Hour)
	if got := l.sweep(t); got.Kept != 1 || got.Ended != 0 {
		t.Errorf("swept: %+v", got)
	}
	got := must(l.Member(t.Context(), operator, l.account, row))(t)
	if got.Status != iam.Accepted || !got.EndsOn.IsZero() || l.flagged(t, l.account) {
		t.Errorf("got %+v, flagged %v", got, l.flagged(t, l.account))
	}
	if got := l.sweep(t); got != (iam.Swept{}) {
		t.Errorf("swept again: %+v", got)
	}
}

// An imported membership has its end as any other: checked by line and field, warned
// of, over by the clock; what ended before is taken as it was.
func TestAnImportedMembershipForATime(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	l := newLife(t)
	row := func(edit func(*iam.ImportMembership)) error {
		m := iam.ImportMembership{Line: 7, AccountID: l.account, Email: l.guest.Email, InvitedBy: l.founder.User.Email, RoleIDs: []iam.ID{l.managing}}
		edit(&m)
		return l.Import(t.Context(), operator, iam.Dataset{Memberships: []iam.ImportMembership{m}}, nil)
	}
	pending := func(expires, ends time.Duration) func(*iam.ImportMembership) {
		return func(m *iam.ImportMembership) {
			m.Status, m.Email, m.EndsOn = iam.Pending, "asked@example.com", l.now().Add(ends)
			if expires != 0 {
				m.ExpiresOn = l.now().Add(expires)
			}
		}
	}
	for name, test := range map[string]struct {
		edit func(*iam.ImportMembership)
		want string
	}{
		"over already":                   {func(m *iam.ImportMembership) { m.EndsOn = l.now().Add(-day) }, "line 7: membership_expires_on: must lie 1 hour ahead"},
		"too near":                       {pending(0, time.Hour-1), "line 7: membership_expires_on: must lie 1 hour ahead"},
		"an invitation that outlives it": {pending(3*day, 2*day), "line 7: expires_on: must not lie behind the end of the membership"},
	} {
		if err := row(test.edit); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
	for name, edit := range map[string]func(*iam.ImportMembership){
		"an invitation": pending(0, 2*day),
		"a member":      func(m *iam.ImportMembership) { m.EndsOn = l.now().Add(20 * day) },
		"one that was":  func(m *iam.ImportMembership) { m.Status, m.EndsOn = iam.Removed, l.now().Add(-day) },
	} {
		if err := row(edit); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	members := must(l.Members(t.Context(), operator, l.account, iam.MemberQuery{PageRequest: iam.PageRequest{Number: 1, Size: 10}}))(t)
	for _, m := range members.Items {
		if m.Status == iam.Pending && (!m.ExpiresOn.Equal(m.EndsOn) || !m.EndsOn.Equal(l.now().Add(2*day))) {
			t.Errorf("an invitation expires on %s, its membership on %s; want both in two days", m.ExpiresOn, m.EndsOn)
		}
	}
	l.pass(13 * day)
	if got := l.sweep(t); got.Warned != 1 || got.Ended != 0 {
		t.Errorf("a week before: %+v", got)
	}
	wantMessages(t, l.messages(t, iam.MembershipEndsMessage, iam.MemberEndsMessage),
		"membership_ends to guest@example.com", "member_ends to founder@example.com")
	l.pass(7 * day)
	if got := l.sweep(t); got.Ended != 1 {
		t.Errorf("at its end: %+v", got)
	}
}
