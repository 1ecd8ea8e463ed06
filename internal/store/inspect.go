package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"hither/internal/iam"
)

// Inspection is what a look at a database found. It holds facts; what they ask
// for is for others to say.
type Inspection struct {
	Schema     int64  // its version
	MinProgram int64  // the oldest schema of a program that may use it; beyond Schema the rest is empty
	Journal    string // how SQLite logs: wal, unless somebody changed it
	Server     Server // of PostgreSQL
	Users      int
	// Ungoverned are some of the accounts that are flagged as without a Super
	// Administrator, UngovernedTotal how many there are.
	Ungoverned      []iam.Account
	UngovernedTotal int
	FileRoles       []HeldRole // of the last role file
	InstanceKeys    []string   // the ids of those that it was served with, oldest first
	Sealed          []Sealed   // what only instance keys open
	Webhooks        InspectedWebhooks
	Newest          time.Time // the latest time of the last few audit rows
	Damage          []string  // what SQLite finds wrong with the file
	Broken          []string  // references to rows that are not there: "memberships → users"
	Unfinished      bool      // the time was up before the file was read
}

// Server is what a look at PostgreSQL's server found.
type Server struct {
	Version string
	Synced  bool // what is committed is on its disk
	// Private says that nobody on the way can read or change what is sent: it is
	// encrypted, or never leaves the machine.
	Private bool
	Clock   time.Time
}

// HeldRole is a role and how many live members and invitations carry it.
type HeldRole struct {
	iam.Role
	Holders int
}

// InspectOptions bound an inspection.
type InspectOptions struct {
	Now  time.Time
	Deep bool          // hold every index to its table, however long it takes
	Time time.Duration // for reading the file, unless Deep
}

// InspectSQLite looks at the database at path and changes nothing: no row, no
// file, no schema. It can run beside a server.
func InspectSQLite(ctx context.Context, path string, options InspectOptions) (Inspection, error) {
	for again := false; ; again = true {
		how, err := lookQuietly(path)
		if err != nil {
			return Inspection{}, err
		}
		found, err := inspect(ctx, path, how, options)
		if _, alone := how["immutable"]; alone && err == nil {
			if !again && hasLog(path) {
				continue // a server started meanwhile, unseen
			}
			found.Journal, err = journalOf(path)
		}
		return found, err
	}
}

// lookQuietly chooses how to read without writing a byte. Without a log nobody
// has the file open, and to read it as usual would make a log. With one, its
// index is read as it is; where it was left by a crash, SQLite builds another
// in memory.
func lookQuietly(path string) (url.Values, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err //nolint:wrapcheck // it names the operation and the file
	}
	if !hasLog(path) {
		return url.Values{"mode": {"ro"}, "immutable": {"1"}}, nil
	}
	if _, err := os.Stat(path + "-shm"); err != nil {
		return nil, fmt.Errorf("%s-wal has no -shm beside it, as after a copy by hand; start the server once, which reads it in", path)
	}
	return url.Values{"mode": {"ro"}, "readonly_shm": {"1"}}, nil
}

// journalOf reads from the header what SQLite does not tell of an immutable
// file. That nobody has it open also means that closing it drops no locks.
func journalOf(path string) (mode string, err error) {
	file, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return "", err //nolint:wrapcheck // it names the operation and the file
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	const at, wal = 18, 2 // "file format write version": https://sqlite.org/fileformat.html
	var version [1]byte
	if _, err := file.ReadAt(version[:], at); err != nil {
		return "", fmt.Errorf("read the header: %w", err)
	}
	if version[0] == wal {
		return "wal", nil
	}
	return "delete", nil
}

func hasLog(path string) bool {
	_, err := os.Stat(path + "-wal")
	return err == nil
}

