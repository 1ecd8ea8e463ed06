package server

import (
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Build says which program this is, for the metrics and for `hither version`.
type Build struct {
	Version, Revision, Go string
}

// Metrics are what Prometheus reads. Labels are route patterns, methods and
// status codes: nothing that a client could make up, so their number is bounded.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inFlight atomic.Int64

	// series has the counters that were needed so far. It is copied when one is
	// added, so that a request finds its own without a lock or an allocation.
	series atomic.Pointer[map[seriesKey]series]
	adding sync.Mutex
}

type seriesKey struct {
	route, method string
	status        int
}

type series struct {
	requests prometheus.Counter
	seconds  prometheus.Observer
}

// NewMetrics returns metrics on a registry of their own.
func NewMetrics(build Build) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hither_http_requests_total",
			Help: "Requests answered, by route pattern, method and status code.",
		}, []string{"route", "method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hither_http_request_duration_seconds",
			Help:    "Time from the request's headers to the end of its answer, by route pattern, method and class of status.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"route", "method", "status"}),
	}
	m.series.Store(&map[seriesKey]series{})
	about := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "hither_build_info",
		Help:        "1, with the program's version in its labels.",
		ConstLabels: prometheus.Labels{"version": build.Version, "revision": build.Revision, "go": build.Go},
	})
	about.Set(1)
	m.Register(m.requests, m.seconds, about,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "hither_http_requests_in_flight",
			Help: "Requests that are being answered now.",
		}, func() float64 { return float64(m.inFlight.Load()) }),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Register adds metrics of other rooms. Two of one name are a mistake of the
// program, and panic.
func (m *Metrics) Register(more ...prometheus.Collector) { m.registry.MustRegister(more...) }

// InFlight is how many requests are being answered now.
func (m *Metrics) InFlight() int64 { return m.inFlight.Load() }

// Handler serves the metrics at /metrics.
func (m *Metrics) Handler(logger *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(logger.Handler(), slog.LevelError),
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapers,
	}))
	return mux
}

func (m *Metrics) observe(route, method string, status int, took time.Duration) {
	if route == "" {
		route = "none" // an empty label is none to Prometheus
	}
	key := seriesKey{route: route, method: method, status: status}
	one, ok := (*m.series.Load())[key]
	if !ok {
		one = m.add(key)
	}
	one.requests.Inc()
	one.seconds.Observe(took.Seconds())
}

func (m *Metrics) add(key seriesKey) series {
	m.adding.Lock()
	defer m.adding.Unlock()
	known := *m.series.Load()
	if one, ok := known[key]; ok {
		return one
	}
	class := strconv.Itoa(key.status/100) + "xx"
	one := series{
		requests: m.requests.WithLabelValues(key.route, key.method, strconv.Itoa(key.status)),
		seconds:  m.seconds.WithLabelValues(key.route, key.method, class),
	}
	more := maps.Clone(known)
	more[key] = one
	m.series.Store(&more)
	return one
}

// knownMethod is the method as a label: what a client makes up is "other".
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	default:
		return "other"
	}
}
