package api

import (
	"slices"
	"time"

	"hither/internal/iam"
)

// invite is a membership while and because somebody was asked. Its user sees
// the names of roles, its account the roles.
type invite[Role any] struct {
	ID                 iam.ID     `json:"id"`
	InvitedMemberID    *iam.ID    `json:"invited_member_id"`
	InvitedMemberEmail string     `json:"invited_member_email"`
	OrganizationID     iam.ID     `json:"organization_id"`
	OrganizationName   string     `json:"organization_name"`
	EnforcingTwoFactor bool       `json:"organization_is_enforcing_twofactor"`
	InvitedBy          string     `json:"invited_by"`
	InvitedOn          moment     `json:"invited_on"`
	ExpiresOn          moment     `json:"expires_on"`
	Roles              []Role     `json:"roles"`
	Status             iam.Status `json:"status"`
	Note               *string    `json:"note,omitempty"`
	MembershipEndsOn   *moment    `json:"membership_expires_on,omitempty"`
}

func inviteOf[Role any](row iam.Membership, account iam.Account, memberID *iam.ID, roleOf func(iam.Role) Role, now time.Time) invite[Role] {
	return invite[Role]{
		ID:                 row.ID,
		InvitedMemberID:    memberID,
		InvitedMemberEmail: row.Email,
		OrganizationID:     account.ID,
		OrganizationName:   account.Name,
		EnforcingTwoFactor: account.EnforceTwoFactor,
		InvitedBy:          row.InvitedBy,
		InvitedOn:          moment(row.InvitedOn),
		ExpiresOn:          moment(row.ExpiresOn),
		Roles:              each(row.Roles, roleOf),
		Status:             row.StatusAt(now),
		Note:               optional(row.Note),
		MembershipEndsOn:   ifAny(row.EndsOn),
	}
}

// invite is the form in which the user who asks sees one of its invitations:
// the id of the invited is its own.
func (x *exchange) invite(invitation iam.Invitation) invite[string] {
	return inviteOf(invitation.Membership, invitation.Account, &x.actor.User.ID, roleName, x.Now())
}

func listInvites(x *exchange) (answer, error) {
	query := x.query()
	status := query.choice("status", string(iam.Pending), string(iam.Accepted), string(iam.Rejected), string(iam.Expired))
	if query.err != nil {
		return answer{}, query.err
	}
	var statuses []iam.Status
	if status != "" {
		statuses = []iam.Status{iam.Status(status)}
	}
	invitations, err := x.Service.Invitations(x.r.Context(), x.actor, statuses)
	if err != nil {
		return answer{}, err
	}
	page := iam.Page[iam.Invitation]{Items: invitations, Total: len(invitations)}
	return list(page, iam.PageRequest{Number: 1, Size: iam.MaxInvitations}, x.invite), nil
}

func readInvite(x *exchange) (answer, error) {
	invitation, err := x.Service.Invitation(x.r.Context(), x.actor, x.id("invite_id"))
	if err != nil {
		return answer{}, err
	}
	return one(x.invite(invitation)), nil
}

func answerInvite(x *exchange) (answer, error) {
	status, err := x.answeredStatus()
	if err != nil {
		return answer{}, err
	}
	invitation, err := x.Service.AnswerInvitation(x.r.Context(), x.actor, x.id("invite_id"), status)
	if err != nil {
		return answer{}, err
	}
	return one(x.invite(invitation)), nil
}

func remindOfInvite(x *exchange) (answer, error) {
	body, err := x.body()
	if err != nil {
		return answer{}, err
	}
	reminder := iam.Reminder{On: body.time("remind_on")}
	if days := body.number("in_days", slices.Max(iam.ReminderDays())); days != nil {
		reminder.InDays = *days
	}
	if err := body.err(); err != nil {
		return answer{}, err
	}
	key, err := x.once(body)
	if err != nil {
		return answer{}, err
	}
	made, err := x.Service.RemindLater(x.r.Context(), x.actor, x.id("invite_id"), reminder, key)
	if err != nil {
		return answer{}, err
	}
	return answer{result: x.invite(made.Result), replayed: made.Replayed}, nil
}

// answeredStatus reads the body of an answer: accepted or rejected.
func (x *exchange) answeredStatus() (iam.Status, error) {
	body, err := x.body()
	if err != nil {
		return "", err
	}
	body.required("status")
	status := body.choice("status", string(iam.Accepted), string(iam.Rejected))
	return iam.Status(status), body.err()
}

// each is a list in another form; never null on the wire.
func each[From, To any](items []From, of func(From) To) []To {
	out := make([]To, len(items))
	for i, item := range items {
		out[i] = of(item)
	}
	return out
}
