package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"hither/internal/clock"
	"hither/internal/seal"
)

// keyringCommands are `hither keyring …`.
type keyringCommands struct {
	Show   keyringShowCommand   `cmd:"" help:"List the instance keys, oldest first: ids and dates, never a key itself."`
	Make   keyringMakeCommand   `cmd:"" help:"Make a keyring of one key, where the server must not: for several nodes."`
	Rotate keyringRotateCommand `cmd:"" help:"Add a key and make it the current one; the older ones still open what they made."`
	Drop   keyringDropCommand   `cmd:"" help:"Take an old key off, for good: what it made opens no longer. Refused while the database holds values sealed with it."`
	Forget keyringForgetCommand `cmd:"" help:"Let the database go on with other keys, where those that it was served with are lost for good."`
}

// keyringCommand is what they share. Most open no database: it only says
// where the keyring is.
type keyringCommand struct {
	admin
	keyringSetting
}

func (c *keyringCommand) where(env *environment) (keyPlace, error) {
	return c.keys(place{file: c.Data, url: c.Database}, env)
}

// file is the keyring that a command changes.
func (c *keyringCommand) file(env *environment) (string, error) {
	at, err := c.where(env)
	if err == nil && at.file == "" {
		err = usageError{"the keyring is in " + keyVariable + ", where no command can change it; unset the variable and give a file " +
			"by --keyring, then hand its text on to every node"}
	}
	return at.file, err
}

// noDatabase reports whether the keyring is that of a file which is not there yet.
// One that is named for itself can be any database's.
func (c *keyringCommand) noDatabase() bool {
	_, err := os.Stat(c.Data)
	return c.Keyring == "" && c.Database == "" && errors.Is(err, fs.ErrNotExist)
}

// checkSame refuses a database that is not the keyring's.
func (c *keyringCommand) checkSame(file string, ring seal.Keyring, known []string) error {
	if len(known) == 0 || len(missing(ring, known)) < len(known) {
		return nil
	}
	return fmt.Errorf("%s was served with other keys than those on %s, %s: name the keyring's own with --data (HITHER_DATA) or --database (HITHER_DATABASE)",
		place{file: c.Data, url: c.Database}, file, strings.Join(known, ", "))
}

// longestLink is the longest that an invitation, and so its link, is good for.
const longestLink = 90 * 24 * time.Hour

func keyRecords(ring seal.Keyring) []record {
	keys := ring.Keys()
	records := make([]record, len(keys))
	for i, key := range keys {
		records[i] = record{{"id", key.ID}, {"created_on", key.Created}, {"current", key.ID == ring.Current().ID}}
	}
	return records
}

type keyringShowCommand struct{ keyringCommand }

// Run prints what may be shown of the keys.
func (c *keyringShowCommand) Run(_ context.Context, s streams, env *environment) error {
	at, err := c.where(env)
	if err != nil {
		return err
	}
	ring, err := at.read()
	if err != nil {
		return err
	}
	out := session{streams: s, json: c.JSON}
	if err := out.list(keyRecords(ring), "id", "created_on", "current"); err != nil {
		return err
	}
	return out.say("\nThe keys themselves are in %s and are never shown.", at)
}

type keyringMakeCommand struct{ keyringCommand }

// Run makes a keyring.
func (c *keyringMakeCommand) Run(_ context.Context, s streams, env *environment) error {
	file, err := c.file(env)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already; `hither keyring rotate` adds a key to it", file)
	}
	ring, err := seal.Create(file, clock.Now())
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(s.out, keyRecords(ring)[0])
	}
	_, err = fmt.Fprintf(s.out, `made %[1]s with the key %[2]s

Keep it secret, and keep a copy apart from the backups of the database. Every
node needs the same: as a file of mode 0600, --keyring %[1]s, or as its text in
%[3]s.
`, quoted(file), ring.Current().ID, keyVariable)
	return wrote(err)
}

type keyringRotateCommand struct{ keyringCommand }

// Run adds a key and makes it current.
func (c *keyringRotateCommand) Run(ctx context.Context, s streams, env *environment) error {
	file, err := c.file(env)
	if err != nil {
		return err
	}
	ring, err := seal.Rotate(file, clock.Now())
	if err != nil {
		return err
	}
	if err := c.note(ctx, s, file, ring); err != nil {
		// The key is in force all the same, and to rotate again would not help.
		_, err := fmt.Fprintf(s.err, "the database does not know of the new key before a server starts anew: %v\n", err)
		if err != nil {
			return wrote(err)
		}
	}
	if c.JSON {
		return writeJSON(s.out, keyRecords(ring))
	}
	_, err = fmt.Fprintf(s.out, `the key %s is current from now on, also for servers that use %s already

Older keys still open what they made. Links live up to 90 days: drop an older
key before %s only if somebody else may have it. Keep a copy of the file,
apart from the backups of the database.
`, ring.Current().ID, quoted(file), show(ring.Current().Created.Add(longestLink)))
	return wrote(err)
}

// note has the database know the new key, so that a copy of the keyring from before
// is noticed.
func (c *keyringRotateCommand) note(ctx context.Context, s streams, file string, ring seal.Keyring) error {
	if c.noDatabase() {
		return nil
	}
	return c.run(ctx, s, func(s session) error {
		return s.store.NoteInstanceKeys(ctx, idsOn(ring), func(known []string) error { return c.checkSame(file, ring, known) })
	})
}
