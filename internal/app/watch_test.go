package app_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/otlptest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

var measured = map[string]string{"METRICS_ADDR": "127.0.0.1:0"}

// scrape gives what Prometheus reads of a world.
func scrape(t *testing.T, w *world.World) string {
	t.Helper()
	answer, err := http.Get("http://" + w.App.MetricsAddress() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%d %v", answer.StatusCode, err)
	}
	return string(text)
}

// series are the names and labels of what is told, without the values.
func series(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		if at := strings.LastIndexByte(line, ' '); at > 0 && line[0] != '#' {
			all = append(all, line[:at])
		}
	}
	slices.Sort(all)
	return all
}

// requests gives the counters of requests that are not zero: route, decision and class, with how many.
func requests(text string) map[string]int {
	found := map[string]int{}
	for _, m := range regexp.MustCompile(`requests_total\{code="(\w+)",decision="(\w+)",method="(\w+)",route="([^"]+)"\} (\d+)`).FindAllStringSubmatch(text, -1) {
		found[m[3]+" "+m[4]+" "+m[2]+" "+m[1]], _ = strconv.Atoi(m[5]) // digits
	}
	return found
}

func echo(t *testing.T) string {
	return world.Stub(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/api/2.0/mlflow/experiments/get" && r.URL.Query().Get("experiment_id") == "404" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, "{}")
	}).URL
}

func TestEachRequestIsCountedByItsRouteAndDecision(t *testing.T) {
	w := world.New(t, echo(t), measured)
	boss, ann, nobody := w.Person(t, "boss", world.Admins), w.Person(t, "ann", world.Members), w.Nobody(t)
	const get = "/api/2.0/mlflow/experiments/get"
	for _, c := range []struct {
		by             *world.Client
		method, target string
		header         string
		want           string
	}{
		{boss, "GET", get + "?experiment_id=1", "", "GET " + get + " allowed 2xx"},
		{boss, "HEAD", get + "?experiment_id=1", "", "GET " + get + " allowed 2xx"},
		{boss, "GET", get + "?experiment_id=404", "", "GET " + get + " allowed 4xx"},
		{ann, "GET", get + "?experiment_id=1", "", "GET " + get + " not_found 4xx"},
		{ann, "GET", get, "", "GET " + get + " invalid 4xx"},
		{nobody, "GET", get + "?experiment_id=1", "", "GET " + get + " unauthenticated 4xx"},
		{nobody, "GET", "/", "text/html", "GET / unauthenticated 3xx"},
		{ann, "GET", "/no/route", "", "GET unmatched denied 4xx"},
		{ann, "BREW", "/no/route", "", "other unmatched denied 4xx"},
		{ann, "GET", "/a//b", "", "GET unmatched invalid 4xx"},
		{nobody, "GET", "/health/live", "", "GET /health/live allowed 2xx"},
		{nobody, "GET", "/login/made-up", "", "GET /login/{provider} not_found 4xx"},
		{nobody, "GET", "/oidc/none", "", "GET unmatched not_found 4xx"},
		{ann, "GET", "/api/2.0/mlflow/users/current", "", "GET /api/2.0/mlflow/users/current allowed 2xx"},
		{nobody, "GET", "/api/2.0/mlflow/users/current", "", "GET /api/2.0/mlflow/users/current unauthenticated 4xx"},
	} {
		before := requests(scrape(t, w))[c.want]
		request := c.by.Request(t, c.method, c.target, nil)
		if c.header != "" {
			request.Header.Set("Accept", c.header)
			request.Header.Set("Sec-Fetch-Mode", "navigate")
		}
		got := c.by.Send(t, request)
		if after := requests(scrape(t, w)); after[c.want] != before+1 {
			t.Errorf("%s %s (%d): %s is %d after %d, of %v", c.method, c.target, got.Status, c.want, after[c.want], before, after)
		}
	}
	text := scrape(t, w)
	for _, step := range []string{"match", "authenticate", "read", "decide", "upstream"} {
		if !regexp.MustCompile(`step_duration_seconds_count\{step="` + step + `"\} [1-9]`).MatchString(text) {
			t.Errorf("the step %s is not measured", step)
		}
	}
	for _, line := range []string{`upstream_requests_total\{purpose="forward",result="2xx"\} 2`, `upstream_requests_total\{purpose="forward",result="4xx"\} 1`, `cache_lookups_total\{cache="tokens",result="hit"\} [1-9]\d*`,
		`sign_ins_total\{outcome="succeeded",provider="oidc"\} 2`, `audit_events_total\{event="sign_in_succeeded"\} 2`, `database_queries_total\{operation="select",result="ok"\} [1-9]\d*`,
		`database_connections\{pool="write",state="idle"\} 1`, `directory_entries\{kind="users"\} \d`, `upstream_up 1`, `requests_in_flight 0`, `sessions \d`} {
		if !regexp.MustCompile("mlflow_oidc_auth_" + line + "\n").MatchString(text) {
			t.Errorf("%s is not told", line)
		}
	}
}

