package main

import (
	"context"

	"hither/internal/iam"
)

type userSetCommand struct {
	admin
	User      string  `arg:"" help:"Id or address."`
	Verified  *bool   `help:"The address is proven, or yet to be." negatable:"unverified"`
	TwoFactor *bool   `help:"The user has a second factor where it signs in otherwise, or none. One that it set up here is its own." negatable:""`
	Operator  *bool   `help:"The user carries the operator's rights beside its own, or no longer." negatable:""`
	Locale    *string `help:"The language of the user's pages and messages, for example de; an empty one is the account's or the browser's." placeholder:"TAG"`
}

// Run sets what the flags name and leaves the rest.
func (c *userSetCommand) Run(ctx context.Context, s streams) error {
	flags := iam.UserFlags{Verified: c.Verified, TwoFactor: c.TwoFactor, Operator: c.Operator, Locale: c.Locale}
	if flags == (iam.UserFlags{}) {
		return usageError{"nothing to set: give --verified or --unverified, --[no-]two-factor, --[no-]operator, --locale"}
	}
	return c.run(ctx, s, func(s session) error {
		user, err := s.user(ctx, c.User)
		if err != nil {
			return err
		}
		user, err = s.service.SetUserFlags(ctx, s.actor, user.ID, flags)
		if err != nil {
			return err
		}
		return s.one(userRecord(user))
	})
}

type userDisableCommand struct {
	admin
	User  string `arg:"" help:"Id or address."`
	Force bool   `help:"Also where that leaves an account without an active Super Administrator; the account is flagged until it has one."`
}

// Run disables a user.
func (c *userDisableCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		user, err := s.user(ctx, c.User)
		if err != nil {
			return err
		}
		if err := s.service.SuspendUser(ctx, s.actor, user.ID, c.Force); err != nil {
			return err
		}
		return s.changedUser(ctx, user.ID)
	})
}

type userEnableCommand struct {
	admin
	User string `arg:"" help:"Id or address."`
}

// Run enables a user again.
func (c *userEnableCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		user, err := s.user(ctx, c.User)
		if err != nil {
			return err
		}
		if err := s.service.ReactivateUser(ctx, s.actor, user.ID); err != nil {
			return err
		}
		return s.changedUser(ctx, user.ID)
	})
}

// changedUser prints a user as it is now.
func (s session) changedUser(ctx context.Context, id iam.ID) error {
	user, err := s.service.User(ctx, s.actor, string(id))
	if err != nil {
		return err
	}
	return s.one(userRecord(user))
}
