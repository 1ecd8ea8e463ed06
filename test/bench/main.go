// Command bench measures hither next to the floor of the machine, in one run,
// and prints what it found as Markdown: docs/performance.md comes from it.
//
// It builds the program and a bare net/http server, seeds a database of each
// engine with a million memberships, and lets the servers answer the same load
// in turn, so that what the machine does besides hits all of them. It knows
// hither by its wire; only the seeding goes through internal/store, since that
// is fast.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"time"

	"hither/internal/iam"
)

// config says how much is measured, and for how long.
type config struct {
	rows   int           // memberships
	time   time.Duration // of one measurement
	rounds int
	conns  int
	bulk   int // rows of a bulk
	engine string
	dir    string // holds the seeded database, on the disk that is measured
	out    string // "" is stdout
	log    string // where hither's log goes
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "peers" {
		return peersCommand(ctx, args[1:], stdout, stderr)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	var c config
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&c.rows, "rows", 1_000_000, "how many memberships the database has; a multiple of 1000")
	flags.DurationVar(&c.time, "time", 5*time.Second, "how long each measurement takes")
	flags.IntVar(&c.rounds, "rounds", 5, "how often each is taken; the median counts")
	flags.IntVar(&c.conns, "conns", 48, "how many clients ask at once")
	flags.IntVar(&c.bulk, "bulk", iam.MaxBulkRows, "how many people one bulk invites")
	flags.StringVar(&c.engine, "engine", engineBoth, "sqlite, postgres, or both where PostgreSQL's programs are there")
	flags.StringVar(&c.dir, "dir", filepath.Join(cache, "hither-bench"), "where the databases are, on the disk to be measured; the seeded one stays")
	flags.StringVar(&c.out, "o", "", "write the report to this file instead of stdout")
	flags.StringVar(&c.log, "log", os.DevNull, "where hither's log goes, a line for each request")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if runtime.GOOS != "linux" {
		_, err := fmt.Fprintf(stderr, "\n!!! bench: SKIPPED. It reads CPU time and memory of processes from Linux's /proc; this is %s.\n\n", runtime.GOOS)
		return err
	}
	report, err := bench{config: c, progress: stderr}.run(ctx)
	if err != nil {
		return err
	}
	if c.out != "" {
		return os.WriteFile(c.out, []byte(report.markdown()), 0o644)
	}
	_, err = io.WriteString(stdout, report.markdown())
	return err
}

// bench is one run.
type bench struct {
	config

	progress io.Writer
}

// sayf tells whoever waits how far it is.
func (b bench) sayf(format string, args ...any) {
	_, _ = fmt.Fprintf(b.progress, "bench: "+format+"\n", args...)
}

func (b bench) run(ctx context.Context) (r report, err error) {
	if b.rows < smallestRows || b.rows%smallestRows != 0 {
		return report{}, fmt.Errorf("-rows must be a multiple of %d", smallestRows)
	}
	if b.rounds < 1 || b.conns < 1 {
		return report{}, errors.New("-rounds and -conns must be 1 at least")
	}
	if b.bulk < 1 || b.bulk > iam.MaxBulkRows {
		return report{}, fmt.Errorf("-bulk must be 1 to %d", iam.MaxBulkRows)
	}
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return report{}, err
	}
	r = report{config: b.config, machine: describeMachine(b.dir), date: time.Now()}
	work, err := os.MkdirTemp(b.dir, "run-*")
	if err != nil {
		return report{}, err
	}
	defer func() { _ = os.RemoveAll(work) }()
	built, err := build(ctx, work)
	if err != nil {
		return report{}, err
	}
	engines, err := b.engines(ctx)
	if err != nil {
		return report{}, err
	}
	defer func() { err = errors.Join(err, closeAll(engines)) }()
	w := worldOf(b.rows)
	for _, e := range engines {
		if err := e.seed(ctx, w); err != nil {
			return report{}, err
		}
		place, err := e.describe(ctx)
		if err != nil {
			return report{}, err
		}
		r.engines = append(r.engines, engineReport{name: e.name(), place: place})
	}
	if err := b.reads(ctx, built, w, engines, &r); err != nil {
		return report{}, fmt.Errorf("reads: %w", err)
	}
	for i, e := range engines {
		if r.engines[i].writes, err = b.writes(ctx, built, w, e, work); err != nil {
			return report{}, fmt.Errorf("writes, %s: %w", e.name(), err)
		}
	}
	r.loadAfter = loadAverage()
	return r, nil
}
