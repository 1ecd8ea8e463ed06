package sdk_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/cloudflare/cloudflare-go/v7"
	"github.com/cloudflare/cloudflare-go/v7/accounts"
	"github.com/cloudflare/cloudflare-go/v7/memberships"
	"github.com/cloudflare/cloudflare-go/v7/shared"
	"github.com/cloudflare/cloudflare-go/v7/user"

	"hither/test/contract"
	"hither/test/harness"
)

// TestLifeCycle walks the life of an invitation with the published SDK against
// the real binary, once for each way to sign in.
func TestLifeCycle(t *testing.T) {
	t.Parallel()
	for _, who := range []principal{byKey(userEmail, userKey), byToken(userToken)} {
		t.Run(who.name, func(t *testing.T) {
			t.Parallel()
			demo := harness.Example(t)
			w := walk{ctx: t.Context(), me: client(t, demo, who), admin: client(t, demo, byKey(adminEmail, adminKey))}
			w.seesTheInvitation(t)
			w.accepts(t)
			w.isSeenByTheAccount(t)
			w.getsOtherRoles(t)
			w.isRemoved(t)
			w.rejectsTheNextOne(t)
			w.leaves(t)
			w.leavesByTheOlderPath(t)
		})
	}
}

// walk is one user, invited by an administrator of the account inviter.
type walk struct {
	ctx       context.Context //nolint:containedctx // the walk is one test
	me, admin *cloudflare.Client
}

func (w walk) seesTheInvitation(t *testing.T) {
	t.Helper()
	list := must[invitePage](t, "list invitations")(w.me.User.Invites.List(w.ctx))
	if len(list.Result) != 1 || list.Result[0].ID != invitation {
		t.Fatalf("invitations: got %v, want the one of the documentation", list.Result)
	}
	invite := must[*user.Invite](t, "read the invitation")(w.me.User.Invites.Get(w.ctx, invitation))
	if invite.OrganizationID != inviter || invite.OrganizationName != "Example, Inc." || invite.InvitedBy != adminEmail ||
		invite.InvitedMemberEmail != userEmail || invite.Status != user.InviteStatusPending ||
		!slices.Equal(invite.Roles, []string{"Administrator"}) {
		t.Errorf("the invitation is %s", invite.JSON.RawJSON())
	}
	if life := invite.ExpiresOn.Sub(invite.InvitedOn); life != 7*24*time.Hour {
		t.Errorf("the invitation lives %s, want 7 days", life)
	}
	pending := w.memberships(t, memberships.MembershipListParamsStatusPending)
	if len(pending) != 1 || pending[0].ID != invitation || pending[0].Permissions.DNS.Write {
		t.Errorf("pending memberships: got %v, want the invitation, without a right yet", pending)
	}
}

func (w walk) accepts(t *testing.T) {
	t.Helper()
	edit := func(status user.InviteEditParamsStatus) (*user.Invite, error) {
		return w.me.User.Invites.Edit(w.ctx, invitation, user.InviteEditParams{Status: cloudflare.F(status)})
	}
	for _, what := range []string{"accept", "accept again"} {
		invite := must[*user.Invite](t, what)(edit(user.InviteEditParamsStatusAccepted))
		if invite.Status != user.InviteStatusAccepted {
			t.Errorf("%s: got status %q", what, invite.Status)
		}
	}
	_, err := edit(user.InviteEditParamsStatusRejected)
	refused(t, "reject what was accepted", err, http.StatusBadRequest, 1201)

	accepted := w.memberships(t, memberships.MembershipListParamsStatusAccepted)
	if !slices.ContainsFunc(accepted, func(m memberships.Membership) bool { return m.ID == invitation && m.Permissions.DNS.Write }) {
		t.Errorf("accepted memberships: got %v, want the invitation with its rights among them", accepted)
	}
}

