package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/gateway"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/metrics"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	program "github.com/mlflow-oidc/mlflow-oidc-auth/internal/release"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/token"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/tracing"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/upstream"
)

// The names of limits, and of the memory of sessions.
const (
	limitCredentials = "credentials"
	limitLogouts     = "logouts"
	cacheSessions    = "sessions"
)

// openTelemetry sets up what the settings ask for: metrics on an address of their own, traces, and the access log.
func (a *App) openTelemetry(ctx context.Context) error {
	c := a.settings
	version, revision := program.Version, built()
	if c.Metrics != "" {
		listener, err := net.Listen("tcp", c.Metrics)
		if err != nil {
			return fmt.Errorf("listening on METRICS_ADDR %s: %w", c.Metrics, err)
		}
		a.closers = append(a.closers, func() error { // it is closed already where it was served
			if err := listener.Close(); !errors.Is(err, net.ErrClosed) {
				return err
			}
			return nil
		})
		if host, _, _ := net.SplitHostPort(c.Metrics); !httpx.Loopback(host) {
			a.log.Warn("metrics can be read by whoever reaches METRICS_ADDR, which is not this machine alone; let only Prometheus reach it", "address", listener.Addr().String())
		}
		a.metricsAt, a.watch.metrics = listener, newMetrics(c, version, revision)
	}
	if c.AccessLog {
		a.watch.access = a.log
	}
	return a.openTraces(ctx, version)
}

// openTraces sets up the sending of traces, where they are sent to somebody.
func (a *App) openTraces(ctx context.Context, version string) error {
	c := a.settings
	address := c.Traces.Address()
	if address == "" {
		return nil
	}
	o := tracing.Options{Endpoint: address, Headers: c.Traces.Sent(), Compress: c.Traces.Compress, Service: c.Traces.Name(), Version: version, Attributes: c.Traces.Attributes, Log: a.log,
		Sampler: tracing.Sampler{FollowsClient: c.Traces.FollowsClient, Ratio: c.Traces.Ratio()}}
	if m := a.watch.metrics; m != nil {
		o.Sent = m.Spans
	}
	if c.Traces.CAFile != "" {
		pem, err := os.ReadFile(c.Traces.CAFile)
		if err != nil {
			return fmt.Errorf("reading OTEL_EXPORTER_OTLP_CERTIFICATE: %w", err)
		}
		if o.Roots = x509.NewCertPool(); !o.Roots.AppendCertsFromPEM(pem) {
			return fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE %s holds no certificate in PEM", c.Traces.CAFile)
		}
	}
	if c.Traces.CertFile != "" {
		shown, err := tls.LoadX509KeyPair(c.Traces.CertFile, c.Traces.KeyFile)
		if err != nil {
			return fmt.Errorf("reading OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY: %w", err)
		}
		o.Certificate = &shown
	}
	tracer, err := tracing.New(ctx, o)
	if err != nil {
		return err
	}
	a.watch.tracer = tracer
	a.closers = append(a.closers, func() error {
		if err := tracer.Close(); err != nil { // nobody receives them, and that is no failure of the gateway
			a.log.Warn("the last traces could not be sent", "error", err)
		}
		return nil
	})
	return nil
}

// built says which commit this program was built from; "" where the build did not note that.
func built() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

func newMetrics(c *config.Config, version, revision string) *metrics.Metrics {
	o := metrics.Options{Version: version, Revision: revision, Events: audit.Names(), Limits: []string{limitCredentials, limitLogouts}, Outcomes: outcomes(), ReportOnly: c.Report.Decisions,
		Caches: slices.Concat([]string{cacheSessions}, directory.Caches(), token.Caches(), upstream.Caches())}
	for _, d := range gateway.Decisions() {
		o.Decisions = append(o.Decisions, d.String())
	}
	for _, s := range gateway.Steps() {
		o.Steps = append(o.Steps, s.String())
	}
	for _, one := range c.Providers {
		o.Providers = append(o.Providers, one.ID)
	}
	return metrics.New(o)
}

// watchRequests has requests watched on their way to MLflow, by the route table.
func (a *App) watchRequests(origin *httpx.Origin) {
	a.watch.origin = origin
	if !a.watch.on() {
		return
	}
	a.Gateway.Routes = policy.Routes()
	a.Gateway.Watch = passageOf
	a.watch.know(a.Gateway.Routes)
}

// MetricsAddress is where Prometheus reads metrics; "" where it does not.
func (a *App) MetricsAddress() string {
	if a.metricsAt == nil {
		return ""
	}
	return a.metricsAt.Addr().String()
}

// cached gives what counts the look-ups in memory; nil where nothing is counted.
func (a *App) cached() func(cache string) func(hit bool) {
	if a.watch.metrics == nil {
		return nil
	}
	return a.watch.metrics.Cache
}

// measure has all parts counted that are open by now.
func (a *App) measure() {
	m := a.watch.metrics
	if m == nil {
		return
	}
	m.WatchDirectory(a.Cache)
	m.WatchDatabase(a.Store.Stats)
	a.Store.OnQuery(m.Query)
	a.Cache.Tell(m.Cache)
	if a.journal != nil {
		m.WatchJournal(a.journal)
	}
	if a.restarts != nil {
		m.WatchRestarts(a.restarts)
	}
}

