package iam_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hither/internal/iam"
)

func resendFacts(t *testing.T, own ...iam.Role) iam.MemberFacts {
	t.Helper()
	return iam.MemberFacts{
		AccountFacts: accountFacts(t, own...),
		Target: iam.Membership{
			ID: rowID, AccountID: accountID, Email: "guest@example.com", Status: iam.Pending, Roles: []iam.Role{manager()},
			Invited: true, InvitedBy: "first@example.com", ExpiresOn: noon.Add(time.Hour), Grantor: iam.Grantor{Kind: iam.ByUser, ID: guestID},
		},
		Link: iam.Link{Locale: "de", Generation: 1, SentOn: noon.Add(-time.Hour), AskedOn: noon.Add(-time.Minute)},
	}
}

var mailing = iam.Mailing{Enabled: true, ReminderLead: 48 * time.Hour, ResendPause: 5 * time.Minute, MaxResends: 10}

func TestDecideResend(t *testing.T) {
	t.Parallel()
	superRole, minimal := role(t, super), role(t, "Minimal Account Access")
	usual := noon.Add(iam.DefaultLifetime)
	status := func(s iam.Status) func(*iam.MemberFacts) { return func(f *iam.MemberFacts) { f.Target.Status = s } }
	tests := []struct {
		name  string
		facts func(*iam.MemberFacts)
		own   []iam.Role
		asked time.Time
		want  iam.Kind
		ends  time.Time
		wakes time.Time
	}{
		{"a manager sends it again, for as long as a new one", nil, []iam.Role{manager()}, time.Time{}, iam.Internal, usual, usual.Add(-48 * time.Hour)},
		{"it never ends earlier by itself", func(f *iam.MemberFacts) { f.Target.ExpiresOn = noon.Add(30 * 24 * time.Hour) }, []iam.Role{superRole}, time.Time{}, iam.Internal, noon.Add(30 * 24 * time.Hour), noon.Add(28 * 24 * time.Hour)},
		{"but on purpose", func(f *iam.MemberFacts) { f.Target.ExpiresOn = noon.Add(30 * 24 * time.Hour) }, []iam.Role{superRole}, noon.Add(time.Hour), iam.Internal, noon.Add(time.Hour), noon.Add(time.Hour)},
		{"one without an end keeps none", func(f *iam.MemberFacts) { f.Target.ExpiresOn = time.Time{} }, []iam.Role{superRole}, time.Time{}, iam.Internal, time.Time{}, time.Time{}},
		{"the account's own lifetime", func(f *iam.MemberFacts) { f.Account.InviteLifetime = 2 * time.Hour }, []iam.Role{superRole}, time.Time{}, iam.Internal, noon.Add(2 * time.Hour), noon.Add(2 * time.Hour)},
		{"too short a life", nil, []iam.Role{superRole}, noon.Add(59 * time.Minute), iam.Invalid, time.Time{}, time.Time{}},
		{"too long a life", nil, []iam.Role{superRole}, noon.Add(iam.MaxLifetime + 1), iam.Invalid, time.Time{}, time.Time{}},
		{"KF-18: above the ceiling", func(f *iam.MemberFacts) { f.Target.Roles = []iam.Role{superRole} }, []iam.Role{manager()}, time.Time{}, iam.RoleCeiling, time.Time{}, time.Time{}},
		{"KF-22: a member who doesn't manage", nil, []iam.Role{minimal}, time.Time{}, iam.Forbidden, time.Time{}, time.Time{}},
		{"a stranger", nil, nil, time.Time{}, iam.AccountNotFound, time.Time{}, time.Time{}},
		{"the account named other domains since", func(f *iam.MemberFacts) { f.Account.InviteDomains = "other.example" }, []iam.Role{superRole}, time.Time{}, iam.DomainRefused, time.Time{}, time.Time{}},
		{"a suspended account", func(f *iam.MemberFacts) { f.Account.Suspended = true }, []iam.Role{superRole}, time.Time{}, iam.AccountSuspended, time.Time{}, time.Time{}},
		{"KF-8: a microsecond before its end", func(f *iam.MemberFacts) { f.Target.ExpiresOn = noon.Add(time.Microsecond) }, []iam.Role{superRole}, time.Time{}, iam.Internal, usual, usual.Add(-48 * time.Hour)},
		{"KF-8: what expired does not come back", func(f *iam.MemberFacts) { f.Target.ExpiresOn = noon }, []iam.Role{superRole}, time.Time{}, iam.InviteExpired, time.Time{}, time.Time{}},
		{"KF-8: nor what a sweep has written down", status(iam.Expired), []iam.Role{superRole}, time.Time{}, iam.InviteExpired, time.Time{}, time.Time{}},
		{"KF-9: accepted", status(iam.Accepted), []iam.Role{superRole}, time.Time{}, iam.AlreadyAnswered, time.Time{}, time.Time{}},
		{"rejected", status(iam.Rejected), []iam.Role{superRole}, time.Time{}, iam.AlreadyAnswered, time.Time{}, time.Time{}},
		{"KF-10: withdrawn", status(iam.Canceled), []iam.Role{superRole}, time.Time{}, iam.InviteCanceled, time.Time{}, time.Time{}},
		{"KF-10: removed", status(iam.Removed), []iam.Role{superRole}, time.Time{}, iam.NotFound, time.Time{}, time.Time{}},
		{"left", status(iam.Left), []iam.Role{superRole}, time.Time{}, iam.NotFound, time.Time{}, time.Time{}},
		{"added directly", func(f *iam.MemberFacts) { f.Target.Status, f.Target.Invited = iam.Accepted, false }, []iam.Role{superRole}, time.Time{}, iam.NotFound, time.Time{}, time.Time{}},
		{"KF-61: sent less than the pause ago", func(f *iam.MemberFacts) { f.Link.SentOn = noon.Add(time.Microsecond - 5*time.Minute) }, []iam.Role{superRole}, time.Time{}, iam.BudgetSpent, time.Time{}, time.Time{}},
		{"KF-61: the pause is over", func(f *iam.MemberFacts) { f.Link.SentOn = noon.Add(-5 * time.Minute) }, []iam.Role{superRole}, time.Time{}, iam.Internal, usual, usual.Add(-48 * time.Hour)},
		{"KF-61: the last time", func(f *iam.MemberFacts) { f.Link.Generation = 10 }, []iam.Role{superRole}, time.Time{}, iam.Internal, usual, usual.Add(-48 * time.Hour)},
		{"KF-61: once too often", func(f *iam.MemberFacts) { f.Link.Generation = 11 }, []iam.Role{superRole}, time.Time{}, iam.BudgetSpent, time.Time{}, time.Time{}},
		{"one that never had a link", func(f *iam.MemberFacts) { f.Link = iam.Link{} }, []iam.Role{superRole}, time.Time{}, iam.Internal, usual, usual.Add(-48 * time.Hour)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			facts := resendFacts(t, test.own...)
			if test.facts != nil {
				test.facts(&facts)
			}
			row, link, err := iam.DecideResend(facts, user(false), test.asked, mailing, noon)
			wantKind(t, err, test.want)
			if err != nil {
				return
			}
			if !row.ExpiresOn.Equal(test.ends) {
				t.Errorf("ends on %s, want %s", row.ExpiresOn, test.ends)
			}
			// KF-98: the new link is another one than every one before.
			want := iam.Link{Locale: facts.Link.Locale, Generation: facts.Link.Generation + 1, SentOn: noon, WakeOn: test.wakes}
			if link != want {
				t.Errorf("got link %+v, want %+v", link, want)
			}
			if row.Grantor != user(false).Grantor() || row.InvitedBy != facts.Target.InvitedBy {
				t.Errorf("granted by %+v and shown as invited by %s, want the actor and %s", row.Grantor, row.InvitedBy, facts.Target.InvitedBy)
			}
		})
	}
}