// How a sign-in ends is counted by its provider, and what is refused since there was too much of it.
func TestSignInsAndRefusedAttemptsAreCounted(t *testing.T) {
	w := world.New(t, echo(t), map[string]string{"METRICS_ADDR": "127.0.0.1:0", "LOGIN_FAILURES_PER_MINUTE": "3"})
	w.Browser(t, "ann", world.Members)
	w.IDP.SetPerson(devidp.Person{Subject: "bob", Username: "bob", Email: "bob@example.com", Groups: []string{"others"}})
	if _, _, err := devidp.SignIn(t.Context(), w.Nobody(t).HTTP, w.URL+"/login/start", "bob"); err != nil {
		t.Fatal(err)
	}
	w.Nobody(t).Do(t, http.MethodGet, "/callback?state=made-up", nil)
	told := func(lines ...string) {
		t.Helper()
		text := scrape(t, w)
		for _, line := range lines {
			if !strings.Contains(text, "mlflow_oidc_auth_"+line+"\n") {
				t.Errorf("%s is not told", line)
			}
		}
	}
	told(`sign_ins_total{outcome="succeeded",provider="oidc"} 1`, `sign_ins_total{outcome="not_allowed",provider="oidc"} 1`, `sign_ins_total{outcome="no_cookie",provider="other"} 1`)
	w.Issuer.Close()
	w.Restart(t) // what is known of the provider is forgotten
	w.Nobody(t).Do(t, http.MethodGet, "/login/start", nil)
	for range 5 {
		request := w.Nobody(t).Request(t, http.MethodGet, "/api/2.0/mlflow/experiments/get?experiment_id=1", nil)
		request.SetBasicAuth("ann@example.com", "wrong")
		w.Nobody(t).Send(t, request)
	}
	told(`sign_ins_total{outcome="provider_down",provider="oidc"} 1`, `rate_limited_total{limit="credentials"} 2`, `rate_limited_total{limit="logouts"} 0`)
}