//nolint:staticcheck // the older paths are deprecated, and served
func (w walk) isSeenByTheAccount(t *testing.T) {
	t.Helper()
	list := must[memberPage](t, "list members")(w.admin.Accounts.Members.List(w.ctx, accounts.MemberListParams{
		AccountID: cloudflare.F(inviter), Status: cloudflare.F(accounts.MemberListParamsStatusAccepted),
		Order: cloudflare.F(accounts.MemberListParamsOrderUserEmail),
	}))
	if len(list.Result) != 2 || list.Result[1].ID != invitation {
		t.Errorf("members: got %v, want the administrator and the one who accepted", list.Result)
	}
	member := w.member(t, invitation)
	me := must[*user.UserGetResponse](t, "read the user")(w.me.User.Get(w.ctx))
	if member.User.ID != me.ID || member.User.Email != userEmail || member.Status != shared.MemberStatusAccepted {
		t.Errorf("the member is %s, want the user %s", member.JSON.RawJSON(), me.ID)
	}
	organizations := must[organizationPage](t, "list organizations")(
		w.me.User.Organizations.List(w.ctx, user.OrganizationListParams{Name: cloudflare.F("Example, Inc.")}))
	if len(organizations.Result) != 1 || organizations.Result[0].ID != inviter || organizations.Result[0].Status != accounts.StatusMember {
		t.Errorf("organizations: got %v, want the inviting one", organizations.Result)
	}
	must[*user.OrganizationGetResponse](t, "read the organization")(w.me.User.Organizations.Get(w.ctx, inviter))
}

func (w walk) getsOtherRoles(t *testing.T) {
	t.Helper()
	member := must[*shared.Member](t, "change roles")(w.admin.Accounts.Members.Update(w.ctx, invitation, accounts.MemberUpdateParams{
		AccountID: cloudflare.F(inviter),
		Body: accounts.MemberUpdateParamsBodyIAMUpdateMemberWithRoles{
			Roles: cloudflare.F([]shared.RoleParam{{ID: cloudflare.F(demoRole)}}),
		},
	}))
	if len(member.Roles) != 1 || member.Roles[0].ID != demoRole {
		t.Errorf("roles after the change: got %v, want %s", member.Roles, demoRole)
	}
	membership := must[*memberships.MembershipGetResponse](t, "read the membership")(w.me.Memberships.Get(w.ctx, invitation))
	if membership.Permissions.DNS.Write || !membership.Permissions.DNS.Read || membership.Account.ID != inviter {
		t.Errorf("the membership is %s, want one that may read DNS only", membership.JSON.RawJSON())
	}
}

func (w walk) isRemoved(t *testing.T) {
	t.Helper()
	removed := must[*accounts.MemberDeleteResponse](t, "remove the member")(
		w.admin.Accounts.Members.Delete(w.ctx, invitation, accounts.MemberDeleteParams{AccountID: cloudflare.F(inviter)}))
	if removed.ID != invitation {
		t.Errorf("removed %q, want %q", removed.ID, invitation)
	}
	_, err := w.admin.Accounts.Members.Get(w.ctx, invitation, accounts.MemberGetParams{AccountID: cloudflare.F(inviter)})
	refused(t, "read a removed member", err, http.StatusNotFound, 1003)
	_, err = w.me.Memberships.Get(w.ctx, invitation)
	refused(t, "read a membership that was taken away", err, http.StatusNotFound, 1003)
}

func (w walk) rejectsTheNextOne(t *testing.T) {
	t.Helper()
	next := w.invite(t)
	if w.answer(t, next, memberships.MembershipUpdateParamsStatusRejected) != memberships.MembershipUpdateResponseStatusRejected {
		t.Error("the membership was not rejected")
	}
	invite := must[*user.Invite](t, "read the rejected invitation")(w.me.User.Invites.Get(w.ctx, next))
	if invite.Status != user.InviteStatusRejected {
		t.Errorf("the rejected invitation has status %q", invite.Status)
	}
	rejected := w.member(t, next)
	if rejected.Status != "rejected" || rejected.User.ID != "" {
		t.Errorf("the member who rejected is %s, want an address and no user", rejected.JSON.RawJSON())
	}
}

func (w walk) leaves(t *testing.T) {
	t.Helper()
	next := w.invite(t)
	w.answer(t, next, memberships.MembershipUpdateParamsStatusAccepted)
	left := must[*memberships.MembershipDeleteResponse](t, "leave")(w.me.Memberships.Delete(w.ctx, next))
	if left.ID != next {
		t.Errorf("left %q, want %q", left.ID, next)
	}
	_, err := w.me.Memberships.Get(w.ctx, next)
	refused(t, "read a membership that was left", err, http.StatusNotFound, 1003)
}

//nolint:staticcheck // the older paths are deprecated, and served
func (w walk) leavesByTheOlderPath(t *testing.T) {
	t.Helper()
	w.answer(t, w.invite(t), memberships.MembershipUpdateParamsStatusAccepted)
	left := must[*user.OrganizationDeleteResponse](t, "leave the organization")(w.me.User.Organizations.Delete(w.ctx, inviter))
	if left.ID != inviter {
		t.Errorf("left %q, want %q", left.ID, inviter)
	}
	_, err := w.me.User.Organizations.Get(w.ctx, inviter)
	refused(t, "read an organization that was left", err, http.StatusNotFound, 7003)
}

