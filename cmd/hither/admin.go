package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"hither/internal/iam"
	"hither/internal/store"
)

// admin is what the operator's commands share. They work beside a running
// server, on the database that it serves, and never make one by looking.
type admin struct {
	Data     string `default:"./hither.db" env:"HITHER_DATA" help:"The database, one SQLite file." placeholder:"FILE"`
	Database string `env:"HITHER_DATABASE" help:"A PostgreSQL database instead, by its URL." placeholder:"URL"`
	JSON     bool   `help:"Print JSON, for scripts." name:"json"`
}

// session is one run of a command over an open database.
type session struct {
	streams
	opened
	actor iam.Actor
	json  bool
}

// run does something with the database, which must be there.
func (a admin) run(ctx context.Context, s streams, do func(session) error) error {
	if err := a.exists(); err != nil {
		return err
	}
	where := place{file: a.Data, url: a.Database}
	err := withDatabase(ctx, where, store.Options{Existing: true}, a.JSON, s, do)
	if errors.Is(err, store.ErrEmpty) {
		err = fmt.Errorf("hither was never set up in this database; --database (HITHER_DATABASE) says where it is, and `hither init` sets it up: %w", err)
	}
	return err
}

// exists refuses where there is no file of the database, which opening it would
// make.
func (a admin) exists() error {
	if _, err := os.Stat(a.Data); a.Database == "" && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no database %s; --data (HITHER_DATA) says where it is, and `hither init` makes one", a.Data)
	}
	return nil
}

// withDatabase opens the database, makes it where there is none, and closes it
// again.
func withDatabase(
	ctx context.Context, where place, options store.Options, asJSON bool, s streams, do func(session) error,
) (err error) {
	options.Logger = slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	db, err := openDatabase(ctx, where, options)
	if err != nil {
		return err
	}
	defer closing(&err, db.store)
	return explain(do(session{streams: s, opened: db, actor: operator(), json: asJSON}))
}

// explained is a refusal in the words of the command line.
type explained struct {
	text string
	err  error
}

func (e explained) Error() string { return e.text }

func (e explained) Unwrap() error { return e.err }

// explain names the flag or argument that a refusal is about, and the command
// that leads on.
func explain(err error) error {
	var refusal *iam.Error
	if !errors.As(err, &refusal) || refusal.Kind == iam.Internal {
		return err
	}
	text := strings.ReplaceAll(err.Error(), refusal.Error(), refusal.Message) // the cause is for a log
	if name := argument(refusal.Field); name != "" {
		text = name + ": " + text
	}
	if refusal.Kind == iam.LastSuperAdmin {
		text += " (--force does it all the same and flags the account)"
	}
	return explained{text, err}
}

// argument is the flag or argument behind a JSON pointer into the wire's
// request.
func argument(pointer string) string {
	name := strings.TrimPrefix(strings.TrimPrefix(pointer, "/settings"), "/")
	name, _, _ = strings.Cut(name, "/")
	switch name {
	case "":
		return ""
	case "email", "name":
		return name // an argument here, a flag there
	case "roles":
		return "--role"
	case "permissions":
		return "--permission"
	case "expires_on":
		return "--expires"
	case "enforce_twofactor":
		return "--enforce-two-factor"
	case "abuse_contact_email":
		return "--abuse-contact"
	}
	return "--" + strings.ReplaceAll(name, "_", "-")
}

// every collects all pages of a list.
func every[T any](read func(iam.PageRequest) (iam.Page[T], error)) ([]T, error) {
	const size = 1000
	var all []T
	for number := 1; ; number++ {
		page, err := read(iam.PageRequest{Number: number, Size: size})
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if len(page.Items) < size {
			return all, nil
		}
	}
}