// The attack: fill the memory of the gateway and of Prometheus with series, by making up whatever could be a label.
func TestAttackMadeUpRequestsMakeNoSeries(t *testing.T) {
	w := world.New(t, echo(t), measured)
	ann, nobody := w.Person(t, "ann", world.Members), w.Nobody(t)
	flood := func(n int) {
		odd := "made-up-" + strconv.Itoa(n)
		for _, by := range []*world.Client{ann, nobody} {
			for _, target := range []string{"/" + odd, "/api/2.0/mlflow/" + odd, "/api/2.0/mlflow/experiments/get?experiment_id=" + odd, "/api/2.0/mlflow/experiments/get-by-name?experiment_name=" + odd,
				"/login/" + odd, "/callback/" + odd + "?state=" + odd, "/oidc/" + odd, "/api/2.0/mlflow/users/" + odd, "/api/2.0/mlflow/permissions/" + odd, "/health/" + odd, "/api/3.0/mlflow/traces/" + odd,
				"/oidc/ui/" + odd, "/api/2.0/mlflow/" + odd + "//x", "/logout?" + odd} {
				for _, method := range []string{"GET", "POST", "X" + strconv.Itoa(n)} {
					request := by.Request(t, method, target, nil)
					request.Header.Set("X-MLFLOW-WORKSPACE", odd)
					request.Header.Set("User-Agent", odd)
					request.Header.Set("X-Request-Id", odd)
					request.Host = odd + ".example.com"
					by.Send(t, request)
				}
			}
		}
		for _, credential := range []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(odd+":"+odd)), "Bearer " + odd + odd + odd, "Bearer a.b." + odd, odd + " x"} {
			request := nobody.Request(t, "GET", "/api/2.0/mlflow/experiments/get?experiment_id=1", nil)
			request.Header.Set("Authorization", credential)
			nobody.Send(t, request)
		}
	}
	for n := range 12 { // until attempts are limited, which is counted too
		flood(n)
	}
	before := series(scrape(t, w))
	for n := range 3 {
		flood(100 + n)
	}
	after := scrape(t, w)
	for _, one := range series(after) {
		if !slices.Contains(before, one) {
			t.Errorf("a new series: %s", one)
		}
	}
	if strings.Contains(after, "made-up") {
		t.Error("a label has what a client made up")
	}
}

// The attack: learn from metrics who is there and what they have.
func TestMetricsHoldNothingOfAnybody(t *testing.T) {
	w := world.New(t, echo(t), map[string]string{"METRICS_ADDR": "127.0.0.1:0", "OIDC_USE_REFRESH_TOKEN": "true"})
	b := w.Browser(t, "zacharias", world.Members, "team-of-zacharias")
	token := b.JSON(t, http.MethodPatch, "/api/2.0/mlflow/users/access-token", nil)["token"].(string)
	named := b.Send(t, b.Request(t, http.MethodGet, "/api/2.0/mlflow/experiments/get-by-name?experiment_name=project-of-zacharias", nil)).Header.Get("X-Request-Id")
	b.Send(t, b.Request(t, http.MethodGet, "/api/2.0/mlflow/runs/get?run_id=aaaabbbbccccddddaaaabbbbccccdddd", nil))
	jar, _ := url.Parse(w.URL) // it is an address
	text := scrape(t, w)
	for what, secret := range map[string]string{"a user": "zacharias", "a group": "team-of", "an experiment": "project-of", "a run": "aaaabbbb", "a token": token, "a cookie": b.HTTP.Jar.Cookies(jar)[0].Value,
		"a request": named, "the secret key": w.Settings["SECRET_KEY"], "the provider's secret": w.Settings["OIDC_CLIENT_SECRET"], "MLflow's address": strings.TrimPrefix(w.Settings["MLFLOW_UPSTREAM"], "http://"),
		"the database": "auth.db", "the provider": w.Issuer.URL} {
		if secret == "" || strings.Contains(text, secret) {
			t.Errorf("%s is in the metrics: %q", what, secret)
		}
	}
}

