package app_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// Where a body is too large, the connection is closed: all of the body would have to be read, else. That is so under whoever's eyes.
func TestConnectionEndsWithABodyThatIsTooLarge(t *testing.T) {
	for _, metrics := range []string{"", "127.0.0.1:0"} {
		stub := world.Stub(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, "{}")
		})
		w := world.New(t, stub.URL, map[string]string{"METRICS_ADDR": metrics})
		boss := w.Person(t, "boss", world.Admins)
		request := boss.Request(t, "POST", "/ajax-api/2.0/mlflow/upload-artifact?run_uuid=r&path=x", "")
		request.Body, request.ContentLength = io.NopCloser(io.LimitReader(endless{}, 11<<20)), -1
		answer, err := boss.HTTP.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusRequestEntityTooLarge || !answer.Close {
			t.Errorf("METRICS_ADDR=%s: answered %d, and the connection is kept", metrics, answer.StatusCode)
		}
	}
}

type endless struct{}

// Read gives as much as is asked for (io.Reader).
func (endless) Read(into []byte) (int, error) {
	clear(into)
	return len(into), nil
}
