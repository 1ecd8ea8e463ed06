package main

import (
	"context"
	"errors"
	"fmt"

	"hither/internal/iam"
	"hither/internal/store"
)

// initCommand is `hither init`.
type initCommand struct {
	database
	Email   string `help:"Address of the first user, who becomes the account's Super Administrator." placeholder:"ADDRESS" required:""`
	Account string `help:"Name of the first account." placeholder:"NAME" required:""`
	JSON    bool   `help:"Print JSON, for scripts." name:"json"`
}

// Run makes the first user, its account and an operator token, all or nothing.
func (c *initCommand) Run(ctx context.Context, s streams) error {
	// Before the database is made: a typo should not leave an empty one.
	email, err := iam.CanonicalEmail(c.Email)
	if err != nil {
		return fmt.Errorf("--email: %w", err)
	}
	name, err := iam.AccountName(c.Account)
	if err != nil {
		return fmt.Errorf("--account: %w", err)
	}
	return withDatabase(ctx, c.where(), store.Options{}, c.JSON, s, func(s session) error {
		users, err := s.service.Users(ctx, s.actor, iam.PageRequest{Number: 1, Size: 1})
		if err != nil {
			return err
		}
		if users.Total > 0 {
			return errors.New("this database has users already; `hither user add`, `hither account add` and `hither token add` go on from here")
		}
		return c.fill(ctx, s, email, name)
	})
}

func (c *initCommand) fill(ctx context.Context, s session, email, name string) error {
	user := iam.User{ID: iam.ID(s.newID()), Email: email, Verified: true}
	account := iam.Account{ID: iam.ID(s.newID()), Name: name, Type: iam.Standard}
	key, token := iam.NewKeySecret(), iam.NewTokenSecret()
	err := s.service.Import(ctx, s.actor, iam.Dataset{
		Users:       []iam.ImportUser{{User: user, Keys: []string{key}}},
		Accounts:    []iam.ImportAccount{{Account: account}},
		Memberships: []iam.ImportMembership{{AccountID: account.ID, Email: email, RoleIDs: []iam.ID{iam.SuperAdministrator}}},
		Tokens:      []iam.ImportToken{{Name: "init", Secret: token}},
	}, nil)
	if err != nil {
		return err
	}
	if s.json {
		return writeJSON(s.out, record{
			{"user_id", user.ID},
			{"email", email},
			{"key", key},
			{"account_id", account.ID},
			{"account_name", name},
			{"operator_token", token},
		})
	}
	_, err = fmt.Fprintf(s.out, `%s is ready.

  user     %s  %s
  account  %s  %s
           of which the user is Super Administrator

SECRETS, shown this once; the database keeps nothing that gives them back:

  key of %s
           %s
  operator token
           %s

Start the server with `+"`hither serve`"+`, then try:

  curl http://127.0.0.1:8787/client/v4/accounts -H 'X-Auth-Email: %s' -H 'X-Auth-Key: THE-KEY'
`, c.where(), user.ID, email, account.ID, name, email, key, token, email)
	return wrote(err)
}
