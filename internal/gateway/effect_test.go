package gateway_test

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// TestCreationIsNeverLeftOwnerless creates an experiment under circumstances in which the creator's grant could get lost.
func TestCreationIsNeverLeftOwnerless(t *testing.T) {
	const created = `{"experiment_id": "7"}`
	for name, answer := range map[string]func(w http.ResponseWriter, r *http.Request, hangUp func()){
		"the client hangs up while MLflow is at it": func(w http.ResponseWriter, r *http.Request, hangUp func()) {
			hangUp()
			select {
			case <-r.Context().Done():
			case <-time.After(200 * time.Millisecond): // nothing tells that the request is not taken back
			}
			_, _ = io.WriteString(w, created)
		},
		"the answer is compressed for who takes it so": func(w http.ResponseWriter, r *http.Request, _ func()) {
			if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
				_, _ = io.WriteString(w, created)
				return
			}
			w.Header().Set("Content-Encoding", "gzip")
			compressed := gzip.NewWriter(w)
			_, _ = io.WriteString(compressed, created)
			_ = compressed.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, hangUp := context.WithCancel(t.Context())
			defer hangUp()
			stub := world.Stub(t, func(w http.ResponseWriter, r *http.Request) { answer(w, r, hangUp) })
			w := world.New(t, stub.URL, nil)
			ann := w.Person(t, "ann", world.Members)
			request := ann.Request(t, http.MethodPost, "/api/2.0/mlflow/experiments/create", map[string]any{"name": "e"})
			request.URL.Opaque, request.URL.Path = "", request.URL.Opaque
			request.Header.Set("Accept-Encoding", "gzip")
			w.App.Handler().ServeHTTP(httptest.NewRecorder(), request.WithContext(ctx))
			users, _, err := w.App.Store.GrantsOn(t.Context(), kind.Experiment, "7")
			if err != nil || len(users) != 1 || users[0].Name != ann.Username || users[0].Level != kind.Manage {
				t.Errorf("the experiment is held by %v, %v; want its creator", users, err)
			}
		})
	}
}
