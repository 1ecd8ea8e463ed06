package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"hither/internal/iam"
	"hither/internal/rate"
)

// demoStage is what a demo serves: one world, until a reset puts another in its
// place. Beside that it has the routes that only a demo has (demo_control.go).
type demoStage struct {
	base   string // URL without a path
	rows   iam.Dataset
	key    string      // opens the mailbox and the demo's own routes, "" where only this machine can reach them
	rate   rate.Policy // that each world holds its principals to
	logger *slog.Logger

	lifetime context.Context //nolint:containedctx // worlds live as long as the demo, whoever's request begins them
	world    atomic.Pointer[demoWorld]
	changing sync.Mutex // held by whoever sets the clock or exchanges the world
}

// errDemoOver answers whoever comes when the demo has ended.
var errDemoOver = errors.New("the demo has ended")

// ServeHTTP answers on the demo's own routes; all else the world does.
func (d *demoStage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if methods, ok := d.routes()[r.URL.Path]; ok {
		d.steer(w, r, methods)
		return
	}
	world, leave, err := d.enter()
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer leave()
	world.site.ServeHTTP(w, r)
}

// Close ends the world that is there.
func (d *demoStage) Close() error {
	d.changing.Lock()
	defer d.changing.Unlock()
	return d.world.Load().Close()
}

// begin opens the first world. The caller closes the stage if there is no error.
func (d *demoStage) begin(ctx context.Context) error {
	d.lifetime = ctx
	world, err := d.open(d.rows)
	if err != nil {
		return err
	}
	d.world.Store(world)
	return nil
}

// reset puts a new world of rows in the place of the one that is there, if they
// can be one; the clock tells the present again. What the old one has begun to
// answer it finishes.
func (d *demoStage) reset(rows iam.Dataset) (*demoWorld, error) {
	d.changing.Lock()
	defer d.changing.Unlock()
	next, err := d.open(rows)
	if err != nil {
		return nil, err
	}
	if err := d.world.Swap(next).Close(); err != nil {
		return nil, fmt.Errorf("end the world before: %w", err)
	}
	return next, nil
}

// enter returns the world that is there. It stays until leave is called.
func (d *demoStage) enter() (world *demoWorld, leave func(), err error) {
	for {
		world := d.world.Load()
		world.using.RLock()
		if !world.over {
			return world, world.using.RUnlock, nil
		}
		world.using.RUnlock()
		if d.world.Load() == world { // nothing came in its place
			return nil, nil, errDemoOver
		}
	}
}

func (d *demoStage) ready(ctx context.Context) error {
	world, leave, err := d.enter()
	if err != nil {
		return err
	}
	defer leave()
	return world.db.store.Ping(ctx)
}