// invite asks the user once more and returns the new row's id.
func (w walk) invite(t *testing.T) string {
	t.Helper()
	member := must[*shared.Member](t, "invite")(w.admin.Accounts.Members.New(w.ctx, inviting(userEmail)))
	if member.Status != shared.MemberStatusPending || member.Email != userEmail || member.User.ID != "" {
		t.Fatalf("the invited member is %s", member.JSON.RawJSON())
	}
	return member.ID
}

func inviting(email string) accounts.MemberNewParams {
	return accounts.MemberNewParams{
		AccountID: cloudflare.F(inviter),
		Body: accounts.MemberNewParamsBodyIAMCreateMemberWithRoles{
			Email: cloudflare.F(email), Roles: cloudflare.F([]string{demoRole}),
		},
	}
}

func (w walk) answer(t *testing.T, id string, status memberships.MembershipUpdateParamsStatus) memberships.MembershipUpdateResponseStatus {
	t.Helper()
	return must[*memberships.MembershipUpdateResponse](t, "answer")(
		w.me.Memberships.Update(w.ctx, id, memberships.MembershipUpdateParams{Status: cloudflare.F(status)})).Status
}

func (w walk) member(t *testing.T, id string) *shared.Member {
	t.Helper()
	return must[*shared.Member](t, "read the member")(
		w.admin.Accounts.Members.Get(w.ctx, id, accounts.MemberGetParams{AccountID: cloudflare.F(inviter)}))
}

func (w walk) memberships(t *testing.T, status memberships.MembershipListParamsStatus) []memberships.Membership {
	t.Helper()
	return must[membershipPage](t, "list memberships")(
		w.me.Memberships.List(w.ctx, memberships.MembershipListParams{Status: cloudflare.F(status)})).Result
}

// TestAccountLife makes, reads, changes and deletes an account.
func TestAccountLife(t *testing.T) {
	t.Parallel()
	for _, who := range []principal{byKey(userEmail, userKey), byToken(userToken)} {
		t.Run(who.name, func(t *testing.T) {
			t.Parallel()
			ctx, sdk := t.Context(), client(t, harness.Example(t), who).Accounts
			made := must[*accounts.Account](t, "make")(sdk.New(ctx, accounts.AccountNewParams{
				Name: cloudflare.F("Third"), Type: cloudflare.F(accounts.AccountNewParamsTypeStandard),
			}))
			id := cloudflare.F(made.ID)
			changed := must[*accounts.Account](t, "change")(sdk.Update(ctx, accounts.AccountUpdateParams{
				AccountID: id,
				Account: accounts.AccountParam{
					ID: id, Name: cloudflare.F("Third, renamed"), Type: cloudflare.F(accounts.AccountTypeStandard),
					Settings: cloudflare.F(accounts.AccountSettingsParam{AbuseContactEmail: cloudflare.F("abuse@example.com")}),
				},
			}))
			read := must[*accounts.Account](t, "read")(sdk.Get(ctx, accounts.AccountGetParams{AccountID: id}))
			if read.Name != "Third, renamed" || read.Settings.AbuseContactEmail != "abuse@example.com" ||
				read.JSON.RawJSON() != changed.JSON.RawJSON() {
				t.Errorf("after the change: got %s, want what the change answered: %s", read.JSON.RawJSON(), changed.JSON.RawJSON())
			}
			list := must[accountPage](t, "list")(sdk.List(ctx, accounts.AccountListParams{Name: cloudflare.F("Third, renamed")}))
			if len(list.Result) != 1 || list.Result[0].ID != made.ID {
				t.Errorf("accounts of that name: got %v, want one", list.Result)
			}
			must[*accounts.AccountDeleteResponse](t, "delete")(sdk.Delete(ctx, accounts.AccountDeleteParams{AccountID: id}))
			_, err := sdk.Get(ctx, accounts.AccountGetParams{AccountID: id})
			refused(t, "read what was deleted", err, http.StatusNotFound, 7003)
		})
	}
}

