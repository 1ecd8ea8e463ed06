package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"hither/internal/iam"
)

const (
	// A node holds at most this many connections, of which those that only read
	// never wait for a lock.
	postgresReaders = 8
	postgresWriters = 8

	// connectTimeout is how long one host of the URL may take.
	connectTimeout = 3 * time.Second
	// statementTimeout bounds a statement; waiting for a lock within it is
	// bounded by Options.busyTimeout.
	statementTimeout = 30 * time.Second
	// idleTimeout bounds the pause between two statements of a transaction, and
	// so how long a node that hangs keeps what it has locked.
	idleTimeout = 10 * time.Second
	// readTimeout bounds a statement that only reads: whoever waits for a server
	// that says nothing is told so before the server of the wire gives up.
	readTimeout = 10 * time.Second
	// networkMargin is what the network may take beyond a statement.
	networkMargin = 5 * time.Second
	// commitPatience is how long the outcome of a commit is looked for: longer
	// than the server keeps a transaction whose client is gone.
	commitPatience = 2 * idleTimeout
	// migrationTimeout bounds a statement of a migration.
	migrationTimeout = 30 * time.Minute
)

// postgresBegin opens a transaction that writes. The design asks for READ
// COMMITTED, whatever the database's default is.
const postgresBegin = `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE`

// skipTaken ends a statement that takes rows to work on them: what another
// transaction has in hand is left to it, and nobody waits for it.
const skipTaken = ` FOR UPDATE SKIP LOCKED`

// The lock of the roles (see locks.go): "hith" in ASCII, and which.
const (
	lockRolesShared = `SELECT pg_advisory_xact_lock_shared(1751741544, 1)`
	lockRolesAlone  = `SELECT pg_advisory_xact_lock(1751741544, 1)`
)

// OpenPostgres opens the database that a URL names, and brings its schema up
// to date. Several nodes may have the same database open. Connections come
// into being when they are needed, and anew when they break.
func OpenPostgres(ctx context.Context, url string, options Options) (*Store, error) {
	options = options.withDefaults()
	config, err := postgresConfig(url, options.busyTimeout)
	if err != nil {
		return nil, err
	}
	if err := migrateBy(ctx, config, options.Existing); err != nil {
		return nil, fmt.Errorf("open %s: %w", placeOf(config), err)
	}
	writing, reading := dialer(config), dialer(forReading(config))
	s := &Store{
		readers: newPool(many(postgresReaders, func() connection { return newPostgresSession(reading) })), now: options.Now,
		closeLast: func() error { return nil },
		// A reader's statements see one moment: READ COMMITTED would give each its own.
		beginRead: `BEGIN READ ONLY, ISOLATION LEVEL REPEATABLE READ`, cutBranches: true, placesEvents: true,
		queued: make(chan struct{}, 1),
	}
	s.points = newPoints(s) //nolint:contextcheck // who looks up is on its own
	s.writer = &transactor{
		sessions: newPool(many(postgresWriters, func() *postgresSession { return newPostgresSession(writing) })),
		newLocks: newLocks, roles: &s.roles,
		now: options.Now, logger: options.Logger, patience: commitPatience,
	}
	return s, nil
}

// migrateBy migrates over connections of its own, whose statements may take
// longer.
func migrateBy(ctx context.Context, config *pgx.ConnConfig, existing bool) error {
	config = config.Copy()
	config.RuntimeParams["statement_timeout"] = milliseconds(migrationTimeout)
	db := postgresHandle(config)
	return errors.Join(migratePostgres(ctx, db, existing), db.Close())
}

// PostgresPlace is what a log may say of a URL: hosts and database, and neither
// a user's name nor a password.
func PostgresPlace(url string) string {
	config, err := parsePostgres(url)
	if err != nil {
		return "postgres"
	}
	return placeOf(config)
}

func placeOf(config *pgx.ConnConfig) string {
	hosts := []string{net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port)))}
	for _, other := range config.Fallbacks {
		host := net.JoinHostPort(other.Host, strconv.Itoa(int(other.Port)))
		if host != hosts[len(hosts)-1] { // with TLS and without
			hosts = append(hosts, host)
		}
	}
	return "postgres://" + strings.Join(hosts, ",") + "/" + config.Database
}

