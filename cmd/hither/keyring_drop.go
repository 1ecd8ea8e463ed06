package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"hither/internal/iam"
	"hither/internal/seal"
)

type keyringDropCommand struct {
	keyringCommand
	Key   string `arg:"" help:"Id of the key."`
	Force bool   `help:"Drop it although values are sealed with it, which are lost then, or although the database can't be asked."`
}

// Run takes a key off.
func (c *keyringDropCommand) Run(ctx context.Context, s streams, env *environment) error {
	file, err := c.file(env)
	if err != nil {
		return err
	}
	if err := c.settle(ctx, s, file); err != nil {
		return err
	}
	ring, err := seal.Drop(file, c.Key)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(s.out, keyRecords(ring))
	}
	_, err = fmt.Fprintf(s.out, `dropped the key %s from %s

What it made opens no longer, at the server's next use of the keyring: links and
codes that were sent before the next key came, and values that are sealed with it.
Invitations stay as they are; resending one makes a link by the current key.
`, c.Key, quoted(file))
	return wrote(err)
}

// settle asks the database whether it can do without the key, and has it know the
// ones that stay. Where there is no database yet nothing can need the key.
func (c *keyringDropCommand) settle(ctx context.Context, s streams, file string) error {
	ring, err := seal.Load(file)
	if err != nil {
		return err
	}
	stay := slices.DeleteFunc(idsOn(ring), func(id string) bool { return id == c.Key })
	if len(stay) == len(ring.Keys()) || ring.Current().ID == c.Key {
		return nil // seal.Drop says what is wrong
	}
	if c.noDatabase() {
		return nil
	}
	var sealed sealedError
	err = c.run(ctx, s, func(s session) error {
		known, err := s.store.InstanceKeys(ctx)
		if err == nil {
			err = c.checkSame(file, ring, known)
		}
		if err != nil {
			return err
		}
		found, err := s.store.Sealed(ctx)
		if err != nil {
			return err
		}
		if counts := sealedBy(found, c.Key); len(counts) > 0 && !c.Force {
			return sealedError{c.Key, counts}
		}
		entry := s.actor.Entry(s.newID(), iam.KeyringDrop, "", "")
		entry.Before = fmt.Sprintf(`{"key":%q}`, c.Key)
		return s.store.DropInstanceKeys(ctx, []string{c.Key}, stay, entry)
	})
	switch {
	case err == nil || errors.As(err, &sealed):
		return err
	case c.Force:
		_, err := fmt.Fprintf(s.err, "the database could not be asked: %v\n", err)
		return wrote(err)
	}
	return fmt.Errorf("whether anything is sealed with the key can't be told: %w (--force drops it all the same)", err)
}

// sealedError refuses to lose what a key alone opens.
type sealedError struct {
	key    string
	counts []string
}

func (e sealedError) Error() string {
	return fmt.Sprintf("values are sealed with the key %s: %s. They would be lost; those who own them would have to set them up anew. "+
		"Keep the key, which does no harm where it is not current, or, if somebody else may have it, drop it with --force",
		e.key, strings.Join(e.counts, ", "))
}

type keyringForgetCommand struct{ keyringCommand }

// Run has the database forget which keys it was served with.
func (c *keyringForgetCommand) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, func(s session) error {
		known, err := s.store.InstanceKeys(ctx)
		if err != nil {
			return err
		}
		if len(known) == 0 {
			return errors.New("this database knows no keys; the next start takes those of its keyring")
		}
		entry := s.actor.Entry(s.newID(), iam.KeyringForget, "", "")
		entry.Before = fmt.Sprintf(`{"keys":"%s"}`, strings.Join(known, " "))
		if err := s.store.DropInstanceKeys(ctx, known, nil, entry); err != nil {
			return err
		}
		if s.json {
			return writeJSON(s.out, record{{"forgotten", known}})
		}
		return s.say(`forgot %s

The next start goes on with the keys of its keyring, whichever they are. Links
that were sent by the others are dead: send them anew.`, strings.Join(known, ", "))
	})
}
