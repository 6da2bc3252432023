package app_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/app"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

func TestRoutesForProgramsHoldEveryRow(t *testing.T) {
	var printed strings.Builder
	if err := app.RoutesJSON(&printed); err != nil {
		t.Fatal(err)
	}
	var rows []struct{ Method, Path string }
	if err := json.Unmarshal([]byte(printed.String()), &rows); err != nil {
		t.Fatal(err)
	}
	table := policy.Routes()
	if len(rows) != len(table) {
		t.Fatalf("%d rows, and the table has %d", len(rows), len(table))
	}
	for i, row := range rows {
		if got := row.Method + " " + row.Path; got != table[i].Pattern() {
			t.Errorf("row %d is %s, want %s", i, got, table[i].Pattern())
		}
	}
}
