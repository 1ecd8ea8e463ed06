package iam_test

import (
	"errors"
	"testing"
	"time"

	"hither/internal/iam"
)

// The rules' tables share one stage: an account, a grantor with every right,
// and an invited user, at one moment.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const (
	accountID = iam.ID("00000000000000000000000000000001")
	adminID   = iam.ID("00000000000000000000000000000002")
	guestID   = iam.ID("00000000000000000000000000000003")
	rowID     = iam.ID("00000000000000000000000000000004")
)

func role(t *testing.T, name string) iam.Role {
	t.Helper()
	for _, role := range iam.NewCatalog(nil).Visible("") {
		if role.Name == name {
			return role
		}
	}
	t.Fatalf("no built-in role %q", name)
	return iam.Role{}
}

const super = "Super Administrator - All Privileges"

// manager may manage members and analytics, nothing else.
func manager() iam.Role {
	return iam.Role{
		ID: "0000000000000000000000000000000a", Name: "Manager",
		Permissions: iam.Permissions{iam.AreaMembers: iam.Read | iam.Write, "analytics": iam.Read},
	}
}

func answerFacts(t *testing.T) iam.AnswerFacts {
	t.Helper()
	granted := iam.Membership{UserID: adminID, AccountID: accountID, Status: iam.Accepted, Roles: []iam.Role{role(t, super)}}
	return iam.AnswerFacts{
		Invitation: iam.Invitation{
			Membership: iam.Membership{
				ID: rowID, AccountID: accountID, Email: "guest@example.com", Status: iam.Pending, Roles: []iam.Role{role(t, "Administrator")},
				Invited: true, InvitedOn: noon.Add(-time.Hour), ExpiresOn: noon.Add(time.Hour), Grantor: iam.Grantor{Kind: iam.ByUser, ID: adminID},
			},
			Account: iam.Account{ID: accountID, Name: "Example"},
		},
		User:    iam.User{ID: guestID, Email: "guest@example.com", Verified: true},
		Grantor: iam.GrantorFacts{Grantor: iam.Grantor{Kind: iam.ByUser, ID: adminID}, Active: true, Membership: &granted},
	}
}

func wantKind(t *testing.T, err error, want iam.Kind) {
	t.Helper()
	if want == iam.Internal {
		if err != nil {
			t.Errorf("got refusal %v, want none", err)
		}
		return
	}
	if got := iam.KindOf(err); err == nil || got != want {
		t.Errorf("got kind %d (%v), want %d", got, err, want)
	}
}

