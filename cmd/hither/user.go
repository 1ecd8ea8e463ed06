package main

import (
	"context"

	"hither/internal/clock"
	"hither/internal/iam"
)

// userCommands are `hither user …`.
type userCommands struct {
	List    userListCommand    `cmd:"" help:"List all users, oldest first."`
	Add     userAddCommand     `cmd:"" help:"Add a user. The address counts as proven unless --unverified says otherwise."`
	Show    userShowCommand    `cmd:"" help:"Show a user and its memberships."`
	Set     userSetCommand     `cmd:"" help:"Set facts about a user."`
	Disable userDisableCommand `cmd:"" help:"Refuse every credential of a user from its next request on."`
	Enable  userEnableCommand  `cmd:"" help:"Take a disabling back."`
	Erase   userEraseCommand   `cmd:"" help:"Take a person out of the database for good: addresses and names go, its memberships end, its credentials die."`

	ResetFactor userResetFactorCommand `cmd:"" help:"Take away the second factor of a user who lost it, with its recovery codes, and end its sessions."`
	Identities  userIdentitiesCommand  `cmd:"" help:"List who a user is at identity providers."`
	Unlink      userUnlinkCommand      `cmd:"" help:"Take an identity from a user, and end its sessions."`
}

func userRecord(u iam.User) record {
	return record{
		{"id", u.ID},
		{"email", u.Email},
		{"verified", u.Verified},
		{"two_factor", u.HasFactor()},
		{"operator", u.Operator},
		{"disabled", u.Suspended},
		{"first_name", u.FirstName},
		{"last_name", u.LastName},
		{"locale", u.Locale},
		{"created_on", u.CreatedOn},
	}
}

type userListCommand struct{ admin }

// Run prints every user.
func (c *userListCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		users, err := every(func(page iam.PageRequest) (iam.Page[iam.User], error) {
			return s.service.Users(ctx, s.actor, page)
		})
		if err != nil {
			return err
		}
		records := make([]record, len(users))
		for i, user := range users {
			records[i] = userRecord(user)
		}
		return s.list(records, "id", "email", "verified", "two_factor", "operator", "disabled", "created_on")
	})
}

type userAddCommand struct {
	admin
	Email      string `arg:"" help:"The user's address."`
	Unverified bool   `help:"The address is yet to be proven; until then the user sees no invitation."`
	TwoFactor  bool   `help:"The user has a second factor where it signs in otherwise."`
	Operator   bool   `help:"The user carries the operator's rights beside its own."`
	FirstName  string `placeholder:"NAME"`
	LastName   string `placeholder:"NAME"`
}

// Run adds a user.
func (c *userAddCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		user, err := s.service.CreateUser(ctx, s.actor, iam.User{
			Email: c.Email, Verified: !c.Unverified, TwoFactor: c.TwoFactor, Operator: c.Operator, FirstName: c.FirstName, LastName: c.LastName,
		})
		if err != nil {
			return err
		}
		return s.one(userRecord(user))
	})
}

type userShowCommand struct {
	admin
	User string `arg:"" help:"Id or address."`
}

// Run prints a user with the accounts that it belongs to or is invited to.
func (c *userShowCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		user, err := s.user(ctx, c.User)
		if err != nil {
			return err
		}
		now := clock.Now()
		rows, err := every(func(page iam.PageRequest) (iam.Page[iam.Invitation], error) {
			query := iam.MembershipQuery{PageRequest: page, Statuses: []iam.Status{iam.Pending, iam.Accepted}, Order: iam.ByAccountName}
			return s.store.Memberships(ctx, user.Invitee(), query, now)
		})
		if err != nil {
			return err
		}
		memberships := make([]record, len(rows))
		for i, row := range rows {
			memberships[i] = record{
				{"id", row.ID},
				{"account_id", row.AccountID},
				{"account", row.Account.Name},
				{"status", string(row.StatusAt(now))},
				{"roles", roleNames(row.Roles)},
			}
		}
		if s.json {
			return writeJSON(s.out, append(userRecord(user), attribute{"memberships", memberships}))
		}
		if err := s.one(userRecord(user)); err != nil || len(memberships) == 0 {
			return err
		}
		if err := s.say(""); err != nil {
			return err
		}
		return s.list(memberships, "id", "account_id", "account", "status", "roles")
	})
}

func roleNames(roles []iam.Role) []string {
	names := make([]string, len(roles))
	for i, role := range roles {
		names[i] = role.Name
	}
	return names
}
