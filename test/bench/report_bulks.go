package main

import (
	"fmt"
	"strings"
)

// writeBulks is about bulks, and who invites one by one beside them.
func (r report) writeBulks(b *strings.Builder) {
	fmt.Fprintf(b, `
## Many at once

A bulk of %s invitations by `+"`POST /organizations/{id}/invites/bulk`"+`, from when it was taken on to its end, with nothing else to do:
its rows a second over the invitations that the bare loop made in the same round, as above.

| | rows/s | of the bare loop in groups | of the bare loop one by one | CPU a row |
|---|---|---|---|---|
`, thousands(r.bulk))
	for _, e := range r.engines {
		runs, creates := e.writes.bulks.runs, e.writes.creates
		groups := "" // the engine has none
		if len(creates.group) > 0 {
			groups = fmt.Sprintf("**%.2f**", medianOf(ofBulk(runs, creates.group)))
		}
		fmt.Fprintf(b, "| %s, a bulk | %s | %s | **%.2f** | %s |\n", e.name,
			thousands(int(median(runs, func(run bulkRun) float64 { return run.rate }))), groups, medianOf(ofBulk(runs, creates.alone)),
			micros(median(runs, func(run bulkRun) float64 { return float64(run.each) })))
	}
	fmt.Fprintf(b, `
Who invites one by one meanwhile: an open loop at %.0f %% of the greatest rate of single invitations, half of it in the account
of the bulk and half in another one, without a bulk and while one runs.

| | asked a second | p99 without | p99 while a bulk runs | ratio |
|---|---|---|---|---|
`, 100*beside)
	for _, e := range r.engines {
		for _, c := range []struct {
			name   string
			rounds []besides
		}{{"in the bulk's account", e.writes.bulks.same}, {"in another account", e.writes.bulks.other}} {
			fmt.Fprintf(b, "| %s, invite %s | %s | %s | %s | **%.2f** |\n", e.name, c.name,
				thousands(int(median(c.rounds, func(b besides) float64 { return b.without.rate() }))),
				millis(median(c.rounds, func(b besides) float64 { return float64(b.without.p99) })),
				millis(median(c.rounds, func(b besides) float64 { return float64(b.during.p99) })), median(c.rounds, besides.later))
		}
	}
}

// ofBulk are the rates of bulks over those of the bare loop.
func ofBulk(runs []bulkRun, rates []float64) []float64 {
	ratios := make([]float64, len(runs))
	for i, run := range runs {
		ratios[i] = run.rate / rates[i]
	}
	return ratios
}
