package api

import "hither/internal/iam"

// user is the user who asks.
type user struct {
	ID                 iam.ID             `json:"id"`
	Email              string             `json:"email"`
	FirstName          *string            `json:"first_name"`
	LastName           *string            `json:"last_name"`
	Telephone          *string            `json:"telephone"`
	Country            *string            `json:"country"`
	Zipcode            *string            `json:"zipcode"`
	TwoFactor          bool               `json:"two_factor_authentication_enabled"`
	TwoFactorLocked    bool               `json:"two_factor_authentication_locked"`
	Suspended          bool               `json:"suspended"`
	HasProZones        bool               `json:"has_pro_zones"` // the upstream's product: always false, as the next two
	HasBusinessZones   bool               `json:"has_business_zones"`
	HasEnterpriseZones bool               `json:"has_enterprise_zones"`
	Betas              []string           `json:"betas"` // likewise: always empty
	Organizations      []userOrganization `json:"organizations"`
}

func (x *exchange) user(u iam.User, invitations []iam.Invitation) user {
	out := user{
		ID:            u.ID,
		Email:         u.Email,
		FirstName:     optional(u.FirstName),
		LastName:      optional(u.LastName),
		Telephone:     optional(u.Telephone),
		Country:       optional(u.Country),
		Zipcode:       optional(u.Zipcode),
		TwoFactor:     u.HasFactor(),
		Suspended:     u.Suspended,
		Betas:         []string{},
		Organizations: each(invitations, x.organization),
	}
	for _, invitation := range invitations {
		// An account that the user is a member of asks for the second factor.
		if invitation.Status == iam.Accepted && invitation.Account.EnforceTwoFactor {
			out.TwoFactorLocked = true
		}
	}
	return out
}

func readUser(x *exchange) (answer, error) {
	me, invitations, err := x.Service.Me(x.r.Context(), x.actor)
	if err != nil {
		return answer{}, err
	}
	return one(x.user(me, invitations)), nil
}

func changeUser(x *exchange) (answer, error) {
	body, err := x.body()
	if err != nil {
		return answer{}, err
	}
	profile := iam.Profile{
		FirstName: body.clearable("first_name"),
		LastName:  body.clearable("last_name"),
		Telephone: body.clearable("telephone"),
		Country:   body.clearable("country"),
		Zipcode:   body.clearable("zipcode"),
	}
	if err := body.err(); err != nil {
		return answer{}, err
	}
	// Read first: what is committed must not be answered with a failed read.
	_, invitations, err := x.Service.Me(x.r.Context(), x.actor)
	if err != nil {
		return answer{}, err
	}
	changed, err := x.Service.EditMe(x.r.Context(), x.actor, profile)
	if err != nil {
		return answer{}, err
	}
	return one(x.user(changed, invitations)), nil
}
