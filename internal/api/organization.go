package api

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"hither/internal/iam"
)

// An organization is an account under its older name. This file has the older
// paths: a user's organizations, and an account's invites.

// userOrganization is a membership in the older form.
type userOrganization struct {
	ID          iam.ID   `json:"id"`
	Name        string   `json:"name"`
	Status      string   `json:"status"` // memberStatus or invitedStatus
	Roles       []string `json:"roles"`
	Permissions []string `json:"permissions"`
}

const (
	memberStatus  = "member"
	invitedStatus = "invited"
)

func (x *exchange) organization(invitation iam.Invitation) userOrganization {
	status := invitation.StatusAt(x.Now())
	out := userOrganization{
		ID:          invitation.Account.ID,
		Name:        invitation.Account.Name,
		Status:      invitedStatus,
		Roles:       each(invitation.Roles, roleName),
		Permissions: held(invitation, status).Scopes(),
	}
	if status == iam.Accepted {
		out.Status = memberStatus
	}
	return out
}

// listUserOrganizations filters and sorts in memory: the older form combines
// its filters and orders by the account's id, which the store doesn't. It sees
// as many memberships as GET /user shows.
func listUserOrganizations(x *exchange) (answer, error) {
	params := x.query()
	request := params.page(maxPerPage)
	keeps := organizationFilter(params)
	order := params.choice("order", "id", "name", "status")
	descending := params.descending()
	if params.err != nil {
		return answer{}, params.err
	}
	_, invitations, err := x.Service.Me(x.r.Context(), x.actor)
	if err != nil {
		return answer{}, err
	}
	all := slices.DeleteFunc(each(invitations, x.organization), func(o userOrganization) bool { return !keeps(o) })
	slices.SortFunc(all, func(a, b userOrganization) int {
		by := 0
		switch order {
		case "name":
			by = strings.Compare(a.Name, b.Name)
		case "status":
			by = strings.Compare(a.Status, b.Status)
		}
		by = cmp.Or(by, cmp.Compare(a.ID, b.ID))
		if descending {
			return -by
		}
		return by
	})
	from := min(request.Offset(), len(all))
	page := iam.Page[userOrganization]{Items: all[from:min(from+request.Size, len(all))], Total: len(all)}
	return list(page, request, func(o userOrganization) userOrganization { return o }), nil
}

// organizationFilter reads the filters and whether all of them or any must fit.
func organizationFilter(params *query) func(userOrganization) bool {
	name := params.name("name")
	status := params.choice("status", memberStatus, invitedStatus)
	match := params.choice("match", "any", "all")
	return func(o userOrganization) bool {
		byName, byStatus := o.Name == name, o.Status == status
		if match == "any" && name != "" && status != "" {
			return byName || byStatus
		}
		return (name == "" || byName) && (status == "" || byStatus)
	}
}

func readUserOrganization(x *exchange) (answer, error) {
	invitation, err := x.Service.MembershipIn(x.r.Context(), x.actor, x.id("organization_id"))
	if err != nil {
		return answer{}, err
	}
	return one(x.organization(invitation)), nil
}

func leaveOrganization(x *exchange) (answer, error) {
	id := x.id("organization_id")
	return answer{result: onlyID{id}, bare: true}, x.Service.LeaveAccount(x.r.Context(), x.actor, id)
}

// organizationInvite is an invite as its account sees it.
type organizationInvite struct {
	invite[roleInfo[[]string]]

	Locale            *string `json:"locale,omitempty"`             // unless it is the account's
	NeedsConfirmation *bool   `json:"needs_confirmation,omitempty"` // while it is pending
	AskedOn           *moment `json:"asked_on,omitempty"`           // while somebody waits for a new link
}

func organizationInviteOf(m iam.Member, of iam.Account, now time.Time) organizationInvite {
	var memberID *iam.ID // not told before the person accepted
	if m.Status == iam.Accepted {
		memberID = &m.UserID
	}
	out := organizationInvite{invite: inviteOf(m.Membership, of, memberID, olderRoleOf, now), Locale: optional(m.Locale)}
	if out.Status == iam.Pending {
		needs := m.NeedsConfirmation(now)
		out.NeedsConfirmation = &needs
	}
	if !m.AskedOn.IsZero() && (out.Status == iam.Pending || out.Status == iam.Expired) {
		askedOn := moment(m.AskedOn)
		out.AskedOn = &askedOn
	}
	return out
}

func listOrganizationInvites(x *exchange) (answer, error) {
	params := x.query()
	query := iam.InvitationQuery{
		PageRequest: params.page(maxPerPage),
		Status: iam.Status(params.choice("status",
			string(iam.Pending), string(iam.Accepted), string(iam.Rejected), string(iam.Canceled), string(iam.Expired))),
		Asked: params.choice("asked", "true", "false") == "true",
	}
	format := params.format()
	if format != "" && query.Asked {
		params.refuse("asked", "is for pages; leave it out and look for what has an asked_on in the file")
	}
	if params.err != nil {
		return answer{}, params.err
	}
	if format != "" {
		return x.invitesFile(format, query)
	}
	of, page, err := x.Service.AccountInvitations(x.r.Context(), x.actor, x.id("organization_id"), query)
	if err != nil {
		return answer{}, err
	}
	return list(page, query.PageRequest, func(m iam.Member) organizationInvite { return organizationInviteOf(m, of, x.Now()) }), nil
}

