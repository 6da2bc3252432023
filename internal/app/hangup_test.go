package app_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/otlptest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// The attack: set off alarms about MLflow and the users database by hanging up, again and again. Nothing has failed then: it is no failure in
// metrics, traces and the log, wherever the request was.
func TestAttackHangingUpLooksLikeAFailure(t *testing.T) {
	const run = "/api/2.0/mlflow/runs/get"
	for name, c := range map[string]struct {
		admin             bool
		method, target    string
		body              any
		hangs             string // the path at which MLflow does not answer
		counted           string
		canceled, sending string // in metrics of requests to MLflow
	}{
		"while it is forwarded":                         {true, "GET", run + "?run_id=r", nil, run, `code="none",decision="allowed",method="GET",route="` + run + `"`, "forward", "forward to MLflow"},
		"while MLflow is asked what the decision needs": {false, "GET", run + "?run_id=r", nil, run, `code="none",decision="undecided",method="GET",route="` + run + `"`, "ask", "ask MLflow"},
		"while a search is put together": {false, "POST", "/api/2.0/mlflow/experiments/search", map[string]any{"max_results": 5}, "/api/2.0/mlflow/experiments/search",
			`code="none",decision="allowed",method="POST",route="/api/2.0/mlflow/experiments/search"`, "ask", "ask MLflow"},
	} {
		t.Run(name, func(t *testing.T) {
			arrived := make(chan string, 10)
			stub := world.Stub(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if r.URL.Path != c.hangs {
					_, _ = io.WriteString(w, "{}")
					return
				}
				arrived <- r.URL.Path
				<-r.Context().Done()
			})
			receiver := otlptest.New(t)
			w := world.New(t, stub.URL, map[string]string{"METRICS_ADDR": "127.0.0.1:0", "ACCESS_LOG": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.URL})
			ann := w.Person(t, "ann", map[bool]string{true: world.Admins, false: world.Members}[c.admin])
			if err := w.App.Store.CreateGrant(t.Context(), store.Principal{User: ann.Username}, kind.Experiment, "1", kind.Read, nil); err != nil { // else MLflow would not be asked
				t.Fatal(err)
			}
			ctx, hangUp := context.WithCancel(t.Context())
			go func() { <-arrived; hangUp() }()
			if answer, err := ann.Try(ann.Request(t, c.method, c.target, c.body).WithContext(ctx)); err == nil {
				t.Fatalf("answered %d %s", answer.Status, answer.Body)
			}
			text := counted(t, w, "requests_total{"+c.counted+"} 1")
			if !strings.Contains(text, `upstream_requests_total{purpose="`+c.canceled+`",result="canceled"} 1`) || regexp.MustCompile(`upstream_requests_total\{purpose="\w+",result="error"\} [1-9]|code="5xx"`).MatchString(text) {
				t.Errorf("told is %v", regexp.MustCompile(`(?m)^mlflow_oidc_auth_(upstream_)?requests_total.* [1-9].*$`).FindAllString(text, -1))
			}
			if said := w.Logged(); strings.Contains(said, "level=ERROR") || !strings.Contains(said, `level=INFO msg="the client hung up"`) || !strings.Contains(said, "status=0 ") {
				t.Error("the log has it as a failure")
			}
			w.Restart(t) // which sends what waits
			sent := 0
			for _, s := range receiver.Spans() {
				if s.Failed {
					t.Errorf("%s is sent as a failure", s.Name)
				}
				if s.Name == c.sending {
					sent++
				}
			}
			if sent == 0 {
				t.Errorf("no %s was sent: this proves nothing", c.sending)
			}
		})
	}
}

// An upload that its client leaves is no failure of MLflow's either: the body does not come to its end.
func TestUploadThatIsLeftIsNoFailure(t *testing.T) {
	arrived := make(chan bool, 1)
	stub := world.Stub(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			arrived <- true
		}
		_, _ = io.Copy(io.Discard, r.Body)
	})
	w := world.New(t, stub.URL, measured)
	boss := w.Person(t, "boss", world.Admins)
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "PUT /api/2.0/mlflow-artifacts/artifacts/7/"+world.NewTrace()[3:]+"/artifacts/a.bin HTTP/1.1\r\nHost: g\r\nContent-Length: 1000000\r\nAuthorization: "+
		boss.Request(t, "GET", "/", nil).Header.Get("Authorization")+"\r\n\r\nthe beginning"); err != nil {
		t.Fatal(err)
	}
	<-arrived
	_ = conn.Close()
	text := counted(t, w, `upstream_requests_total{purpose="forward",result="canceled"} 1`)
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(text, `method="PUT",route="/api/2.0/mlflow-artifacts/artifacts/{artifact_path*}"} 1`) && time.Now().Before(deadline); {
		text = scrape(t, w)
	}
	// Whether the body is seen to end first, or the connection, is chance.
	if of := regexp.MustCompile(`requests_total\{code="(\w+)",decision="allowed",method="PUT"`).FindStringSubmatch(text); len(of) != 2 || of[1] != "none" && of[1] != "4xx" || strings.Contains(w.Logged(), "level=ERROR") {
		t.Errorf("it counts as a failure: %v", requests(text))
	}
}
