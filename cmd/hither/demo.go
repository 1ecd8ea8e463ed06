package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"time"

	"hither/internal/clock"
	"hither/internal/dataset"
	"hither/internal/iam"
	"hither/internal/id"
	"hither/internal/rate"
	"hither/internal/server"
)

// demoCommand is `hither demo`. Its variables are its own: who serves a real instance
// from the same shell has the others set for that, and a demo with the address or the
// links of the real one would be open to others, or lead people astray.
type demoCommand struct {
	BaseURL   string      `env:"HITHER_DEMO_BASE_URL" help:"Where people reach this demo, for the links in messages: https://demo.example.com, of a proxy in front." name:"base-url" placeholder:"URL"`
	Listen    string      `default:"127.0.0.1:8787" env:"HITHER_DEMO_LISTEN" help:"Where the API is served. Beyond this machine the keys are random instead of public." placeholder:"HOST:PORT"`
	Seed      string      `env:"HITHER_DEMO_SEED" help:"Start with this import file, YAML or JSON, instead of the examples of the public reference." placeholder:"FILE"`
	RateLimit rate.Policy `default:"off" help:"How many requests a user, or an operator token, may make to the API, and in which time, for example 1200/5m as upstream: see how your program takes the refusal. A reset begins anew." placeholder:"N/TIME"`
	LogLevel  logLevel    `default:"error" env:"HITHER_DEMO_LOG_LEVEL" help:"The least level that is logged: debug, info, warn or error. Requests are info." placeholder:"LEVEL"`
}

// demoShutdown is how long a demo lets requests finish: who stops one waits.
const demoShutdown = 5 * time.Second

// Run serves databases of its own until ctx ends, and removes them then.
func (c *demoCommand) Run(ctx context.Context, s streams) (err error) {
	rows, err := c.rows()
	if err != nil {
		return err
	}
	public, err := listen(ctx, "--listen", c.Listen)
	if err != nil {
		return err
	}
	defer closing(&err, public)
	pages, err := c.pagesBase(public)
	if err != nil {
		return err
	}
	stage := demoStage{
		base: pages, rows: rows, rate: c.RateLimit,
		logger: slog.New(slog.NewJSONHandler(s.err, &slog.HandlerOptions{Level: slog.Level(c.LogLevel)})),
	}
	var drawn []secret
	if !c.alone(public) {
		if drawn, err = withdraw(&stage.rows); err != nil {
			return err
		}
		stage.key = iam.NewKeySecret()
	}
	if err := stage.begin(ctx); err != nil {
		return c.explain(err)
	}
	defer closing(&err, &stage)
	front, err := server.New(c.options(&stage, public))
	if err != nil {
		return err
	}

	text := welcome{
		base: baseURL("http", c.Listen, public), pages: stage.base, listen: c.Listen,
		seed: c.Seed, rows: stage.rows, drawn: drawn, key: stage.key,
	}
	if err := text.print(s.out); err != nil {
		return err
	}
	if err := front.Run(ctx, public, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, "\nStopped. The demo's database is gone.")
	return err //nolint:wrapcheck // there is no more to say about a closed terminal
}

// alone reports whether nobody but this machine is to reach the demo.
func (c *demoCommand) alone(public net.Listener) bool { return loopback(public) && c.BaseURL == "" }

// pagesBase is where the pages are reached, without a slash at its end: where the
// setting says, else on this machine. Over plain http from elsewhere browsers don't
// say which page a form was sent from, so the pages would refuse every one.
func (c *demoCommand) pagesBase(public net.Listener) (string, error) {
	if base, err := cleanBase(c.BaseURL, "HITHER_DEMO_BASE_URL"); err != nil || base != "" {
		return base, err
	}
	base := baseURL("http", c.Listen, public)
	if u, err := url.Parse(base); err != nil || !iam.Loopback(u.Hostname()) {
		_, port, _ := net.SplitHostPort(c.Listen)
		return "", usageError{fmt.Sprintf("--listen %s: the demo's pages work over https, or on this machine alone; write --listen 0.0.0.0:%s, "+
			"with which other machines reach the API, or add --base-url https://HOST, of a proxy in front (HITHER_DEMO_BASE_URL)", c.Listen, port)}
	}
	return base, nil
}

func (c *demoCommand) options(stage *demoStage, public net.Listener) server.Options {
	return server.Options{
		Site:            stage,
		Ready:           stage.ready,
		Logger:          stage.logger,
		Metrics:         server.NewMetrics(buildInfo()),
		NewID:           id.NewSource(clock.Now).New,
		Now:             clock.Now,
		Rate:            c.RateLimit, // which the worlds keep; the server tells of it
		Limits:          server.DefaultLimits(),
		Hosts:           server.NewHosts(c.Listen, public.Addr(), stage.base),
		ShutdownTimeout: demoShutdown,
	}
}

// explain says in which file the rows were that a database did not take; the
// examples are known to be right.
func (c *demoCommand) explain(err error) error {
	if refused, ok := errors.AsType[seedError](err); ok && c.Seed != "" {
		return inFile("--seed", c.Seed, refused.error)
	}
	return err
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
