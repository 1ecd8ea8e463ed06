package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"
)

// sqliteLook opens a file for looking only, by one connection: it sets no mode
// that the file keeps, makes no file and migrates nothing.
func sqliteLook(path string, how url.Values) (*sql.DB, error) {
	how.Set("_query_only", "on")
	how.Set("_busy_timeout", strconv.FormatInt(busyTimeout.Milliseconds(), 10))
	connector, err := sqlite.NewConnector(fileURI(path, how))
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	return db, nil
}

func fileURI(path string, query url.Values) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + query.Encode()
}

// errNotOurs refuses a file that hither did not make, or that is empty yet.
var errNotOurs = fmt.Errorf("%w: it is not hither's", errRefused)

// knownSchema is the version of the schema of a database that is ours and that
// this program can read.
func knownSchema(ctx context.Context, db *sql.DB) (int64, error) {
	version, minProgram, err := readSchema(ctx, db)
	if err != nil {
		return 0, err
	}
	return version, checkProgram(minProgram)
}

// readSchema reads the version of the schema and the oldest one of a program
// that may use it, of a database that is ours.
func readSchema(ctx context.Context, db *sql.DB) (version, minProgram int64, err error) {
	var application int64
	err = db.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&application)
	if failure, ok := errors.AsType[*sqlite.Error](err); ok && failure.Code() == codes.SQLITE_NOTADB {
		return 0, 0, errNotOurs
	}
	if err != nil {
		return 0, 0, fmt.Errorf("look at the database: %w", sqliteError(err))
	}
	if application != applicationID {
		return 0, 0, errNotOurs
	}
	err = db.QueryRowContext(ctx, `SELECT (SELECT max(version_id) FROM goose_db_version WHERE is_applied = 1), min_program
		FROM instance`).Scan(&version, &minProgram)
	if err != nil {
		return 0, 0, fmt.Errorf("read the schema's version: %w", sqliteError(err))
	}
	return version, minProgram, nil
}

// texts reads a column of texts.
func texts(ctx context.Context, db *sql.DB, query string) (found []string, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, sqliteError(err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, sqliteError(err)
		}
		found = append(found, text)
	}
	return found, sqliteError(rows.Err())
}
