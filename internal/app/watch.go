package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/gateway"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/metrics"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/tracing"
)

// watch sees all requests, for metrics, traces and the access log, where there is any of them.
type watch struct {
	metrics *metrics.Metrics // nil: nothing is counted
	tracer  *tracing.Tracer  // nil: nothing is traced
	access  *slog.Logger     // nil: requests are not logged
	origin  *httpx.Origin

	rows map[*policy.Route]*metrics.Route
	own  sync.Map // counters of the gateway's own routes, by pattern, and of what is in no table, by method
}

// on tells whether anybody watches.
func (w *watch) on() bool { return w.metrics != nil || w.tracer != nil || w.access != nil }

// know makes the counters of the route table.
func (w *watch) know(routes []policy.Route) {
	if w.metrics == nil {
		return
	}
	w.rows = map[*policy.Route]*metrics.Route{}
	for i := range routes {
		w.rows[&routes[i]] = w.metrics.Route(routes[i].Method, routes[i].Path, false)
	}
}

// seen is one request under the eyes of the watch. It is the writer of the answer as well.
type seen struct {
	http.ResponseWriter
	watch   *watch
	request *http.Request
	came    time.Time
	passage gateway.Passage
	trace   *tracing.Request // nil: not traced
	pattern string           // of the gateway's own routes; "" on the way to MLflow
	status  int
	gone    bool // the client hung up before it could be told of a failure
	whole   bool // the handler has come to its end
	written int64

	mu sync.Mutex
	by string // the username
}

type seenKey struct{}

func seenOf(ctx context.Context) *seen {
	s, _ := ctx.Value(seenKey{}).(*seen)
	return s
}

// passageOf gives the gateway where it notes a request's way.
func passageOf(ctx context.Context) *gateway.Passage {
	if s := seenOf(ctx); s != nil {
		return &s.passage
	}
	return nil
}

// WriteHeader notes the status (http.ResponseWriter). What comes before an answer is none. A failure that nobody waits for any more is most
// often that nobody waits: it counts as no answer.
func (s *seen) WriteHeader(status int) {
	if status >= http.StatusOK && s.status == 0 && !s.gone {
		if s.gone = status >= http.StatusInternalServerError && s.left(); !s.gone {
			s.status = status
		}
	}
	s.ResponseWriter.WriteHeader(status)
}

// Write counts the bytes of the answer (http.ResponseWriter).
func (s *seen) Write(piece []byte) (int, error) {
	n, err := s.ResponseWriter.Write(piece)
	if s.gone {
		return n, err
	}
	if s.status == 0 {
		s.status = http.StatusOK
	}
	s.written += int64(n)
	return n, err
}

// left tells whether the client has hung up.
func (s *seen) left() bool { return errors.Is(s.request.Context().Err(), context.Canceled) }

// Unwrap gives the writer below (http.ResponseController).
func (s *seen) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// over has a handler watched, or is that handler where nobody watches.
func (w *watch) over(next http.Handler) http.Handler {
	if !w.on() {
		return next
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s := &seen{ResponseWriter: rw, watch: w, request: r, came: time.Now()}
		s.passage.Begin(s.came)
		ctx := context.WithValue(r.Context(), seenKey{}, s)
		if w.tracer != nil && !w.probe(r) {
			s.trace = w.tracer.Begin(r, s.came)
			ctx = s.trace.In(ctx)
		}
		if w.metrics != nil {
			w.metrics.InFlight.Inc()
		}
		defer s.done(ctx) // also when the answer is broken off, which is a panic (http.ErrAbortHandler)
		next.ServeHTTP(s, r.WithContext(ctx))
		s.whole = true
	})
}

// probe tells whether a request asks how the gateway is: there are very many of these, and they say nothing. They come with MLflow's prefix,
// and without it.
func (w *watch) probe(r *http.Request) bool {
	path := strings.TrimPrefix(r.URL.EscapedPath(), w.origin.Prefix)
	return path == "/health" || strings.HasPrefix(path, "/health/")
}

// ours has the gateway's own routes seen: which of them a request is for is known when it has been answered.
func (w *watch) ours(mux http.Handler) http.Handler {
	if !w.on() {
		return mux
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if s := seenOf(r.Context()); s != nil {
			defer func() { s.pattern = r.Pattern }()
		}
		mux.ServeHTTP(rw, r)
	})
}

// known is told who a request is from.
func (s *seen) known(subject *identity.Subject) {
	if s.trace != nil {
		s.trace.Known()
	}
	if s.watch.access != nil {
		s.mu.Lock()
		s.by = subject.Username
		s.mu.Unlock()
	}
}

// authenticator tells the watch who requests are from (gateway.Authenticator).
type authenticator struct{ gateway.Authenticator }

