package api

import "hither/internal/iam"

// membership is a row as its user sees it.
type membership struct {
	ID               iam.ID      `json:"id"`
	Status           iam.Status  `json:"status"`
	Roles            []string    `json:"roles"`
	Permissions      permissions `json:"permissions"`
	Account          account     `json:"account"`
	APIAccessEnabled *bool       `json:"api_access_enabled"`   // null: the account leaves it open
	ExpiresOn        *moment     `json:"expires_on,omitempty"` // its end, where it has one
}

func (x *exchange) membership(invitation iam.Invitation) membership {
	status := invitation.StatusAt(x.Now())
	return membership{
		ID:          invitation.ID,
		Status:      status,
		Roles:       each(invitation.Roles, roleName),
		Permissions: permissionsOf(held(invitation, status)),
		Account:     accountOfMembership(invitation.Account, status),
		ExpiresOn:   ifAny(invitation.EndsOn),
	}
}

// held are the permissions that a membership gives its user: none before it
// was accepted, so that nobody takes an invitation for a right.
func held(invitation iam.Invitation, status iam.Status) iam.Permissions {
	if status != iam.Accepted {
		return nil
	}
	return iam.RightsOf(invitation.Roles).Permissions
}

func listMemberships(x *exchange) (answer, error) {
	params := x.query()
	query := iam.MembershipQuery{
		PageRequest: params.page(maxPerPage),
		AccountName: params.name("account.name"),
		Order: iam.MembershipOrder(params.choice("order",
			string(iam.ByMembershipID), string(iam.ByAccountName), string(iam.ByMembershipStatus))),
		Descending: params.descending(),
	}
	if name := params.name("name"); name != "" {
		if query.AccountName != "" && query.AccountName != name {
			params.refuse("name", "and account.name are the same filter and must not differ")
		}
		query.AccountName = name
	}
	if status := params.choice("status", string(iam.Accepted), string(iam.Pending), string(iam.Rejected)); status != "" {
		query.Statuses = []iam.Status{iam.Status(status)}
	}
	if params.err != nil {
		return answer{}, params.err
	}
	page, err := x.Service.Memberships(x.r.Context(), x.actor, query)
	if err != nil {
		return answer{}, err
	}
	return list(page, query.PageRequest, x.membership), nil
}

func readMembership(x *exchange) (answer, error) {
	invitation, err := x.Service.Membership(x.r.Context(), x.actor, x.id("membership_id"))
	if err != nil {
		return answer{}, err
	}
	return one(x.membership(invitation)), nil
}

func answerMembership(x *exchange) (answer, error) {
	status, err := x.answeredStatus()
	if err != nil {
		return answer{}, err
	}
	invitation, err := x.Service.AnswerMembership(x.r.Context(), x.actor, x.id("membership_id"), status)
	if err != nil {
		return answer{}, err
	}
	return one(x.membership(invitation)), nil
}

func leaveMembership(x *exchange) (answer, error) {
	id := x.id("membership_id")
	return one(onlyID{id}), x.Service.Leave(x.r.Context(), x.actor, id)
}
