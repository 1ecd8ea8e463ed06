package main

import (
	"context"
	"fmt"

	"hither/internal/iam"
)

type userIdentitiesCommand struct {
	admin
	User string `arg:"" help:"Id or address."`
}

// Run prints who a user is at identity providers.
func (c *userIdentitiesCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		user, err := s.user(ctx, c.User)
		if err != nil {
			return err
		}
		identities, err := s.service.Identities(ctx, s.actor, user.ID)
		if err != nil {
			return err
		}
		records := make([]record, len(identities))
		for i, y := range identities {
			records[i] = record{
				{"id", y.ID}, {"issuer", y.Issuer}, {"subject", y.Subject}, {"reason", string(y.Reason)}, {"created_on", y.CreatedOn},
			}
		}
		return s.list(records, "id", "issuer", "subject", "reason", "created_on")
	})
}

type userUnlinkCommand struct {
	admin
	User     string `arg:"" help:"Id or address."`
	Identity string `arg:"" help:"Id of the identity: see user identities."`
}

// Run takes an identity away.
func (c *userUnlinkCommand) Run(ctx context.Context, s streams) error {
	id, ok := iam.ParseID(c.Identity)
	if !ok {
		return usageError{fmt.Sprintf("%s is no id of an identity; `hither user identities %s` lists them", c.Identity, c.User)}
	}
	return c.run(ctx, s, func(s session) error {
		user, err := s.user(ctx, c.User)
		if err != nil {
			return err
		}
		return s.service.Unlink(ctx, s.actor, user.ID, id)
	})
}
