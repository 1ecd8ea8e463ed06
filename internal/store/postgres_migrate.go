package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// migrationLock is asked for once a second, for as long as a migration of
// another node may take.
const (
	lockPeriod   = 1
	lockAttempts = 1800
)

// postgresMark is the comment on the table instance by which a schema is told
// to be ours. One transaction makes it and every table of the first migration.
const postgresMark = "hither"

// migratePostgres brings the schema up to date, after it made sure that it is
// ours and that this program is not too old for it. Of nodes that start at once
// one migrates under an advisory lock, and the others wait for it.
func migratePostgres(ctx context.Context, db *sql.DB, existing bool) error {
	version, err := checkPostgres(ctx, db)
	switch {
	case err != nil || version >= Schema:
		return err
	case version == 0 && existing:
		return ErrEmpty
	}
	files, err := fs.Sub(migrations, "migrations/postgres")
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(lockPeriod, lockAttempts))
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithDisableGlobalRegistry(true), goose.WithSessionLocker(locker))
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", postgresError(err))
	}
	// Another node may have gone further while this one waited.
	_, err = checkPostgres(ctx, db)
	return err
}

// checkPostgres refuses a schema of another application, and one that asks for
// a newer program. It returns the schema's version, 0 where there is none yet.
func checkPostgres(ctx context.Context, db *sql.DB) (version int64, err error) {
	if err := checkPlace(ctx, db); err != nil {
		return 0, err
	}
	// What belongs to an extension is nobody's application.
	var ours bool
	var others sql.NullString
	err = db.QueryRowContext(ctx, `SELECT
			count(*) FILTER (WHERE c.relname = 'instance' AND obj_description(c.oid, 'pg_class') = $1) > 0,
			string_agg(c.relname, ', ' ORDER BY c.relname)
		FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace
		AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname <> 'goose_db_version'
		AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')`, postgresMark).Scan(&ours, &others)
	switch {
	case err != nil:
		return 0, fmt.Errorf("look at the database: %w", postgresError(err))
	case !others.Valid:
		return 0, nil // fresh, or a first migration is under way elsewhere
	case !ours:
		return 0, fmt.Errorf("%w: it holds tables of another application (%s); give hither a database of its own", errRefused, few(others.String))
	}
	var minProgram int64
	err = db.QueryRowContext(ctx, `SELECT min_program, (SELECT COALESCE(max(version_id), 0) FROM goose_db_version) FROM instance`).
		Scan(&minProgram, &version)
	if err != nil {
		return 0, fmt.Errorf("read the schema's version: %w", postgresError(err))
	}
	return version, checkProgram(minProgram)
}

// checkPlace refuses a database in which our tables cannot be what they are
// meant to be.
func checkPlace(ctx context.Context, db *sql.DB) error {
	var (
		encoding string
		schema   sql.NullString
	)
	err := db.QueryRowContext(ctx, `SELECT current_setting('server_encoding'), current_schema()`).Scan(&encoding, &schema)
	switch {
	case err != nil:
		return fmt.Errorf("look at the database: %w", postgresError(err))
	case encoding != "UTF8":
		return fmt.Errorf("%w: its encoding is %s; make one with ENCODING 'UTF8'", errRefused, encoding)
	case !schema.Valid:
		return errors.Join(errRefused, errors.New("no schema of its search_path exists; CREATE SCHEMA makes one"))
	}
	return nil
}

// few cuts a list of names to what a message can hold.
func few(names string) string {
	const most = 5
	list := strings.Split(names, ", ")
	if len(list) > most {
		list = append(list[:most], "…")
	}
	return strings.Join(list, ", ")
}
