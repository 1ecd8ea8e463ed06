package iam_test

import (
	"slices"
	"testing"
	"time"

	"hither/internal/iam"
)

func accountFacts(t *testing.T, own ...iam.Role) iam.AccountFacts {
	t.Helper()
	f := iam.AccountFacts{Account: iam.Account{ID: accountID, Name: "Example"}, Catalog: iam.NewCatalog([]iam.Role{manager()})}
	if len(own) > 0 {
		f.Own = &iam.Membership{UserID: adminID, AccountID: accountID, Status: iam.Accepted, Roles: own}
	}
	return f
}

func user(operator bool) iam.Actor {
	return iam.Actor{Kind: iam.ByUser, User: iam.User{ID: adminID, Email: "admin@example.com", Verified: true, Operator: operator}}
}

var fresh = iam.FreshIDs{Membership: rowID, User: guestID}

func TestDecideInvite(t *testing.T) {
	t.Parallel()
	superRole, minimal := role(t, super), role(t, "Minimal Account Access")
	pending := iam.Membership{
		ID: rowID, AccountID: accountID, Email: "guest@example.com", Status: iam.Pending, Roles: []iam.Role{manager()},
		Invited: true, ExpiresOn: noon.Add(time.Hour), Grantor: iam.Grantor{Kind: iam.ByUser, ID: guestID},
	}
	able := iam.GrantorFacts{
		Grantor: pending.Grantor, Active: true,
		Membership: &iam.Membership{Status: iam.Accepted, Roles: []iam.Role{superRole}},
	}
	tests := []struct {
		name    string
		facts   func(*iam.InviteFacts)
		actor   iam.Actor
		request func(*iam.InviteRequest)
		own     []iam.Role
		want    iam.Kind
		action  iam.Action // "" where nothing changes
	}{
		{"a Super Administrator invites", nil, user(false), nil, []iam.Role{superRole}, iam.Internal, iam.InviteCreate},
		{"a manager invites within its ceiling", nil, user(false), nil, []iam.Role{manager()}, iam.Internal, iam.InviteCreate},
		{"KF-46: who is no member sees no account", nil, user(false), nil, nil, iam.AccountNotFound, ""},
		{"KF-22, KF-23: a member who doesn't manage", nil, user(false), nil, []iam.Role{minimal}, iam.Forbidden, ""},
		{"KF-18: above the ceiling", nil, user(false), func(r *iam.InviteRequest) { r.RoleIDs = []iam.ID{iam.SuperAdministrator} }, []iam.Role{manager()}, iam.RoleCeiling, ""},
		{"KF-20: the operator flag doesn't lift the ceiling", nil, user(true), func(r *iam.InviteRequest) { r.RoleIDs = []iam.ID{iam.SuperAdministrator} }, []iam.Role{manager()}, iam.RoleCeiling, ""},
		{"KF-18: whose roles name every area is still no Super Administrator", nil, user(false), func(r *iam.InviteRequest) { r.RoleIDs = []iam.ID{iam.SuperAdministrator} }, []iam.Role{everyArea(t)}, iam.RoleCeiling, ""},
		{"the operator flag alone manages nobody", nil, user(true), nil, nil, iam.Forbidden, ""},
		{"an unknown role", nil, user(false), func(r *iam.InviteRequest) { r.RoleIDs = []iam.ID{rowID} }, []iam.Role{superRole}, iam.Invalid, ""},
		{"no role", nil, user(false), func(r *iam.InviteRequest) { r.RoleIDs = nil }, []iam.Role{superRole}, iam.Invalid, ""},
		{"a suspended account", func(f *iam.InviteFacts) { f.Account.Suspended = true }, user(false), nil, []iam.Role{superRole}, iam.AccountSuspended, ""},
		{"a seat left", func(f *iam.InviteFacts) { f.Account.MemberLimit, f.Seats = 5, iam.Seats{Open: 3, Members: 1} }, user(false), nil, []iam.Role{superRole}, iam.Internal, iam.InviteCreate},
		{"KF-16: no seat left", func(f *iam.InviteFacts) { f.Account.MemberLimit, f.Seats = 5, iam.Seats{Open: 4, Members: 1} }, user(false), nil, []iam.Role{superRole}, iam.NoSeat, ""},
		{"an address of a domain that the account names", func(f *iam.InviteFacts) { f.Account.InviteDomains = "example.com" }, user(false), nil, []iam.Role{superRole}, iam.Internal, iam.InviteCreate},
		{"an address of none of them", func(f *iam.InviteFacts) { f.Account.InviteDomains = "example.org" }, user(false), nil, []iam.Role{superRole}, iam.DomainRefused, ""},
		{"of none of them, and by the operator", func(f *iam.InviteFacts) { f.Account.InviteDomains = "example.org" }, iam.Actor{Kind: iam.ByOperator, CredentialID: rowID}, nil, nil, iam.DomainRefused, ""},
		{"of none of them, and added directly", func(f *iam.InviteFacts) { f.Account.InviteDomains = "example.org" }, iam.Actor{Kind: iam.ByOperator, CredentialID: rowID}, func(r *iam.InviteRequest) { r.Direct = true }, nil, iam.Internal, iam.MemberAdd},
		{"of none of them, invited before they were named", func(f *iam.InviteFacts) { f.Existing, f.Account.InviteDomains = &pending, "example.org" }, user(false), nil, []iam.Role{superRole}, iam.DomainRefused, ""},
		{"too short a life", nil, user(false), func(r *iam.InviteRequest) { r.ExpiresOn = noon.Add(59 * time.Minute) }, []iam.Role{superRole}, iam.Invalid, ""},
		{"too long a life", nil, user(false), func(r *iam.InviteRequest) { r.ExpiresOn = noon.Add(iam.MaxLifetime + 1) }, []iam.Role{superRole}, iam.Invalid, ""},
		{"adding directly is the operator's", nil, user(false), func(r *iam.InviteRequest) { r.Direct = true }, []iam.Role{superRole}, iam.DirectAddForbidden, ""},
		{"the operator adds directly", nil, iam.Actor{Kind: iam.ByOperator, CredentialID: rowID}, func(r *iam.InviteRequest) { r.Direct = true }, nil, iam.Internal, iam.MemberAdd},
		{"adding an unproven address directly", func(f *iam.InviteFacts) { f.User = &iam.User{ID: guestID} }, iam.Actor{Kind: iam.ByCommandLine}, func(r *iam.InviteRequest) { r.Direct = true }, nil, iam.Invalid, ""},
		{"invited already, same roles", func(f *iam.InviteFacts) { f.Existing, f.Grantor = &pending, able }, user(false), nil, []iam.Role{superRole}, iam.Internal, ""},
		{"invited already by one who lost the right", func(f *iam.InviteFacts) { f.Existing = &pending }, user(false), nil, []iam.Role{superRole}, iam.Internal, iam.InviteConfirm},
		{"invited already, other roles", func(f *iam.InviteFacts) { f.Existing, f.Grantor = &pending, able }, user(false), func(r *iam.InviteRequest) { r.RoleIDs = []iam.ID{minimal.ID} }, []iam.Role{superRole}, iam.AlreadyInvited, ""},
		{"a member already", func(f *iam.InviteFacts) {
			f.Existing = &iam.Membership{Status: iam.Accepted, Roles: []iam.Role{manager()}}
		}, user(false), nil, []iam.Role{superRole}, iam.AlreadyMember, ""},
		{"whether it is a member stays unsaid to who may not manage", func(f *iam.InviteFacts) {
			f.Existing = &iam.Membership{Status: iam.Accepted}
		}, user(false), nil, []iam.Role{minimal}, iam.Forbidden, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			facts := iam.InviteFacts{AccountFacts: accountFacts(t, test.own...)}
			if test.facts != nil {
				test.facts(&facts)
			}
			request := iam.InviteRequest{Email: "guest@example.com", RoleIDs: []iam.ID{manager().ID}}
			if test.request != nil {
				test.request(&request)
			}
			decision, err := iam.DecideInvite(facts, test.actor, request, fresh, noon)
			wantKind(t, err, test.want)
			if err != nil {
				return
			}
			if decision.Changed != (test.action != "") || (decision.Changed && decision.Action != test.action) {
				t.Errorf("got changed %v by %q, want %q", decision.Changed, decision.Action, test.action)
			}
			if decision.Action == iam.InviteCreate {
				if want := noon.Add(iam.DefaultLifetime); !decision.Row.ExpiresOn.Equal(want) {
					t.Errorf("expires on %s, want %s", decision.Row.ExpiresOn, want)
				}
				if decision.Row.UserID != "" {
					t.Errorf("a pending row knows user %s before the answer", decision.Row.UserID)
				}
			}
			if test.action == iam.InviteConfirm && decision.Row.Grantor.ID != adminID {
				t.Errorf("grantor is %+v, want the caller", decision.Row.Grantor)
			}
		})
	}
}

