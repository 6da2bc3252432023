package app_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/app"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

func TestRoutesForProgramsHoldEveryRow(t *testing.T) {
	var printed strings.Builder
	if err := app.RoutesJSON(&printed); err != nil {
		t.Fatal(err)
	}
	type row struct{ Method, Path, Route string }
	var rows, want []row
	if err := json.Unmarshal([]byte(printed.String()), &rows); err != nil {
		t.Fatal(err)
	}
	for _, route := range policy.Routes() {
		for _, path := range route.Spellings() {
			want = append(want, row{route.Method, path, route.Pattern()})
		}
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Error(diff)
	}
}