// Metrics are on their own address alone, whoever asks.
func TestMetricsAreNotBehindTheGateway(t *testing.T) {
	w := world.New(t, echo(t), measured)
	boss := w.Person(t, "boss", world.Admins)
	for _, path := range []string{"/metrics", "/metrics/", "/health/metrics", "/oidc/metrics"} {
		if got := boss.Do(t, http.MethodGet, path, nil); got.Status != http.StatusForbidden && got.Status != http.StatusNotFound || strings.Contains(string(got.Body), "# HELP") {
			t.Errorf("%s: %d %s", path, got.Status, got.Body)
		}
	}
	answer, err := http.Get("http://" + w.App.MetricsAddress() + "/health")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusNotFound {
		t.Errorf("there is more than metrics: %d", answer.StatusCode)
	}
	if off := world.New(t, echo(t), nil); off.App.MetricsAddress() != "" {
		t.Errorf("without METRICS_ADDR they are at %s", off.App.MetricsAddress())
	}
	open := world.New(t, echo(t), map[string]string{"METRICS_ADDR": "0.0.0.0:0"})
	if warning := "metrics can be read by whoever reaches METRICS_ADDR"; !strings.Contains(open.Logged(), warning) || strings.Contains(w.Logged(), warning) {
		t.Error("it is not said that others can read them, or said in vain")
	}
}