// everyArea is a role that may do what a Super Administrator may today, but not
// in an area that another role brings along tomorrow.
func everyArea(t *testing.T) iam.Role {
	t.Helper()
	all, ok := accountFacts(t).Catalog.Find(accountID, iam.SuperAdministrator)
	if !ok {
		t.Fatal("there is no Super Administrator")
	}
	return iam.Role{ID: guestID, Name: "Everything", Permissions: all.Permissions}
}

// KF-18, KF-19, KF-21: for every pair of an actor's role and a requested one,
// inviting, editing to, editing from and removing are allowed exactly where the
// requested permissions are within the actor's.
func TestRoleCeilingHoldsForEveryPairOfRoles(t *testing.T) {
	t.Parallel()
	catalog := accountFacts(t).Catalog
	roles := catalog.Visible(accountID)
	for _, own := range roles {
		for _, asked := range roles {
			within := own.All() || (!asked.All() && asked.Permissions.Within(own.Permissions))
			manages := own.All() || own.Permissions[iam.AreaMembers]&iam.Write != 0
			want := manages && within

			facts := accountFacts(t, own)
			_, invite := iam.DecideInvite(iam.InviteFacts{AccountFacts: facts}, user(false),
				iam.InviteRequest{Email: "x@example.com", RoleIDs: []iam.ID{asked.ID}}, fresh, noon)
			low := iam.MemberFacts{AccountFacts: facts, OtherSuperAdmins: 1, Target: iam.Membership{
				ID: rowID, AccountID: accountID, Status: iam.Accepted, Roles: []iam.Role{manager()},
			}}
			if !manages || (!own.All() && !manager().Permissions.Within(own.Permissions)) {
				low.Target.Roles = []iam.Role{own} // a target within the ceiling, so that only the new roles decide
			}
			_, raise := iam.DecideEdit(low, user(false), iam.MemberChange{RoleIDs: []iam.ID{asked.ID}}, mailing, noon)
			high := low
			high.Target.Roles = []iam.Role{asked}
			_, lower := iam.DecideEdit(high, user(false), iam.MemberChange{RoleIDs: []iam.ID{low.Target.Roles[0].ID}}, mailing, noon)
			_, remove := iam.DecideRemove(high, user(false), false, noon)
			for verb, err := range map[string]error{"invite": invite, "edit to": raise, "edit from": lower, "remove": remove} {
				if (err == nil) != want {
					t.Errorf("%s %q by %q: got %v, want allowed %v", verb, asked.Name, own.Name, err, want)
				}
			}
		}
	}
}