// KF-1, KF-2, KF-3, KF-4, KF-8, KF-9, KF-10, KF-11, KF-12, KF-31: what an answer
// rests on is held as of the answer.
func TestDecideAnswer(t *testing.T) {
	t.Parallel()
	const ok = iam.Internal
	tests := []struct {
		name   string
		change func(*iam.AnswerFacts)
		accept iam.Kind
		reject iam.Kind
	}{
		{"as invited", func(*iam.AnswerFacts) {}, ok, ok},
		{"another verified address", func(f *iam.AnswerFacts) { f.User.Email = "other@example.com" }, iam.NotFound, iam.NotFound},
		{"address not proven", func(f *iam.AnswerFacts) { f.User.Verified = false }, iam.NotFound, iam.NotFound},
		{"plus address is another identity", func(f *iam.AnswerFacts) { f.User.Email = "guest+1@example.com" }, iam.NotFound, iam.NotFound},
		{"one microsecond before its end", func(f *iam.AnswerFacts) { f.Invitation.ExpiresOn = noon.Add(time.Microsecond) }, ok, ok},
		{"at its end", func(f *iam.AnswerFacts) { f.Invitation.ExpiresOn = noon }, iam.InviteExpired, iam.InviteExpired},
		{"canceled", func(f *iam.AnswerFacts) { f.Invitation.Status = iam.Canceled }, iam.NotFound, iam.NotFound},
		{"left before", func(f *iam.AnswerFacts) { f.Invitation.Status, f.Invitation.UserID = iam.Left, guestID }, iam.NotFound, iam.NotFound},
		{"removed before", func(f *iam.AnswerFacts) { f.Invitation.Status, f.Invitation.UserID = iam.Removed, guestID }, iam.NotFound, iam.NotFound},
		{"accepted before", func(f *iam.AnswerFacts) { f.Invitation.Status, f.Invitation.UserID = iam.Accepted, guestID }, ok, iam.AlreadyAnswered},
		{"rejected before", func(f *iam.AnswerFacts) { f.Invitation.Status, f.Invitation.UserID = iam.Rejected, guestID }, iam.AlreadyAnswered, ok},
		{"accepted by another user", func(f *iam.AnswerFacts) { f.Invitation.Status, f.Invitation.UserID = iam.Accepted, adminID }, iam.NotFound, iam.NotFound},
		{"grantor left", func(f *iam.AnswerFacts) { f.Grantor.Membership = nil }, iam.GrantorLost, ok},
		{"grantor suspended", func(f *iam.AnswerFacts) { f.Grantor.Active = false }, iam.GrantorLost, ok},
		{"grantor demoted below the roles", func(f *iam.AnswerFacts) { f.Grantor.Membership.Roles = []iam.Role{manager()} }, iam.GrantorLost, ok},
		{"grantor no longer manages members", func(f *iam.AnswerFacts) {
			f.Grantor.Membership.Roles = f.Invitation.Roles
		}, iam.GrantorLost, ok},
		{"operator token revoked", func(f *iam.AnswerFacts) {
			f.Grantor = iam.GrantorFacts{Grantor: iam.Grantor{Kind: iam.ByOperator, ID: rowID}}
		}, iam.GrantorLost, ok},
		{"operator token in force", func(f *iam.AnswerFacts) {
			f.Grantor = iam.GrantorFacts{Grantor: iam.Grantor{Kind: iam.ByOperator, ID: rowID}, Active: true}
		}, ok, ok},
		{"granted on the command line", func(f *iam.AnswerFacts) { f.Grantor = iam.GrantorFacts{Grantor: iam.Grantor{Kind: iam.ByCommandLine}} }, ok, ok},
		{"no grantor known grants nothing", func(f *iam.AnswerFacts) { f.Grantor = iam.GrantorFacts{} }, iam.GrantorLost, ok},
		{"KF-12: the account named other domains since", func(f *iam.AnswerFacts) { f.Invitation.Account.InviteDomains = "example.org" }, iam.DomainRefused, ok},
		{"the account named its domain", func(f *iam.AnswerFacts) { f.Invitation.Account.InviteDomains = "example.com example.org" }, ok, ok},
		{"account suspended", func(f *iam.AnswerFacts) { f.Invitation.Account.Suspended = true }, iam.AccountSuspended, ok},
		{"second factor asked for, none there", func(f *iam.AnswerFacts) { f.Invitation.Account.EnforceTwoFactor = true }, iam.TwoFactorRequired, ok},
		{"second factor asked for and there", func(f *iam.AnswerFacts) {
			f.Invitation.Account.EnforceTwoFactor, f.User.TwoFactor = true, true
		}, ok, ok},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for answer, want := range map[iam.Status]iam.Kind{iam.Accepted: test.accept, iam.Rejected: test.reject} {
				facts := answerFacts(t)
				test.change(&facts)
				row, err := iam.DecideAnswer(facts, answer, noon)
				wantKind(t, err, want)
				if err == nil && (row.Status != answer || row.UserID != guestID) {
					t.Errorf("%s: got status %s of user %s, want %s of %s", answer, row.Status, row.UserID, answer, guestID)
				}
				if err == nil && facts.Invitation.Status == answer && row.Revision != facts.Invitation.Revision {
					t.Errorf("%s again: the row changed: %+v", answer, row)
				}
			}
		})
	}
}

