package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"hither/internal/clock"
	"hither/internal/iam"
	"hither/internal/id"
	"hither/internal/store"
)

// database is the setting of every command that opens the database.
type database struct {
	Data string `default:"./hither.db" env:"HITHER_DATA" help:"The database, one SQLite file. It is made if there is none." placeholder:"FILE"`
}

// opened is an open database and the use cases over it.
type opened struct {
	store   *store.Store
	service *iam.Service
	newID   func() string
}

// open opens the database for one command. The caller closes the store.
func (d database) open(ctx context.Context, logger *slog.Logger) (opened, error) {
	db, err := openDatabase(ctx, d.Data, logger)
	if err != nil {
		return opened{}, fmt.Errorf("--data %s: %w", d.Data, err)
	}
	return db, nil
}

func openDatabase(ctx context.Context, path string, logger *slog.Logger) (opened, error) {
	db, err := store.OpenSQLite(ctx, path, store.Options{Now: clock.Now, Logger: logger})
	if err != nil {
		return opened{}, err
	}
	newID := id.NewSource(clock.Now).New
	return opened{store: db, service: iam.NewService(db, newID, clock.Now), newID: newID}, nil
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