func createOrganizationInvite(x *exchange) (answer, error) {
	body, err := x.body()
	if err != nil {
		return answer{}, err
	}
	refusePolicies(body)
	direct := body.flag("auto_accept")
	request := iam.InviteRequest{
		Email:     body.email("invited_member_email"),
		RoleIDs:   body.roles(),
		Direct:    direct != nil && *direct,
		ExpiresOn: body.time("expires_on"),
		EndsOn:    body.time("membership_expires_on"),
		Locale:    body.line("locale"),
		Note:      body.line("note"),
	}
	if err := body.err(); err != nil {
		return answer{}, err
	}
	key, err := x.once(body)
	if err != nil {
		return answer{}, err
	}
	made, err := x.Service.InviteOnce(x.r.Context(), x.actor, x.id("organization_id"), request, key)
	if err != nil {
		return answer{}, inOlderForm(err)
	}
	return organizationInviteMade(made), nil
}

// inOlderForm lets a refusal point to the field under its older name.
func inOlderForm(err error) error {
	var refusal *iam.Error
	if errors.As(err, &refusal) && refusal.Field == "/email" {
		renamed := *refusal
		renamed.Field = "/invited_member_email"
		return &renamed
	}
	return err
}

func readOrganizationInvite(x *exchange) (answer, error) {
	of, found, err := x.Service.AccountInvitation(x.r.Context(), x.actor, x.id("organization_id"), x.id("invite_id"))
	if err != nil {
		return answer{}, err
	}
	return one(organizationInviteOf(found, of, x.Now())), nil
}

func changeOrganizationInvite(x *exchange) (answer, error) {
	body, err := x.body()
	if err != nil {
		return answer{}, err
	}
	edit := body.memberChange()
	if err := body.err(); err != nil {
		return answer{}, err
	}
	changed, err := x.Service.EditInvitation(x.r.Context(), x.actor, x.id("organization_id"), x.id("invite_id"), edit)
	if err != nil {
		return answer{}, err
	}
	return one(organizationInviteOf(changed.Member, changed.Account, changed.At)), nil
}

func cancelOrganizationInvite(x *exchange) (answer, error) {
	id := x.id("invite_id")
	notify, err := x.notify()
	if err != nil {
		return answer{}, err
	}
	return answer{result: onlyID{id}, bare: true}, x.Service.CancelInvitation(x.r.Context(), x.actor, x.id("organization_id"), id, notify)
}

func resendOrganizationInvite(x *exchange) (answer, error) { return x.again(x.Service.Resend) }

func renewOrganizationInvite(x *exchange) (answer, error) { return x.again(x.Service.RenewInvitation) }

// again is sending an invite of the path another time, in one way or another.
func (x *exchange) again(send sending) (answer, error) {
	made, err := x.resent(send, x.id("organization_id"), x.id("invite_id"))
	if err != nil {
		return answer{}, err
	}
	return organizationInviteMade(made), nil
}

// sending is a use case that sends an invitation another time.
type sending func(
	ctx context.Context, actor iam.Actor, accountID, id iam.ID, expiresOn time.Time, key iam.IdempotencyKey,
) (iam.Replayable[iam.Invited], error)

func (x *exchange) resent(send sending, accountID, id iam.ID) (iam.Replayable[iam.Invited], error) {
	body, err := x.optionalBody()
	if err != nil {
		return iam.Replayable[iam.Invited]{}, err
	}
	expiresOn := body.time("expires_on")
	if err := body.err(); err != nil {
		return iam.Replayable[iam.Invited]{}, err
	}
	key, err := x.once(body)
	if err != nil {
		return iam.Replayable[iam.Invited]{}, err
	}
	return send(x.r.Context(), x.actor, accountID, id, expiresOn, key)
}

func confirmOrganizationInvite(x *exchange) (answer, error) {
	key, err := x.onceUnread()
	if err != nil {
		return answer{}, err
	}
	made, err := x.Service.ConfirmInvitation(x.r.Context(), x.actor, x.id("organization_id"), x.id("invite_id"), key)
	if err != nil {
		return answer{}, err
	}
	return organizationInviteMade(made), nil
}

// linkedInvite is an invite whose link is shown: null where it was shown before.
type linkedInvite struct {
	organizationInvite

	Link *string `json:"link"`
}

func linkOrganizationInvite(x *exchange) (answer, error) {
	key, err := x.onceUnread()
	if err != nil {
		return answer{}, err
	}
	made, link, err := x.Service.ShowLink(x.r.Context(), x.actor, x.id("organization_id"), x.id("invite_id"), key, x.InvitationLink)
	if err != nil {
		return answer{}, err
	}
	invited := made.Result
	return answer{
		result:   linkedInvite{organizationInviteOf(invited.Member, invited.Account, invited.At), optional(link)},
		replayed: made.Replayed,
	}, nil
}

func organizationInviteMade(made iam.Replayable[iam.Invited]) answer {
	invited := made.Result
	return answer{
		result:   organizationInviteOf(invited.Member, invited.Account, invited.At),
		messages: remark(invited), replayed: made.Replayed,
	}
}
