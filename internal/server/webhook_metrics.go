package server

import (
	"context"
	"time"

	"hither/internal/api"
	"hither/internal/iam"
	"hither/internal/webhook"

	"github.com/prometheus/client_golang/prometheus"
)

// WebhookBody is what is sent to a webhook of an event.
func WebhookBody(event iam.AuditEntry) ([]byte, error) {
	return api.WebhookBody(event)
}

// WatchWebhooks serves how much waits for webhooks, which backlog tells of the whole
// database, and what became of this process's attempts.
func (m *Metrics) WatchWebhooks(
	backlog func(context.Context) (iam.WebhookBacklog, error), stats func() webhook.Stats, now func() time.Time,
) {
	m.Register(&webhookMetrics{
		backlog: backlog, stats: stats, now: now,
		hooks: prometheus.NewDesc("hither_webhooks",
			"Webhooks in the whole database, by where they stand: they take events, failed last, or were turned off by themselves.",
			[]string{"state"}, nil),
		waiting: prometheus.NewDesc("hither_webhook_waiting", "Events that may still be sent to webhooks, in the whole database.", nil, nil),
		oldest: prometheus.NewDesc("hither_webhook_overdue_seconds",
			"For how long the webhook that waits longest has been due, of those that did not fail last; 0 where none is.", nil, nil),
		ended: prometheus.NewDesc("hither_webhook_attempts_total", "Attempts of this process to send an event, by what became of them.",
			[]string{"outcome"}, nil),
	})
}

// webhookMetrics asks when it is scraped, once for all that it tells.
type webhookMetrics struct {
	backlog func(context.Context) (iam.WebhookBacklog, error)
	stats   func() webhook.Stats
	now     func() time.Time

	hooks, waiting, oldest, ended *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (w *webhookMetrics) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{w.hooks, w.waiting, w.oldest, w.ended} {
		descs <- desc
	}
}

// Collect implements prometheus.Collector.
func (w *webhookMetrics) Collect(metrics chan<- prometheus.Metric) {
	stats := w.stats()
	for outcome, n := range map[string]int64{"taken": stats.Taken, "failed": stats.Failed} {
		metrics <- prometheus.MustNewConstMetric(w.ended, prometheus.CounterValue, float64(n), outcome)
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	backlog, err := w.backlog(ctx)
	if err != nil {
		metrics <- prometheus.NewInvalidMetric(w.waiting, err)
		return
	}
	for state, n := range map[string]int{"working": backlog.On - backlog.Failing, "failing": backlog.Failing, "turned_off": backlog.Off} {
		metrics <- prometheus.MustNewConstMetric(w.hooks, prometheus.GaugeValue, float64(n), state)
	}
	overdue := 0.0
	if !backlog.DueSince.IsZero() {
		overdue = max(w.now().Sub(backlog.DueSince).Seconds(), 0)
	}
	metrics <- prometheus.MustNewConstMetric(w.waiting, prometheus.GaugeValue, float64(backlog.Waiting))
	metrics <- prometheus.MustNewConstMetric(w.oldest, prometheus.GaugeValue, overdue)
}
