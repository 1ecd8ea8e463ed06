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
	db, err := sqliteHandle(path, options.busyTimeout)
	if err != nil {
		return nil, err
	}
	err = migrateSQLite(ctx, db)
	if err = errors.Join(err, db.Close()); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	var opened []*nativeSession
	for _, kind := range sqliteConnections(options) {
		one, err := openNative(sqliteURI(path), kind.busy, kind.pragmas...)
		if err != nil {
			for _, one := range opened {
				err = errors.Join(err, one.close())
			}
			return nil, fmt.Errorf("open %s: %w", path, err)
		}
		opened = append(opened, one)
	}
	// The last connection, that of the log, copies what is left of it into the
	// database as it closes, and removes it.
	s := &Store{
		readers: newPool(connections(opened[2:])), now: options.Now, beginRead: `BEGIN`, readsInMoments: true,
		queued: make(chan struct{}, 1), closeLast: opened[1].close,
	}
	log := startCheckpointer(sqliteWAL{opened[1]}, options.pacing, options.Logger)
	s.writer = startWriter(opened[0], &s.roles, log, options)
	return s, nil
}

// connections are the same ones, as the pool knows them.
func connections(sessions []*nativeSession) []connection {
	list := make([]connection, len(sessions))
	for i, one := range sessions {
		list[i] = one
	}
	return list
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

// sqliteHandle is for migrations, with the pragmas of every other connection.
// Transactions begin immediate here too.
func sqliteHandle(path string, busy time.Duration) (*sql.DB, error) {
	query := url.Values{
		"_busy_timeout": {strconv.FormatInt(busy.Milliseconds(), 10)},
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_foreign_keys": {"on"},
		"_txlock":       {"immediate"},
		"_dqs":          {"0"},
		"_defensive":    {"1"},
		"_pragma":       {"temp_store(memory)"},
	}
	connector, err := sqlite.NewConnector(sqliteURI(path) + "?" + query.Encode())
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return sql.OpenDB(connector), nil
}

// sqliteURI names the file to SQLite.
func sqliteURI(path string) string { return "file:" + (&url.URL{Path: path}).EscapedPath() }

// connectionKind is how a connection is opened.
type connectionKind struct {
	busy    time.Duration
	pragmas []string
}

// sqliteConnections are the one that writes, the one that looks after the
// write-ahead log, and those that read.
//
// All have a write-ahead log, which lets readers go on while one writes; FULL
// makes a commit wait until it would survive a power cut, without which an
// acknowledged answer may be lost. What savepoints remember to roll back to
// stays in memory.
//
// Those that read see the file as memory: of a million rows hardly one is in the
// two megabytes that a connection caches, and to copy each page by a call of its
// own was a third of what reading an invitation takes; a cache that holds enough
// would be a multiple of the memory that we want to use. The price: where the
// disk cannot give a page the process ends (SIGBUS) instead of answering 500.
// What was acknowledged is on disk by then. The writer, which meets a full or
// failing disk first, sees the file by calls, and every error of theirs.
func sqliteConnections(options Options) []connectionKind {
	pragmas := func(more ...string) []string {
		return append([]string{"journal_mode=WAL", "synchronous=FULL", "foreign_keys=on", "temp_store=memory"}, more...)
	}
	const most = 1 << 40 // SQLite takes as much as it was built for
	kinds := []connectionKind{
		{options.busyTimeout, pragmas("wal_autocheckpoint=" + strconv.Itoa(options.pacing.ceiling))},
		{options.pacing.hold, pragmas()},
	}
	for range max(minReaders, runtime.NumCPU()) {
		kinds = append(kinds, connectionKind{options.busyTimeout, pragmas("query_only=on", "mmap_size="+strconv.Itoa(most))})
	}
	return kinds
}

// sqliteCode is the code of SQLite's that err carries.
func sqliteCode(err error) (int, bool) {
	if failure, ok := errors.AsType[*nativeError](err); ok {
		return failure.code, true
	}
	failure, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return 0, false
	}
	return failure.Code(), true
}

// sqliteError says in the store's words what SQLite's codes mean. What is not
// named here is a defect of ours, and stays as it is.
func sqliteError(err error) error {
	code, ok := sqliteCode(err)
	if !ok {
		return err
	}
	switch code {
	case codes.SQLITE_CONSTRAINT_UNIQUE, codes.SQLITE_CONSTRAINT_PRIMARYKEY:
		return fmt.Errorf("%w: %w", iam.ErrDuplicate, err)
	case codes.SQLITE_CONSTRAINT_FOREIGNKEY:
		return fmt.Errorf("%w: %w", iam.ErrNoRow, err)
	}
	const primary = 0xff // the rest of a code tells more about it
	switch code & primary {
	case codes.SQLITE_BUSY, codes.SQLITE_LOCKED:
		return &iam.Error{Kind: iam.Unavailable, Message: "the database is busy; try again", Err: err}
	case codes.SQLITE_FULL, codes.SQLITE_IOERR, codes.SQLITE_CANTOPEN, codes.SQLITE_READONLY, codes.SQLITE_NOMEM,
		codes.SQLITE_PROTOCOL, codes.SQLITE_CORRUPT, codes.SQLITE_NOTADB, codes.SQLITE_INTERRUPT:
		return &iam.Error{Kind: iam.Unavailable, Message: "the database cannot be used at present; try again later", Err: err}
	}
	return err
}

// isFull tells whether there was no room on the disk.
func isFull(err error) bool {
	code, ok := sqliteCode(err)
	return ok && code == codes.SQLITE_FULL
}
