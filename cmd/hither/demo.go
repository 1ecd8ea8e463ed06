package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"hither/internal/dataset"
	"hither/internal/iam"
	"hither/internal/server"
	"hither/internal/store"
)

// demoCommand is `hither demo`.
type demoCommand struct {
	Listen   string   `default:"127.0.0.1:8787" env:"HITHER_LISTEN" help:"Where the API is served. Beyond this machine the keys are random instead of public." placeholder:"HOST:PORT"`
	Seed     string   `env:"HITHER_SEED" help:"Start with this import file, YAML or JSON, instead of the examples of the public reference." placeholder:"FILE"`
	LogLevel logLevel `default:"error" env:"HITHER_LOG_LEVEL" help:"The least level that is logged: debug, info, warn or error. Requests are info." placeholder:"LEVEL"`
}

// demoShutdown is how long a demo lets requests finish: who stops one waits.
const demoShutdown = 5 * time.Second

// Run serves a database of its own until ctx ends, and removes it then.
func (c *demoCommand) Run(ctx context.Context, s streams) (err error) {
	logger := slog.New(slog.NewJSONHandler(s.err, &slog.HandlerOptions{Level: slog.Level(c.LogLevel)}))
	rows, err := c.rows()
	if err != nil {
		return err
	}
	public, err := listen(ctx, "--listen", c.Listen)
	if err != nil {
		return err
	}
	defer closing(&err, public)
	var drawn []secret
	if !loopback(public) {
		if drawn, err = withdraw(&rows); err != nil {
			return err
		}
	}

	folder, err := os.MkdirTemp("", "hither-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo's database: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	db, err := openDatabase(ctx, place{file: filepath.Join(folder, "hither.db")}, store.Options{Logger: logger})
	if err != nil {
		return err
	}
	defer closing(&err, db.store)
	if err := db.service.Import(ctx, operator(), rows, nil); err != nil {
		return inFile("--seed", c.Seed, err) // the examples are known to be right
	}

	base := baseURL("http", c.Listen, public)
	post := newDemoMail(base, loopback(public))
	db.service = post.service(db.service)
	options := c.options(logger, public)
	if options.Pages, err = post.pages(); err != nil {
		return err
	}
	front, err := newServer(db, options)
	if err != nil {
		return err
	}
	courier, err := post.courier(front.Options)
	if err != nil {
		return err
	}
	defer closing(&err, startDelivering(ctx, db, courier, front.Options))
	defer startSweeping(ctx, db, logger)()

	text := welcome{base: base, listen: c.Listen, seed: c.Seed, rows: rows, drawn: drawn, mailKey: post.key}
	if err := text.print(s.out); err != nil {
		return err
	}
	if err := front.Run(ctx, public, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, "\nStopped. The demo's database is gone.")
	return err //nolint:wrapcheck // there is no more to say about a closed terminal
}

func (c *demoCommand) options(logger *slog.Logger, public net.Listener) server.Options {
	return server.Options{
		Logger:          logger,
		Limits:          server.DefaultLimits(),
		Hosts:           server.NewHosts(c.Listen, public.Addr()),
		ShutdownTimeout: demoShutdown,
	}
}

// rows are what the demo starts with.
func (c *demoCommand) rows() (iam.Dataset, error) {
	if c.Seed == "" {
		return dataset.Documentation()
	}
	file, err := os.Open(c.Seed)
	if err != nil {
		return iam.Dataset{}, fmt.Errorf("--seed: %w", err)
	}
	defer func() { _ = file.Close() }()
	rows, err := dataset.Parse(file)
	if err != nil {
		return iam.Dataset{}, inFile("--seed", c.Seed, err)
	}
	return rows, nil
}

// secret is a key or token that was drawn in place of a public one.
type secret struct {
	owner, kind, text string
}

// withdraw draws random keys and tokens in place of those that everybody can
// read in the documentation, in whatever dataset they stand.
func withdraw(rows *iam.Dataset) ([]secret, error) {
	documented, err := dataset.Documentation()
	if err != nil {
		return nil, err
	}
	public := map[string]bool{}
	for _, user := range documented.Users {
		for _, key := range user.Keys {
			public[key] = true
		}
	}
	for _, token := range documented.Tokens {
		public[token.Secret] = true
	}
	var drawn []secret
	for i := range rows.Users {
		user := &rows.Users[i]
		for j, key := range user.Keys {
			if public[key] {
				user.Keys[j] = iam.NewKeySecret()
				drawn = append(drawn, secret{owner: user.Email, kind: "key", text: user.Keys[j]})
			}
		}
	}
	for i := range rows.Tokens {
		token := &rows.Tokens[i]
		if public[token.Secret] {
			token.Secret = iam.NewTokenSecret()
			drawn = append(drawn, secret{owner: token.Email, kind: "token", text: token.Secret})
		}
	}
	return drawn, nil
}
