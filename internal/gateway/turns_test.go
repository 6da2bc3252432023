package gateway_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// TestSlowReadersDoNotHoldMLflowsThreads begins downloads that are not read. MLflow holds a thread for each (measured: 60 of
// them stopped MLflow for everybody), so that one person gets a few at a time, and others still get theirs.
func TestSlowReadersDoNotHoldMLflowsThreads(t *testing.T) {
	arrived := make(chan string, 100)
	stub := world.Stub(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/get-artifact" { // a look-up of the run
			_, _ = w.Write([]byte(`{"run":{"info":{"run_id":"` + r.URL.Query().Get("run_id") + `","experiment_id":"1","artifact_uri":"x"}}}`))
			return
		}
		arrived <- r.URL.Query().Get("path")
		<-r.Context().Done()
	})
	w := world.New(t, stub.URL, map[string]string{"DEFAULT_MLFLOW_PERMISSION": "READ"})
	thief, victim := w.Person(t, "thief", world.Members), w.Person(t, "victim", world.Members)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	begin := func(c *world.Client, path string) {
		request := c.Request(t, "GET", "/get-artifact?run_id=r&path="+path, nil).WithContext(ctx)
		go func() {
			if answer, err := c.HTTP.Do(request); err == nil {
				_ = answer.Body.Close()
			}
		}()
	}
	for range 20 {
		begin(thief, "thief")
	}
	for range 4 {
		if got := <-arrived; got != "thief" {
			t.Fatalf("%s came first", got)
		}
	}
	begin(victim, "victim")
	if got := <-arrived; got != "victim" {
		t.Errorf("a fifth download of the %s went to MLflow before the first of the victim", got)
	}
	cancel()
}
