package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report is everything that a run found.
type report struct {
	config
	machine

	date      time.Time
	floor     readCase // measured in turn with the engines
	engines   []engineReport
	loadAfter string
}

// engineReport is what a run found of one engine.
type engineReport struct {
	name, place string
	reads       reads
	writes      writes
}

const introduction = `# Performance

What hither takes beyond the least that a Go server can take, measured in one run of ` + "`make bench`" + `, which prints this
page. **Only ratios count.** Rates double or halve from machine to machine and from run to run; a ratio of two things that
took turns on the same machine moves little, and cpuX least.

- The **floor** is a bare net/http server that looks at two headers and answers a fixed document of 657 bytes.
- **R** is the floor's rate. **cpuX** is the processor time that one answer takes the server, over that of the floor. On PostgreSQL
  it is that of hither and of all processes of the database's server together.
- hither is the whole program: credential, rights, SQL, envelope, a log line for each request (to /dev/null), metrics.
- Load is a closed loop on the same cores as the servers: every client asks again as soon as it has its answer. p50 and p99
  are those of a server that is asked for all it can give.
- Figures are medians over the rounds; ratios are taken within each round first. What we aim at stands beside them.
- Where an aim is missed, [profile.md](profile.md) says where the time goes.

`

// markdown is the whole page.
func (r report) markdown() string {
	var b strings.Builder
	b.WriteString(introduction)
	r.writeMachine(&b)
	r.writeReads(&b)
	r.writeWrites(&b)
	r.writeSteady(&b)
	r.writeBulks(&b)
	return b.String()
}

func (r report) writeMachine(b *strings.Builder) {
	fmt.Fprintf(b, "## This run\n\n| | |\n|---|---|\n")
	fmt.Fprintf(b, "| date | %s |\n", r.date.UTC().Format("2006-01-02"))
	fmt.Fprintf(b, "| machine | %s, %d cores, %s |\n", r.cpu, r.cores, r.kernel)
	fmt.Fprintf(b, "| Go | %s |\n", runtime.Version())
	fmt.Fprintf(b, "| databases | %s memberships, %s of them in one account |\n", thousands(r.rows), thousands(r.rows/5))
	for _, e := range r.engines {
		fmt.Fprintf(b, "| %s | %s |\n", e.name, e.place)
	}
	fmt.Fprintf(b, "| load | %d clients, %d rounds of %s each |\n", r.conns, r.rounds, r.time)
	rates := make([]float64, len(r.floor.rounds))
	for i, m := range r.floor.rounds {
		rates[i] = m.rate()
	}
	fmt.Fprintf(b, "| quiet? | load average before %s, after %s; the floor's rate lay between %s and %s |\n\n",
		r.loadBefore, r.loadAfter, thousands(int(slices.Min(rates))), thousands(int(slices.Max(rates))))
}

func (r report) writeReads(b *strings.Builder) {
	b.WriteString("## Reading\n\n| | bytes | answers/s | of R | CPU an answer | cpuX | aim | p50 | p99 |\n|---|---|---|---|---|---|---|---|---|\n")
	r.writeRead(b, r.floor.name, r.floor)
	for _, e := range r.engines {
		for _, c := range e.reads.cases {
			r.writeRead(b, e.name+", "+c.name, c)
		}
	}
	fmt.Fprintf(b, `
The lists are of the account with %s members and tell how many there are in all.

## Memory

Anonymous memory of hither's process, the most that was seen.

| | after the start (aim: 35 MB) | reading, as above (aim: 80 MB) | writing, as below (aim: 80 MB) |
|---|---|---|---|
`, thousands(r.rows/5))
	for _, e := range r.engines {
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", e.name, megabytes(e.reads.idle), megabytes(e.reads.loaded), megabytes(e.writes.loaded))
	}
	b.WriteString("\n")
}

func (r report) writeRead(b *strings.Builder, name string, c readCase) {
	rounds := c.rounds
	var ofR, cpuX []float64
	for i, m := range rounds {
		floor := r.floor.rounds[i]
		ofR = append(ofR, m.rate()/floor.rate())
		cpuX = append(cpuX, float64(m.each())/float64(max(1, floor.each())))
	}
	fmt.Fprintf(b, "| %s | %s | %s | %.3f | %s | **%.2f** | %s | %s | %s |\n", name,
		thousands(rounds[0].bytes/rounds[0].answers), thousands(int(median(rounds, measured.rate))), medianOf(ofR),
		micros(median(rounds, func(m measured) float64 { return float64(m.each()) })), medianOf(cpuX), c.aim,
		millis(median(rounds, func(m measured) float64 { return float64(m.p50) })),
		millis(median(rounds, func(m measured) float64 { return float64(m.p99) })))
}

