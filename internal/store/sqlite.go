package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"time"

	"modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"hither/internal/iam"
)

const (
	// busyTimeout is how long a write waits for one of another process, the
	// command line's for instance.
	busyTimeout = 5 * time.Second
	minReaders  = 4
	// The database holds addresses and names of people.
	fileMode = 0o600
)

// OpenSQLite opens the database in the file at path, makes it where there is
// none, and brings its schema up to date. Several processes may have the same
// file open.
func OpenSQLite(ctx context.Context, path string, options Options) (_ *Store, err error) {
	options = options.withDefaults()
	if err := createSQLite(path); err != nil {
		return nil, err
	}
	writing, err := sqliteHandle(path, options.busyTimeout, false)
	if err != nil {
		return nil, err
	}
	reading, err := sqliteHandle(path, options.busyTimeout, true)
	if err != nil {
		return nil, err
	}
	closeHandles := func() error { return errors.Join(reading.Close(), writing.Close()) }
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open %s: %w", path, err), closeHandles())
		}
	}()
	if err := migrateSQLite(ctx, writing); err != nil {
		return nil, err
	}
	writingConn, err := writing.Conn(ctx)
	if err != nil {
		return nil, sqliteError(err)
	}
	sessions := make([]*sqlSession, max(minReaders, runtime.NumCPU()))
	for i := range sessions {
		conn, err := reading.Conn(ctx)
		if err != nil {
			return nil, sqliteError(err)
		}
		sessions[i] = newSQLSession(conn, sqliteError)
	}
	s := &Store{readers: newPool(sessions), now: options.Now, beginRead: `BEGIN`, closeHandles: closeHandles}
	//nolint:contextcheck // the writer outlives whoever opened the store
	s.writer = startWriter(newSQLSession(writingConn, sqliteError), &s.roles, options)
	return s, nil
}

// createSQLite makes an empty file that only its owner can read; SQLite gives
// the files beside it the same mode. A file that exists is not opened here:
// closing it would drop the locks that this process holds on it.
func createSQLite(path string) error {
	if path == "" || path == ":memory:" {
		return errors.New("open database: the path of a file is needed")
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, fileMode) //nolint:gosec // the operator names the file
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	return nil
}

// sqliteHandle names the file and the pragmas of its connections. Write-ahead
// logging lets readers go on while one writes; FULL makes a commit wait until
// it would survive a power cut, without which an acknowledged answer may be
// lost. Transactions of migrations begin immediate too.
func sqliteHandle(path string, busy time.Duration, readOnly bool) (*sql.DB, error) {
	query := url.Values{
		"_busy_timeout": {strconv.FormatInt(busy.Milliseconds(), 10)},
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_foreign_keys": {"on"},
		"_txlock":       {"immediate"},
		"_dqs":          {"0"},
		"_defensive":    {"1"},
		// What savepoints remember to roll back to stays in memory.
		"_pragma": {"temp_store(memory)"},
	}
	if readOnly {
		query.Set("_query_only", "on")
	}
	connector, err := sqlite.NewConnector("file:" + (&url.URL{Path: path}).EscapedPath() + "?" + query.Encode())
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return sql.OpenDB(connector), nil
}

// sqliteError says in the store's words what SQLite's codes mean. What is not
// named here is a defect of ours, and stays as it is.
func sqliteError(err error) error {
	var failure *sqlite.Error
	if !errors.As(err, &failure) {
		return err
	}
	switch failure.Code() {
	case codes.SQLITE_CONSTRAINT_UNIQUE, codes.SQLITE_CONSTRAINT_PRIMARYKEY:
		return fmt.Errorf("%w: %w", iam.ErrDuplicate, err)
	case codes.SQLITE_CONSTRAINT_FOREIGNKEY:
		return fmt.Errorf("%w: %w", iam.ErrNoRow, err)
	}
	const primary = 0xff // the rest of a code tells more about it
	switch failure.Code() & primary {
	case codes.SQLITE_BUSY, codes.SQLITE_LOCKED:
		return &iam.Error{Kind: iam.Unavailable, Message: "the database is busy; try again", Err: err}
	case codes.SQLITE_FULL, codes.SQLITE_IOERR, codes.SQLITE_CANTOPEN, codes.SQLITE_READONLY, codes.SQLITE_NOMEM,
		codes.SQLITE_PROTOCOL, codes.SQLITE_CORRUPT, codes.SQLITE_NOTADB, codes.SQLITE_INTERRUPT:
		return &iam.Error{Kind: iam.Unavailable, Message: "the database cannot be used at present; try again later", Err: err}
	}
	return err
}