// upstreamWatch follows requests to MLflow (upstream.Watcher).
type upstreamWatch struct{ *watch }

// Asks is told that a request begins.
func (w upstreamWatch) Asks(ctx context.Context, forwarded bool) (string, func(int, time.Duration, error)) {
	traceparent, traced := tracing.Asks(ctx, forwarded)
	if w.metrics == nil && traced == nil {
		return "", func(int, time.Duration, error) {}
	}
	began := time.Now()
	if w.metrics != nil {
		w.metrics.Asks()
	}
	return traceparent, func(status int, sending time.Duration, err error) {
		if err != nil {
			// An error with a code is of the request's body, which is the client's, and has ended before its time.
			if _, ours := errors.AsType[*errs.Error](err); ours || errors.Is(ctx.Err(), context.Canceled) {
				err = context.Canceled
			}
		}
		if w.metrics != nil {
			w.metrics.Asked(forwarded, status, time.Since(began)-sending, err)
		}
		if traced != nil {
			traced(status, err)
		}
	}
}

// watcher is who is told of requests to MLflow; nil where nobody is.
func (w *watch) watcher() upstream.Watcher {
	if w.metrics == nil && w.tracer == nil {
		return nil
	}
	return upstreamWatch{w}
}

// signedIn counts how a sign-in ended; nil where nothing is counted. The outcomes are those of errs, and no text.
func (a *App) signedIn() func(provider string, err error) {
	m := a.watch.metrics
	if m == nil {
		return nil
	}
	return func(provider string, err error) { m.SignIn(provider, outcome(err)) }
}

// answeredError is the outcome of a sign-in that ended since the address to which the browser came back names an error. Anybody can make such an
// address, and so no alert may go by it that wakes somebody.
const answeredError = "answered_error"

// outcome names how a sign-in ended.
func outcome(err error) string {
	reason := errs.ReasonOf(err)
	switch {
	case err == nil:
		return metrics.Succeeded
	case errors.Is(err, errs.ErrHearsay) && reason != errs.ProviderRefused: // the person there can say no as well
		return answeredError
	case reason != "":
		return string(reason)
	}
	return gateway.DecisionOf(err).String()
}

// outcomes are all that outcome gives.
func outcomes() []string {
	all := []string{metrics.Succeeded, answeredError}
	for _, reason := range errs.Reasons() {
		all = append(all, string(reason))
	}
	for _, d := range gateway.Decisions() {
		if d != gateway.Allowed && d != gateway.Reported {
			all = append(all, d.String())
		}
	}
	return all
}

// counting counts the events of the audit log (audit.Recorder).
type counting struct {
	audit.Recorder
	count func(name string)
}

// Record keeps an event.
func (c counting) Record(ctx context.Context, e audit.Event) {
	c.count(string(e.Name))
	c.Recorder.Record(ctx, e)
}

const (
	askUpstream = 15 * time.Second
	askWithin   = 5 * time.Second
	countEvery  = time.Minute
	countWithin = 20 * time.Second
)

// serveMetrics answers Prometheus, and counts now and then what nobody counts by the way, until the context ends.
func (a *App) serveMetrics(ctx context.Context) {
	if a.metricsAt == nil {
		return
	}
	server := &http.Server{Handler: a.watch.metrics.Handler(), ReadHeaderTimeout: askWithin, ReadTimeout: askWithin, WriteTimeout: 30 * time.Second,
		IdleTimeout: 120 * time.Second, MaxHeaderBytes: 16 << 10, ErrorLog: serverLog(a.log)}
	go func() {
		if err := server.Serve(a.metricsAt); !errors.Is(err, http.ErrServerClosed) {
			a.log.Error("metrics cannot be read any more", "error", err)
		}
	}()
	defer server.Close()
	a.log.Info("metrics", "address", "http://"+a.metricsAt.Addr().String()+"/metrics")
	up, count := time.NewTicker(askUpstream), time.NewTicker(countEvery)
	defer up.Stop()
	defer count.Stop()
	a.askUpstream(ctx)
	a.countAll(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-up.C:
			a.askUpstream(ctx)
		case <-count.C:
			a.countAll(ctx)
		}
	}
}

func (a *App) askUpstream(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	a.watch.metrics.Up(a.MLflow.Healthy(ctx) == nil)
}

// countAll counts sessions and permissions. What cannot be counted right now stays as it was.
func (a *App) countAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, countWithin)
	defer cancel()
	if n, err := a.Sessions.Count(ctx); err == nil {
		a.watch.metrics.Sessions(n)
	}
	if err := a.Store.Sizes(ctx, a.watch.metrics.Entries); err != nil && ctx.Err() == nil {
		a.log.DebugContext(ctx, "what is in the users database could not be counted", "error", err)
	}
}

// MarkdownTelemetry writes the tables of what is measured.
func MarkdownTelemetry(w io.Writer) error {
	if err := metrics.Markdown(w); err != nil {
		return err
	}
	text := "\n| step | |\n|---|---|\n"
	for _, s := range gateway.Steps() {
		text += fmt.Sprintf("| `%s` | %s |\n", s, s.Meaning())
	}
	text += "\n| decision | |\n|---|---|\n"
	for _, d := range gateway.Decisions() {
		text += fmt.Sprintf("| `%s` | %s |\n", d, d.Meaning())
	}
	_, err := io.WriteString(w, text)
	return err
}