// KF-61: whoever is refused is told when to come back.
func TestWhenToResend(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		link  iam.Link
		after time.Duration
		says  string
	}{
		"the pause":   {iam.Link{Generation: 1, SentOn: noon.Add(-time.Minute)}, 4 * time.Minute, "send it again in 4m0s"},
		"the ceiling": {iam.Link{Generation: 11, SentOn: noon.Add(-time.Minute)}, time.Hour, "withdraw it and invite the address anew"},
	} {
		facts := resendFacts(t, role(t, super))
		facts.Link = test.link
		_, _, err := iam.DecideResend(facts, user(false), time.Time{}, mailing, noon)
		refusal, ok := err.(*iam.Error) //nolint:errorlint // it is not wrapped
		if !ok || refusal.Kind != iam.BudgetSpent || refusal.RetryAfter != test.after || !strings.Contains(refusal.Message, test.says) {
			t.Errorf("%s: got %#v, want to be told %q, after %s", name, err, test.says, test.after)
		}
	}
}

// KF-18, KF-19: for every pair of an actor's role and an invitation's, sending
// again is allowed exactly where inviting is.
func TestResendingHasTheCeilingOfInviting(t *testing.T) {
	t.Parallel()
	roles := accountFacts(t).Catalog.Visible(accountID)
	for _, own := range roles {
		for _, held := range roles {
			facts := resendFacts(t, own)
			facts.Target.Roles = []iam.Role{held}
			_, invite := iam.DecideInvite(iam.InviteFacts{AccountFacts: facts.AccountFacts}, user(false),
				iam.InviteRequest{Email: "x@example.com", RoleIDs: []iam.ID{held.ID}}, fresh, noon)
			_, _, resend := iam.DecideResend(facts, user(false), time.Time{}, mailing, noon)
			if iam.KindOf(invite) != iam.KindOf(resend) {
				t.Errorf("%q by %q: inviting leads to %v, sending again to %v", held.Name, own.Name, invite, resend)
			}
		}
	}
}

