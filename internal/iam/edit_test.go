package iam_test

import (
	"strings"
	"testing"
	"time"

	"hither/internal/iam"
)

func TestDecideEditOfAnInvitation(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	superRole, minimal := role(t, super), role(t, "Minimal Account Access")
	text := func(s string) *string { return &s }
	ends := noon.Add(7 * day)
	status := func(s iam.Status) func(*iam.MemberFacts) { return func(f *iam.MemberFacts) { f.Target.Status = s } }
	tests := []struct {
		name   string
		facts  func(*iam.MemberFacts)
		own    []iam.Role
		edit   iam.MemberChange
		want   iam.Kind
		action iam.Action
		check  func(d iam.EditDecision) bool
	}{
		{"a later end moves the reminder along", nil, []iam.Role{manager()}, iam.MemberChange{ExpiresOn: new(noon.Add(9 * day))}, iam.Internal, iam.InviteEdit, func(d iam.EditDecision) bool {
			return d.Row.ExpiresOn.Equal(noon.Add(9*day)) && d.Link.WakeOn.Equal(noon.Add(7*day)) && d.Link.Generation == 1 && !d.Sends
		}},
		{"an end so near that there is no reminder any more", nil, []iam.Role{manager()}, iam.MemberChange{ExpiresOn: new(noon.Add(day))}, iam.Internal, iam.InviteEdit, func(d iam.EditDecision) bool {
			return d.Row.ExpiresOn.Equal(noon.Add(day)) && d.Link.WakeOn.Equal(noon.Add(day))
		}},
		{"who was reminded is not reminded again", func(f *iam.MemberFacts) { f.Link.WakeOn = ends }, []iam.Role{manager()}, iam.MemberChange{ExpiresOn: new(noon.Add(9 * day))}, iam.Internal, iam.InviteEdit, func(d iam.EditDecision) bool {
			return d.Link.WakeOn.Equal(noon.Add(9 * day))
		}},
		{"a moment that the invited chose stays", func(f *iam.MemberFacts) { f.Link.WakeOn = noon.Add(day) }, []iam.Role{manager()}, iam.MemberChange{ExpiresOn: new(noon.Add(9 * day))}, iam.Internal, iam.InviteEdit, func(d iam.EditDecision) bool {
			return d.Link.WakeOn.Equal(noon.Add(day))
		}},
		{"unless it would lie behind the end", func(f *iam.MemberFacts) { f.Link.WakeOn = noon.Add(3 * day) }, []iam.Role{manager()}, iam.MemberChange{ExpiresOn: new(noon.Add(2 * day))}, iam.Internal, iam.InviteEdit, func(d iam.EditDecision) bool {
			return d.Link.WakeOn.Equal(noon.Add(2 * day))
		}},
		{"one that was too short for a reminder gets one with more time", func(f *iam.MemberFacts) {
			f.Target.ExpiresOn, f.Link.WakeOn, f.Link.SentOn = noon.Add(day), noon.Add(day), noon
		}, []iam.Role{manager()}, iam.MemberChange{ExpiresOn: new(noon.Add(9 * day))}, iam.Internal, iam.InviteEdit, func(d iam.EditDecision) bool {
			return d.Link.WakeOn.Equal(noon.Add(7 * day))
		}},
		{"an end in the past", nil, []iam.Role{manager()}, iam.MemberChange{ExpiresOn: new(noon.Add(-time.Hour))}, iam.Invalid, "", nil},
		{"too near", nil, []iam.Role{manager()}, iam.MemberChange{ExpiresOn: new(noon.Add(time.Hour - 1))}, iam.Invalid, "", nil},
		{"too far", nil, []iam.Role{manager()}, iam.MemberChange{ExpiresOn: new(noon.Add(iam.MaxLifetime + 1))}, iam.Invalid, "", nil},
		{"the end that it has, however near", func(f *iam.MemberFacts) { f.Target.ExpiresOn = noon.Add(time.Minute) }, []iam.Role{manager()}, iam.MemberChange{ExpiresOn: new(noon.Add(time.Minute))}, iam.Internal, iam.InviteConfirm, nil},
		{"a note", nil, []iam.Role{manager()}, iam.MemberChange{Note: text(" Hello,\r\nyou ")}, iam.Internal, iam.InviteEdit, func(d iam.EditDecision) bool { return d.Row.Note == "Hello,\nyou" }},
		{"no note any more", nil, []iam.Role{manager()}, iam.MemberChange{Note: text("")}, iam.Internal, iam.InviteEdit, func(d iam.EditDecision) bool { return d.Row.Note == "" }},
		{"the longest note", nil, []iam.Role{manager()}, iam.MemberChange{Note: text(strings.Repeat("ä", iam.MaxNote))}, iam.Internal, iam.InviteEdit, nil},
		{"too long a note", nil, []iam.Role{manager()}, iam.MemberChange{Note: text(strings.Repeat("ä", iam.MaxNote+1))}, iam.Invalid, "", nil},
		{"KF-57: a note that turns the text around it", nil, []iam.Role{manager()}, iam.MemberChange{Note: text("a\u202eb")}, iam.Invalid, "", nil},
		{"a note with control characters", nil, []iam.Role{manager()}, iam.MemberChange{Note: text("a\x00b")}, iam.Invalid, "", nil},
		{"a language", nil, []iam.Role{manager()}, iam.MemberChange{Locale: text("en")}, iam.Internal, iam.InviteEdit, func(d iam.EditDecision) bool { return d.Link.Locale == "en" }},
		{"no language", nil, []iam.Role{manager()}, iam.MemberChange{Locale: text("a b")}, iam.Invalid, "", nil},
		{"another role", nil, []iam.Role{superRole}, iam.MemberChange{RoleIDs: []iam.ID{minimal.ID}}, iam.Internal, iam.InviteEdit, nil},
		{"KF-18: above the ceiling", nil, []iam.Role{manager()}, iam.MemberChange{RoleIDs: []iam.ID{iam.SuperAdministrator}, Note: text("x")}, iam.RoleCeiling, "", nil},
		{"KF-18: a note on an invitation above the ceiling", func(f *iam.MemberFacts) { f.Target.Roles = []iam.Role{superRole} }, []iam.Role{manager()}, iam.MemberChange{Note: text("x")}, iam.RoleCeiling, "", nil},
		{"nothing confirms it", nil, []iam.Role{manager()}, iam.MemberChange{}, iam.Internal, iam.InviteConfirm, nil},
		{"a new mail, and nothing else", nil, []iam.Role{manager()}, iam.MemberChange{Resend: true}, iam.Internal, iam.InviteResend, func(d iam.EditDecision) bool {
			return d.Sends && d.Link.Generation == 2 && d.Link.SentOn.Equal(noon) && d.Link.AskedOn.IsZero() && d.Row.ExpiresOn.Equal(ends)
		}},
		{"a new mail with a new end", nil, []iam.Role{manager()}, iam.MemberChange{Resend: true, ExpiresOn: new(noon.Add(3 * day))}, iam.Internal, iam.InviteEdit, func(d iam.EditDecision) bool {
			return d.Sends && d.Link.Generation == 2 && d.Row.ExpiresOn.Equal(noon.Add(3*day)) && d.Link.WakeOn.Equal(noon.Add(day))
		}},
		{"KF-61: a new mail too soon", func(f *iam.MemberFacts) { f.Link.SentOn = noon.Add(-time.Minute) }, []iam.Role{manager()}, iam.MemberChange{Resend: true, Note: text("x")}, iam.BudgetSpent, "", nil},
		{"KF-61: without a new mail there is no pause", func(f *iam.MemberFacts) { f.Link.SentOn = noon.Add(-time.Minute) }, []iam.Role{manager()}, iam.MemberChange{Note: text("x")}, iam.Internal, iam.InviteEdit, nil},
		{"KF-61: one mail too many", func(f *iam.MemberFacts) { f.Link.Generation = 11 }, []iam.Role{manager()}, iam.MemberChange{Resend: true}, iam.BudgetSpent, "", nil},
		{"KF-8: expired", func(f *iam.MemberFacts) { f.Target.ExpiresOn = noon }, []iam.Role{manager()}, iam.MemberChange{Note: text("x")}, iam.InviteExpired, "", nil},
		{"KF-9: the note of a member", status(iam.Accepted), []iam.Role{manager()}, iam.MemberChange{Note: text("x")}, iam.AlreadyAnswered, "", nil},
		{"KF-9: a new mail to a member", status(iam.Accepted), []iam.Role{manager()}, iam.MemberChange{Resend: true}, iam.AlreadyAnswered, "", nil},
		{"withdrawn", status(iam.Canceled), []iam.Role{manager()}, iam.MemberChange{Note: text("x")}, iam.NotFound, "", nil},
		{"the account named other domains since", func(f *iam.MemberFacts) { f.Account.InviteDomains = "other.example" }, []iam.Role{manager()}, iam.MemberChange{Note: text("x")}, iam.DomainRefused, "", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			facts := resendFacts(t, test.own...)
			facts.Target.ExpiresOn, facts.Target.Note, facts.Link.WakeOn = ends, "before", ends.Add(-48*time.Hour)
			if test.facts != nil {
				test.facts(&facts)
			}
			got, err := iam.DecideEdit(facts, user(false), test.edit, mailing, noon)
			wantKind(t, err, test.want)
			if err != nil {
				return
			}
			if got.Action != test.action || !got.Changed || got.Row.Grantor != user(false).Grantor() {
				t.Errorf("got %+v, want %s, granted by the actor", got, test.action)
			}
			if test.check != nil && !test.check(got) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// An edit that also sends again is two transitions and one message, whose link is
// the only one that works; one that does not changes no link.
func TestEditingAnInvitation(t *testing.T) {
	t.Parallel()
	l := newLife(t)
	row := l.invite(t, l.founder, "guest@example.com").ID
	note, locale := "Come and see", "en"
	edited := must(l.EditInvitation(t.Context(), l.founder, l.account, row, iam.MemberChange{Note: &note, Locale: &locale, ExpiresOn: new(l.now().Add(72 * time.Hour))}))(t)
	if m := edited.Member; m.Note != note || m.Locale != locale || !m.ExpiresOn.Equal(l.now().Add(72*time.Hour)) {
		t.Errorf("got %+v", m)
	}
	wantMessages(t, l.messages(t, iam.InvitationMessage), "invitation to guest@example.com")
	if _, err := l.EditInvitation(t.Context(), l.founder, l.account, row, iam.MemberChange{Resend: true}); iam.KindOf(err) != iam.BudgetSpent {
		t.Errorf("again at once: %v", err)
	}
	l.pass(10 * time.Minute)
	note = "Come soon"
	must(l.EditInvitation(t.Context(), l.founder, l.account, row, iam.MemberChange{Note: &note, Resend: true}))(t)
	if page := l.page(t, row); page.Live(1, l.now()) || !page.Live(2, l.now()) || page.Note != note || page.Link.Locale != locale {
		t.Errorf("the page: %+v", page)
	}
	want := []string{"invite.create", "invite.edit", "member.edit:budget_spent", "invite.edit", "invite.resend"}
	if got := l.actions(t, row); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("audit rows: got %q, want %q", got, want)
	}
	wantMessages(t, l.messages(t, iam.InvitationMessage), "invitation to guest@example.com", "invitation to guest@example.com")
}
