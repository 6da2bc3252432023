package metrics

import (
	"fmt"
	"io"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// prefix begins the names of all that is the gateway's own.
const prefix = "mlflow_oidc_auth_"

// The kinds of metrics.
const (
	counter   = "counter"
	gauge     = "gauge"
	histogram = "histogram"
)

// family is one metric. Each value of a label is of a closed set: the route table, the settings, or constants of the source.
type family struct {
	name    string
	kind    string
	help    string
	labels  []string
	buckets []float64
}

// Buckets of what takes as long as MLflow does, and of what the gateway does itself, in seconds.
var (
	long  = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	short = []float64{.00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
)

// The families, in the order of the documentation.
var (
	requests = family{"requests_total", counter, "requests that were answered. `route` is the row of the route table, or the pattern of the gateway's own route; what is in " +
		"neither is `unmatched`. `code` is the class of the status; `none` where the client hung up before an answer", []string{"method", "route", "decision", "code"}, nil}
	routeSeconds = family{"route_seconds_total", counter, "time that requests have taken in all; with `requests_total`, the mean of a route", []string{"method", "route"}, nil}
	cut          = family{"answers_cut_total", counter, "answers that broke off before their end; the status does not tell. `by` is `client` where that hung up, `server` where MLflow died, access was revoked, or the gateway failed",
		[]string{"by"}, nil}
	inFlight = family{"requests_in_flight", gauge, "requests that are being answered", nil, nil}
	duration = family{"request_duration_seconds", histogram, "how long requests took until the end of the answer. `handler` is `mlflow`, or `gateway` for the gateway's own pages and API",
		[]string{"handler"}, long}
	steps = family{"step_duration_seconds", histogram, "how long each step of a request to MLflow took; the steps are below", []string{"step"}, short}
	cache = family{"cache_lookups_total", counter, "look-ups in memory. A `miss` is asked of the session store, the users database, the identity provider or MLflow",
		[]string{"cache", "result"}, nil}
	upstreamUp = family{"upstream_up", gauge, "1 where MLflow's health check answered the last time, which is asked every 15 seconds", nil, nil}
	upstreamIn = family{"upstream_in_flight", gauge, "requests to MLflow whose answer has not begun", nil, nil}
	upstream   = family{"upstream_requests_total", counter, "requests to MLflow. `purpose` is `forward` for those of clients, `ask` for the gateway's own; `result` is the class of the status, `error` where there was no answer, or `canceled` where it was given up, since the client hung up or might not go on",
		[]string{"purpose", "result"}, nil}
	upstreamTook = family{"upstream_duration_seconds", histogram, "how long MLflow took until its answer began, from when it had the body of the request", []string{"purpose"}, long}
	restarts     = family{"mlflow_restarts_total", counter, "in full mode: how often MLflow ended by itself, and was started again", nil, nil}
	queries      = family{"database_queries_total", counter, "statements to the users database; `error` also where a name is taken", []string{"operation", "result"}, nil}
	queryTook    = family{"database_query_duration_seconds", histogram, "how long they took", []string{"operation"}, short}
	connections  = family{"database_connections", gauge, "connections to the users database; SQLite has a pool that writes, and one that reads", []string{"pool", "state"}, nil}
	mostOpen     = family{"database_connections_max", gauge, "how many there may be; 0: any number", []string{"pool"}, nil}
	waits        = family{"database_waits_total", counter, "statements that waited for a connection", []string{"pool"}, nil}
	waited       = family{"database_wait_seconds_total", counter, "how long they waited in all", []string{"pool"}, nil}
	signIns      = family{"sign_ins_total", counter, "sign-ins with a browser, by the provider's id in the settings; the outcomes are those of SignInsFail, above", []string{"provider", "outcome"}, nil}
	sessions     = family{"sessions", gauge, "sessions of browsers that have not ended, counted once a minute; replicas with a common store count the same ones", nil, nil}
	limited      = family{"rate_limited_total", counter, "attempts that were refused unseen, since there were too many in vain: of `credentials`, or of `logouts` that an identity provider did not send",
		[]string{"limit"}, nil}
	events      = family{"audit_events_total", counter, "events of the [audit log](audit.md)", []string{"event"}, nil}
	eventsWait  = family{"audit_events_waiting", gauge, "events that wait to be stored in the users database", nil, nil}
	eventsLost  = family{"audit_events_lost_total", counter, "events that are in the log alone, since they could not be stored", nil, nil}
	age         = family{"directory_age_seconds", gauge, "how old the last reading of the change counter is; from one second on memory is not trusted, and each request asks the users database", nil, nil}
	changes     = family{"directory_changes_total", counter, "changes of people or permissions, here or on another replica, by the change counter; with each, memory is given up", nil, nil}
	entries     = family{"directory_entries", gauge, "rows of the users database, counted once a minute", []string{"kind"}, nil}
	reportOnly  = family{"report_only", gauge, "1 where `REPORT_ONLY` is set: permissions are not enforced", nil, nil}
	spans       = family{"trace_spans_total", counter, "spans of traces that were sent, or `lost`: the receiver did not take them, or was too slow", []string{"result"}, nil}
	build       = family{"build_info", gauge, "1, with what this program is", []string{"version", "revision", "goversion"}, nil}
	allFamilies = []family{requests, routeSeconds, cut, inFlight, duration, steps, cache, upstreamUp, upstreamIn, upstream, upstreamTook, restarts, queries, queryTook,
		connections, mostOpen, waits, waited, signIns, sessions, limited, events, eventsWait, eventsLost, age, changes, entries, reportOnly, spans, build}
)

// Names gives the names of the gateway's own metrics.
func Names() []string {
	var all []string
	for _, f := range allFamilies {
		all = append(all, prefix+f.name)
	}
	return all
}

// Markdown writes the table of the documentation.
func Markdown(w io.Writer) error {
	text := "| metric | type | labels | meaning |\n|---|---|---|---|\n"
	for _, f := range allFamilies {
		labels := "–"
		if len(f.labels) > 0 {
			labels = "`" + strings.Join(f.labels, "`, `") + "`"
		}
		text += fmt.Sprintf("| `%s%s` | %s | %s | %s |\n", prefix, f.name, f.kind, labels, f.help)
	}
	_, err := io.WriteString(w, text)
	return err
}

// plain is the help of a family as Prometheus has it, without the marks of Markdown.
func (f family) plain() string {
	return strings.NewReplacer("`", "", "[", "", "](audit.md)", "").Replace(f.help)
}

func (f family) counterOpts() prometheus.CounterOpts {
	return prometheus.CounterOpts{Name: prefix + f.name, Help: f.plain()}
}

func (f family) gaugeOpts() prometheus.GaugeOpts {
	return prometheus.GaugeOpts{Name: prefix + f.name, Help: f.plain()}
}

func (f family) histogramOpts() prometheus.HistogramOpts {
	return prometheus.HistogramOpts{Name: prefix + f.name, Help: f.plain(), Buckets: f.buckets}
}

func (f family) desc() *prometheus.Desc {
	return prometheus.NewDesc(prefix+f.name, f.plain(), f.labels, nil)
}
