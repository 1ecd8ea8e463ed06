package main

import (
	"context"

	"hither/internal/iam"
)

type userResetFactorCommand struct {
	admin
	User   string `arg:"" help:"Id or address."`
	Silent bool   `help:"Mail the user no notice, for instances that send none."`
}

// Run takes the second factor away, and leaves a notice for the server to mail.
func (c *userResetFactorCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		user, err := s.user(ctx, c.User)
		if err != nil {
			return err
		}
		service := s.service.WithMailing(iam.Mailing{Enabled: !c.Silent})
		if err := service.ResetFactor(ctx, s.actor, user.ID); err != nil {
			return err
		}
		return s.changedUser(ctx, user.ID)
	})
}
