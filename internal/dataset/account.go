package dataset

import (
	"time"

	"go.yaml.in/yaml/v3"

	"hither/internal/iam"
)

func newAccount(line int) iam.ImportAccount { return iam.ImportAccount{Line: line} }

func accountFields() []field[iam.ImportAccount] {
	type row = iam.ImportAccount
	settings := settingFields()
	return []field[row]{
		{name: "id", read: into(func(a *row) *iam.ID { return &a.ID }, rowID)},
		{name: "name", required: true, read: into(func(a *row) *string { return &a.Name }, text)},
		{name: "type", read: into(func(a *row) *iam.AccountType { return &a.Type }, oneOf(iam.Standard, iam.Enterprise))},
		{name: "settings", read: func(r *reader, path string, n *yaml.Node, a *row) {
			mapping(r, path, n, settings, a)
		}},
		{name: "suspended", read: into(func(a *row) *bool { return &a.Suspended }, boolean)},
		{name: "created_on", read: into(func(a *row) *time.Time { return &a.CreatedOn }, moment)},
	}
}

func settingFields() []field[iam.ImportAccount] {
	type row = iam.ImportAccount
	return []field[row]{
		{name: "enforce_twofactor", read: into(func(a *row) *bool { return &a.EnforceTwoFactor }, boolean)},
		{name: "abuse_contact_email", read: into(func(a *row) *string { return &a.AbuseContactEmail }, text)},
		{name: "default_invite_lifetime", read: into(func(a *row) *time.Duration { return &a.InviteLifetime }, lifetime)},
		{name: "invite_domains", read: into(func(a *row) *iam.InviteDomains { return &a.InviteDomains }, inviteDomains)},
		{name: "member_limit", read: into(func(a *row) *int { return &a.MemberLimit }, number)},
	}
}

// inviteDomains are the domains whose addresses an account invites.
func inviteDomains(r *reader, path string, n *yaml.Node) (iam.InviteDomains, bool) {
	names, ok := list(text)(r, path, n)
	if !ok {
		return "", false
	}
	domains, err := iam.NewInviteDomains("", names)
	if err != nil {
		r.problemf(n.Line, path, "%s", err.Error())
	}
	return domains, err == nil
}
