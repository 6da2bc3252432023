package policy_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
)

// unknown are the beginnings of the paths that MLflow serves and the table does not hold yet: they are refused. A row of such
// an area takes its line out.
var unknown = []string{"/api/3.0/mlflow/mcp-servers"}

var parameters = regexp.MustCompile(`\{[^}]*\}`)

// TestTableAndMLflowHoldTheSameRoutes finds a route that the installed MLflow serves and the table lacks, and a row for what it does not serve.
func TestTableAndMLflowHoldTheSameRoutes(t *testing.T) {
	served, held := map[string]bool{}, map[string]bool{}
	for _, pattern := range mlflowtest.Routes(t) {
		served[parameters.ReplaceAllString(pattern, "{}")] = true
	}
	for _, route := range policy.Routes() {
		held[parameters.ReplaceAllString(route.Pattern(), "{}")] = true
	}
	used := map[string]bool{}
	for pattern := range served {
		_, path, _ := strings.Cut(pattern, " ")
		path = strings.Replace(path, "/ajax-api/", "/api/", 1)
		at := slices.IndexFunc(unknown, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
		switch {
		case held[pattern]:
		case at < 0:
			t.Errorf("MLflow serves %s, and the table does not hold it", pattern)
		default:
			used[unknown[at]] = true
		}
	}
	for _, prefix := range unknown {
		if !used[prefix] {
			t.Errorf("the table holds all of %s; take the line out", prefix)
		}
	}
	for pattern := range held {
		if !served[pattern] && pattern != "GET /metrics" { // served with --expose-prometheus alone
			t.Errorf("the table holds %s, and MLflow does not serve it", pattern)
		}
	}
}
