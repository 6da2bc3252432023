package metrics

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// classes are the classes of a status, by its first digit.
var classes = [...]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}

func class(status int) int {
	if at := status / 100; at > 0 && at < len(classes) {
		return at
	}
	return 0
}

// Unmatched is the route of what is in no table.
const Unmatched = "unmatched"

// methods are those that a request without a route is counted under; another one is the client's own word.
var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// MethodOf gives the method of a request in no table as a value of a label.
func MethodOf(method string) string {
	if slices.Contains(methods, method) {
		return method
	}
	return Other
}

// Route counts the requests of one route. Its counters are found once, when they are first needed, and not by each request.
type Route struct {
	all     *Metrics
	method  string
	pattern string
	own     int // 1 of the gateway's own
	seconds atomic.Pointer[prometheus.Counter]
	cells   []atomic.Pointer[prometheus.Counter] // by decision, and class of the status
}

// Route gives the counters of a route. It is for routes of tables alone: each is kept for ever.
func (m *Metrics) Route(method, pattern string, own bool) *Route {
	r := &Route{all: m, method: method, pattern: pattern,
		cells: make([]atomic.Pointer[prometheus.Counter], len(m.options.Decisions)*len(classes))}
	if own {
		r.own = 1
	}
	return r
}

// Answered counts a request.
func (r *Route) Answered(decision, status int, took time.Duration) {
	cell := &r.cells[decision*len(classes)+class(status)]
	count := cell.Load()
	if count == nil { // the vector gives the same one to all who ask
		found := r.all.requests.WithLabelValues(r.method, r.pattern, r.all.options.Decisions[decision], classes[class(status)])
		count = &found
		cell.Store(count)
	}
	(*count).Inc()
	seconds := r.seconds.Load()
	if seconds == nil { // the table has hundreds of rows, of which most are never asked for
		found := r.all.routeSeconds.WithLabelValues(r.method, r.pattern)
		seconds = &found
		r.seconds.Store(seconds)
	}
	(*seconds).Add(took.Seconds())
	r.all.durations[r.own].Observe(took.Seconds())
}

// Who broke an answer off.
const (
	ByClient = "client"
	ByServer = "server"
)

// Cut counts an answer that was broken off, by one of these.
func (m *Metrics) Cut(by string) { m.cuts[by].Inc() }

// Step measures a step of a request.
func (m *Metrics) Step(step int, took time.Duration) { m.steps[step].Observe(took.Seconds()) }

// Cache gives what counts the look-ups of a cache.
func (m *Metrics) Cache(name string) func(hit bool) { return m.caches[name] }
