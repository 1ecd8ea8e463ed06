package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"hither/test/postgres"
)

// engine is a database that hither is measured on.
type engine interface {
	name() string
	// seed makes the world, or takes that of an earlier run.
	seed(ctx context.Context, w world) error
	// describe says what the world lies in, once it is seeded.
	describe(ctx context.Context) (string, error)
	// inviteAim is the cpuX that reading an invitation is to take.
	inviteAim() string
	// serve starts hither on the world. The processor time of the server is
	// that of the database too, wherever that runs.
	serve(ctx context.Context, program string) (*server, error)
	// serveCopy starts hither on a copy of the world, and opens the bare loop on
	// another.
	serveCopy(ctx context.Context, program, work string) (*server, *bare, error)
	close() error
}

const (
	sqliteName   = "SQLite"
	postgresName = "PostgreSQL"
)

// Values of -engine.
const (
	engineSQLite   = "sqlite"
	enginePostgres = "postgres"
	engineBoth     = "both"
)

// engines are those that the flag names, started.
func (b bench) engines(ctx context.Context) (all []engine, err error) {
	missing := postgres.Missing()
	switch {
	case b.engine != engineSQLite && b.engine != enginePostgres && b.engine != engineBoth:
		return nil, fmt.Errorf("-engine: got %q, want %s, %s or %s", b.engine, engineSQLite, enginePostgres, engineBoth)
	case b.engine == enginePostgres && missing != nil:
		return nil, fmt.Errorf("-engine %s: %w", b.engine, missing)
	case b.engine == engineBoth && missing != nil:
		b.sayf("!!! NOT MEASURED ON POSTGRESQL: %v", missing)
	}
	// The rows of PostgreSQL are copied from SQLite's file.
	file := &sqliteEngine{bench: b}
	if b.engine != enginePostgres {
		all = append(all, file)
	}
	if b.engine != engineSQLite && missing == nil {
		started, err := startPostgres(ctx, b, file)
		if err != nil {
			return nil, errors.Join(err, closeAll(all))
		}
		all = append(all, started)
	}
	return all, nil
}

func closeAll(all []engine) error {
	var errs []error
	for _, e := range all {
		errs = append(errs, e.close())
	}
	return errors.Join(errs...)
}

// sqliteEngine is a file in the folder of the run.
type sqliteEngine struct {
	bench

	path string
}

func (*sqliteEngine) name() string { return sqliteName }

func (*sqliteEngine) inviteAim() string { return "≤ 2.9" }

func (e *sqliteEngine) seed(ctx context.Context, w world) (err error) {
	e.path, err = e.seeded(ctx, w)
	return err
}

func (e *sqliteEngine) describe(context.Context) (string, error) {
	info, err := os.Stat(e.path)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s on %s; synchronous=FULL", megabytes(int(info.Size())), filesystemOf(e.dir)), nil
}

func (e *sqliteEngine) serve(ctx context.Context, program string) (*server, error) {
	return e.startHither(ctx, program, "--data", e.path)
}

func (e *sqliteEngine) serveCopy(ctx context.Context, program, work string) (*server, *bare, error) {
	served, copied := filepath.Join(work, "served.db"), filepath.Join(work, "bare.db")
	for _, path := range []string{served, copied} {
		if err := copyFile(e.path, path); err != nil {
			return nil, nil, err
		}
	}
	loop, err := openBareSQLite(ctx, copied, served)
	if err != nil {
		return nil, nil, err
	}
	// The copy knows the keys that the original was served with.
	hither, err := e.startHither(ctx, program, "--data", served, "--keyring", e.path+".keys")
	if err != nil {
		return nil, nil, errors.Join(err, loop.close())
	}
	return hither, loop, nil
}

func (*sqliteEngine) close() error { return nil }

// startHither starts the program on a database that the flags name.
func (b bench) startHither(ctx context.Context, program string, database ...string) (*server, error) {
	return startServer(ctx, b.log, program, func(addr string) []string {
		return append([]string{"serve", "--listen", addr, "--rate-limit=off", "--address-rate-limit=off"}, database...)
	})
}
