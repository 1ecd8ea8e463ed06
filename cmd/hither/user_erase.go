package main

import "context"

type userEraseCommand struct {
	admin
	User  string `arg:"" help:"Id or address. An erasure that was interrupted goes on when it is asked for again."`
	Force bool   `help:"Also where that leaves an account without an active Super Administrator; the account is flagged until it has one."`
}

// Run erases a user.
func (c *userEraseCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		user, err := s.user(ctx, c.User)
		if err != nil {
			return err
		}
		erased, err := s.service.EraseUser(ctx, s.actor, user.ID, c.Force)
		if err != nil {
			return err
		}
		return s.one(record{
			{"id", erased.User.ID},
			{"email", erased.User.Email},
			{"ended", erased.Ended},
			{"audit_rows", erased.AuditRows},
		})
	})
}