func TestDecideEditAndRemove(t *testing.T) {
	t.Parallel()
	superRole := role(t, super)
	base := func(status iam.Status, roles ...iam.Role) iam.MemberFacts {
		f := iam.MemberFacts{AccountFacts: accountFacts(t, superRole), TargetActive: true}
		f.Target = iam.Membership{
			ID: rowID, AccountID: accountID, Status: status, Roles: roles, Invited: true,
			ExpiresOn: noon.Add(time.Hour), Grantor: iam.Grantor{Kind: iam.ByUser, ID: guestID},
		}
		return f
	}
	foreign := base(iam.Accepted, manager())
	foreign.Target.AccountID = guestID
	due := base(iam.Pending, manager())
	due.Target.ExpiresOn = noon
	lastOfTwo := base(iam.Accepted, superRole)
	lastOfTwo.OtherSuperAdmins = 1
	inactive := base(iam.Accepted, superRole)
	inactive.TargetActive = false

	barred, barredMember := base(iam.Pending, manager()), base(iam.Accepted, manager())
	barred.Account.InviteDomains, barredMember.Account.InviteDomains = "other.example", "other.example"

	tests := []struct {
		name         string
		facts        iam.MemberFacts
		edit, remove iam.Kind
		cancel       iam.Kind
	}{
		{"accepted", base(iam.Accepted, manager()), iam.Internal, iam.Internal, iam.AlreadyAnswered},
		{"pending", base(iam.Pending, manager()), iam.Internal, iam.Internal, iam.Internal},
		{"pending, of a domain that the account no longer invites", barred, iam.DomainRefused, iam.Internal, iam.Internal},
		{"accepted, of such a domain", barredMember, iam.Internal, iam.Internal, iam.AlreadyAnswered},
		{"due", due, iam.InviteExpired, iam.NotFound, iam.InviteExpired},
		{"rejected", base(iam.Rejected, manager()), iam.NotFound, iam.NotFound, iam.AlreadyAnswered},
		{"canceled", base(iam.Canceled, manager()), iam.NotFound, iam.NotFound, iam.Internal},
		{"left", base(iam.Left, manager()), iam.NotFound, iam.NotFound, iam.NotFound},
		{"removed", base(iam.Removed, manager()), iam.NotFound, iam.NotFound, iam.NotFound},
		{"KF-33: another account's", foreign, iam.NotFound, iam.NotFound, iam.NotFound},
		{"KF-88: the last Super Administrator", base(iam.Accepted, superRole), iam.LastSuperAdmin, iam.LastSuperAdmin, iam.AlreadyAnswered},
		{"one of two Super Administrators", lastOfTwo, iam.Internal, iam.Internal, iam.AlreadyAnswered},
		{"a suspended Super Administrator", inactive, iam.Internal, iam.Internal, iam.AlreadyAnswered},
	}
	minimal := role(t, "Minimal Account Access")
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			decision, err := iam.DecideEdit(test.facts, user(false), iam.MemberChange{RoleIDs: []iam.ID{minimal.ID}}, mailing, noon)
			wantKind(t, err, test.edit)
			row := decision.Row
			if err == nil && (!decision.Changed || !slices.ContainsFunc(row.Roles, func(r iam.Role) bool { return r.ID == minimal.ID })) {
				t.Errorf("edit: got %+v changed %v, want the role %s", row, decision.Changed, minimal.ID)
			}
			if err == nil && row.Status == iam.Pending && row.Grantor.ID != adminID {
				t.Errorf("edit: grantor is %+v, want who edited", row.Grantor)
			}
			_, err = iam.DecideRemove(test.facts, user(false), false, noon)
			wantKind(t, err, test.remove)
			_, err = iam.DecideCancel(test.facts, user(false), noon)
			wantKind(t, err, test.cancel)
		})
	}
	if _, err := iam.DecideRemove(base(iam.Accepted, superRole), iam.Actor{Kind: iam.ByCommandLine}, true, noon); err != nil {
		t.Errorf("forced removal of the last Super Administrator by the operator: %v", err)
	}
	if _, err := iam.DecideRemove(base(iam.Accepted, superRole), user(false), true, noon); iam.KindOf(err) != iam.LastSuperAdmin {
		t.Errorf("forced removal by somebody else: got %v, want LastSuperAdmin", err)
	}
}

