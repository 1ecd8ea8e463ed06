package main

import (
	"context"
	"errors"
	"time"

	"hither/internal/store"
)

// postgres is database where that is one of PostgreSQL's: what a file would be
// asked for, its server looks after.
func (d *doctor) postgres(ctx context.Context) (facts store.Inspection, readable bool) {
	facts, err := store.InspectPostgres(ctx, d.settings.Database, store.InspectOptions{Now: d.now})
	switch {
	case errors.Is(err, store.ErrEmpty):
		d.failf("database", "say where it is with --database (HITHER_DATABASE), or set it up: hither init", "hither was never set up in this one")
		return facts, false
	case err != nil:
		d.failf("database", "correct --database (HITHER_DATABASE), or look after its server", "%v", err)
		return facts, false
	}
	d.okf("database", "%s", store.PostgresPlace(d.settings.Database))
	if !d.schema(facts) {
		return facts, false
	}
	d.server(facts.Server)
	return facts, true
}

// clockDrift is what the clocks of two servers that are looked after differ by
// at the most.
const clockDrift = 2 * time.Second

// server looks at what the data's safety rests on, and at the one clock that
// every node can be held to.
func (d *doctor) server(server store.Server) {
	if server.Synced {
		d.okf("durability", "PostgreSQL %s waits for its disk", server.Version)
	} else {
		d.failf("durability", "set fsync and full_page_writes to on in postgresql.conf, and restart it",
			"PostgreSQL %s does not wait for its disk: a power cut loses what was acknowledged, or all of it", server.Version)
	}
	if server.Private {
		d.okf("connection", "encrypted, or within this machine")
	} else {
		d.warnf("connection", "add sslmode=verify-full to --database, and sslrootcert=FILE where the server's authority is your own",
			"whoever is on the way to the server can read and change what is sent")
	}
	if drift := server.Clock.Sub(d.now).Abs(); drift > clockDrift {
		d.warnf("clocks", "synchronize them, and those of the other nodes (timedatectl)",
			"the server's differs from this machine's by %s", drift.Round(time.Second))
	}
}
