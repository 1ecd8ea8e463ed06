package iam

import "time"

// AccountType is the plan family that the wire shows; it changes no rule.
type AccountType string

// The types of the wire.
const (
	Standard   AccountType = "standard"
	Enterprise AccountType = "enterprise"
)

// Account is the tenant; on older paths of the wire it is an organization.
type Account struct {
	ID                ID
	Name              string
	Type              AccountType
	EnforceTwoFactor  bool
	AbuseContactEmail string        // free text, as upstream; "" shows as null
	InviteLifetime    time.Duration // 0: DefaultLifetime
	InviteDomains     InviteDomains // whom it invites
	MemberLimit       int           // seats; pending and accepted count. 0: no limit
	Suspended         bool
	NeedsSuperAdmin   bool // the operator took the last one away on purpose
	CreatedOn         time.Time
}

// Bounds of an account's fields.
const (
	MaxAccountName  = 100
	MaxAbuseContact = 254
)

// The lifetime of an invitation: unless set, and its bounds.
const (
	DefaultLifetime = 7 * 24 * time.Hour
	MinLifetime     = time.Hour
	MaxLifetime     = 90 * 24 * time.Hour
)

// Lifetime is how long the account's invitations live.
func (a Account) Lifetime() time.Duration {
	if a.InviteLifetime == 0 {
		return DefaultLifetime
	}
	return a.InviteLifetime
}

// AccountEdit is a change of an account; nil leaves a field as it is. Type,
// MemberLimit and Suspended are the operator's: from others they are ignored,
// since clients send the whole object back.
type AccountEdit struct {
	Name              *string
	EnforceTwoFactor  *bool
	AbuseContactEmail *string
	InviteLifetime    *time.Duration
	InviteDomains     *[]string // none: every domain

	Type        *AccountType
	MemberLimit *int
	Suspended   *bool
}

// Apply returns the account with the edit's fields set.
func (e AccountEdit) Apply(a Account, operator bool) (Account, error) {
	var err error
	if e.Name != nil {
		if a.Name, err = AccountName(*e.Name); err != nil {
			return Account{}, err
		}
	}
	if e.EnforceTwoFactor != nil {
		a.EnforceTwoFactor = *e.EnforceTwoFactor
	}
	if e.AbuseContactEmail != nil {
		if a.AbuseContactEmail, err = line("/settings/abuse_contact_email", *e.AbuseContactEmail, MaxAbuseContact); err != nil {
			return Account{}, err
		}
	}
	if e.InviteLifetime != nil {
		if *e.InviteLifetime < MinLifetime || *e.InviteLifetime > MaxLifetime {
			return Account{}, invalid("/settings/default_invite_lifetime", "must be %d to %d seconds",
				int(MinLifetime.Seconds()), int(MaxLifetime.Seconds()))
		}
		a.InviteLifetime = *e.InviteLifetime
	}
	if e.InviteDomains != nil {
		if a.InviteDomains, err = NewInviteDomains("/settings/invite_domains", *e.InviteDomains); err != nil {
			return Account{}, err
		}
	}
	if !operator {
		return a, nil
	}
	return e.applyOperators(a)
}

func (e AccountEdit) applyOperators(a Account) (Account, error) {
	if e.Type != nil {
		if *e.Type != Standard && *e.Type != Enterprise {
			return Account{}, invalid("/type", "must be %q or %q", Standard, Enterprise)
		}
		a.Type = *e.Type
	}
	if e.MemberLimit != nil {
		if *e.MemberLimit < 0 {
			return Account{}, invalid("/settings/member_limit", "must be 0 (no limit) or more")
		}
		a.MemberLimit = *e.MemberLimit
	}
	if e.Suspended != nil {
		a.Suspended = *e.Suspended
	}
	return a, nil
}

// AccountName checks a name: 1 to MaxAccountName characters on one line.
func AccountName(s string) (string, error) {
	name, err := line("/name", s, MaxAccountName)
	if err != nil {
		return "", err
	}
	if name == "" {
		return "", invalid("/name", "is required: 1 to %d characters", MaxAccountName)
	}
	return name, nil
}
