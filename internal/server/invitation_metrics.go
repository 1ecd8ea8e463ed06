package server

import (
	"hither/internal/iam"

	"github.com/prometheus/client_golang/prometheus"
)

// WatchInvitations serves what this process did to invitations. Whose they are is
// no label: accounts are without number.
func (m *Metrics) WatchInvitations(count func(event iam.InvitationEvent) int64) {
	m.Register(&invitationMetrics{
		count: count,
		total: prometheus.NewDesc("hither_invitations_total",
			"What became of invitations by this process: made, opened, answered, ended, or refused to somebody.", []string{"event"}, nil),
	})
}

// invitationMetrics asks when it is scraped.
type invitationMetrics struct {
	count func(event iam.InvitationEvent) int64
	total *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (i *invitationMetrics) Describe(descs chan<- *prometheus.Desc) { descs <- i.total }

// Collect implements prometheus.Collector.
func (i *invitationMetrics) Collect(metrics chan<- prometheus.Metric) {
	for _, event := range iam.InvitationEvents() {
		metrics <- prometheus.MustNewConstMetric(i.total, prometheus.CounterValue, float64(i.count(event)), string(event))
	}
}
