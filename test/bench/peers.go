package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// peersCommand sets hither beside the systems that people would take instead:
// the same races, then the same load. It prints the tables of
// docs/comparison.md.
func peersCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	var c config
	var times int
	flags := flag.NewFlagSet("bench peers", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&times, "times", 20, "how often each race is run")
	flags.IntVar(&c.rows, "rows", 100_000, "how many memberships the databases of the load have; a multiple of 1000, a fifth of it are users")
	flags.DurationVar(&c.time, "time", 5*time.Second, "how long each measurement takes")
	flags.IntVar(&c.rounds, "rounds", 3, "how often each is taken; the median counts")
	flags.IntVar(&c.conns, "conns", 48, "how many clients ask at once")
	flags.StringVar(&c.dir, "dir", filepath.Join(cache, "hither-peers"), "where the databases are, on the disk to be measured; what npm installs stays")
	flags.StringVar(&c.out, "o", "", "put the tables into this file, in place of all that follows the mark in it, instead of on stdout")
	flags.StringVar(&c.log, "log", os.DevNull, "anything but "+os.DevNull+": each server's log beside its database, and the databases stay")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if c.rows < smallestRows || c.rows%smallestRows != 0 || c.rounds < 1 || c.conns < 1 || times < 1 {
		return fmt.Errorf("-rows must be a multiple of %d, -rounds, -conns and -times 1 at least", smallestRows)
	}
	if c.out != "" { // asked before minutes of measuring, not after
		if _, err := untilMark(c.out); err != nil {
			return fmt.Errorf("-o: %w", err)
		}
	}
	report, err := bench{config: c, progress: stderr}.peers(ctx, times)
	if err != nil {
		return err
	}
	report.args = strings.Join(args, " ")
	if c.out != "" {
		return report.into(c.out)
	}
	_, err = io.WriteString(stdout, report.markdown())
	return err
}

func (b bench) peers(ctx context.Context, times int) (r comparison, err error) {
	folder, err := repository()
	if err != nil {
		return comparison{}, err
	}
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return comparison{}, err
	}
	work, err := os.MkdirTemp(b.dir, "run-*")
	if err != nil {
		return comparison{}, err
	}
	if b.log == os.DevNull {
		defer func() { _ = os.RemoveAll(work) }()
	}
	r = comparison{config: b.config, machine: describeMachine(b.dir), date: time.Now(), commit: commitOf(ctx, folder)}
	hither := &hitherPeer{}
	sources := filepath.Join(folder, "test", "bench", "peers")
	peers := []peer{
		hither,
		&betterAuth{folder: filepath.Join(sources, "betterauth")},
		&pocketBase{folder: filepath.Join(sources, "pocketbase")},
	}
	for _, p := range peers {
		b.sayf("building %s", p.name())
		if err := p.build(ctx, work); err != nil {
			return comparison{}, fmt.Errorf("build %s: %w", p.name(), err)
		}
	}
	if r.races, err = b.races(ctx, peers, times, work); err != nil {
		return comparison{}, err
	}
	floor := filepath.Join(filepath.Dir(hither.program), "floor")
	if r.turns, err = b.turns(ctx, floor, peers, worldOf(b.rows), work); err != nil {
		return comparison{}, err
	}
	r.loadAfter = loadAverage()
	return r, nil
}

// commitOf names what was measured, where git knows it.
func commitOf(ctx context.Context, folder string) string {
	out, err := exec.CommandContext(ctx, "git", "-C", folder, "describe", "--always", "--dirty").Output()
	if err != nil {
		return "of no known commit"
	}
	return strings.TrimSpace(string(out))
}
