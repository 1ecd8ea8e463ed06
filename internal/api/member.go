package api

import (
	"time"

	"hither/internal/iam"
)

// memberInfo is a row as its account sees it. What follows User is said while
// it is pending only, but for the end that its membership may have then.
type memberInfo struct {
	ID                iam.ID     `json:"id"`
	Email             string     `json:"email"`
	Status            iam.Status `json:"status"`
	Roles             []heldRole `json:"roles"`
	User              any        `json:"user"` // memberUser, before acceptance onlyEmail
	InvitedBy         *string    `json:"invited_by,omitempty"`
	InvitedOn         *moment    `json:"invited_on,omitempty"`
	ExpiresOn         *moment    `json:"expires_on,omitempty"`
	MembershipEndsOn  *moment    `json:"membership_expires_on,omitempty"`
	NeedsConfirmation *bool      `json:"needs_confirmation,omitempty"`
	Locale            *string    `json:"locale,omitempty"` // unless it is the account's
	Note              *string    `json:"note,omitempty"`
}

// memberUser is the person behind an accepted row.
type memberUser struct {
	ID        iam.ID  `json:"id"`
	Email     string  `json:"email"`
	FirstName *string `json:"first_name"`
	LastName  *string `json:"last_name"`
	TwoFactor bool    `json:"two_factor_authentication_enabled"`
}

// onlyEmail is all that an account knows of somebody who has not accepted.
type onlyEmail struct {
	Email string `json:"email"`
}

func (x *exchange) member(m iam.Member) memberInfo { return x.memberAt(m, x.Now()) }

func (a *wire) memberAt(m iam.Member, now time.Time) memberInfo {
	status := m.StatusAt(now)
	out := memberInfo{ID: m.ID, Email: m.Email, Status: status, Roles: each(m.Roles, a.held), User: onlyEmail{m.Email}}
	if status == iam.Accepted {
		out.User = memberUser{m.User.ID, m.User.Email, optional(m.User.FirstName), optional(m.User.LastName), m.User.HasFactor()}
	}
	if status == iam.Accepted {
		out.ExpiresOn = ifAny(m.EndsOn)
	}
	if status == iam.Pending {
		// The text alone: a pointer into m would keep a copy of m for each row.
		invitedBy, invitedOn, expiresOn, needs := m.InvitedBy, moment(m.InvitedOn), moment(m.ExpiresOn), m.NeedsConfirmation(now)
		out.InvitedBy, out.InvitedOn, out.ExpiresOn, out.NeedsConfirmation = &invitedBy, &invitedOn, &expiresOn, &needs
		out.MembershipEndsOn, out.Locale, out.Note = ifAny(m.EndsOn), optional(m.Locale), optional(m.Note)
	}
	return out
}

func listMembers(x *exchange) (answer, error) {
	params := x.query()
	query := iam.MemberQuery{
		PageRequest: params.page(maxPerPage),
		Status:      iam.Status(params.choice("status", string(iam.Accepted), string(iam.Pending), string(iam.Rejected))),
		Email:       params.email("email"),
		Order: iam.MemberOrder(params.choice("order",
			string(iam.ByFirstName), string(iam.ByLastName), string(iam.ByEmail), string(iam.ByMemberStatus))),
		Descending: params.descending(),
	}
	format := params.format()
	if format != "" && query.Order != "" {
		params.refuse("order", orderOfFile)
	}
	if params.err != nil {
		return answer{}, params.err
	}
	if format != "" {
		return x.membersFile(format, query)
	}
	page, err := x.Service.Members(x.r.Context(), x.actor, x.id("account_id"), query)
	if err != nil {
		return answer{}, err
	}
	return list(page, query.PageRequest, x.member), nil
}

func addMember(x *exchange) (answer, error) {
	body, err := x.body()
	if err != nil {
		return answer{}, err
	}
	refusePolicies(body)
	request := iam.InviteRequest{
		Email:     body.email("email"),
		RoleIDs:   body.roles(),
		Direct:    body.choice("status", string(iam.Pending), string(iam.Accepted)) == string(iam.Accepted),
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
	made, err := x.Service.InviteOnce(x.r.Context(), x.actor, x.id("account_id"), request, key)
	if err != nil {
		return answer{}, err
	}
	return x.memberMade(made), nil
}

func (x *exchange) memberMade(made iam.Replayable[iam.Invited]) answer {
	invited := made.Result
	return answer{result: x.memberAt(invited.Member, invited.At), messages: remark(invited), replayed: made.Replayed}
}

// remark says what there is to say about an invitation beside that it stands.
func remark(invited iam.Invited) []notice {
	if invited.Message == "" {
		return nil
	}
	_, code := statusAndCode(iam.AlreadyInvited)
	return []notice{{Code: code, Message: invited.Message}}
}

// refusePolicies says that policies are not served yet, rather than to ignore
// what somebody takes for a restriction.
func refusePolicies(body *fields) {
	if body.values["policies"] != nil {
		body.refuse(invalid("/policies", "policies are not available; name roles instead"))
	}
}

// memberChange reads what is to be changed of a member or an invitation.
func (f *fields) memberChange() iam.MemberChange {
	refusePolicies(f)
	resend := f.flag("resend")
	return iam.MemberChange{
		RoleIDs: f.roles(), ExpiresOn: f.moment("expires_on"), EndsOn: f.moment("membership_expires_on"),
		Locale: f.clearable("locale"), Note: f.clearable("note"), Resend: resend != nil && *resend,
	}
}

func readMember(x *exchange) (answer, error) {
	found, err := x.Service.Member(x.r.Context(), x.actor, x.id("account_id"), x.id("member_id"))
	if err != nil {
		return answer{}, err
	}
	return one(x.member(found)), nil
}

func changeMember(x *exchange) (answer, error) {
	body, err := x.body()
	if err != nil {
		return answer{}, err
	}
	edit := body.memberChange()
	if err := body.err(); err != nil {
		return answer{}, err
	}
	changed, err := x.Service.EditMember(x.r.Context(), x.actor, x.id("account_id"), x.id("member_id"), edit)
	if err != nil {
		return answer{}, err
	}
	return one(x.memberAt(changed.Member, changed.At)), nil
}

func removeMember(x *exchange) (answer, error) {
	id := x.id("member_id")
	notify, err := x.notify()
	if err != nil {
		return answer{}, err
	}
	return one(onlyID{id}), x.Service.RemoveMember(x.r.Context(), x.actor, x.id("account_id"), id, false, notify)
}

// notify reads whether the invited is to hear that its invitation is withdrawn.
func (x *exchange) notify() (bool, error) {
	params := x.query()
	return params.choice("notify", "true", "false") == "true", params.err
}

func resendMember(x *exchange) (answer, error) {
	made, err := x.resent(x.Service.Resend, x.id("account_id"), x.id("member_id"))
	if err != nil {
		return answer{}, err
	}
	return x.memberMade(made), nil
}