// TestUser reads and changes the user itself.
func TestUser(t *testing.T) {
	t.Parallel()
	for _, who := range []principal{byKey(userEmail, userKey), byToken(userToken)} {
		t.Run(who.name, func(t *testing.T) {
			t.Parallel()
			ctx, sdk := t.Context(), client(t, harness.Example(t), who).User
			edited := must[*user.UserEditResponse](t, "edit")(sdk.Edit(ctx, user.UserEditParams{
				FirstName: cloudflare.F("Ada"), Country: cloudflare.F("GB"),
			}))
			read := must[*user.UserGetResponse](t, "read")(sdk.Get(ctx))
			if read.FirstName != "Ada" || read.LastName != "Appleseed" || read.Country != "GB" || read.Email != userEmail {
				t.Errorf("after the edit the user is %s", read.JSON.RawJSON())
			}
			if edited.JSON.RawJSON() != read.JSON.RawJSON() {
				t.Errorf("the edit answered %s, reading answers %s", edited.JSON.RawJSON(), read.JSON.RawJSON())
			}
			if ids := organizationIDs(read.Organizations); !slices.Contains(ids, demoAccount) || !slices.Contains(ids, inviter) {
				t.Errorf("organizations of the user: got %v, want its own and the inviting one among them", ids)
			}
		})
	}
}

func organizationIDs(list []user.Organization) []string {
	ids := make([]string, len(list))
	for i, organization := range list {
		ids[i] = organization.ID
	}
	return ids
}

func TestTokenVerify(t *testing.T) {
	t.Parallel()
	ctx, demo := t.Context(), harness.Example(t)
	verified := must[*user.TokenVerifyResponse](t, "verify")(client(t, demo, byToken(userToken)).User.Tokens.Verify(ctx))
	if verified.ID != tokenID || verified.Status != user.TokenVerifyResponseStatusActive {
		t.Errorf("the token is %s", verified.JSON.RawJSON())
	}
	_, err := client(t, demo, byToken(userToken[1:]+"x")).User.Tokens.Verify(ctx)
	refused(t, "verify another token", err, http.StatusUnauthorized, 1000)
}

// TestErrors holds that what we refuse arrives as the SDK's own error, with our
// code, our words and the field that they are about.
func TestErrors(t *testing.T) {
	t.Parallel()
	ctx, demo := t.Context(), harness.Example(t)
	me, admin := client(t, demo, byKey(userEmail, userKey)), client(t, demo, byKey(adminEmail, adminKey))
	broken := contract.Exempt(ctx, "it is about a malformed id or body")
	read := func(who principal) error {
		_, err := client(t, demo, who).User.Get(contract.Exempt(ctx, "it is about credentials"))
		return err
	}
	account := func(ctx context.Context, id string) error {
		_, err := me.Accounts.Get(ctx, accounts.AccountGetParams{AccountID: cloudflare.F(id)})
		return err
	}
	member := func(ctx context.Context, sdk *cloudflare.Client, of, email string) error {
		params := inviting(email)
		params.AccountID = cloudflare.F(of)
		_, err := sdk.Accounts.Members.New(ctx, params)
		return err
	}
	_, noInvite := me.User.Invites.Get(ctx, nothing)
	_, notMine := admin.User.Invites.Get(ctx, invitation)
	_, leaveAll := me.Memberships.Delete(ctx, lonely(t, me))
	tests := []struct {
		name   string
		err    error
		status int
		code   int64
	}{
		{"no credentials", read(nobody()), http.StatusBadRequest, 9106},
		{"a malformed key", read(byKey(userEmail, "short")), http.StatusBadRequest, 6003},
		{"a wrong key", read(byKey(userEmail, adminKey)), http.StatusForbidden, 9103},
		{"an unknown address", read(byKey("who@example.com", userKey)), http.StatusForbidden, 9103},
		{"an unknown token", read(byToken(userToken[1:] + "x")), http.StatusUnauthorized, 1000},
		{"no such invitation", noInvite, http.StatusNotFound, 1003},
		{"somebody else's invitation", notMine, http.StatusNotFound, 1003},
		{"no such account", account(ctx, nothing), http.StatusNotFound, 7003},
		{"no id of an account", account(broken, "account_id"), http.StatusNotFound, 7003},
		{"inviting a member", member(ctx, me, demoAccount, userEmail), http.StatusBadRequest, 1207},
		{"no address", member(broken, me, demoAccount, "nowhere"), http.StatusBadRequest, 1001},
		{"an account that one is not in", member(ctx, admin, secondAccount, "who@example.com"), http.StatusNotFound, 7003},
		{"an account that one sees as the operator only", member(ctx, me, inviter, "who@example.com"), http.StatusForbidden, 9109},
		{"the last Super Administrator leaves", leaveAll, http.StatusBadRequest, 1210},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			first := refusal(t, test.name, test.err, test.status, test.code).Errors[0]
			if first.Message == "" {
				t.Errorf("got no message in %v", test.err)
			}
			if test.code == 1001 && first.Source.Pointer != "/email" {
				t.Errorf("got the pointer %q, want /email", first.Source.Pointer)
			}
		})
	}
}

