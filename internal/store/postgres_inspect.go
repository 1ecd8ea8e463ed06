package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// InspectPostgres looks at the database that a URL names and changes nothing.
// How whole its files are is for its server to know. ErrEmpty says that hither
// was never set up in it.
func InspectPostgres(ctx context.Context, url string, options InspectOptions) (found Inspection, err error) {
	config, err := postgresConfig(url, busyTimeout)
	if err != nil {
		return Inspection{}, err
	}
	db := postgresHandle(config)
	defer func() { err = errors.Join(err, db.Close()) }()
	if found.Schema, err = checkPostgres(ctx, db); err != nil {
		return found, err
	}
	if found.Schema == 0 {
		return found, ErrEmpty
	}
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return found, fmt.Errorf("begin to read: %w", postgresError(err))
	}
	defer func() { _ = tx.Rollback() }() // it changed nothing
	err = inspectServer(ctx, tx, &found.Server)
	if err == nil {
		err = inspectRows(ctx, tx, &found, options.Now)
	}
	if err != nil {
		return found, fmt.Errorf("look at the database: %w", postgresError(err))
	}
	return found, nil
}

// inspectServer asks the server for what keeps its data and ours safe. Where it
// does not wait for its disk, each session asking to wait is of no help.
func inspectServer(ctx context.Context, tx *sql.Tx, server *Server) error {
	//nolint:wrapcheck // wrapped by the caller
	return tx.QueryRowContext(ctx, `SELECT current_setting('server_version'),
			current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on',
			inet_server_addr() IS NULL OR inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1'
				OR COALESCE((SELECT s.ssl FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid()), false),
			CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)`).
		Scan(&server.Version, &server.Synced, &server.Private, (*stamp)(&server.Clock))
}
