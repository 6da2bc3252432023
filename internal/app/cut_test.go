package app_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/otlptest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// counted waits until a line is told, and gives all that is told then.
func counted(t *testing.T, w *world.World, line string) string {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		text := scrape(t, w)
		if strings.Contains(text, "mlflow_oidc_auth_"+line+"\n") {
			return text
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not told, but %v", line, requests(text))
		}
	}
}

// An answer that breaks off in the middle has said that all is well, and so is counted beside.
func TestAnswersThatBreakOffAreCounted(t *testing.T) {
	for name, c := range map[string]struct {
		leaves bool
		by     string
	}{"MLflow dies": {false, "server"}, "the client leaves": {true, "client"}} {
		t.Run(name, func(t *testing.T) {
			begun := make(chan bool)
			stub := world.Stub(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/get-artifact" {
					_, _ = io.WriteString(w, "{}")
					return
				}
				w.Header().Set("Content-Length", "1000000")
				_, _ = io.WriteString(w, strings.Repeat("x", 5000))
				_ = http.NewResponseController(w).Flush()
				if c.leaves {
					<-r.Context().Done()
				} else {
					<-begun
				}
				panic(http.ErrAbortHandler)
			})
			receiver := otlptest.New(t)
			w := world.New(t, stub.URL, map[string]string{"METRICS_ADDR": "127.0.0.1:0", "ACCESS_LOG": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.URL})
			boss := w.Person(t, "boss", world.Admins)
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			answer, err := boss.HTTP.Do(boss.Request(t, "GET", "/get-artifact?run_id=r&path=x", nil).WithContext(ctx))
			if err != nil || answer.StatusCode != http.StatusOK {
				t.Fatal(answer, err)
			}
			defer answer.Body.Close()
			if c.leaves {
				leave()
			}
			close(begun)
			if _, err := io.Copy(io.Discard, answer.Body); err == nil {
				t.Error("the answer seems to be whole")
			}
			text := counted(t, w, `requests_total{code="2xx",decision="allowed",method="GET",route="/get-artifact"} 1`)
			for _, line := range []string{`answers_cut_total{by="` + c.by + `"} 1`, `step_duration_seconds_count{step="answer"} 1`} {
				if !strings.Contains(text, "mlflow_oidc_auth_"+line+"\n") {
					t.Errorf("%s is not told", line)
				}
			}
			w.Restart(t) // which sends what waits, and has the log written
			if !strings.Contains(w.Logged(), " cut="+c.by) {
				t.Error("the access log does not say so")
			}
			for _, s := range receiver.Spans() {
				if s.Name == "GET /get-artifact" && (s.Attributes["mlflow_oidc_auth.cut"] != c.by || s.Failed == c.leaves) {
					t.Errorf("the trace says %+v", s)
				}
			}
		})
	}
}
