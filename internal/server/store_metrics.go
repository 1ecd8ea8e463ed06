package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// StoreStats are the numbers of a store at one moment; those that count rise.
type StoreStats struct {
	Commits    int64         // transactions of the database
	Updates    int64         // writes of the program that they carried
	Reruns     int64         // commits that failed and were done again in parts
	Waiting    int64         // writes that wait for their commit now
	LastCommit time.Duration // how long the last commit took
}

// Watch adds the numbers of a store, which are read when Prometheus asks.
func (m *Metrics) Watch(stats func() StoreStats) {
	counter := func(name, help string, value func(StoreStats) int64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "hither_store_" + name, Help: help},
			func() float64 { return float64(value(stats())) })
	}
	gauge := func(name, help string, value func(StoreStats) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "hither_store_" + name, Help: help},
			func() float64 { return value(stats()) })
	}
	m.Register(
		counter("commits_total", "Transactions that the database committed.", func(s StoreStats) int64 { return s.Commits }),
		counter("updates_total", "Writes that those transactions carried.", func(s StoreStats) int64 { return s.Updates }),
		counter("reruns_total", "Shared transactions that failed and were done again in parts.",
			func(s StoreStats) int64 { return s.Reruns }),
		gauge("waiting_updates", "Writes that wait for their commit now.", func(s StoreStats) float64 { return float64(s.Waiting) }),
		gauge("last_commit_seconds", "How long the last commit took.", func(s StoreStats) float64 { return s.LastCommit.Seconds() }),
	)
}