func inspect(ctx context.Context, path string, how url.Values, options InspectOptions) (found Inspection, err error) {
	db, err := sqliteLook(path, how)
	if err != nil {
		return Inspection{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if found.Schema, found.MinProgram, err = readSchema(ctx, db); err != nil {
		return found, err
	}
	if found.MinProgram > Schema {
		return found, nil
	}
	err = inspectRows(ctx, db, &found, options.Now)
	if err == nil {
		err = db.QueryRowContext(ctx, `PRAGMA journal_mode`).Scan(&found.Journal)
	}
	if err != nil {
		return found, fmt.Errorf("look at the database: %w", sqliteError(err))
	}
	return found, inspectFile(ctx, db, &found, options)
}

// querier reads: a handle, or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// inspectRows is what every engine is asked alike.
func inspectRows(ctx context.Context, db querier, found *Inspection, now time.Time) error {
	if err := inspectTotals(ctx, db, found); err != nil {
		return err
	}
	if err := inspectUngoverned(ctx, db, found); err != nil {
		return err
	}
	if err := inspectKeys(ctx, db, found, now); err != nil {
		return err
	}
	if err := inspectWebhooks(ctx, db, found, now); err != nil {
		return err
	}
	return inspectRoles(ctx, db, found, now)
}

func inspectKeys(ctx context.Context, db querier, found *Inspection, now time.Time) error {
	err := eachRow(ctx, db, instanceKeysQuery, nil, func(r row) error {
		var id string
		err := r.Scan((*text)(&id))
		found.InstanceKeys = append(found.InstanceKeys, id)
		return err
	})
	query, args := sealedQuery(sealedColumns(), now)
	if err != nil || query == "" {
		return err
	}
	return eachRow(ctx, db, query, args, func(r row) error {
		one, err := scanSealed(r)
		found.Sealed = append(found.Sealed, one)
		return err
	})
}

// inspectTotals reads what is one row for the whole database. The audit row
// of every change has its time; the last one need not be the latest, since a
// clock may have been set back.
func inspectTotals(ctx context.Context, db querier, found *Inspection) error {
	//nolint:wrapcheck // wrapped by the caller
	return db.QueryRowContext(ctx, `SELECT (SELECT n FROM totals WHERE name = 'users'),
		(SELECT max(at) FROM (SELECT at FROM audit ORDER BY seq DESC LIMIT 1000) latest),
		(SELECT count(*) FROM accounts WHERE needs_super_admin = 1 AND deleted_on = 0)`).
		Scan((*count)(&found.Users), (*stamp)(&found.Newest), (*count)(&found.UngovernedTotal))
}

// eachRow hands over the rows of a query.
func eachRow(ctx context.Context, db querier, query string, args []any, each func(row) error) (err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err() //nolint:wrapcheck // wrapped by the caller
}

func inspectUngoverned(ctx context.Context, db querier, found *Inspection) error {
	return eachRow(ctx, db, `SELECT id, name FROM accounts WHERE needs_super_admin = 1 AND deleted_on = 0 ORDER BY name, id LIMIT 10`, nil,
		func(r row) error {
			var account iam.Account
			err := r.Scan((*text)(&account.ID), &account.Name)
			found.Ungoverned = append(found.Ungoverned, account)
			return err
		})
}

// inspectRoles counts holders as RoleHolders does.
func inspectRoles(ctx context.Context, db querier, found *Inspection, now time.Time) error {
	return eachRow(ctx, db, `SELECT r.id, r.name, (SELECT count(*) FROM memberships m WHERE m.roles LIKE '%' || r.id || '%'
			AND ((m.status = 'accepted' AND (m.ends_on = 0 OR m.ends_on > $1))
			OR (m.status = 'pending' AND (m.expires_on = 0 OR m.expires_on > $1))))
		FROM roles r WHERE r.origin = $2 AND r.dropped_on = 0 ORDER BY r.name, r.id`, []any{toMicros(now), iam.OriginFile},
		func(r row) error {
			var role HeldRole
			err := r.Scan((*text)(&role.ID), &role.Name, &role.Holders)
			found.FileRoles = append(found.FileRoles, role)
			return err
		})
}

// inspectFile reads the whole file.
func inspectFile(ctx context.Context, db *sql.DB, found *Inspection, options InspectOptions) error {
	query := `PRAGMA quick_check(10)`
	reading, cancel := context.WithTimeout(ctx, options.Time)
	if options.Deep {
		query, reading = `PRAGMA integrity_check(10)`, ctx
	}
	defer cancel()
	damage, err := texts(reading, db, query)
	if err == nil {
		found.Broken, err = texts(reading, db, `SELECT DISTINCT "table" || ' → ' || parent FROM pragma_foreign_key_check LIMIT 10`)
	}
	if len(damage) != 1 || damage[0] != "ok" {
		found.Damage = damage
	}
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		found.Unfinished = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the whole file: %w", err)
	}
	return nil
}