func (r report) writeWrites(b *strings.Builder) {
	b.WriteString(`## Durable writes

An answer leaves after the fsync. The bare loop makes the same changes to another copy of the database, row by row and byte
by byte, over the same engine and settings, with no server around it and nothing read or locked.
`)
	for _, e := range r.engines {
		if e.name == postgresName {
			r.writeAlone(b, e)
		} else {
			r.writeGrouped(b, e)
		}
	}
}

// writeGrouped is about an engine with one writer.
func (r report) writeGrouped(b *strings.Builder, e engineReport) {
	fmt.Fprintf(b, `
### %s

One connection writes, in the order of hither's commits: once with each change in a commit of its own, once with %d in each
commit, as many as there are clients.

| | changes/s | of the bare loop in groups (aim: 0.5) | of the bare loop one by one (aim: 2) | bare, groups | bare, one by one | CPU a change | p50 | p99 |
|---|---|---|---|---|---|---|---|---|
`, e.name, r.conns)
	for _, c := range e.writes.named() {
		fmt.Fprintf(b, "| %s | %s | **%.2f** | **%.2f** | %s | %s | %s |\n", c.name,
			thousands(int(median(c.hither, measured.rate))), medianOf(c.ofBare(c.group)), medianOf(c.ofBare(c.alone)),
			thousands(int(medianOf(c.group))), thousands(int(medianOf(c.alone))), c.costs())
	}
}

// writeAlone is about an engine on which each change is a transaction.
func (r report) writeAlone(b *strings.Builder, e engineReport) {
	fmt.Fprintf(b, `
### %s

Each change is a transaction, in hither and in the bare loop, which writes over %d connections at once, as many as hither
does, by database/sql and pgx, a prepared statement after the other. hither sends some of its together.

| | changes/s | of the bare loop (aim: 0.5) | bare | CPU a change | p50 | p99 |
|---|---|---|---|---|---|---|
`, e.name, postgresWriters)
	for _, c := range e.writes.named() {
		fmt.Fprintf(b, "| %s | %s | **%.2f** | %s | %s |\n", c.name, thousands(int(median(c.hither, measured.rate))),
			medianOf(c.ofBare(c.alone)), thousands(int(medianOf(c.alone))), c.costs())
	}
}

const (
	inviteName = "invite: `POST /accounts/{id}/members`"
	acceptName = "accept: `PATCH /user/invites/{id}`"
)

type namedWrite struct {
	writeCase

	name string
}

func (w writes) named() []namedWrite {
	return []namedWrite{{w.creates, inviteName}, {w.accepts, acceptName}}
}

// ofBare are hither's rates over those of the bare loop.
func (c writeCase) ofBare(rates []float64) []float64 {
	ratios := make([]float64, len(rates))
	for i, rate := range rates {
		ratios[i] = c.hither[i].rate() / rate
	}
	return ratios
}

// costs are the last cells of a row.
func (c writeCase) costs() string {
	return micros(median(c.hither, func(m measured) float64 { return float64(m.each()) })) + " | " +
		millis(median(c.hither, func(m measured) float64 { return float64(m.p50) })) + " | " +
		millis(median(c.hither, func(m measured) float64 { return float64(m.p99) }))
}

// writeSteady is about latency below the limit.
func (r report) writeSteady(b *strings.Builder) {
	fmt.Fprintf(b, `
## Latency at %.0f %% of the greatest rate

An open loop: requests fall due at %.0f %% of the rate that the same server has just shown, whether or not those before were
answered, and latency counts from when a request was due (so it is corrected for coordinated omission).

| | asked a second | p50 | p99 | p99 of the floor's | aim |
|---|---|---|---|---|---|
`, 100*share, 100*share)
	floor := r.floor.steady
	writeOne := func(name, aim string, rounds []measured) {
		var ofFloor []float64
		for i, m := range rounds {
			ofFloor = append(ofFloor, float64(m.p99)/float64(max(1, floor[i].p99)))
		}
		fmt.Fprintf(b, "| %s | %s | %s | **%s** | %.2f | %s |\n", name, thousands(int(median(rounds, measured.rate))),
			millis(median(rounds, func(m measured) float64 { return float64(m.p50) })),
			millis(median(rounds, func(m measured) float64 { return float64(m.p99) })), medianOf(ofFloor), aim)
	}
	writeOne(r.floor.name, "", floor)
	for _, e := range r.engines {
		for _, c := range e.reads.cases {
			aim := ""
			if c.aim != "" {
				aim = "≤ 3 of the floor's"
			}
			writeOne(e.name+", "+c.name, aim, c.steady)
		}
		for _, c := range e.writes.named() {
			writeOne(e.name+", "+c.name, "p99 ≤ 60 ms", c.steady)
		}
	}
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

func megabytes(n int) string { return thousands((n+1<<19)>>20) + " MB" }

func micros(nanoseconds float64) string { return fmt.Sprintf("%.1f µs", nanoseconds/1e3) }

func millis(nanoseconds float64) string { return fmt.Sprintf("%.2f ms", nanoseconds/1e6) }