func linkFacts(t *testing.T) iam.LinkFacts {
	t.Helper()
	facts := resendFacts(t)
	return iam.LinkFacts{
		Invitation: iam.Invitation{Membership: facts.Target, Account: facts.Account},
		Link:       iam.Link{Generation: 2, SentOn: noon.Add(-time.Hour), WakeOn: noon.Add(time.Hour)},
	}
}

func TestDecideReminder(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	far := func(f *iam.LinkFacts) { f.Invitation.ExpiresOn = noon.Add(3*day + time.Microsecond) }
	status := func(s iam.Status) func(*iam.LinkFacts) {
		return func(f *iam.LinkFacts) { f.Invitation.Status = s }
	}
	tests := []struct {
		name     string
		facts    func(*iam.LinkFacts)
		reminder iam.Reminder
		want     iam.Kind
		at       time.Time
	}{
		{"tomorrow", far, iam.Reminder{InDays: 1}, iam.Internal, noon.Add(day)},
		{"in three days", far, iam.Reminder{InDays: 3}, iam.Internal, noon.Add(3 * day)},
		{"in two days, which is not on offer", far, iam.Reminder{InDays: 2}, iam.Invalid, time.Time{}},
		{"in an hour", far, iam.Reminder{On: noon.Add(time.Hour)}, iam.Internal, noon.Add(time.Hour)},
		{"KF-61: sooner than that", far, iam.Reminder{On: noon.Add(time.Hour - 1)}, iam.Invalid, time.Time{}},
		{"before it ends", far, iam.Reminder{On: noon.Add(3 * day)}, iam.Internal, noon.Add(3 * day)},
		{"when it ends", far, iam.Reminder{On: noon.Add(3*day + time.Microsecond)}, iam.Invalid, time.Time{}},
		{"in days after it ends", nil, iam.Reminder{InDays: 1}, iam.Invalid, time.Time{}},
		{"of one without an end", func(f *iam.LinkFacts) { f.Invitation.ExpiresOn = time.Time{} }, iam.Reminder{InDays: 3}, iam.Internal, noon.Add(3 * day)},
		{"neither", far, iam.Reminder{}, iam.Invalid, time.Time{}},
		{"both", far, iam.Reminder{InDays: 1, On: noon.Add(day)}, iam.Invalid, time.Time{}},
		{"KF-8: expired", func(f *iam.LinkFacts) { f.Invitation.ExpiresOn = noon }, iam.Reminder{InDays: 1}, iam.InviteExpired, time.Time{}},
		{"accepted", status(iam.Accepted), iam.Reminder{InDays: 1}, iam.AlreadyAnswered, time.Time{}},
		{"rejected", status(iam.Rejected), iam.Reminder{InDays: 1}, iam.AlreadyAnswered, time.Time{}},
		{"withdrawn", status(iam.Canceled), iam.Reminder{InDays: 1}, iam.NotFound, time.Time{}},
		{"removed", status(iam.Removed), iam.Reminder{InDays: 1}, iam.NotFound, time.Time{}},
		{"of a suspended account", func(f *iam.LinkFacts) { far(f); f.Invitation.Account.Suspended = true }, iam.Reminder{InDays: 1}, iam.AccountSuspended, time.Time{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			facts := linkFacts(t)
			if test.facts != nil {
				test.facts(&facts)
			}
			link, err := iam.DecideReminder(facts, test.reminder, noon)
			wantKind(t, err, test.want)
			want := facts.Link
			if want.WakeOn = test.at; err == nil && link != want {
				t.Errorf("got %+v, want %+v", link, want)
			}
		})
	}
}

