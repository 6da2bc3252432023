// Package metrics counts and measures, and tells Prometheus. No label ever holds what a client has sent: each value is of a
// closed set that is known at the start.
package metrics

import (
	"net/http"
	"runtime"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options are the closed sets of which labels are.
type Options struct {
	Version, Revision string
	Decisions, Steps  []string // by their numbers
	Caches, Limits    []string
	Providers         []string
	Events            []string
	Outcomes          []string // of sign-ins
	ReportOnly        bool     // what is refused is only told of
}

// Metrics are all that is counted, in a registry of their own.
type Metrics struct {
	registry *prometheus.Registry
	options  Options

	requests     *prometheus.CounterVec
	routeSeconds *prometheus.CounterVec
	cuts         map[string]prometheus.Counter
	InFlight     prometheus.Gauge
	durations    [2]prometheus.Observer
	steps        []prometheus.Observer
	caches       map[string]func(hit bool)
	up           prometheus.Gauge
	upstreams    [2]purpose
	inUpstream   prometheus.Gauge
	queries      map[string]query
	signIns      *prometheus.CounterVec
	sessions     prometheus.Gauge
	limited      *prometheus.CounterVec
	events       map[string]prometheus.Counter
	entries      *prometheus.GaugeVec
	spans        [2]prometheus.Counter
}

// Other is the value of a label for what is in none of its sets.
const Other = "other"

// New makes the metrics.
func New(o Options) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), options: o, caches: map[string]func(bool){}, queries: map[string]query{}, cuts: map[string]prometheus.Counter{}, events: map[string]prometheus.Counter{}}
	m.requests, m.routeSeconds = m.counters(requests), m.counters(routeSeconds)
	m.InFlight, m.up, m.inUpstream, m.sessions = m.gauge(inFlight), m.gauge(upstreamUp), m.gauge(upstreamIn), m.gauge(sessions)
	took := m.histograms(duration)
	m.durations = [2]prometheus.Observer{took.WithLabelValues("mlflow"), took.WithLabelValues("gateway")}
	took = m.histograms(steps)
	for _, step := range o.Steps {
		m.steps = append(m.steps, took.WithLabelValues(step))
	}
	counts := m.counters(cut)
	for _, by := range []string{ByClient, ByServer} {
		m.cuts[by] = counts.WithLabelValues(by)
	}
	counts = m.counters(cache)
	for _, name := range o.Caches {
		hits, misses := counts.WithLabelValues(name, "hit"), counts.WithLabelValues(name, "miss")
		m.caches[name] = func(hit bool) {
			if hit {
				hits.Inc()
				return
			}
			misses.Inc()
		}
	}
	m.newUpstreams()
	m.newQueries()
	m.signIns, m.limited, m.entries = m.counters(signIns), m.counters(limited), m.gauges(entries)
	for _, provider := range o.Providers {
		for _, outcome := range o.Outcomes { // from zero on: of what is there from one on only, Prometheus misses the first
			m.signIns.WithLabelValues(provider, outcome)
		}
	}
	for _, limit := range o.Limits {
		m.limited.WithLabelValues(limit)
	}
	counts = m.counters(events)
	for _, event := range append(slices.Clone(o.Events), Other) {
		m.events[event] = counts.WithLabelValues(event)
	}
	report := m.gauge(reportOnly)
	if o.ReportOnly {
		report.Set(1)
	}
	counts = m.counters(spans)
	m.spans = [2]prometheus.Counter{counts.WithLabelValues("sent"), counts.WithLabelValues("lost")}
	m.gauges(build).WithLabelValues(o.Version, o.Revision, runtime.Version()).Set(1)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *Metrics) counters(f family) *prometheus.CounterVec {
	vec := prometheus.NewCounterVec(f.counterOpts(), f.labels)
	m.registry.MustRegister(vec)
	return vec
}

func (m *Metrics) gauges(f family) *prometheus.GaugeVec {
	vec := prometheus.NewGaugeVec(f.gaugeOpts(), f.labels)
	m.registry.MustRegister(vec)
	return vec
}

func (m *Metrics) gauge(f family) prometheus.Gauge {
	one := prometheus.NewGauge(f.gaugeOpts())
	m.registry.MustRegister(one)
	return one
}

func (m *Metrics) histograms(f family) *prometheus.HistogramVec {
	vec := prometheus.NewHistogramVec(f.histogramOpts(), f.labels)
	m.registry.MustRegister(vec)
	return vec
}

// Handler answers GET /metrics, and nothing else.
func (m *Metrics) Handler() http.Handler {
	tell := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true, MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.EscapedPath() != "/metrics" {
			http.NotFound(w, r)
			return
		}
		tell.ServeHTTP(w, r)
	})
}
