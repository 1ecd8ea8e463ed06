package main

import (
	"context"
	"fmt"
	"time"

	"hither/internal/clock"
	"hither/internal/iam"
)

func memberRecord(m iam.Member) record {
	return record{
		{"id", m.ID},
		{"email", m.Email},
		{"user_id", m.User.ID},
		{"status", string(m.StatusAt(clock.Now()))},
		{"roles", roleNames(m.Roles)},
		{"invited_by", m.InvitedBy},
		{"expires_on", m.ExpiresOn},
		{"membership_expires_on", m.EndsOn},
		{"created_on", m.CreatedOn},
	}
}

type accountMembersCommand struct {
	admin
	Account string `arg:"" help:"Id or name."`
	Status  string `default:"" enum:",pending,accepted,rejected" help:"Only those: pending, accepted or rejected. Unless given, pending and accepted." placeholder:"STATUS"`
}

// Run prints every member.
func (c *accountMembersCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		account, err := s.account(ctx, c.Account)
		if err != nil {
			return err
		}
		members, err := every(func(page iam.PageRequest) (iam.Page[iam.Member], error) {
			return s.service.Members(ctx, s.actor, account.ID, iam.MemberQuery{PageRequest: page, Status: iam.Status(c.Status), Order: iam.ByEmail})
		})
		if err != nil {
			return err
		}
		records := make([]record, len(members))
		for i, member := range members {
			records[i] = memberRecord(member)
		}
		return s.list(records, "id", "email", "status", "roles")
	})
}

type accountAddMemberCommand struct {
	admin
	Account string   `arg:"" help:"Id or name."`
	Email   string   `arg:"" help:"The member's address."`
	Role    []string `help:"Id or name of a role; may be given more than once." placeholder:"ROLE" required:"" sep:"none"`

	Until time.Time `help:"When the membership ends, such as 2027-01-31T00:00:00Z; unless given, never." placeholder:"TIME"`
}

// Run adds a member directly.
func (c *accountAddMemberCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		email, err := iam.CanonicalEmail(c.Email)
		if err != nil {
			return fmt.Errorf("email: %w", err)
		}
		account, err := s.account(ctx, c.Account)
		if err != nil {
			return err
		}
		roles, err := s.roles(ctx, account.ID, c.Role)
		if err != nil {
			return err
		}
		added, err := s.service.Invite(ctx, s.actor, account.ID, iam.InviteRequest{
			Email: email, RoleIDs: roles, Direct: true, EndsOn: c.Until.UTC().Truncate(time.Microsecond),
		})
		if err != nil {
			return err
		}
		return s.one(memberRecord(added.Member))
	})
}

type accountRemoveMemberCommand struct {
	admin
	Account string `arg:"" help:"Id or name."`
	Member  string `arg:"" help:"Id or address."`
	Force   bool   `help:"Also the account's last Super Administrator; the account is flagged until it has one again."`
	Notify  bool   `help:"Have the server mail the invited, once, that its invitation is withdrawn. For instances that send mail; a member that accepted hears nothing by mail."`
}

// Run removes a member or withdraws an invitation, and leaves a notice for the server
// to mail where one was asked for.
func (c *accountRemoveMemberCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		account, err := s.account(ctx, c.Account)
		if err != nil {
			return err
		}
		id, err := s.member(ctx, account, c.Member)
		if err != nil {
			return err
		}
		service := s.service.WithMailing(iam.Mailing{Enabled: c.Notify})
		if err := service.RemoveMember(ctx, s.actor, account.ID, id, c.Force, c.Notify); err != nil {
			return err
		}
		if s.json {
			return writeJSON(s.out, record{{"id", id}, {"account_id", account.ID}})
		}
		return s.say("removed %s from %q", c.Member, account.Name)
	})
}
