package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"hither/internal/clock"
	"hither/internal/store"
)

// backupCommand is `hither backup`.
type backupCommand struct {
	admin
	keyringSetting
	File string `arg:"" help:"Where the copy goes, a name that is not taken yet."`
}

// postgresBackup sends who uses PostgreSQL to its own tools: they know how to
// copy it while others write, and whoever runs it knows them.
const postgresBackup = `PostgreSQL is backed up by its own tools, also while hither serves:

  pg_dump --format=custom --file=FILE URL

and to go back to it, with hither stopped, into a database that is empty:

  pg_restore --exit-on-error --single-transaction --no-owner --dbname=URL FILE

URL goes without its password, since others can see command lines: PGPASSWORD or
a passfile has it. The instance keys are not in it: keep a copy of the keyring,
apart from the dumps`

// Run copies the database as it is, in the schema that it has: a backup is due
// before an upgrade, so nothing is migrated.
func (c *backupCommand) Run(ctx context.Context, s streams, env *environment) error {
	from := place{file: c.Data, url: c.Database}
	if err := from.check(); err != nil {
		return err
	}
	if c.Database != "" {
		return errors.New(postgresBackup)
	}
	keys, err := c.keys(from, env)
	if err != nil {
		return err
	}
	if err := c.exists(); err != nil {
		return err
	}
	bar := newProgress(s.err, "pages")
	began := clock.Now()
	copied, err := store.BackupSQLite(ctx, c.Data, c.File, bar.show)
	bar.clear()
	if err != nil {
		return fmt.Errorf("nothing was backed up: %w", err)
	}
	return c.report(s, copied, keys, clock.Now().Sub(began))
}

func (c *backupCommand) report(s streams, copied store.Copied, keys keyPlace, took time.Duration) error {
	if c.JSON {
		return writeJSON(s.out, record{
			{"file", c.File},
			{"bytes", copied.Bytes},
			{"schema", copied.Schema},
			{"users", copied.Users},
			{"accounts", copied.Accounts},
			{"memberships", copied.Memberships},
			{"audit", copied.Audit},
			{"keyring", keys.String()},
			{"milliseconds", took.Milliseconds()},
		})
	}
	_, err := fmt.Fprintf(s.out, `%s holds %s as of the moment when this began: %s in %s, schema %d, checked.

  users        %d
  accounts     %d
  memberships  %d
  audit rows   %d

To go back to it, stop hither, move aside what is there, and put a copy in its
place. (A log that stayed behind would be taken for the copy's. Where there is
no -wal and -shm, mv says so; that is fine.)

  mkdir %[10]s
  mv %[11]s %[12]s %[13]s %[10]s/
  cp %[1]s %[11]s && chmod 600 %[11]s

The instance keys, %[14]s, are not in the copy: without them the links
that were sent are dead and what is sealed stays so. Keep a copy of them too,
apart from this one: who has both has everything.
`, quoted(c.File), c.Data, size(copied.Bytes), took.Round(time.Millisecond), copied.Schema,
		copied.Users, copied.Accounts, copied.Memberships, copied.Audit,
		quoted(c.Data+".aside"), quoted(c.Data), quoted(c.Data+"-wal"), quoted(c.Data+"-shm"), keys)
	return wrote(err)
}

// size is a number of bytes for people.
func size(bytes int64) string {
	const step = 1024
	if bytes < step {
		return fmt.Sprintf("%d bytes", bytes)
	}
	value, unit := float64(bytes)/step, 0
	for units := []string{"KiB", "MiB", "GiB", "TiB"}; ; unit++ {
		if value < step || unit == len(units)-1 {
			return fmt.Sprintf("%.1f %s", value, units[unit])
		}
		value /= step
	}
}

// quoted is a name as a shell takes it.
func quoted(name string) string {
	plain := strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-@:+,") == ""
	if plain && name != "" && name[0] != '-' {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}
