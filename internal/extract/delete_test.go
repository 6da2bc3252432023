package extract

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// A body of DELETE may say what the path says. Another id in it is an attack: who decides on the one could delete the other.
func TestDeleteBodyMayOnlyRepeatThePath(t *testing.T) {
	matcher, err := policy.NewMatcher(policy.Routes())
	if err != nil {
		t.Fatal(err)
	}
	const address = "/api/2.0/mlflow/logged-models/m-1"
	for name, c := range map[string]struct {
		method, body string
		refused      bool
	}{
		"none":               {"DELETE", "", false},
		"empty object":       {"DELETE", "{}", false},
		"the path's id":      {"DELETE", `{"model_id": "m-1"}`, false},
		"another id":         {"DELETE", `{"model_id": "m-2"}`, true},
		"both ids":           {"DELETE", `{"model_id": "m-1", "model_id": "m-2"}`, true},
		"both spellings":     {"DELETE", `{"model_id": "m-1", "modelId": "m-2"}`, true},
		"something besides":  {"DELETE", `{"model_id": "m-1", "force": true}`, true},
		"an empty id":        {"DELETE", `{"model_id": ""}`, true},
		"no JSON":            {"DELETE", `model_id=m-1`, true},
		"GET with the id":    {"GET", `{"model_id": "m-1"}`, true},
		"GET with an object": {"GET", `{}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			match, ok := matcher.Match(c.method, address)
			if !ok {
				t.Fatal("no such route")
			}
			r := httptest.NewRequest(c.method, address, strings.NewReader(c.body))
			_, err := Read(r, httpx.Path{Decoded: address}, &match, 1<<20)
			if errs.Is(err, errs.Invalid) != c.refused || (err != nil && !c.refused) {
				t.Errorf("refused = %v, want %v", err, c.refused)
			}
		})
	}
}
