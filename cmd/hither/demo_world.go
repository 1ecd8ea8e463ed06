package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"hither/internal/clock"
	"hither/internal/iam"
	"hither/internal/server"
	"hither/internal/store"
)

// demoWorld is what a demo has from its start, or from a reset, to the next one:
// a database of its own, one clock for all that stands on it, a mailbox, and the
// workers beside them.
type demoWorld struct {
	folder       string
	clock        *clock.Movable
	db           opened
	post         *demoMail
	site         http.Handler
	delivering   *delivering
	sending      *sendingEvents
	startSweeps  func() (stop func())
	stopSweeping func()
	ended        <-chan struct{} // closed when the world ends: who waits in it is to go
	end          context.CancelFunc

	using sync.RWMutex // held by whoever asks something of this world
	over  bool
}

// seedError says that rows cannot be what a world begins with.
type seedError struct{ error }

func (e seedError) Unwrap() error { return e.error }

// open makes a world of rows.
func (d *demoStage) open(rows iam.Dataset) (_ *demoWorld, err error) {
	folder, err := os.MkdirTemp("", "hither-demo-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the demo's database: %w", err)
	}
	w := &demoWorld{folder: folder, clock: &clock.Movable{}}
	lifetime, end := context.WithCancel(d.lifetime)
	w.ended, w.end = lifetime.Done(), end
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	w.db, err = openDatabase(d.lifetime, place{file: filepath.Join(folder, "hither.db")}, store.Options{Logger: d.logger, Now: w.clock.Now})
	if err != nil {
		return nil, err
	}
	if err := w.db.service.Import(d.lifetime, operator(), rows, nil); err != nil {
		return nil, seedError{err}
	}
	w.post = newDemoMail(d.base, d.key, w.clock.Now)
	w.db.service = w.post.service(w.db.service)
	return w, w.run(d)
}

// Close ends a world, also one that was opened by half: who waits for its events
// is sent away, and when nobody asks anything of it any more its workers stop, and
// its database is removed.
func (w *demoWorld) Close() error {
	w.end()
	w.using.Lock()
	defer w.using.Unlock()
	w.over = true
	if w.stopSweeping != nil {
		w.stopSweeping()
	}
	var errs []error
	if w.delivering != nil {
		errs = append(errs, w.delivering.Close())
	}
	if w.sending != nil {
		errs = append(errs, w.sending.Close())
	}
	if w.db.store != nil {
		errs = append(errs, w.db.store.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(w.folder))...)
}

// run starts what answers and what works in a world.
func (w *demoWorld) run(d *demoStage) error {
	pages, err := w.post.pages()
	if err != nil {
		return err
	}
	options := over(w.db, server.Options{
		Logger: d.logger, Metrics: server.NewMetrics(buildInfo()), Pages: pages, ShutdownTimeout: demoShutdown, Ended: w.ended,
		Rate: d.rate,
	})
	if w.site, err = server.NewSite(options); err != nil {
		return err
	}
	courier, err := w.post.courier(options)
	if err != nil {
		return err
	}
	w.delivering = startDelivering(d.lifetime, w.db, courier, options)
	w.sending = sendEvents(d.lifetime, w.db, w.post.webhookPolicy(), options)
	w.startSweeps = func() func() { return startWorkers(d.lifetime, w.db, nil, d.logger) }
	w.stopSweeping = w.startSweeps()
	return nil
}

// swept is what setting the clock forward led to.
type swept struct{ expired, reminded int }

// sweep does what the clock has to do with invitations by now, to its end, and
// says by what it was and when there is something to do next.
func (w *demoWorld) sweep(ctx context.Context) (swept, iam.Swept, error) {
	var sum swept
	for {
		once, err := w.db.service.Sweep(ctx)
		sum.expired += once.Expired
		sum.reminded += once.Reminded
		if err != nil || !once.More {
			return sum, once, err
		}
	}
}