func TestDecideAsk(t *testing.T) {
	t.Parallel()
	expired := func(f *iam.LinkFacts) { f.Invitation.ExpiresOn = noon }
	status := func(s iam.Status) func(*iam.LinkFacts) {
		return func(f *iam.LinkFacts) { f.Invitation.Status = s }
	}
	both := func(edits ...func(*iam.LinkFacts)) func(*iam.LinkFacts) {
		return func(f *iam.LinkFacts) {
			for _, edit := range edits {
				edit(f)
			}
		}
	}
	askedOn := func(at time.Time) func(*iam.LinkFacts) {
		return func(f *iam.LinkFacts) { f.Link.AskedOn = at }
	}
	tests := []struct {
		name       string
		facts      func(*iam.LinkFacts)
		generation int
		want       bool
	}{
		{"KF-10: by a link that was replaced", nil, 1, true},
		{"by one that is alive", nil, 2, false},
		{"by the newest one, after the end", expired, 2, true},
		{"by an old one, after the end", expired, 1, true},
		{"after a sweep", status(iam.Expired), 2, true},
		{"KF-6: by one that was never made", expired, 3, false},
		{"by none", expired, 0, false},
		{"withdrawn", status(iam.Canceled), 2, false},
		{"rejected", status(iam.Rejected), 1, false},
		{"KF-9: accepted", status(iam.Accepted), 1, false},
		{"KF-10: removed", status(iam.Removed), 1, false},
		{"never an invitation", both(expired, func(f *iam.LinkFacts) { f.Invitation.Invited = false }), 1, false},
		{"invited anew since", both(expired, func(f *iam.LinkFacts) { f.LiveElsewhere = true }), 2, false},
		{"of a suspended account", both(expired, func(f *iam.LinkFacts) { f.Invitation.Account.Suspended = true }), 2, false},
		{"KF-61: again on the same day", both(expired, askedOn(noon.Add(-12*time.Hour))), 2, false},
		{"KF-61: again on the next", both(expired, askedOn(noon.Add(-12*time.Hour-time.Microsecond))), 2, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			facts := linkFacts(t)
			if test.facts != nil {
				test.facts(&facts)
			}
			link, asks := iam.DecideAsk(facts, test.generation, noon)
			want := facts.Link
			if test.want {
				want.AskedOn = noon
			}
			if asks != test.want || link != want {
				t.Errorf("got %v with %+v, want %v with %+v", asks, link, test.want, want)
			}
		})
	}
}

func TestLiveLink(t *testing.T) {
	t.Parallel()
	page := iam.LinkedInvitation{Invitation: linkFacts(t).Invitation, Link: iam.Link{Generation: 2}}
	for at, want := range map[time.Time]int{noon: 2, noon.Add(time.Hour - time.Microsecond): 2, noon.Add(time.Hour): 0} {
		live := slices.IndexFunc([]int{0, 1, 2, 3}, func(generation int) bool { return page.Live(generation, at) })
		if max(live, 0) != want {
			t.Errorf("at %s: generation %d is alive, want %d", at, live, want)
		}
	}
}
