package store

import (
	"sync/atomic"
	"time"
)

// counters are what runs closures counts of itself.
type counters struct {
	commits, closures, reruns, waiting, lastCommit atomic.Int64
}

func (c *counters) stats() Stats {
	return Stats{
		Commits:    c.commits.Load(),
		Closures:   c.closures.Load(),
		Reruns:     c.reruns.Load(),
		Waiting:    c.waiting.Load(),
		LastCommit: time.Duration(c.lastCommit.Load()),
	}
}
