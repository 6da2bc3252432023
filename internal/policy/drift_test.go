package policy_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
)

// parameters are what Flask and FastAPI write where a path varies.
var parameters = regexp.MustCompile(`<[^>]*>|\{[^}]*\}`)

// held gives every row of the table as "METHOD /path", each path as MLflow itself writes it.
func held() map[string]bool {
	patterns := map[string]bool{}
	for _, route := range policy.Routes() {
		for _, path := range route.Spellings() {
			patterns[route.Method+" "+path] = true
		}
	}
	return patterns
}

// TestTableAndMLflowHoldTheSameRoutes finds a route that the installed MLflow serves and the table lacks, a row for what it
// does not serve, and a path or a parameter that MLflow writes in another way.
func TestTableAndMLflowHoldTheSameRoutes(t *testing.T) {
	served, held := map[string]bool{}, held()
	listing := mlflowtest.Pinned(t).Routes(t)
	for _, pattern := range listing.Routes {
		served[pattern] = true
	}
	if listing.Version != policy.Version {
		t.Errorf("the tests run MLflow %s, and the table says that it was made for %s", listing.Version, policy.Version)
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

// unimplemented are routes that an older MLflow announces and has no handler for (measured: 500); they stay out of the table.
var unimplemented = map[string][]string{
	"2.22.0": {"GET 2.0/mlflow/traces/{}", "POST 2.0/mlflow/traces/{}/assessments", "PATCH 2.0/mlflow/traces/{}/assessments/{}",
		"DELETE 2.0/mlflow/traces/{}/assessments/{}"},
}

// Every route of an older MLflow is in the table, though it may call a parameter by another name. That the table holds more
// is right: it is refused there by MLflow.
func TestTableHoldsTheRoutesOfOlderVersions(t *testing.T) {
	folded := map[string]bool{}
	for pattern := range held() {
		folded[parameters.ReplaceAllString(pattern, "{}")] = true
	}
	for _, version := range []string{policy.Oldest, "3.5.0"} {
		t.Run(version, func(t *testing.T) {
			listing := mlflowtest.Older(t, version).Routes(t)
			if listing.Version != version || len(listing.Routes) < 140 {
				t.Fatalf("%d routes of MLflow %s", len(listing.Routes), listing.Version)
			}
			for _, pattern := range listing.Routes {
				pattern = parameters.ReplaceAllString(pattern, "{}")
				short := strings.NewReplacer(" /api/", " ", " /ajax-api/", " ").Replace(pattern)
				if !folded[pattern] && !slices.Contains(unimplemented[version], short) {
					t.Errorf("MLflow %s serves %s, and the table does not hold it", version, pattern)
				}
			}
		})
	}
}

func TestSpellings(t *testing.T) {
	for name, c := range map[string]struct {
		route policy.Route
		want  []string
	}{
		"Flask":                 {policy.Route{Path: "/api/2.0/a/{x}/b/{y*}"}, []string{"/api/2.0/a/<x>/b/<path:y>"}},
		"Flask, a slash behind": {policy.Route{Path: "/a/{x}/"}, []string{"/a/<x>/"}},
		"FastAPI":               {policy.Route{Path: "/gateway/{x}/b/{y*}"}, []string{"/gateway/{x}/b/{y:path}"}},
		"FastAPI, a verb":       {policy.Route{Path: "/gateway/{x}:run"}, []string{"/gateway/{x}:run"}},
		"FastAPI, the other prefix": {policy.Route{Path: "/ajax-api/3.0/mlflow/mcp-servers/{x}"},
			[]string{"/ajax-api/3.0/mlflow/mcp-servers/{x}"}},
		"both": {policy.Route{Path: "/a/{x*}", Twice: true}, []string{"/a/<path:x>", "/a/{x:path}"}},
	} {
		if got := c.route.Spellings(); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}
