package extract

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// MLflow's client repeats both ids of an assessment's path. Each must be the path's own.
func TestDeleteBodyMayRepeatTwoIDs(t *testing.T) {
	matcher, err := policy.NewMatcher(policy.Routes())
	if err != nil {
		t.Fatal(err)
	}
	const address = "/api/3.0/mlflow/traces/tr-1/assessments/a-1"
	match, ok := matcher.Match("DELETE", address)
	if !ok {
		t.Fatal("no such route")
	}
	for body, refused := range map[string]bool{
		`{"trace_id": "tr-1", "assessment_id": "a-1"}`:          false,
		`{"assessmentId": "a-1"}`:                               false,
		`{"trace_id": "tr-2", "assessment_id": "a-1"}`:          true,
		`{"trace_id": "tr-1", "assessment_id": "a-2"}`:          true,
		`{"trace_id": "tr-1", "assessment_id": ["a-1"]}`:        true,
		`{"trace_id": "tr-1", "assessment_id": null}`:           true,
		`{"trace_id": "tr-1", "trace_location": "m", "a": "a"}`: true,
	} {
		r := httptest.NewRequest("DELETE", address, strings.NewReader(body))
		if _, err := Read(r, httpx.Path{Decoded: address}, &match, 1<<20); errs.Is(err, errs.Invalid) != refused {
			t.Errorf("%s: %v", body, err)
		}
	}
}
