package server

import (
	"context"
	"time"

	"hither/internal/iam"
	"hither/internal/outbox"

	"github.com/prometheus/client_golang/prometheus"
)

// scrapeTimeout bounds what one scrape asks of the database.
const scrapeTimeout = 5 * time.Second

// WatchOutbox serves how much waits to be delivered, which waiting tells of the
// whole database, and what became of this process's attempts.
func (m *Metrics) WatchOutbox(waiting func(context.Context) (iam.Outbox, error), stats func() outbox.Stats, now func() time.Time) {
	m.Register(&outboxMetrics{
		waiting: waiting, stats: stats, now: now,
		queued: prometheus.NewDesc("hither_outbox_waiting", "Messages that may still be sent, in the whole database.", nil, nil),
		oldest: prometheus.NewDesc("hither_outbox_overdue_seconds",
			"For how long the message that waits longest has been due, 0 where none is; what is put off is due anew at its next try.", nil, nil),
		ended: prometheus.NewDesc("hither_outbox_attempts_total", "Attempts of this process to deliver a message, by what became of them.",
			[]string{"outcome"}, nil),
	})
}

// outboxMetrics asks when it is scraped, once for all that it tells.
type outboxMetrics struct {
	waiting func(context.Context) (iam.Outbox, error)
	stats   func() outbox.Stats
	now     func() time.Time

	queued, oldest, ended *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (o *outboxMetrics) Describe(descs chan<- *prometheus.Desc) {
	descs <- o.queued
	descs <- o.oldest
	descs <- o.ended
}

// Collect implements prometheus.Collector.
func (o *outboxMetrics) Collect(metrics chan<- prometheus.Metric) {
	stats := o.stats()
	for outcome, n := range map[string]int64{"sent": stats.Sent, "deferred": stats.Deferred, "bounced": stats.Bounced} {
		metrics <- prometheus.MustNewConstMetric(o.ended, prometheus.CounterValue, float64(n), outcome)
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	outbox, err := o.waiting(ctx)
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(o.queued, err)
		return
	}
	overdue := 0.0
	if !outbox.DueSince.IsZero() {
		overdue = o.now().Sub(outbox.DueSince).Seconds()
	}
	metrics <- prometheus.MustNewConstMetric(o.queued, prometheus.GaugeValue, float64(outbox.Waiting))
	metrics <- prometheus.MustNewConstMetric(o.oldest, prometheus.GaugeValue, overdue)
}
