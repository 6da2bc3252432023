package policy_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
)

var parameters = regexp.MustCompile(`\{[^}]*\}`)

// TestTableAndMLflowHoldTheSameRoutes finds a route that the installed MLflow serves and the table lacks, and a row for what it does not serve.
func TestTableAndMLflowHoldTheSameRoutes(t *testing.T) {
	served, held := map[string]bool{}, map[string]bool{}
	for _, pattern := range mlflowtest.Routes(t) {
		served[parameters.ReplaceAllString(pattern, "{}")] = true
	}
	for _, route := range policy.Routes() {
		pattern := strings.Replace(route.Pattern(), "{namespace}/{slug}", "{}", 1) // the name of an MCP server
		held[parameters.ReplaceAllString(pattern, "{}")] = true
	}
	for pattern := range served {
		if !held[pattern] {
			t.Errorf("MLflow serves %s, and the table does not hold it", pattern)
		}
	}
	for pattern := range held {
		if !served[pattern] && pattern != "GET /metrics" { // served with --expose-prometheus alone
			t.Errorf("the table holds %s, and MLflow does not serve it", pattern)
		}
	}
}