// lonely is the id of the user's membership in the account that has no other
// Super Administrator.
func lonely(t *testing.T, sdk *cloudflare.Client) string {
	t.Helper()
	list := must[membershipPage](t, "list memberships")(
		sdk.Memberships.List(t.Context(), memberships.MembershipListParams{Name: cloudflare.F("Demo Account 2")}))
	if len(list.Result) != 1 {
		t.Fatalf("memberships in Demo Account 2: got %v, want one", list.Result)
	}
	return list.Result[0].ID
}

// TestAutoPaging lets the SDK go through several pages of each list by itself.
//
//nolint:staticcheck // roles and organizations are deprecated there, and served
func TestAutoPaging(t *testing.T) {
	t.Parallel()
	ctx, demo := t.Context(), harness.Example(t)
	me, admin := client(t, demo, byKey(userEmail, userKey)), client(t, demo, byToken(userToken))
	const more = 13
	for i := range more {
		must[*accounts.Account](t, "make an account")(admin.Accounts.New(ctx, accounts.AccountNewParams{
			Name: cloudflare.F(fmt.Sprintf("Account %02d", i)),
		}))
		params := inviting(fmt.Sprintf("somebody-%02d@example.org", i))
		params.AccountID = cloudflare.F(demoAccount)
		must[*shared.Member](t, "invite")(me.Accounts.Members.New(ctx, params))
	}
	const perPage = 5
	size := cloudflare.F(float64(perPage))

	all := me.Accounts.ListAutoPaging(ctx, accounts.AccountListParams{PerPage: size})
	collect(t, "accounts", all, func(a accounts.Account) string { return a.ID }, more+3) // the operator sees all three of the demo

	members := me.Accounts.Members.ListAutoPaging(ctx, accounts.MemberListParams{
		AccountID: cloudflare.F(demoAccount), PerPage: size, Order: cloudflare.F(accounts.MemberListParamsOrderUserEmail),
	})
	collect(t, "members", members, func(m shared.Member) string { return m.ID }, more+2)

	roles := me.Accounts.Roles.ListAutoPaging(ctx, accounts.RoleListParams{AccountID: cloudflare.F(demoAccount), PerPage: size})
	ids := collect(t, "roles", roles, func(r shared.Role) string { return r.ID }, 0)
	role := must[*shared.Role](t, "read a role")(
		me.Accounts.Roles.Get(ctx, demoRole, accounts.RoleGetParams{AccountID: cloudflare.F(demoAccount)}))
	if !slices.Contains(ids, demoRole) || role.Name != "Member Manager" || !role.Permissions.DNS.Read {
		t.Errorf("the role is %s, want the Member Manager, and in the list", role.JSON.RawJSON())
	}

	mine := me.Memberships.ListAutoPaging(ctx, memberships.MembershipListParams{PerPage: size})
	if got := collect(t, "memberships", mine, func(m memberships.Membership) string { return m.ID }, 0); !slices.Contains(got, ownMember) {
		t.Errorf("memberships: got %v, want %s among them", got, ownMember)
	}
	organizations := me.User.Organizations.ListAutoPaging(ctx, user.OrganizationListParams{PerPage: size})
	collect(t, "organizations", organizations, func(o user.Organization) string { return o.ID }, 0)

	invites := me.User.Invites.ListAutoPaging(ctx)
	collect(t, "invitations", invites, func(i user.Invite) string { return i.ID }, 1)
}

// pager is what the SDK's pagers have in common.
type pager[T any] interface {
	Next() bool
	Current() T
	Err() error
}

// collect goes through a list; want 0 leaves open how many there are.
func collect[T any](t *testing.T, what string, list pager[T], id func(T) string, want int) []string {
	t.Helper()
	var ids []string
	for list.Next() {
		ids = append(ids, id(list.Current()))
	}
	if err := list.Err(); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	if len(ids) == 0 || want != 0 && len(ids) != want {
		t.Errorf("%s: got %d, want %d", what, len(ids), want)
	}
	seen := slices.Clone(ids)
	slices.Sort(seen)
	if len(slices.Compact(seen)) != len(ids) {
		t.Errorf("%s: some came twice: %v", what, ids)
	}
	return ids
}
