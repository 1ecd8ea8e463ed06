package api

import (
	"time"

	"hither/internal/iam"
)

// account is a tenant.
type account struct {
	ID        iam.ID          `json:"id"`
	Name      string          `json:"name"`
	Type      iam.AccountType `json:"type"`
	Settings  any             `json:"settings"` // settings, or a glimpse of them
	CreatedOn moment          `json:"created_on"`
}

type settings struct {
	EnforceTwoFactor      bool     `json:"enforce_twofactor"`
	AbuseContactEmail     *string  `json:"abuse_contact_email"`
	DefaultInviteLifetime int      `json:"default_invite_lifetime"` // seconds
	InviteDomains         []string `json:"invite_domains"`          // none: every domain
	MemberLimit           *int     `json:"member_limit"`            // null: none
}

// glimpse is what somebody who is invited has to know of the settings.
type glimpse struct {
	EnforceTwoFactor bool `json:"enforce_twofactor"`
}

func accountOf(a iam.Account) account {
	shown := settings{
		EnforceTwoFactor:      a.EnforceTwoFactor,
		AbuseContactEmail:     optional(a.AbuseContactEmail),
		DefaultInviteLifetime: int(a.Lifetime() / time.Second),
		InviteDomains:         a.InviteDomains.List(),
	}
	if a.MemberLimit > 0 {
		shown.MemberLimit = &a.MemberLimit
	}
	return account{ID: a.ID, Name: a.Name, Type: a.Type, Settings: shown, CreatedOn: moment(a.CreatedOn)}
}

// accountOfMembership is the account as its member sees it; before acceptance
// what is not needed for that stays the account's.
func accountOfMembership(a iam.Account, status iam.Status) account {
	out := accountOf(a)
	if status != iam.Accepted {
		out.Settings = glimpse{EnforceTwoFactor: a.EnforceTwoFactor}
	}
	return out
}

func listAccounts(x *exchange) (answer, error) {
	params := x.query()
	query := iam.AccountQuery{PageRequest: params.page(maxPerPage), Name: params.name("name"), Descending: params.descending()}
	if params.err != nil {
		return answer{}, params.err
	}
	page, err := x.Service.Accounts(x.r.Context(), x.actor, query)
	if err != nil {
		return answer{}, err
	}
	return list(page, query.PageRequest, accountOf), nil
}

func createAccount(x *exchange) (answer, error) {
	body, err := x.body()
	if err != nil {
		return answer{}, err
	}
	request := iam.NewAccount{
		Name: body.required("name"),
		Type: iam.AccountType(body.choice("type", string(iam.Standard), string(iam.Enterprise))),
	}
	if err := body.err(); err != nil {
		return answer{}, err
	}
	key, err := x.once(body)
	if err != nil {
		return answer{}, err
	}
	created, err := x.Service.CreateAccountOnce(x.r.Context(), x.actor, request, key)
	if err != nil {
		return answer{}, err
	}
	return answer{result: accountOf(created.Result), replayed: created.Replayed}, nil
}

func readAccount(x *exchange) (answer, error) {
	found, err := x.Service.Account(x.r.Context(), x.actor, x.id("account_id"))
	if err != nil {
		return answer{}, err
	}
	return one(accountOf(found)), nil
}

func changeAccount(x *exchange) (answer, error) {
	body, err := x.body()
	if err != nil {
		return answer{}, err
	}
	edit := accountEdit(body, x.actor.Operator())
	if err := body.err(); err != nil {
		return answer{}, err
	}
	changed, err := x.Service.EditAccount(x.r.Context(), x.actor, x.id("account_id"), edit)
	if err != nil {
		return answer{}, err
	}
	return one(accountOf(changed)), nil
}

// accountEdit reads what a change of an account may name. What is left out
// stays; what clients send back beside it is not looked at: ids, dates, and
// from all but the operator the type and the member limit.
func accountEdit(body *fields, operator bool) iam.AccountEdit {
	const mostSeconds = int(iam.MaxLifetime / time.Second)
	const mostMembers = 1 << 30
	name := body.required("name")
	in := body.object("settings")
	edit := iam.AccountEdit{
		Name:              &name,
		EnforceTwoFactor:  in.flag("enforce_twofactor"),
		AbuseContactEmail: in.clearable("abuse_contact_email"),
	}
	if seconds := in.number("default_invite_lifetime", mostSeconds); seconds != nil {
		lifetime := time.Duration(*seconds) * time.Second
		edit.InviteLifetime = &lifetime
	}
	edit.InviteDomains = in.texts("invite_domains")
	if !operator {
		return edit
	}
	if kind := body.choice("type", string(iam.Standard), string(iam.Enterprise)); kind != "" {
		accountType := iam.AccountType(kind)
		edit.Type = &accountType
	}
	edit.MemberLimit = in.number("member_limit", mostMembers)
	if in.has("member_limit") && in.values["member_limit"] == nil {
		edit.MemberLimit = new(int) // null reads as no limit, and is written so
	}
	return edit
}

func deleteAccount(x *exchange) (answer, error) {
	id := x.id("account_id")
	return one(onlyID{id}), x.Service.DeleteAccount(x.r.Context(), x.actor, id)
}
