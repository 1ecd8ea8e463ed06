package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// comparison is everything that a run of the peers found.
type comparison struct {
	config
	machine

	args      string
	commit    string
	date      time.Time
	races     []raced
	turns     turns
	loadAfter string
}

// mark stands in docs/comparison.md between what people wrote and what a run
// puts there.
const mark = "<!-- from here on: make peers PEERSFLAGS='-o docs/comparison.md' -->\n"

// into replaces what follows the mark in a file.
func (c comparison) into(path string) error {
	written, err := untilMark(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(written, "\n"+c.markdown()...), 0o644)
}

// untilMark is what a page says up to the mark, the mark too.
func untilMark(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	at := bytes.Index(text, []byte(mark))
	if at < 0 {
		return nil, errors.New(path + " lacks the line " + strings.TrimSpace(mark) + ", after which the tables go")
	}
	return text[:at+len(mark)], nil
}

func (c comparison) markdown() string {
	var b strings.Builder
	c.writeRun(&b)
	c.writeRaces(&b)
	c.writeSpeed(&b)
	return b.String()
}

func (c comparison) writeRun(b *strings.Builder) {
	fmt.Fprintf(b, "## The run\n\n| | |\n|---|---|\n")
	fmt.Fprintf(b, "| command | `%s` |\n", strings.TrimSpace("go run ./test/bench peers "+c.args))
	fmt.Fprintf(b, "| date | %s |\n", c.date.UTC().Format("2006-01-02"))
	fmt.Fprintf(b, "| machine | %s, %d cores, %s; databases on %s |\n", c.cpu, c.cores, c.kernel, c.filesystem)
	for _, p := range c.turns.peers {
		version := p.tenant.seeded.Version
		if p.tenant.name() == "hither" {
			version = c.commit
		}
		fmt.Fprintf(b, "| %s | %s; SQLite with %s |\n", p.tenant.name(), version, p.tenant.seeded.Durability)
	}
	fmt.Fprintf(b, "| Go | %s |\n", runtime.Version())
	rates := make([]float64, len(c.turns.floor))
	for i, m := range c.turns.floor {
		rates[i] = m.rate()
	}
	fmt.Fprintf(b, "| quiet? | load average before %s, after %s; the floor's rate lay between %s and %s |\n\n",
		c.loadBefore, c.loadAfter, thousands(int(slices.Min(rates))), thousands(int(slices.Max(rates))))
}

func (c comparison) writeRaces(b *strings.Builder) {
	b.WriteString("## Races\n\nOver HTTP, each time in an account of its own.\n")
	last := ""
	for _, r := range c.races {
		if r.race != last {
			fmt.Fprintf(b, "\n**%s%s** (right: %d)\n\n| | went wrong | at worst |\n|---|---|---|\n", strings.ToUpper(r.race[:1]), r.race[1:], r.want)
			last = r.race
		}
		if r.absent {
			fmt.Fprintf(b, "| %s, %s | does not count there | |\n", r.peer, r.setup)
			continue
		}
		fmt.Fprintf(b, "| %s, %s | %d of %d | %d |\n", r.peer, r.setup, r.wrong, r.times, r.worst)
	}
	b.WriteByte('\n')
}

func (c comparison) writeSpeed(b *strings.Builder) {
	fmt.Fprintf(b, `## Speed

%s memberships of %s users, the same for each; %d clients, each of which asks again as soon as it has its answer; %d rounds
of %s, in which the servers take turns, all of them in their first setup above. Figures are medians over the rounds. R is the rate of the floor, a
bare net/http server with a fixed answer; cpuX is the processor time an answer takes the server's process, over the floor's.

`, thousands(c.rows), thousands(c.rows/5), c.conns, c.rounds, c.time)
	for _, kind := range []struct {
		name string
		of   func(peerTurns) []measured
	}{
		{"Read one open invitation, as who is invited", func(p peerTurns) []measured { return p.reads }},
		{"Invite somebody who has an account", func(p peerTurns) []measured { return p.invites }},
		{"Accept that invitation", func(p peerTurns) []measured { return p.accepts }},
	} {
		fmt.Fprintf(b, "**%s**\n\n| | answers/s | of R | CPU an answer | cpuX | p50 | p99 | durability |\n|---|---|---|---|---|---|---|---|\n", kind.name)
		c.writeTurn(b, "the floor", c.turns.floor, "")
		for _, p := range c.turns.peers {
			c.writeTurn(b, p.tenant.name(), kind.of(p), p.tenant.seeded.Durability)
		}
		b.WriteByte('\n')
	}
	b.WriteString("| | anonymous memory of the server after it |\n|---|---|\n")
	for _, p := range c.turns.peers {
		fmt.Fprintf(b, "| %s | %s |\n", p.tenant.name(), megabytes(p.loaded))
	}
}

func (c comparison) writeTurn(b *strings.Builder, name string, rounds []measured, durability string) {
	var ofR, cpuX []float64
	for i, m := range rounds {
		ofR = append(ofR, m.rate()/c.turns.floor[i].rate())
		cpuX = append(cpuX, float64(m.each())/float64(max(1, c.turns.floor[i].each())))
	}
	fmt.Fprintf(b, "| %s | %s | %.4f | %s | **%.1f** | %s | %s | %s |\n", name,
		thousands(int(median(rounds, measured.rate))), medianOf(ofR),
		micros(median(rounds, func(m measured) float64 { return float64(m.each()) })), medianOf(cpuX),
		millis(median(rounds, func(m measured) float64 { return float64(m.p50) })),
		millis(median(rounds, func(m measured) float64 { return float64(m.p99) })), durability)
}
