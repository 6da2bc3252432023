package supervise

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// way gives what serves the jobs of an MLflow that says which request has reached it.
func way(t *testing.T) *jobs {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	mlflow := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:gosec // a stand-in
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %q %s", r.Method, r.Host, r.URL.RequestURI(), r.Header.Get("Authorization"), body)
	})}
	go func() { _ = mlflow.Serve(listener) }()
	t.Cleanup(func() { _ = mlflow.Close() })
	j, err := serveJobs(socket, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

func call(t *testing.T, j *jobs, target, user, password string) (int, string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, "http://127.0.0.1:"+j.port+target, strings.NewReader("prompt"))
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		request.SetBasicAuth(user, password)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, said(t, answer)
}

func TestJobsReachTheGatewayOfTheirServer(t *testing.T) {
	j := way(t)
	status, body := call(t, j, "/gateway/mlflow/v1/chat/completions?a=b", jobsUser, j.password)
	if want := `POST localhost /gateway/mlflow/v1/chat/completions?a=b "" prompt`; status != http.StatusOK || body != want {
		t.Errorf("%d %s, want %s", status, body, want)
	}
}

// The attack: another program of the machine, or somebody who has learned the password, comes past the gateway this way.
func TestAttackWayOfTheJobs(t *testing.T) {
	j := way(t)
	const chat = "/gateway/mlflow/v1/chat/completions"
	for _, tc := range []struct {
		target, user, password string
		want                   int
	}{
		{chat, "", "", http.StatusUnauthorized},
		{chat, jobsUser, "", http.StatusUnauthorized},
		{chat, jobsUser, j.password + "x", http.StatusUnauthorized},
		{chat, jobsUser, strings.ToLower(j.password), http.StatusUnauthorized},
		{chat, "ada@example.com", j.password, http.StatusUnauthorized},
		{"/api/2.0/mlflow/experiments/search", jobsUser, j.password, http.StatusForbidden},
		{"/gateway", jobsUser, j.password, http.StatusForbidden},
		{"/gateway/../api/2.0/mlflow/experiments/search", jobsUser, j.password, http.StatusForbidden},
		{"/gateway/%2e%2e/api/2.0/mlflow/experiments/search", jobsUser, j.password, http.StatusForbidden},
		{"/gateway/..%2fapi/2.0/mlflow/experiments/search", jobsUser, j.password, http.StatusForbidden},
		{"/gateway//api", jobsUser, j.password, http.StatusForbidden},
		{"/GATEWAY/mlflow", jobsUser, j.password, http.StatusForbidden},
	} {
		if status, body := call(t, j, tc.target, tc.user, tc.password); status != tc.want {
			t.Errorf("%s as %q: %d %s, want %d", tc.target, tc.user, status, body, tc.want)
		}
	}
}
