package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"hither/internal/clock"
	"hither/internal/seal"
	"hither/internal/store"
	"hither/test/postgres"
)

// postgresEngine is a throw-away cluster, as PostgreSQL comes but for its
// shared buffers. It lies where temporary files do, since its user may not
// enter the folder of the run.
type postgresEngine struct {
	bench

	cluster *postgres.Cluster
	admin   *sql.DB
	from    *sqliteEngine
}

const (
	sharedBuffers = "256MB"
	seedDatabase  = "seed"
)

func startPostgres(ctx context.Context, b bench, from *sqliteEngine) (_ *postgresEngine, err error) {
	cluster, err := postgres.New(postgres.Options{Settings: map[string]string{
		"shared_buffers": sharedBuffers,
		// As it comes; what tests run on hurries.
		"checkpoint_completion_target": "0.9",
	}})
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	e := &postgresEngine{bench: b, cluster: cluster, from: from}
	if e.admin, err = sql.Open("pgx", cluster.URL("postgres")); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, e.admin.PingContext(ctx)
}

func (*postgresEngine) name() string { return postgresName }

func (*postgresEngine) inviteAim() string { return "≤ 5.5" }

func (e *postgresEngine) close() error {
	var err error
	if e.admin != nil {
		err = e.admin.Close()
	}
	e.cluster.End()
	return err
}

func (e *postgresEngine) describe(ctx context.Context) (string, error) {
	var version, folder string
	var size int
	err := e.admin.QueryRowContext(ctx, `SELECT current_setting('server_version'), current_setting('data_directory'), pg_database_size($1)`, seedDatabase).
		Scan(&version, &folder, &size)
	version, _, _ = strings.Cut(version, " ") // the packager's part
	return fmt.Sprintf("%s, %s on %s; shared_buffers=%s, all else as it comes (fsync, full_page_writes and synchronous_commit on), over TCP without TLS",
		version, megabytes(size), filesystemOf(folder), sharedBuffers), err
}

// seed copies the rows of SQLite's file, table by table, into the schema that
// the store's migrations make.
func (e *postgresEngine) seed(ctx context.Context, w world) (err error) {
	if e.from.path == "" {
		if err := e.from.seed(ctx, w); err != nil {
			return err
		}
	}
	if _, err := e.admin.ExecContext(ctx, `CREATE DATABASE `+seedDatabase); err != nil {
		return err
	}
	begin := time.Now()
	migrated, err := store.OpenPostgres(ctx, e.cluster.URL(seedDatabase), store.Options{})
	if err != nil {
		return err
	}
	if err := migrated.Close(); err != nil {
		return err
	}
	rows, err := openSQLite(e.from.path, "_query_only", "on")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	conn, err := pgx.Connect(ctx, e.cluster.URL(seedDatabase))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if err := copyWorld(ctx, rows, conn); err != nil {
		return fmt.Errorf("seed PostgreSQL: %w", err)
	}
	e.sayf("copied %d memberships to PostgreSQL in %s", w.rows, time.Since(begin).Round(time.Second))
	return nil
}

// copyWorld fills a fresh schema. SQLite has checked the references already;
// the rest of the constraints are checked here too.
func copyWorld(ctx context.Context, from *sql.DB, to *pgx.Conn) error {
	if _, err := to.Exec(ctx, `SET session_replication_role = replica`); err != nil {
		return err
	}
	for _, name := range tables() {
		if name == "goose_db_version" {
			continue // the migrations wrote it
		}
		if err := copyTable(ctx, from, to, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	// As a database that has grown is: its statistics and its visibility map
	// there, its log on the disk.
	for _, statement := range []string{
		`SELECT setval(pg_get_serial_sequence('audit', 'seq'), (SELECT max(seq) FROM audit))`,
		`VACUUM (ANALYZE)`, `CHECKPOINT`,
	} {
		if _, err := to.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

func copyTable(ctx context.Context, from *sql.DB, to *pgx.Conn, name string) (err error) {
	rows, err := from.QueryContext(ctx, `SELECT * FROM `+name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	if _, err := to.Exec(ctx, `DELETE FROM `+name); err != nil { // what a fresh schema has
		return err
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	_, err = to.CopyFrom(ctx, pgx.Identifier{name}, columns, pgx.CopyFromFunc(func() ([]any, error) {
		if !rows.Next() {
			return nil, rows.Err()
		}
		return values, rows.Scan(into...)
	}))
	return err
}

func (e *postgresEngine) serve(ctx context.Context, program string) (*server, error) {
	return e.startHitherOn(ctx, program, seedDatabase)
}

func (e *postgresEngine) startHitherOn(ctx context.Context, program, database string) (*server, error) {
	keyring := filepath.Join(e.dir, "postgres.keys")
	if _, err := seal.Create(keyring, clock.Now()); err != nil {
		return nil, err
	}
	hither, err := e.startHither(ctx, program, "--database", e.cluster.URL(database), "--keyring", keyring)
	if err == nil {
		hither.postmaster = e.cluster.Pid()
	}
	return hither, err
}

func (e *postgresEngine) serveCopy(ctx context.Context, program, _ string) (*server, *bare, error) {
	for _, statement := range []string{
		`CREATE DATABASE served TEMPLATE ` + seedDatabase + ` STRATEGY file_copy`,
		`CREATE DATABASE bare TEMPLATE ` + seedDatabase + ` STRATEGY file_copy`,
		`CHECKPOINT`, // what is still to be written would slow down the first round
	} {
		if _, err := e.admin.ExecContext(ctx, statement); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", statement, err)
		}
	}
	loop, err := e.openBare(ctx, "bare", "served")
	if err != nil {
		return nil, nil, err
	}
	hither, err := e.startHitherOn(ctx, program, "served")
	if err != nil {
		return nil, nil, errors.Join(err, loop.close())
	}
	return hither, loop, nil
}

// postgresWriters is how many connections hither writes over (internal/store).
const postgresWriters = 8

func (e *postgresEngine) openBare(ctx context.Context, own, hithers string) (*bare, error) {
	b := &bare{
		begin:    `BEGIN`,
		tablesBy: `SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'event_position' ORDER BY tablename COLLATE "C"`,
		override: ` OVERRIDING SYSTEM VALUE`,
	}
	var err error
	if b.own, err = openDriver(e.cluster.URL(own)); err != nil {
		return nil, err
	}
	if b.hithers, err = openDriver(e.cluster.URL(hithers)); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, b.connect(ctx, postgresWriters)
}

// openDriver opens PostgreSQL by the driver that most programs use.
func openDriver(url string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	return stdlib.OpenDB(*config), nil
}
