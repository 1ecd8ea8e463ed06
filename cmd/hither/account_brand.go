package main

import (
	"context"

	"hither/internal/iam"
)

type accountBrandCommand struct {
	admin
	Account string  `arg:"" help:"Id or name."`
	Name    *string `help:"What pages and messages call the account; \"\" for its own name." placeholder:"NAME"`
	Color   *string `help:"The accent of pages and messages; it is shown so that it can be read." placeholder:"#RRGGBB"`
	Logo    *string `help:"A picture for pages, by https, from a host of the server's --logo-hosts." placeholder:"URL"`
	Locale  *string `help:"The language of its invitations, unless one says otherwise." placeholder:"TAG"`
}

// Run sets what the flags name, and prints what holds.
func (c *accountBrandCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		account, err := s.account(ctx, c.Account)
		if err != nil {
			return err
		}
		edit := iam.LookEdit{Name: c.Name, Color: c.Color, Logo: c.Logo, Locale: c.Locale}
		var look iam.Look
		if edit == (iam.LookEdit{}) {
			look, err = s.service.Look(ctx, s.actor, account.ID)
		} else {
			look, err = s.service.EditLook(ctx, s.actor, account.ID, edit)
		}
		if err != nil {
			return err
		}
		return s.one(record{
			{"id", account.ID}, {"brand_name", look.Name}, {"brand_color", look.Color}, {"brand_logo", look.Logo}, {"locale", look.Locale},
		})
	})
}
