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

	date         time.Time
	databaseSize int64
	reads        reads
	writes       writes
	loadAfter    string
}

const introduction = `# Performance

What hither takes beyond the least that a Go server can take, measured in one run of ` + "`make bench`" + `, which prints this
page. **Only ratios count.** Rates double or halve from machine to machine and from run to run; a ratio of two things that
took turns on the same machine moves little, and cpuX least.

- The **floor** is a bare net/http server that looks at two headers and answers a fixed document of 657 bytes.
- **R** is the floor's rate. **cpuX** is the processor time that one answer takes the server, over that of the floor.
- hither is the whole program: credential, rights, SQL, envelope, a log line for each request (to /dev/null), metrics.
- Load is a closed loop on the same cores as the servers: every client asks again as soon as it has its answer. p50 and p99
  are those of a server that is asked for all it can give.
- Figures are medians over the rounds; ratios are taken within each round first. What we aim at stands beside them.

`

// markdown is the whole page.
func (r report) markdown() string {
	var b strings.Builder
	b.WriteString(introduction)
	r.writeMachine(&b)
	r.writeReads(&b)
	r.writeWrites(&b)
	r.writeSteady(&b)
	return b.String()
}

func (r report) writeMachine(b *strings.Builder) {
	fmt.Fprintf(b, "## This run\n\n| | |\n|---|---|\n")
	fmt.Fprintf(b, "| date | %s |\n", r.date.UTC().Format("2006-01-02"))
	fmt.Fprintf(b, "| machine | %s, %d cores, %s; databases on %s |\n", r.cpu, r.cores, r.kernel, r.filesystem)
	fmt.Fprintf(b, "| Go | %s |\n", runtime.Version())
	fmt.Fprintf(b, "| database | SQLite, %s memberships (%s of them in one account), %s |\n",
		thousands(r.rows), thousands(r.rows/5), megabytes(int(r.databaseSize)))
	fmt.Fprintf(b, "| load | %d clients, %d rounds of %s each |\n", r.conns, r.rounds, r.time)
	rates := make([]float64, len(r.reads.floor.rounds))
	for i, m := range r.reads.floor.rounds {
		rates[i] = m.rate()
	}
	fmt.Fprintf(b, "| quiet? | load average before %s, after %s; the floor's rate lay between %s and %s |\n\n",
		r.loadBefore, r.loadAfter, thousands(int(slices.Min(rates))), thousands(int(slices.Max(rates))))
}

func (r report) writeReads(b *strings.Builder) {
	b.WriteString("## Reading\n\n| | bytes | answers/s | of R | CPU an answer | cpuX | aim | p50 | p99 |\n|---|---|---|---|---|---|---|---|---|\n")
	r.writeRead(b, r.reads.floor)
	for _, c := range r.reads.cases {
		r.writeRead(b, c)
	}
	fmt.Fprintf(b, "\nThe lists are of the account with %s members and tell how many there are in all.\n\n", thousands(r.rows/5))
	fmt.Fprintf(b, "Anonymous memory of the server: %s after the start (aim: 35 MB), %s under this load, %s under the writes below (80 MB).\n\n",
		megabytes(r.reads.idle), megabytes(r.reads.loaded), megabytes(r.writes.loaded))
}

func (r report) writeRead(b *strings.Builder, c readCase) {
	rounds := c.rounds
	var ofR, cpuX []float64
	for i, m := range rounds {
		floor := r.reads.floor.rounds[i]
		ofR = append(ofR, m.rate()/floor.rate())
		cpuX = append(cpuX, float64(m.each())/float64(max(1, floor.each())))
	}
	fmt.Fprintf(b, "| %s | %s | %s | %.3f | %s | **%.2f** | %s | %s | %s |\n", c.name,
		thousands(rounds[0].bytes/rounds[0].answers), thousands(int(median(rounds, measured.rate))), medianOf(ofR),
		micros(median(rounds, func(m measured) float64 { return float64(m.each()) })), medianOf(cpuX), c.aim,
		millis(median(rounds, func(m measured) float64 { return float64(m.p50) })),
		millis(median(rounds, func(m measured) float64 { return float64(m.p99) })))
}

func (r report) writeWrites(b *strings.Builder) {
	fmt.Fprintf(b, `## Durable writes

An answer leaves after the fsync. The bare loop makes the same changes to another copy of the database, row by row and byte
by byte, in the same order, over the same engine and settings, with no server around it: once with each change in a commit
of its own, once with %d in each commit, as many as there are clients.

| | changes/s | of the bare loop in groups (aim: 0.5) | of the bare loop one by one (aim: 2) | bare, groups | bare, one by one | CPU a change | p50 | p99 |
|---|---|---|---|---|---|---|---|---|
`, r.conns)
	writeWrite(b, inviteName, r.writes.creates)
	writeWrite(b, acceptName, r.writes.accepts)
}

const (
	inviteName = "invite: `POST /accounts/{id}/members`"
	acceptName = "accept: `PATCH /user/invites/{id}`"
)

func writeWrite(b *strings.Builder, name string, c writeCase) {
	var ofGroup, ofAlone []float64
	for i, m := range c.hither {
		ofGroup = append(ofGroup, m.rate()/c.group[i])
		ofAlone = append(ofAlone, m.rate()/c.alone[i])
	}
	fmt.Fprintf(b, "| %s | %s | **%.2f** | **%.2f** | %s | %s | %s | %s | %s |\n", name,
		thousands(int(median(c.hither, measured.rate))), medianOf(ofGroup), medianOf(ofAlone),
		thousands(int(medianOf(c.group))), thousands(int(medianOf(c.alone))),
		micros(median(c.hither, func(m measured) float64 { return float64(m.each()) })),
		millis(median(c.hither, func(m measured) float64 { return float64(m.p50) })),
		millis(median(c.hither, func(m measured) float64 { return float64(m.p99) })))
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
	floor := r.reads.floor.steady
	writeOne := func(name, aim string, rounds []measured) {
		var ofFloor []float64
		for i, m := range rounds {
			ofFloor = append(ofFloor, float64(m.p99)/float64(max(1, floor[i].p99)))
		}
		fmt.Fprintf(b, "| %s | %s | %s | **%s** | %.2f | %s |\n", name, thousands(int(median(rounds, measured.rate))),
			millis(median(rounds, func(m measured) float64 { return float64(m.p50) })),
			millis(median(rounds, func(m measured) float64 { return float64(m.p99) })), medianOf(ofFloor), aim)
	}
	writeOne(r.reads.floor.name, "", floor)
	for _, c := range r.reads.cases {
		aim := ""
		if c.aim != "" {
			aim = "≤ 3 of the floor's"
		}
		writeOne(c.name, aim, c.steady)
	}
	writeOne(inviteName, "p99 ≤ 60 ms", r.writes.creates.steady)
	writeOne(acceptName, "p99 ≤ 60 ms", r.writes.accepts.steady)
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
