package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"

	"hither/internal/iam"
)

//go:embed migrations/*/*.sql
var migrations embed.FS

// Schema is the newest version of the schema that this program knows: the
// number of the last migration.
const Schema = 1

// applicationID marks a SQLite file as ours: "hith" in ASCII.
const applicationID = 0x68697468

// migrateAttempts bounds how often a migration is tried. Of processes that open
// a fresh file at once some find it locked, and some set about a migration that
// another one is through with when their turn comes: they look again.
const (
	migrateAttempts = 10
	migratePause    = 50 * time.Millisecond
)

// errRefused marks a database that no further attempt makes usable.
var errRefused = errors.New("this database is not for this program")

// migrateSQLite brings the schema up to date, after it made sure that the file
// is ours and that this program is not too old for it.
func migrateSQLite(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	for attempt := 1; ; attempt++ {
		err := migrateOnce(ctx, db, provider)
		if err == nil || errors.Is(err, errRefused) || attempt == migrateAttempts {
			return err
		}
		select {
		case <-time.After(migratePause):
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

func migrateOnce(ctx context.Context, db *sql.DB, provider *goose.Provider) error {
	if err := checkSQLite(ctx, db); err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", sqliteError(err))
	}
	// Another process may have gone further while this one waited.
	return checkSQLite(ctx, db)
}

// checkSQLite refuses a file of another application, and a schema that asks
// for a newer program.
func checkSQLite(ctx context.Context, db *sql.DB) error {
	// The tables first, by a statement of its own: whoever sees one of ours sees
	// the mark too, since one transaction makes both. goose's own comes earlier.
	var application, tables int64
	err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema
		WHERE name NOT LIKE 'goose%' AND name NOT LIKE 'sqlite%'`).Scan(&tables)
	if err != nil {
		return fmt.Errorf("look at the database: %w", sqliteError(err))
	}
	if tables == 0 {
		return nil // fresh, or a first migration is under way elsewhere
	}
	if err := db.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&application); err != nil {
		return fmt.Errorf("look at the database: %w", sqliteError(err))
	}
	if application != applicationID {
		return fmt.Errorf("%w: it is another application's", errRefused)
	}
	var minProgram int64
	err = db.QueryRowContext(ctx, `SELECT min_program FROM instance`).Scan(&minProgram)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", sqliteError(err))
	}
	return checkProgram(minProgram)
}

// checkProgram refuses a schema that this program is too old for.
func checkProgram(minProgram int64) error {
	if minProgram <= Schema {
		return nil
	}
	return &iam.Error{
		Kind: iam.Unavailable,
		Message: fmt.Sprintf("the database was upgraded for a newer hither (schema %d; this program knows schema %d): "+
			"run that one, or restore a backup from before the upgrade", minProgram, Schema),
		Err: errRefused,
	}
}