// Authenticate says who a request is from.
func (a authenticator) Authenticate(r *http.Request) (*identity.Subject, error) {
	subject, err := a.Authenticator.Authenticate(r)
	if err == nil && subject != nil {
		if s := seenOf(r.Context()); s != nil {
			s.known(subject)
		}
	}
	return subject, err
}

// done ends the watch over a request.
func (s *seen) done(ctx context.Context) {
	w, now := s.watch, time.Now()
	took := now.Sub(s.came)
	method, route, decision := s.cameTo()
	cut := s.cut()
	if w.metrics != nil {
		w.metrics.InFlight.Dec()
		if cut != "" {
			w.metrics.Cut(cut)
		}
		w.route(s, method, route).Answered(int(decision), s.status, took)
		for step, lap := range s.passage.Laps {
			if lap.Took > 0 {
				w.metrics.Step(step, lap.Took)
			}
		}
	}
	if s.trace != nil {
		s.trace.End(tracing.Ending{Method: method, Route: route, Decision: decision.String(), Status: s.status, RequestID: s.Header().Get(httpx.RequestID), Cut: cut,
			Failed: cut == metrics.ByServer, Steps: s.steps()}, now)
	}
	if w.access != nil && !w.probe(s.request) {
		s.log(ctx, route, cut, decision, took)
	}
}

// cut says who broke the answer off; "" where it is whole.
func (s *seen) cut() string {
	switch {
	case s.whole:
		return ""
	case s.left():
		return metrics.ByClient
	}
	return metrics.ByServer
}

// cameTo says of which route a request was, and what it came to.
func (s *seen) cameTo() (method, route string, decision gateway.Decision) {
	if row := s.passage.Route; row != nil {
		return row.Method, row.Path, s.passage.Decision
	}
	decision = s.passage.Decision
	if decision == gateway.Undecided {
		decision = decisionOf(s.status)
	}
	if method, path, ok := strings.Cut(s.pattern, " "); ok {
		return method, path, decision
	}
	return metrics.MethodOf(s.request.Method), metrics.Unmatched, decision
}

// decisionOf is what the status of an answer of the gateway's own says.
func decisionOf(status int) gateway.Decision {
	switch {
	case status == 0:
		return gateway.Undecided
	case status < http.StatusBadRequest:
		return gateway.Allowed
	}
	switch status {
	case http.StatusUnauthorized:
		return gateway.Unauthenticated
	case http.StatusForbidden:
		return gateway.Denied
	case http.StatusNotFound:
		return gateway.NotFound
	case http.StatusTooManyRequests:
		return gateway.Limited
	case http.StatusServiceUnavailable:
		return gateway.Unavailable
	case http.StatusBadGateway:
		return gateway.BadGateway
	}
	if status < http.StatusInternalServerError {
		return gateway.Invalid
	}
	return gateway.Undecided
}

// route gives the counters of a request's route.
func (w *watch) route(s *seen, method, route string) *metrics.Route {
	if found := w.rows[s.passage.Route]; found != nil {
		return found
	}
	key := s.pattern
	if route == metrics.Unmatched {
		key = method
	}
	if found, ok := w.own.Load(key); ok {
		return found.(*metrics.Route)
	}
	found, _ := w.own.LoadOrStore(key, w.metrics.Route(method, route, route != metrics.Unmatched))
	return found.(*metrics.Route)
}

func (s *seen) steps() []tracing.Step {
	var all []tracing.Step
	for i, lap := range s.passage.Laps {
		if lap.Took > 0 {
			all = append(all, tracing.Step{Name: gateway.Step(i).String(), Began: lap.Began, Took: lap.Took})
		}
	}
	return all
}

// log writes a request's line of the access log. The path is without the query: that can have secrets.
func (s *seen) log(ctx context.Context, route, cut string, decision gateway.Decision, took time.Duration) {
	s.mu.Lock()
	by := s.by
	s.mu.Unlock()
	attributes := []slog.Attr{slog.String("method", audit.Line(s.request.Method)), slog.String("path", audit.Line(s.request.URL.Path)), slog.String("route", route), slog.Int("status", s.status),
		slog.String("decision", decision.String()), slog.Int64("bytes", s.written), slog.Float64("ms", float64(took.Microseconds())/1000), slog.String("client", s.watch.origin.Client(s.request))}
	if by != "" {
		attributes = append(attributes, slog.String("by", by))
	}
	if cut != "" {
		attributes = append(attributes, slog.String("cut", cut))
	}
	s.watch.access.LogAttrs(ctx, slog.LevelInfo, "served", append(attributes, slog.String("request", s.Header().Get(httpx.RequestID)))...)
}