func TestDecideLeave(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		status    iam.Status
		roles     []iam.Role
		others    int
		suspended bool
		want      iam.Kind
		after     iam.Status
	}{
		{"a member leaves", iam.Accepted, []iam.Role{manager()}, 0, false, iam.Internal, iam.Left},
		{"KF-88: the last Super Administrator stays", iam.Accepted, []iam.Role{role(t, super)}, 0, false, iam.LastSuperAdmin, ""},
		{"a member of a suspended account stays", iam.Accepted, []iam.Role{manager()}, 0, true, iam.AccountSuspended, ""},
		{"one of two leaves", iam.Accepted, []iam.Role{role(t, super)}, 1, false, iam.Internal, iam.Left},
		{"a pending one is rejected", iam.Pending, []iam.Role{role(t, super)}, 0, false, iam.Internal, iam.Rejected},
		{"a pending one of a suspended account is rejected", iam.Pending, []iam.Role{manager()}, 0, true, iam.Internal, iam.Rejected},
		{"a rejected one is gone", iam.Rejected, []iam.Role{manager()}, 1, false, iam.NotFound, ""},
		{"a removed one is gone", iam.Removed, []iam.Role{manager()}, 1, false, iam.NotFound, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			facts := answerFacts(t)
			facts.Invitation.Status, facts.Invitation.Roles, facts.OtherSuperAdmins = test.status, test.roles, test.others
			facts.Invitation.Account.Suspended = test.suspended
			if test.status != iam.Pending {
				facts.Invitation.UserID = guestID
			}
			after, err := iam.DecideLeave(facts, noon)
			wantKind(t, err, test.want)
			if after.Status != test.after {
				t.Errorf("got status %q, want %q", after.Status, test.after)
			}
		})
	}
}

func TestCanonicalEmail(t *testing.T) {
	t.Parallel()
	tests := []struct{ in, want string }{
		{"user@example.com", "user@example.com"},
		{"  User@EXAMPLE.com ", "user@example.com"},
		{"a+1@example.com", "a+1@example.com"},
		{"user@bücher.example", "user@xn--bcher-kva.example"},
		{"user@ＥＸＡＭＰＬＥ.com", "user@example.com"},
		// KF-78: what case mappings would make equal is refused, not folded.
		{"adm\u0131n@example.com", ""},
		{"u\u017fer@example.com", ""},
		{"\u212aate@example.com", ""},
		{"o\ufb03ce@example.com", ""},
		{"stra\u00dfe@example.com", ""},
		{"", ""},
		{"@example.com", ""},
		{"user@", ""},
		{"user", ""},
		{"user@localhost", ""},
		{"user@example.com.", ""},
		{"us er@example.com", ""},
		{"\"user\"@example.com", ""},
		{"user\r\nBcc: x@example.com", ""},
		{"a@b@example.com", ""},
		{".user@example.com", ""},
		{"us..er@example.com", ""},
		// Long names are refused before anything looks at them: mapping this one
		// would take minutes.
		{"user@" + distinct(300_000), ""},
		{"user@exa_mple.com", ""},
		{"user@-example.com", ""},
		{"user@[127.0.0.1]", ""},
	}
	for _, test := range tests {
		got, err := iam.CanonicalEmail(test.in)
		if got != test.want || (err != nil) != (test.want == "") {
			t.Errorf("CanonicalEmail(%q) = %q, %v; want %q", test.in, got, err, test.want)
		}
		var refusal *iam.Error
		if err != nil && !errors.As(err, &refusal) {
			t.Errorf("CanonicalEmail(%q): %v is not a refusal", test.in, err)
		}
	}
}

// distinct is a name of n different characters outside ASCII.
func distinct(n int) string {
	name := make([]rune, n)
	for i := range name {
		name[i] = 0x20000 + rune(i%0xa000)
	}
	return string(name)
}