func parsePostgres(url string) (*pgx.ConnConfig, error) {
	if !strings.HasPrefix(url, "postgres://") && !strings.HasPrefix(url, "postgresql://") {
		return nil, errors.New("the URL of a database begins with postgres://, as in postgres://user@host:5432/hither?sslmode=verify-full")
	}
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("the URL of the database: %w", withoutURL(err))
	}
	if strings.Contains(config.Database, "@") { // a password with a slash in it ends up there
		return nil, errors.New("the URL of the database: " + unescaped)
	}
	return config, nil
}

const unescaped = "it cannot be parsed; a password's special characters are written as %XX"

// withoutURL is what was wrong with a URL, without the URL: the driver stars
// the password where it finds it, and it need not find it in one that is
// malformed.
func withoutURL(err error) error {
	text := err.Error()
	if i := strings.LastIndex(text, "`: "); i >= 0 {
		text = text[i+len("`: "):]
	}
	if strings.Contains(text, "://") {
		text = unescaped
	}
	return errors.New(text)
}

// postgresConfig is how connections are made: what the URL says, and what the
// store relies on.
func postgresConfig(url string, lockTimeout time.Duration) (*pgx.ConnConfig, error) {
	config, err := parsePostgres(url)
	if err != nil {
		return nil, err
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	if config.ValidateConnect == nil {
		// Of several hosts the one that takes writes.
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	config.AfterConnect = durable
	for name, value := range map[string]string{
		"application_name":                    "hither",
		"statement_timeout":                   milliseconds(statementTimeout),
		"lock_timeout":                        milliseconds(lockTimeout),
		"idle_in_transaction_session_timeout": milliseconds(idleTimeout),
	} {
		if _, given := config.RuntimeParams[name]; !given {
			config.RuntimeParams[name] = value
		}
	}
	return config, nil
}

// forReading is the configuration of connections that only read.
func forReading(config *pgx.ConnConfig) *pgx.ConnConfig {
	config = config.Copy()
	given, err := strconv.Atoi(config.RuntimeParams["statement_timeout"])
	if err != nil || given <= 0 || time.Duration(given)*time.Millisecond > readTimeout {
		config.RuntimeParams["statement_timeout"] = milliseconds(readTimeout)
	}
	// What is read is found by indexes, a few rows at a time. A table that is read
	// as a whole for a join costs less than that by the planner's figures, which
	// are those of disks, and many times as much in fact.
	for _, name := range []string{"enable_hashjoin", "enable_mergejoin"} {
		if _, given := config.RuntimeParams[name]; !given {
			config.RuntimeParams[name] = "off"
		}
	}
	return config
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// postgresHandle is for migrations and for looking, which goose and a few statements
// do by database/sql.
func postgresHandle(config *pgx.ConnConfig) *sql.DB {
	config = config.Copy()
	config.Config = *patient(&config.Config)
	db := stdlib.OpenDB(*config)
	// Who is done with a connection means it.
	db.SetMaxIdleConns(-1)
	return db
}

// dialer connects a session.
func dialer(config *pgx.ConnConfig) func(ctx context.Context) (*pgconn.PgConn, error) {
	protocol := patient(&config.Config)
	return func(ctx context.Context) (*pgconn.PgConn, error) { return pgconn.ConnectConfig(ctx, protocol) }
}

// patient is the configuration of connections that wait no longer than their
// statements may take.
func patient(config *pgconn.Config) *pgconn.Config {
	config = config.Copy()
	patience := statementTimeout + networkMargin
	if timeout, err := strconv.Atoi(config.RuntimeParams["statement_timeout"]); err == nil {
		patience = time.Duration(timeout)*time.Millisecond + networkMargin
	}
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return patientConn{conn, patience}, nil
	}
	return config
}

// durable makes commits wait for the disk where the server's default is not to:
// what was acknowledged would be lost with a crash. Any other value waits.
func durable(ctx context.Context, conn *pgconn.PgConn) error {
	err := conn.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`).Close()
	if err != nil {
		return fmt.Errorf("set synchronous_commit: %w", err)
	}
	return nil
}

// patientConn bounds how long one side of a connection waits for the other: a
// server whose machine is gone says nothing, not even that. Statements have no
// context that could do it, and this costs less.
type patientConn struct {
	net.Conn
	patience time.Duration
}

func (c patientConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.patience)); err != nil {
		return 0, err //nolint:wrapcheck // as the connection's own
	}
	return c.Conn.Read(p) //nolint:wrapcheck // as the connection's own
}

func (c patientConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.patience)); err != nil {
		return 0, err //nolint:wrapcheck // as the connection's own
	}
	return c.Conn.Write(p) //nolint:wrapcheck // as the connection's own
}

// many are n new ones.
func many[C any](n int, fresh func() C) []C {
	all := make([]C, n)
	for i := range all {
		all[i] = fresh()
	}
	return all
}

// beginPostgres opens a transaction and locks the roles, together with the first
// statement of the closure.
func beginPostgres(session *postgresSession, rolesAlone bool) error {
	lock := lockRolesShared
	if rolesAlone {
		lock = lockRolesAlone
	}
	if err := session.later(postgresBegin, nil, nil); err != nil {
		return err
	}
	return session.later(lock, nil, nil)
}

// SQLSTATEs that are told apart; https://www.postgresql.org/docs/15/errcodes-appendix.html
const (
	foreignKeyViolation  = "23503"
	uniqueViolation      = "23505"
	stalePlan            = "0A000"
	readOnlyTransaction  = "25006"
	idleInTransaction    = "25P03"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	lockNotAvailable     = "55P03"
	queryCanceled        = "57014"
)

// errMet means that a transaction met another one and was rolled back for it.
// It may run again.
var errMet = errors.New("the transaction met another one")

// postgresError says in the store's words what PostgreSQL's codes mean, and
// what a connection that ended does. What is not named here is a defect of
// ours, and stays as it is.
func postgresError(err error) error {
	var failure *pgconn.PgError
	if _, connecting := errors.AsType[*pgconn.ConnectError](err); connecting {
		return unusable(err) // for whatever reason: nothing was begun
	}
	if !errors.As(err, &failure) {
		if lostConnection(err) {
			return unusable(err)
		}
		return err
	}
	switch failure.Code {
	case uniqueViolation:
		return fmt.Errorf("%w: %w", iam.ErrDuplicate, err)
	case foreignKeyViolation:
		return fmt.Errorf("%w: %w", iam.ErrNoRow, err)
	case serializationFailure, deadlockDetected:
		return fmt.Errorf("%w: %w", errMet, err)
	case lockNotAvailable, queryCanceled:
		return &iam.Error{Kind: iam.Unavailable, Message: "the database is busy; try again", Err: err}
	case readOnlyTransaction, // the node became a standby
		idleInTransaction, stalePlan: // the connection is of no use any more
		return unusable(err)
	}
	switch failure.Code[:2] {
	case "08", // connection exceptions
		"28",             // who we are was refused: a password that was changed
		"53",             // out of memory, disk or connections
		"57", "58", "XX": // shut down, I/O errors, corruption
		return unusable(err)
	case "3D": // the database is not there
		return unusable(err)
	}
	return err
}

func unusable(err error) error {
	return &iam.Error{Kind: iam.Unavailable, Message: "the database cannot be used at present; try again later", Err: err}
}

// lostConnection tells errors of the network, and of a connection that ended
// before, from defects of ours.
func lostConnection(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, sql.ErrConnDone) || pgconn.SafeToRetry(err) || isEOF(err)
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// isUseless tells whether a connection that still stands is of no use after an
// error: it leads to a server that takes no writes any more, or holds statements
// prepared for columns whose types a migration has changed.
func isUseless(err error) bool {
	var failure *pgconn.PgError
	return errors.As(err, &failure) && (failure.Code == readOnlyTransaction || failure.Code == stalePlan)
}