// KF-24, KF-25, KF-27: who may change settings still doesn't reach the operator's.
func TestDecideEditAccountKeepsTheOperatorsFields(t *testing.T) {
	t.Parallel()
	enterprise, limit, yes, name := iam.Enterprise, 1000, true, "Renamed"
	edit := iam.AccountEdit{Name: &name, Type: &enterprise, MemberLimit: &limit, Suspended: &yes, EnforceTwoFactor: &yes}

	facts := accountFacts(t, role(t, super))
	facts.Account.Type = iam.Standard
	after, err := iam.DecideEditAccount(facts, user(false), edit)
	if err != nil || after.Name != name || !after.EnforceTwoFactor {
		t.Fatalf("got %+v, %v; want the name and the enforcement changed", after, err)
	}
	if after.Type != iam.Standard || after.MemberLimit != 0 || after.Suspended {
		t.Errorf("a Super Administrator reached the operator's fields: %+v", after)
	}
	after, err = iam.DecideEditAccount(facts, iam.Actor{Kind: iam.ByOperator}, edit)
	if err != nil || after.Type != enterprise || after.MemberLimit != limit || !after.Suspended {
		t.Errorf("the operator: got %+v, %v; want every field changed", after, err)
	}
	facts.Own.Roles = []iam.Role{role(t, "Administrator Read Only")}
	if _, err = iam.DecideEditAccount(facts, user(false), edit); iam.KindOf(err) != iam.Forbidden {
		t.Errorf("a reader: got %v, want Forbidden", err)
	}
}

func TestEveryBuiltinRoleSaysSomething(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, role := range iam.BuiltinRoles() {
		if _, err := iam.CheckRole(role); err != nil {
			t.Errorf("role %q: %v", role.Name, err)
		}
		if role.Description == "" || seen[role.Name] || seen[string(role.ID)] {
			t.Errorf("role %q (%s) has no description or stands twice", role.Name, role.ID)
		}
		seen[role.Name], seen[string(role.ID)] = true, true
	}
}