// Each line about a request says which one it is, and in which trace; the access log has one line for each.
func TestLinesNameTheirRequestAndTrace(t *testing.T) {
	receiver := otlptest.New(t)
	w := world.New(t, "http://127.0.0.1:1", map[string]string{"ACCESS_LOG": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.URL})
	boss := w.Person(t, "boss", world.Admins)
	request := boss.Request(t, http.MethodGet, "/api/2.0/mlflow/experiments/get?experiment_id=1&token=hunter2", nil)
	request.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	got := boss.Send(t, request)
	named := "request=" + got.Header.Get("X-Request-Id")
	if got.Status != http.StatusBadGateway {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	var lines []string
	for line := range strings.Lines(w.Logged()) {
		if strings.Contains(line, named) {
			lines = append(lines, line)
		}
	}
	if len(lines) != 2 || !strings.Contains(lines[0], "request failed") || !strings.Contains(lines[1], "msg=served") {
		t.Fatalf("the lines are %q", lines)
	}
	for _, line := range lines {
		if strings.Count(line, named) != 1 || !strings.Contains(line, "trace_id=4bf92f3577b34da6a3ce929d0e0e4736") {
			t.Errorf("%q does not name its request and trace once", line)
		}
	}
	for _, part := range []string{"method=GET", "path=/api/2.0/mlflow/experiments/get ", "route=/api/2.0/mlflow/experiments/get", "status=502", "decision=allowed", "by=boss@example.com", "client=127.0.0.1"} {
		if !strings.Contains(lines[1], part) {
			t.Errorf("%s is not in %s", part, lines[1])
		}
	}
	boss.Do(t, http.MethodGet, "/health/live", nil)
	if strings.Contains(w.Logged(), "hunter2") || strings.Contains(w.Logged(), "path=/health/live") {
		t.Error("the access log has a query, or a probe")
	}
	silent := world.New(t, echo(t), nil)
	silent.Nobody(t).Do(t, http.MethodGet, "/login", nil)
	if strings.Contains(silent.Logged(), "msg=served") {
		t.Error("there is an access log without ACCESS_LOG")
	}
}

// What MLflow is told of a trace: nothing where nothing is traced, and nothing where MLflow would write into that trace itself.
func TestTraceThatMLflowIsToldOf(t *testing.T) {
	receiver := otlptest.New(t)
	for _, c := range []struct {
		name, endpoint, target, body string
		told                         bool
	}{
		{"nothing is traced", "", "GET /api/2.0/mlflow/experiments/get?experiment_id=1", "", false},
		{"traced", receiver.URL, "GET /api/2.0/mlflow/experiments/get?experiment_id=1", "", true},
		{"an endpoint of the AI gateway", receiver.URL, "POST /gateway/mlflow/v1/chat/completions", `{"model":"m","messages":[]}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got http.Header
			stub := world.Stub(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("X-Forwarded-For") != "" {
					got = r.Header.Clone()
				}
				_, _ = io.WriteString(w, "{}")
			})
			w := world.New(t, stub.URL, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.endpoint})
			boss := w.Person(t, "boss", world.Admins)
			method, target, _ := strings.Cut(c.target, " ")
			var body any
			if c.body != "" {
				body = c.body
			}
			request := boss.Request(t, method, target, body)
			for name, value := range map[string]string{"Traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "Tracestate": "vendor=opaque", "Baggage": "user=ann"} {
				request.Header.Set(name, value)
			}
			if answer := boss.Send(t, request); answer.Status != http.StatusOK || got == nil {
				t.Fatalf("%d %s", answer.Status, answer.Body)
			}
			told := got.Get("Traceparent")
			if (told != "") != c.told || strings.Contains(told, "00f067aa0ba902b7") || c.told && !strings.HasPrefix(told, "00-4bf92f3577b34da6a3ce929d0e0e4736-") {
				t.Errorf("MLflow is told %q", told)
			}
			if got.Get("Tracestate") != "" || got.Get("Baggage") != "" {
				t.Errorf("MLflow gets %v", got)
			}
		})
	}
}

// The attack: have everything sent by the flag of a header, without a credential or with a wrong one.
func TestAttackStrangersHaveTracesSent(t *testing.T) {
	receiver := otlptest.New(t)
	w := world.New(t, echo(t), map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.URL, "OTEL_TRACES_SAMPLER": "parentbased_always_off"})
	boss, nobody := w.Person(t, "boss", world.Admins), w.Nobody(t)
	wrong := &world.Client{World: w, HTTP: nobody.HTTP, Username: boss.Username, Token: "wrong"}
	for _, by := range []*world.Client{nobody, wrong, boss} {
		for _, path := range []string{"/login", "/api/2.0/mlflow/users/current", "/api/2.0/mlflow/experiments/get?experiment_id=1", "/made-up", "/health/live"} {
			request := by.Request(t, http.MethodGet, path, nil)
			request.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
			by.Send(t, request)
		}
	}
	w.Restart(t) // which sends what waits
	var whole []string
	for _, s := range receiver.Spans() {
		if s.Kind == "SPAN_KIND_SERVER" {
			whole = append(whole, s.Name)
		}
	}
	if want := []string{"GET /api/2.0/mlflow/users/current", "GET /api/2.0/mlflow/experiments/get"}; !slices.Equal(whole, want) {
		t.Errorf("%q are sent, want those of who is signed in alone: %q", whole, want)
	}
}

// Traces hold nothing that a client has sent but the ids of its trace, and nothing of anybody.
func TestTracesHoldNothingOfAnybody(t *testing.T) {
	receiver := otlptest.New(t)
	w := world.New(t, echo(t), map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.URL})
	b := w.Browser(t, "zacharias", world.Members)
	token := b.JSON(t, http.MethodPatch, "/api/2.0/mlflow/users/access-token", nil)["token"].(string)
	request := b.Request(t, http.MethodPost, "/api/2.0/mlflow/experiments/create", `{"name":"project-of-z"}`)
	request.Header.Set("User-Agent", "agent-of-z")
	b.Send(t, request)
	b.Do(t, http.MethodGet, "/api/2.0/mlflow/runs/get?run_id=aaaabbbbccccddddaaaabbbbccccdddd&x=hunter2", nil)
	b.Do(t, http.MethodGet, "/made-up-path", nil)
	b.Do(t, "MADEUP", "/api/2.0/mlflow/users/user-of-z", nil)
	jar, _ := url.Parse(w.URL) // it is an address
	cookie := b.HTTP.Jar.Cookies(jar)[0].Value
	w.Restart(t) // which sends what waits
	if spans := receiver.Spans(); len(spans) < 20 {
		t.Fatalf("only %d spans have come", len(spans))
	}
	for _, secret := range []string{"zacharias", token, cookie, "project-of", "aaaabbbb", "hunter2", "made-up", "MADEUP", "user-of", "agent-of", "127.0.0.1"} {
		if strings.Contains(receiver.Raw(), secret) {
			t.Errorf("%q is sent", secret)
		}
	}
}
