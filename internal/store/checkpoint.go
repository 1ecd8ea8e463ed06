package store

import (
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// pacing says when the write-ahead log is copied into the database. The figures
// that it rests on are in docs/adr/0009-checkpoints-beside-the-writer.md.
type pacing struct {
	// batch is how many pages are missing in the database before they are copied
	// beside the writer. What is copied is synced in one go, and a commit that is
	// synced at the same time waits for all of it: many small ones do less harm.
	batch int
	// begin is how many pages the log has before it is to begin anew, for which
	// the writer stands still. A reader looks for every page in the log first, in
	// steps of 4,096.
	begin int
	// rest is how many pages may be left for the time that the writer stands
	// still: about what it writes while one of its commits is synced.
	rest int
	// ceiling is how many it has before the commits themselves copy, as they do
	// in SQLite by default: the goroutine gets no time, or fails.
	ceiling int
	// pace is how often somebody looks while there are writes. It doubles up to
	// patience while nothing comes of it.
	pace, patience time.Duration
	// idle is how long nobody writes before the log is emptied and cut off.
	idle time.Duration
	// hold bounds how long the writer may be kept waiting for readers to leave
	// the log, or for another process.
	hold time.Duration
}

func defaultPacing() pacing {
	return pacing{
		batch: 2_000, begin: 16_000, rest: 500, ceiling: 64_000, pace: 50 * time.Millisecond, patience: 5 * time.Second,
		idle: time.Second, hold: 25 * time.Millisecond,
	}
}

// wal is the write-ahead log of a database.
type wal interface {
	// size is how many pages the log has, and how many of them the database
	// does not have yet.
	size() (pages, missing int, err error)
	// checkpoint copies pages in one of SQLite's modes. It reports false where
	// others were in the way.
	checkpoint(mode string) (bool, error)
	// sync makes durable what was copied. SQLite does so only where nothing was
	// written meanwhile, all at once and while the writer stands still.
	sync() error
}

// checkpointer keeps the write-ahead log short, beside the writer: a commit that
// does it, as SQLite's do by default, waits for a thousand pages to be written
// and synced, and everybody who shares that commit waits with it.
//
// Most of a checkpoint (PASSIVE) hinders nobody. But a log begins anew only at a
// commit that finds all of it copied, and under load there is always one page
// more: left to PASSIVE alone it grows without end. So the rest, the few pages
// that were written meanwhile, is copied while the writer stands still
// (RESTART), and the next commit begins at the front. When nobody writes for a
// while the log is cut off (TRUNCATE).
//
// A reader of long ago keeps its part of the log from being begun anew, and no
// checkpoint can change that: the log grows while that reader reads.
type checkpointer struct {
	pacing

	wal    wal
	logger *slog.Logger

	turn sync.Mutex // held through a transaction of the writer, and while it has to wait

	written chan struct{} // holds one: there was a write since somebody looked
	stop    chan struct{}
	stopped chan struct{}

	failing bool // the last attempt did, and it was logged
}

func startCheckpointer(log wal, p pacing, logger *slog.Logger) *checkpointer {
	c := &checkpointer{
		pacing: p, wal: log, logger: logger,
		written: make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	go c.loop()
	return c
}

// wrote tells that a transaction ended. It never waits.
func (c *checkpointer) wrote() {
	select {
	case c.written <- struct{}{}:
	default:
	}
}

// close ends the goroutine, after what it is about.
func (c *checkpointer) close() {
	close(c.stop)
	<-c.stopped
}

func (c *checkpointer) loop() {
	defer close(c.stopped)
	for {
		select {
		case <-c.written:
			c.follow()
		case <-c.stop:
			return
		}
	}
}

// follow looks after the log from a write on until it is empty.
func (c *checkpointer) follow() {
	lastWrite, wait := time.Now(), c.pace
	for {
		select {
		case <-time.After(wait):
		case <-c.stop:
			return
		}
		select {
		case <-c.written:
			lastWrite = time.Now()
		default:
		}
		result := c.look(time.Since(lastWrite) >= c.idle)
		switch result {
		case empty:
			return
		case fine:
			wait = c.pace
		case hindered:
			wait = min(2*wait, c.patience)
		}
	}
}

// outcome is what came of a look at the log.
type outcome int

const (
	fine     outcome = iota // there is nothing to be done, or it was done
	hindered                // a reader or another process is in the way, or it failed
	empty                   // the log is empty
)

// look does what is to be done now. What fails is logged once, until it works
// again, and hinders no write: the log holds everything.
func (c *checkpointer) look(idle bool) outcome {
	result, err := c.relieve(idle)
	switch {
	case err != nil && !c.failing:
		c.logger.Warn("the write-ahead log could not be copied into the database; it is kept, and this is tried again",
			slog.Any("error", err))
	case err == nil && c.failing:
		c.logger.Info("the write-ahead log is being copied into the database again")
	}
	c.failing = err != nil
	return result
}

func (c *checkpointer) relieve(idle bool) (outcome, error) {
	pages, missing, err := c.wal.size()
	switch {
	case err != nil:
		return hindered, err
	case idle && pages == 0:
		return empty, nil
	case idle:
		return c.alone("TRUNCATE", empty)
	case missing == 0 || pages < c.begin && missing < c.batch:
		return fine, nil // with none missing, the next commit begins anew
	}
	// While a pass runs more is written, but less each time.
	for before := missing + 1; missing > c.rest && missing < before; {
		before = missing
		if _, err := c.wal.checkpoint("PASSIVE"); err != nil {
			return hindered, err
		}
		if err := c.wal.sync(); err != nil {
			return hindered, err
		}
		if pages, missing, err = c.wal.size(); err != nil {
			return hindered, err
		}
		if pages < c.begin && missing < before {
			return fine, nil
		}
	}
	if missing >= c.begin || pages < c.begin {
		return hindered, nil // the writer would wait for nothing, or for long
	}
	return c.alone("RESTART", fine)
}

// alone copies the rest of the log while the writer stands still.
func (c *checkpointer) alone(mode string, then outcome) (outcome, error) {
	c.turn.Lock()
	defer c.turn.Unlock()
	done, err := c.wal.checkpoint(mode)
	if err != nil || !done {
		return hindered, err
	}
	return then, nil
}

// sqliteWAL is the log behind a connection.
type sqliteWAL struct{ connection *nativeSession }

func (w sqliteWAL) sync() error {
	if err := w.connection.syncFile(); err != nil {
		return fmt.Errorf("sync the database: %w", err)
	}
	return nil
}

func (w sqliteWAL) size() (pages, missing int, err error) {
	_, pages, missing, err = w.pragma("NOOP")
	return pages, missing, err
}

func (w sqliteWAL) checkpoint(mode string) (bool, error) {
	done, _, _, err := w.pragma(mode)
	return done, err
}

func (w sqliteWAL) pragma(mode string) (done bool, pages, missing int, err error) {
	var busy, all, copied number
	if err := one(w.connection, `PRAGMA wal_checkpoint(`+mode+`)`, nil, &busy, &all, &copied); err != nil {
		return false, 0, 0, fmt.Errorf("checkpoint: %w", err)
	}
	return busy == 0, int(all), int(all - copied), nil
}
