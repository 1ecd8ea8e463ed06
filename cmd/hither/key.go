package main

import (
	"context"
	"fmt"

	"hither/internal/iam"
)

// keyCommands are `hither key …`.
type keyCommands struct {
	List    keyListCommand    `cmd:"" help:"List a user's keys, oldest first."`
	Add     keyAddCommand     `cmd:"" help:"Make a key for a user; its secret is shown this once."`
	Rotate  keyRotateCommand  `cmd:"" help:"Make a new key and disable an old one in one go."`
	Disable keyDisableCommand `cmd:"" help:"Refuse a key from its next request on, for good."`
}

func keyRecord(k iam.Key) record {
	return record{
		{"id", k.ID},
		{"user_id", k.UserID},
		{"name", k.Name},
		{"disabled", k.Disabled},
		{"created_on", k.CreatedOn},
	}
}

// secret prints a fresh credential, the one time that it is shown.
func (s session) secret(r record, secret string) error {
	r = append(r, attribute{"secret", secret})
	if err := s.one(r); err != nil {
		return err
	}
	return s.say("\nThe secret is shown this once; the database keeps nothing that gives it back.")
}

type keyListCommand struct {
	admin
	User string `arg:"" help:"Id or address."`
}

// Run prints a user's keys.
func (c *keyListCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		user, err := s.user(ctx, c.User)
		if err != nil {
			return err
		}
		keys, err := s.service.Keys(ctx, s.actor, user.ID)
		if err != nil {
			return err
		}
		records := make([]record, len(keys))
		for i, key := range keys {
			records[i] = keyRecord(key)
		}
		return s.list(records, "id", "name", "disabled", "created_on")
	})
}

type keyAddCommand struct {
	admin
	User string `arg:"" help:"Id or address."`
	Name string `help:"What the key is for." placeholder:"NAME"`
}

// Run makes a key.
func (c *keyAddCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		user, err := s.user(ctx, c.User)
		if err != nil {
			return err
		}
		key, secret, err := s.service.CreateKey(ctx, s.actor, user.ID, c.Name)
		if err != nil {
			return err
		}
		return s.secret(keyRecord(key), secret)
	})
}

type keyRotateCommand struct {
	admin
	User string `arg:"" help:"Id or address."`
	Key  string `arg:"" help:"Id of the old key."`
}

// Run makes a key of the same name and disables the old one.
func (c *keyRotateCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		user, err := s.user(ctx, c.User)
		if err != nil {
			return err
		}
		keys, err := s.service.Keys(ctx, s.actor, user.ID)
		if err != nil {
			return err
		}
		old, err := only(keys, "key", c.Key, fmt.Errorf("%s has no key %q; `hither key list` shows all", user.Email, c.Key),
			func(k iam.Key) (iam.ID, bool) { return k.ID, string(k.ID) == c.Key })
		if err != nil {
			return err
		}
		if old.Disabled {
			return fmt.Errorf("key %s is disabled already; `hither key add` makes a new one", old.ID)
		}
		key, secret, err := s.service.RotateKey(ctx, s.actor, user.ID, old.ID, old.Name)
		if err != nil {
			return err
		}
		return s.secret(keyRecord(key), secret)
	})
}

type keyDisableCommand struct {
	admin
	Key string `arg:"" help:"Id of the key."`
}

// Run disables a key.
func (c *keyDisableCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		if err := s.service.DisableKey(ctx, s.actor, iam.ID(c.Key)); err != nil {
			return hint(err, "there is no key %q; `hither key list USER` shows a user's", c.Key)
		}
		if s.json {
			return writeJSON(s.out, record{{"id", iam.ID(c.Key)}, {"disabled", true}})
		}
		return s.say("disabled key %s", c.Key)
	})
}

// hint replaces the refusal of what is not there by words that lead on.
func hint(err error, format string, args ...any) error {
	if iam.KindOf(err) == iam.NotFound {
		return fmt.Errorf(format, args...)
	}
	return err
}
