package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"hither/internal/iam"
)

// accountCommands are `hither account …`.
type accountCommands struct {
	List         accountListCommand         `cmd:"" help:"List all accounts, by name."`
	Add          accountAddCommand          `cmd:"" help:"Add an account. It is empty; add-member gives it its Super Administrator."`
	Show         accountShowCommand         `cmd:"" help:"Show an account."`
	Set          accountSetCommand          `cmd:"" help:"Change an account's settings and limits."`
	Brand        accountBrandCommand        `cmd:"" help:"Show or change how the account looks on its pages and in its messages."`
	Delete       accountDeleteCommand       `cmd:"" help:"Delete an account for good; all of its members and invitations end."`
	Members      accountMembersCommand      `cmd:"" help:"List an account's members."`
	AddMember    accountAddMemberCommand    `cmd:"" help:"Add a member without asking; an address that has no user gets one."`
	RemoveMember accountRemoveMemberCommand `cmd:"" help:"Remove a member, or withdraw an invitation."`
}

func accountRecord(a iam.Account) record {
	return record{
		{"id", a.ID},
		{"name", a.Name},
		{"type", string(a.Type)},
		{"enforce_twofactor", a.EnforceTwoFactor},
		{"abuse_contact_email", a.AbuseContactEmail},
		{"default_invite_lifetime", a.Lifetime()},
		{"invite_domains", a.InviteDomains.List()},
		{"member_limit", limit(a.MemberLimit)},
		{"suspended", a.Suspended},
		{"needs_super_administrator", a.NeedsSuperAdmin},
		{"created_on", a.CreatedOn},
	}
}

type accountListCommand struct{ admin }

// Run prints every account.
func (c *accountListCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		accounts, err := every(func(page iam.PageRequest) (iam.Page[iam.Account], error) {
			return s.service.Accounts(ctx, s.actor, iam.AccountQuery{PageRequest: page})
		})
		if err != nil {
			return err
		}
		records := make([]record, len(accounts))
		for i, account := range accounts {
			records[i] = accountRecord(account)
		}
		return s.list(records, "id", "name", "type", "member_limit", "suspended", "needs_super_administrator", "created_on")
	})
}

type accountAddCommand struct {
	admin
	Name string `arg:"" help:"The account's name."`
	Type string `default:"standard" enum:"standard,enterprise" help:"standard or enterprise; it changes no rule." placeholder:"TYPE"`
}

// Run adds an account.
func (c *accountAddCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		account, err := s.service.CreateAccount(ctx, s.actor, iam.NewAccount{Name: c.Name, Type: iam.AccountType(c.Type)})
		if err != nil {
			return err
		}
		return s.one(accountRecord(account))
	})
}

type accountShowCommand struct {
	admin
	Account string `arg:"" help:"Id or name."`
}

// Run prints an account and how many members it has.
func (c *accountShowCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		account, err := s.account(ctx, c.Account)
		if err != nil {
			return err
		}
		r := accountRecord(account)
		for _, status := range []iam.Status{iam.Accepted, iam.Pending} {
			query := iam.MemberQuery{PageRequest: iam.PageRequest{Number: 1, Size: 1}, Status: status}
			page, err := s.service.Members(ctx, s.actor, account.ID, query)
			if err != nil {
				return err
			}
			r = append(r, attribute{string(status) + "_members", page.Total})
		}
		return s.one(r)
	})
}

type accountSetCommand struct {
	admin
	Account               string         `arg:"" help:"Id or name."`
	Name                  *string        `help:"A new name." placeholder:"NAME"`
	Type                  *string        `help:"standard or enterprise." placeholder:"TYPE"`
	EnforceTwoFactor      *bool          `help:"Who accepts an invitation must have a second factor, or need not." negatable:""`
	AbuseContact          *string        `help:"Where to complain; \"\" takes it away." placeholder:"TEXT"`
	DefaultInviteLifetime *time.Duration `help:"How long invitations live unless they say otherwise, 1h to 2160h." placeholder:"TIME"`
	InviteDomains         *string        `help:"The only domains whose addresses it invites, a comma between each two: example.com, or *.example.com for those below it; \"\" for every domain." placeholder:"DOMAIN,…"`
	MemberLimit           *int           `help:"How many members and invitations it may have; 0 for no limit." placeholder:"N"`
	Suspend               *bool          `help:"Suspend the account, which can then only be read, or resume it." negatable:"resume"`
}

// Run sets what the flags name and leaves the rest.
func (c *accountSetCommand) Run(ctx context.Context, s streams) error {
	edit := iam.AccountEdit{
		Name: c.Name, EnforceTwoFactor: c.EnforceTwoFactor, AbuseContactEmail: c.AbuseContact, InviteLifetime: c.DefaultInviteLifetime,
		Type: (*iam.AccountType)(c.Type), MemberLimit: c.MemberLimit, Suspended: c.Suspend,
	}
	if c.InviteDomains != nil {
		domains := strings.FieldsFunc(*c.InviteDomains, func(r rune) bool { return r == ',' })
		edit.InviteDomains = &domains
	}
	if edit == (iam.AccountEdit{}) {
		return usageError{"nothing to set: give --name, --member-limit, --suspend or another flag of `hither account set --help`"}
	}
	return c.run(ctx, s, func(s session) error {
		account, err := s.account(ctx, c.Account)
		if err != nil {
			return err
		}
		account, err = s.service.EditAccount(ctx, s.actor, account.ID, edit)
		if err != nil {
			return err
		}
		return s.one(accountRecord(account))
	})
}

type accountDeleteCommand struct {
	admin
	Account string `arg:"" help:"Id or name."`
	Yes     bool   `help:"Really delete it."`
}

// Run deletes an account.
func (c *accountDeleteCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		account, err := s.account(ctx, c.Account)
		if err != nil {
			return err
		}
		members, err := s.service.Members(ctx, s.actor, account.ID, iam.MemberQuery{PageRequest: iam.PageRequest{Number: 1, Size: 1}})
		if err != nil {
			return err
		}
		if !c.Yes {
			return fmt.Errorf("this ends account %s, %q, with %d member(s) and invitation(s), for good; --yes does it", account.ID, account.Name, members.Total)
		}
		if err := s.service.DeleteAccount(ctx, s.actor, account.ID); err != nil {
			return err
		}
		if s.json {
			return writeJSON(s.out, record{{"id", account.ID}, {"ended_members", members.Total}})
		}
		return s.say("deleted account %s, %q; %d member(s) and invitation(s) ended", account.ID, account.Name, members.Total)
	})
}
