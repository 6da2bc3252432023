package upstream

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

// The client's request is still read after the one for MLflow is made: for its origin, its address and the log.
func TestPrepareLeavesTheClientsRequestAlone(t *testing.T) {
	mlflow, err := New(Options{Address: "http://127.0.0.1:5000/base", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "http://gateway.example/a?x=1", nil)
	r.Header = http.Header{"Cookie": {"session=1"}, "Origin": {"http://gateway.example"}, "X-Forwarded-For": {"198.51.100.7"}, "Accept": {"*/*"}}
	r.Trailer = http.Header{"X-Mlflow-Workspace": {"other"}}
	header, address, host, uri := r.Header.Clone(), *r.URL, r.Host, r.RequestURI

	out := mlflow.Prepare(r, httpx.Path{Decoded: "/b c"}, url.Values{"y": {"2"}}, "192.0.2.1")
	if len(out.Trailer) > 0 {
		t.Errorf("headers behind the body go to MLflow: %v", out.Trailer)
	}
	out.Header.Set("Accept", "text/html")
	out.Header.Set("Content-Type", "application/json")
	out.URL.Path = "/elsewhere"

	if diff := cmp.Diff(header, r.Header); diff != "" {
		t.Errorf("the client's headers changed (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff([]string{address.String(), host, uri}, []string{r.URL.String(), r.Host, r.RequestURI}); diff != "" {
		t.Errorf("the client's address changed (-before +after):\n%s", diff)
	}
}
