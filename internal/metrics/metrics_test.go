package metrics_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/metrics"
)

var options = metrics.Options{Version: "v1", Revision: "abc", Decisions: []string{"undecided", "allowed"}, Steps: []string{"match", "decide"}, Caches: []string{"grants"},
	Limits: []string{"credentials"}, Providers: []string{"oidc"}, Events: []string{"sign_in_succeeded"}, Outcomes: []string{metrics.Succeeded, "clocks", "sign_in_gone"}, ReportOnly: true}

// told is what Prometheus reads.
func told(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

type fixed struct{}

func (fixed) Waiting() int       { return 3 }
func (fixed) Lost() int64        { return 4 }
func (fixed) Age() time.Duration { return 1500 * time.Millisecond }
func (fixed) Changes() int64     { return 5 }

// all gives metrics in which everything was counted once.
func all() *metrics.Metrics {
	m := metrics.New(options)
	m.WatchJournal(fixed{})
	m.WatchDirectory(fixed{})
	m.WatchRestarts(func() int64 { return 6 })
	m.WatchDatabase(func() map[string]sql.DBStats {
		return map[string]sql.DBStats{"read": {InUse: 1, Idle: 2, MaxOpenConnections: 8, WaitCount: 9, WaitDuration: time.Second}}
	})
	m.Route("GET", "/api/{id}", false).Answered(1, http.StatusNotFound, 20*time.Millisecond)
	m.Route("GET", "/login", true).Answered(0, 0, time.Millisecond)
	m.InFlight.Inc()
	m.Step(1, 30*time.Microsecond)
	m.Cache("grants")(true)
	m.Cache("grants")(false)
	m.Asks()
	m.Asks()
	m.Asked(true, http.StatusOK, time.Millisecond, nil)
	m.Asked(false, 0, time.Millisecond, io.EOF)
	m.Asks()
	m.Asked(true, 0, time.Millisecond, context.Canceled)
	m.Cut(metrics.ByClient)
	m.Up(true)
	m.Query("SELECT", time.Millisecond, nil)
	m.Query("PRAGMA", time.Millisecond, io.EOF)
	m.SignIn("oidc", "clocks")
	m.SignIn("made up", "sign_in_gone")
	m.SignIn("oidc", "made up")
	m.Limited("credentials")()
	m.Event("sign_in_succeeded")
	m.Event("made up")
	m.Sessions(7)
	m.Entries("grants", 8)
	m.Spans(9, nil)
	m.Spans(1, errors.New("no"))
	return m
}

func TestWhatIsCountedIsTold(t *testing.T) {
	said := all()
	for _, line := range []string{
		`requests_total{code="4xx",decision="allowed",method="GET",route="/api/{id}"} 1`,
		`requests_total{code="none",decision="undecided",method="GET",route="/login"} 1`,
		`route_seconds_total{method="GET",route="/api/{id}"} 0.02`,
		`request_duration_seconds_bucket{handler="mlflow",le="0.025"} 1`,
		`request_duration_seconds_count{handler="gateway"} 1`,
		`requests_in_flight 1`,
		`step_duration_seconds_bucket{step="decide",le="5e-05"} 1`,
		`step_duration_seconds_bucket{step="decide",le="2.5e-05"} 0`,
		`cache_lookups_total{cache="grants",result="hit"} 1`,
		`cache_lookups_total{cache="grants",result="miss"} 1`,
		`upstream_in_flight 0`,
		`upstream_requests_total{purpose="forward",result="2xx"} 1`,
		`upstream_requests_total{purpose="ask",result="error"} 1`,
		`upstream_requests_total{purpose="forward",result="canceled"} 1`, `upstream_requests_total{purpose="forward",result="error"} 0`,
		`answers_cut_total{by="client"} 1`, `answers_cut_total{by="server"} 0`,
		`upstream_up 1`,
		`mlflow_restarts_total 6`,
		`database_queries_total{operation="select",result="ok"} 1`,
		`database_queries_total{operation="other",result="error"} 1`,
		`database_connections{pool="read",state="in_use"} 1`,
		`database_connections{pool="read",state="idle"} 2`,
		`database_connections_max{pool="read"} 8`,
		`database_waits_total{pool="read"} 9`,
		`database_wait_seconds_total{pool="read"} 1`,
		`sign_ins_total{outcome="clocks",provider="oidc"} 1`,
		`sign_ins_total{outcome="succeeded",provider="oidc"} 0`, `sign_ins_total{outcome="sign_in_gone",provider="oidc"} 0`,
		`sign_ins_total{outcome="sign_in_gone",provider="other"} 1`, `sign_ins_total{outcome="other",provider="oidc"} 1`, `report_only 1`,
		`rate_limited_total{limit="credentials"} 1`,
		`audit_events_total{event="sign_in_succeeded"} 1`,
		`audit_events_total{event="other"} 1`,
		`audit_events_waiting 3`, `audit_events_lost_total 4`, `directory_age_seconds 1.5`, `directory_changes_total 5`, `sessions 7`,
		`directory_entries{kind="grants"} 8`, `trace_spans_total{result="sent"} 9`, `trace_spans_total{result="lost"} 1`,
	} {
		if text := told(t, said); !strings.Contains(text, "\nmlflow_oidc_auth_"+line+"\n") {
			t.Errorf("%s is not told", line)
		}
	}
}

// names are those of the gateway's metrics in a text, without what Prometheus adds to those of a histogram.
func names(text string) []string {
	found := regexp.MustCompile(`mlflow_oidc_auth_[a-z_]+`).FindAllString(text, -1)
	for i, name := range found {
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if cut, ok := strings.CutSuffix(name, suffix); ok && slices.Contains(metrics.Names(), cut) {
				found[i] = cut
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func TestTableHoldsAllThatIsTold(t *testing.T) {
	want := slices.Sorted(slices.Values(metrics.Names()))
	if got := names(told(t, all())); !slices.Equal(got, want) {
		t.Errorf("told are\n%q, in the table\n%q", got, want)
	}
	var table bytes.Buffer
	if err := metrics.Markdown(&table); err != nil {
		t.Fatal(err)
	}
	if got := names(table.String()); !slices.Equal(got, want) {
		t.Errorf("the table names %q", got)
	}
}

// What the dashboard and the alerts ask for is there, and what is documented of the alerts too.
func TestDashboardAndAlertsNameMetricsThatAreThere(t *testing.T) {
	for _, path := range []string{"deploy/grafana/mlflow-oidc-auth.json", "deploy/prometheus/alerts.yaml"} {
		text, err := os.ReadFile(filepath.Join("..", "..", path))
		if err != nil {
			t.Fatal(err)
		}
		named := names(string(text))
		if len(named) < 8 {
			t.Errorf("%s names %q alone", path, named)
		}
		for _, name := range named {
			if !slices.Contains(metrics.Names(), name) {
				t.Errorf("%s names %s, which there is not", path, name)
			}
		}
	}
}

func TestHandlerTellsNothingElse(t *testing.T) {
	handler := metrics.New(options).Handler()
	for target, want := range map[string]int{"GET /metrics": 200, "GET /metrics?x=y": 200, "POST /metrics": 404, "HEAD /metrics": 404, "GET /": 404, "GET /metrics/": 404, "GET /metrics/x": 404,
		"GET //metrics": 404, "GET /%6detrics": 404, "GET /debug/pprof/": 404, "OPTIONS *": 404} {
		method, path, _ := strings.Cut(target, " ")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", target, w.Code, want)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", "application/openmetrics-text;version=1.0.0")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if !strings.HasPrefix(w.Header().Get("Content-Type"), "application/openmetrics-text") || !strings.HasSuffix(w.Body.String(), "# EOF\n") {
		t.Errorf("OpenMetrics is answered as %s", w.Header().Get("Content-Type"))
	}
}

// A route counts without asking for its counters by their labels again: each request would pay for that.
func TestCountingAllocatesNothing(t *testing.T) {
	m := metrics.New(options)
	route, grants := m.Route("GET", "/x", false), m.Cache("grants")
	route.Answered(1, http.StatusOK, time.Millisecond)
	if n := testing.AllocsPerRun(100, func() {
		route.Answered(1, http.StatusOK, time.Millisecond)
		m.Step(0, time.Millisecond)
		grants(true)
		m.Asks()
		m.Asked(true, http.StatusOK, time.Millisecond, nil)
		m.Query("SELECT", time.Millisecond, nil)
		m.Event("sign_in_succeeded")
	}); n != 0 {
		t.Errorf("counting allocates %v times", n)
	}
}

// The table has hundreds of rows: one that nobody asks for has no series.
func TestRouteIsToldOfWhenItIsUsed(t *testing.T) {
	m := metrics.New(options)
	route := m.Route("GET", "/x", false)
	if strings.Contains(told(t, m), `route="/x"`) {
		t.Error("it is told of before")
	}
	route.Answered(1, http.StatusOK, 2*time.Second)
	if want := `route_seconds_total{method="GET",route="/x"} 2`; !strings.Contains(told(t, m), want) {
		t.Errorf("not %s", want)
	}
}

func TestRequestsAtOnceAreAllCounted(t *testing.T) {
	m := metrics.New(options)
	route := m.Route("GET", "/x", false)
	var sending sync.WaitGroup
	for range 8 {
		sending.Go(func() {
			for range 100 {
				route.Answered(1, http.StatusOK, 0)
			}
		})
	}
	sending.Wait()
	if want := `requests_total{code="2xx",decision="allowed",method="GET",route="/x"} 800`; !strings.Contains(told(t, m), want) {
		t.Errorf("not %s", want)
	}
}

func TestMethodOf(t *testing.T) {
	for method, want := range map[string]string{"GET": "GET", "OPTIONS": "OPTIONS", "get": metrics.Other, "MADE-UP": metrics.Other, "": metrics.Other} {
		if got := metrics.MethodOf(method); got != want {
			t.Errorf("%q is %q", method, got)
		}
	}
}
