package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"hither/internal/clock"
	"hither/internal/iam"
	"hither/internal/id"
	"hither/internal/store"
)

// database is the setting of every command that opens the database.
type database struct {
	Data     string `default:"./hither.db" env:"HITHER_DATA" help:"The database, one SQLite file. It is made if there is none." placeholder:"FILE"`
	Database string `env:"HITHER_DATABASE" help:"A PostgreSQL database instead, by its URL: postgres://user@host:5432/hither?sslmode=verify-full. Several hosts may be named." placeholder:"URL"`
}

// where is the database that the flags name.
func (d database) where() place { return place{file: d.Data, url: d.Database} }

// place says where a database is: in a file, or where a URL says.
type place struct{ file, url string }

// String names the place without its secrets.
func (p place) String() string {
	if p.url != "" {
		return store.PostgresPlace(p.url)
	}
	return p.file
}

// defaultFile is the default of --data, as its tag says: only another file
// shows that somebody asked for one.
const defaultFile = "./hither.db"

func (p place) check() error {
	if p.url != "" && p.file != defaultFile {
		return usageError{"--data and --database can't be used together: each names the database (HITHER_DATA and HITHER_DATABASE count too)"}
	}
	return nil
}

// opened is an open database and the use cases over it.
type opened struct {
	store   *store.Store
	service *iam.Service
	newID   func() string
	now     func() time.Time // the one clock of all that stands on this database
	// invitations counts what is done to them through the service.
	invitations *iam.InvitationCounters
}

// open opens the database for one command. The caller closes the store.
func (d database) open(ctx context.Context, logger *slog.Logger) (opened, error) {
	db, err := openDatabase(ctx, d.where(), store.Options{Logger: logger})
	if err != nil && d.Database == "" {
		err = fmt.Errorf("--data %s: %w", d.Data, err)
	}
	return db, err
}

func openDatabase(ctx context.Context, where place, options store.Options) (opened, error) {
	if options.Now == nil {
		options.Now = clock.Now
	}
	var (
		db  *store.Store
		err error
	)
	if err := where.check(); err != nil {
		return opened{}, err
	}
	if where.url != "" {
		if db, err = store.OpenPostgres(ctx, where.url, options); err != nil {
			err = fmt.Errorf("--database: %w", err) // without the URL, which may hold a password
		}
	} else {
		db, err = store.OpenSQLite(ctx, where.file, options)
	}
	if err != nil {
		return opened{}, err
	}
	newID := id.NewSource(options.Now).New
	counters := iam.NewInvitationCounters()
	service := iam.NewService(iam.Counted(db, counters), newID, options.Now)
	return opened{store: db, service: service, newID: newID, now: options.Now, invitations: counters}, nil
}

// operator is who runs the binary beside its database.
func operator() iam.Actor { return iam.Actor{Kind: iam.ByCommandLine} }

// inFile says in which file of which flag something is wrong, what it is each
// on a line of its own.
func inFile(flag, path string, err error) error {
	if problems, ok := errors.AsType[iam.Problems](err); ok {
		return fmt.Errorf("%s %s:\n  %s", flag, path, strings.ReplaceAll(problems.Error(), "\n", "\n  "))
	}
	return fmt.Errorf("%s %s: %w", flag, path, err)
}
