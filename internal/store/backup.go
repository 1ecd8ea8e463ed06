package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"
)

// backupStep is how many pages are copied between two looks at the context:
// 1 MiB of them.
const backupStep = 256

// Copied is what a backup holds.
type Copied struct {
	Bytes, Schema                       int64
	Users, Accounts, Memberships, Audit int64 // rows
}

// BackupSQLite writes a consistent copy of the database at path to target, of
// one moment after the call began, while others read and write. It neither
// makes nor migrates a database: a backup is due before an upgrade. progress
// hears of pages.
//
// target is never overwritten, and is there whole or not at all: the copy is
// made beside it, checked and flushed to disk first.
//
// The pages are copied by SQLite's backup API in small steps, all of them
// within one read transaction: see docs/adr/0008-backup-by-pages.md.
func BackupSQLite(ctx context.Context, path, target string, progress func(done, total int)) (copied Copied, err error) {
	if err := vacant(target); err != nil {
		return Copied{}, err
	}
	db, err := sqliteLook(path, url.Values{"mode": {"rw"}}) // rw makes no file, and can tidy up the log
	if err != nil {
		return Copied{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if copied.Schema, err = knownSchema(ctx, db); err != nil {
		return Copied{}, fmt.Errorf("%s: %w", path, err)
	}
	partial, err := partialFile(target)
	if err != nil {
		return Copied{}, err
	}
	defer func() { _ = os.Remove(partial) }() // its content has its own name by then, or is worth nothing
	if err := copyPages(ctx, db, partial, progress); err != nil {
		return Copied{}, err
	}
	if err := verifyCopy(ctx, partial, &copied); err != nil {
		return Copied{}, err
	}
	if err := syncFile(partial); err != nil {
		return Copied{}, err
	}
	if err := place(partial, target, os.Link); err != nil {
		return Copied{}, err
	}
	return copied, syncFile(filepath.Dir(target))
}

// copyPages copies the database as of now.
func copyPages(ctx context.Context, db *sql.DB, target string, progress func(done, total int)) (err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("open the database: %w", sqliteError(err))
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	// The transaction begins with its first read. Without it each step would
	// read on its own, and start over whenever another process wrote meanwhile.
	for _, statement := range []string{`BEGIN`, `SELECT count(*) FROM sqlite_schema`} {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("begin to read: %w", sqliteError(err))
		}
	}
	// The log cannot start afresh while somebody reads from an older moment, so
	// this ends before the copy is checked.
	defer func() {
		_, ended := conn.ExecContext(context.WithoutCancel(ctx), `ROLLBACK`)
		err = errors.Join(err, ended)
	}()
	// What the copy was to be rolled back to is nothing, and it is flushed when
	// it is whole.
	to := fileURI(target, url.Values{"_journal_mode": {"OFF"}, "_synchronous": {"OFF"}})
	err = conn.Raw(func(driver any) error {
		source, ok := driver.(interface {
			NewBackup(uri string) (*sqlite.Backup, error)
		})
		if !ok {
			return fmt.Errorf("the driver %T has no backup", driver)
		}
		backup, err := source.NewBackup(to)
		if err != nil {
			return err
		}
		return errors.Join(runBackup(ctx, backup, progress), backup.Finish())
	})
	if failure, ok := errors.AsType[*sqlite.Error](err); ok && failure.Code() == codes.SQLITE_FULL {
		return fmt.Errorf("there is no room for the copy in %s; free some, or name a file on another disk: %w", filepath.Dir(target), err)
	}
	if err != nil {
		return fmt.Errorf("copy the database: %w", sqliteError(err))
	}
	return nil
}

func runBackup(ctx context.Context, backup *sqlite.Backup, progress func(done, total int)) error {
	for {
		more, err := backup.Step(backupStep)
		if err != nil || !more {
			return err //nolint:wrapcheck // wrapped by the caller
		}
		progress(backup.PageCount()-backup.Remaining(), backup.PageCount())
		if err := ctx.Err(); err != nil {
			return err //nolint:wrapcheck // the caller's own context
		}
	}
}

// verifyCopy reads the whole copy back, and counts what is in it.
func verifyCopy(ctx context.Context, path string, copied *Copied) (err error) {
	// Nobody else has the file open; as immutable it gets no others beside it.
	db, err := sqliteLook(path, url.Values{"mode": {"ro"}, "immutable": {"1"}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	schema, err := knownSchema(ctx, db)
	if err != nil {
		return fmt.Errorf("check the copy: %w", err)
	}
	if schema != copied.Schema {
		return fmt.Errorf("check the copy: it has schema %d, the database had %d; run the command again", schema, copied.Schema)
	}
	problems, err := texts(ctx, db, `PRAGMA integrity_check(1)`)
	if err != nil {
		return fmt.Errorf("check the copy: %w", err)
	}
	if len(problems) != 1 || problems[0] != "ok" {
		return fmt.Errorf("the copy is not whole, and was thrown away: %s; `hither doctor --deep` tells whether the database is", problems)
	}
	err = db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM accounts WHERE deleted_on = 0),
		(SELECT count(*) FROM memberships), (SELECT count(*) FROM audit), page_count * page_size
		FROM pragma_page_count, pragma_page_size`).
		Scan(&copied.Users, &copied.Accounts, &copied.Memberships, &copied.Audit, &copied.Bytes)
	if err != nil {
		return fmt.Errorf("count what was copied: %w", sqliteError(err))
	}
	return nil
}
