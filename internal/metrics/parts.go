package metrics

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// purpose is why MLflow is asked: 0 for a client, 1 for the gateway itself.
type purpose struct {
	results [len(classes) + 2]prometheus.Counter // by the class of the status; the last two without an answer
	took    prometheus.Observer
}

// The results without an answer.
const (
	unanswered = len(classes) + iota
	canceled   // nobody waited for it any more
)

func (m *Metrics) newUpstreams() {
	counts, took := m.counters(upstream), m.histograms(upstreamTook)
	for i, name := range []string{"forward", "ask"} {
		for at := 1; at < len(classes); at++ {
			m.upstreams[i].results[at] = counts.WithLabelValues(name, classes[at])
		}
		failed := counts.WithLabelValues(name, "error")
		m.upstreams[i].results[0], m.upstreams[i].results[unanswered] = failed, failed
		m.upstreams[i].results[canceled] = counts.WithLabelValues(name, "canceled")
		m.upstreams[i].took = took.WithLabelValues(name)
	}
}

func purposeOf(forwarded bool) int {
	if forwarded {
		return 0
	}
	return 1
}

// Asks counts a request to MLflow that begins.
func (m *Metrics) Asks() { m.inUpstream.Inc() }

// Asked counts a request to MLflow whose answer has begun, or failed; context.Canceled says that it was given up.
func (m *Metrics) Asked(forwarded bool, status int, took time.Duration, err error) {
	m.inUpstream.Dec()
	p, at := &m.upstreams[purposeOf(forwarded)], class(status)
	switch {
	case errors.Is(err, context.Canceled):
		at = canceled
	case err != nil:
		at = unanswered
	}
	p.results[at].Inc()
	p.took.Observe(took.Seconds())
}

// Up says whether MLflow answers.
func (m *Metrics) Up(up bool) {
	value := 0.0
	if up {
		value = 1
	}
	m.up.Set(value)
}

// operations are those of statements that are told apart.
var operations = []string{"SELECT", "INSERT", "UPDATE", "DELETE"}

type query struct {
	good, failed prometheus.Counter
	took         prometheus.Observer
}

func (m *Metrics) newQueries() {
	counts, took := m.counters(queries), m.histograms(queryTook)
	for _, operation := range append(slices.Clone(operations), Other) {
		name := strings.ToLower(operation)
		m.queries[operation] = query{counts.WithLabelValues(name, "ok"), counts.WithLabelValues(name, "error"), took.WithLabelValues(name)}
	}
}

// Query measures a statement.
func (m *Metrics) Query(operation string, took time.Duration, err error) {
	q, ok := m.queries[operation]
	if !ok {
		q = m.queries[Other]
	}
	if err != nil {
		q.failed.Inc()
	} else {
		q.good.Inc()
	}
	q.took.Observe(took.Seconds())
}

// Succeeded is the outcome of a sign-in that made a session.
const Succeeded = "succeeded"

// SignIn counts a sign-in.
func (m *Metrics) SignIn(provider, outcome string) {
	if !slices.Contains(m.options.Providers, provider) {
		provider = Other
	}
	if !slices.Contains(m.options.Outcomes, outcome) {
		outcome = Other
	}
	m.signIns.WithLabelValues(provider, outcome).Inc()
}

// Sessions says how many sessions there are.
func (m *Metrics) Sessions(n int) { m.sessions.Set(float64(n)) }

// Limited counts what a limit refuses.
func (m *Metrics) Limited(limit string) func() { return m.limited.WithLabelValues(limit).Inc }

// Event counts an event of the audit log.
func (m *Metrics) Event(name string) {
	count, ok := m.events[name]
	if !ok {
		count = m.events[Other]
	}
	count.Inc()
}

// Entries says how many rows of a kind there are.
func (m *Metrics) Entries(kind string, n int) { m.entries.WithLabelValues(kind).Set(float64(n)) }

// Spans counts spans that were sent, or lost.
func (m *Metrics) Spans(n int, err error) {
	at := 0
	if err != nil {
		at = 1
	}
	m.spans[at].Add(float64(n))
}

// Asked anew at each scrape is what others count anyway.
type (
	// Journal are the events that wait to be stored, and those that are lost.
	Journal interface {
		Waiting() int
		Lost() int64
	}
	// Directory is what is in memory of people and permissions.
	Directory interface {
		Age() time.Duration
		Changes() int64
	}
)

// WatchJournal has the events be told of.
func (m *Metrics) WatchJournal(j Journal) {
	m.pull(eventsWait, func() float64 { return float64(j.Waiting()) })
	m.pull(eventsLost, func() float64 { return float64(j.Lost()) })
}

// WatchDirectory has what is in memory be told of.
func (m *Metrics) WatchDirectory(d Directory) {
	m.pull(age, func() float64 { return d.Age().Seconds() })
	m.pull(changes, func() float64 { return float64(d.Changes()) })
}

// WatchRestarts has the restarts of MLflow be told of.
func (m *Metrics) WatchRestarts(count func() int64) {
	m.pull(restarts, func() float64 { return float64(count()) })
}

func (m *Metrics) pull(f family, value func() float64) {
	if f.kind == counter {
		m.registry.MustRegister(prometheus.NewCounterFunc(f.counterOpts(), value))
		return
	}
	m.registry.MustRegister(prometheus.NewGaugeFunc(f.gaugeOpts(), value))
}

// pools are the connections to the users database.
type pools struct {
	stats                         func() map[string]sql.DBStats
	open, most, waits, waitedTime *prometheus.Desc
}

// WatchDatabase has the pools of connections be told of, by their names.
func (m *Metrics) WatchDatabase(stats func() map[string]sql.DBStats) {
	m.registry.MustRegister(&pools{stats, connections.desc(), mostOpen.desc(), waits.desc(), waited.desc()})
}

// Describe names the metrics of the pools (prometheus.Collector).
func (p *pools) Describe(to chan<- *prometheus.Desc) {
	for _, one := range []*prometheus.Desc{p.open, p.most, p.waits, p.waitedTime} {
		to <- one
	}
}

// Collect gives them (prometheus.Collector).
func (p *pools) Collect(to chan<- prometheus.Metric) {
	for pool, s := range p.stats() {
		to <- prometheus.MustNewConstMetric(p.open, prometheus.GaugeValue, float64(s.InUse), pool, "in_use")
		to <- prometheus.MustNewConstMetric(p.open, prometheus.GaugeValue, float64(s.Idle), pool, "idle")
		to <- prometheus.MustNewConstMetric(p.most, prometheus.GaugeValue, float64(s.MaxOpenConnections), pool)
		to <- prometheus.MustNewConstMetric(p.waits, prometheus.CounterValue, float64(s.WaitCount), pool)
		to <- prometheus.MustNewConstMetric(p.waitedTime, prometheus.CounterValue, s.WaitDuration.Seconds(), pool)
	}
}
