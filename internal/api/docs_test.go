package api_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/kept"
)

// may says in words who the callers are that an operation does not refuse; see callers.
var may = map[string]string{
	"member editor manager target admin": "whoever is signed in",
	"manager target admin":               "oneself; MANAGE on it",
	"manager admin":                      "MANAGE on it",
	"target admin":                       "oneself; administrators",
	"admin":                              "administrators",
}

// who gives the callers that are not refused. What an operation answers to an administrator is what it answers to whoever may.
func (s step) who() string {
	var names []string
	for i, name := range callers {
		refused := s.want[i] == http.StatusUnauthorized || s.want[i] == http.StatusForbidden || s.want[i] == http.StatusNotFound && s.want[len(callers)-1] != http.StatusNotFound
		if !refused {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

// documented is a row of the page.
type documented struct{ tag, method, path, summary, who string }

// general gives a path of one kind as it is for every kind, and what it says of it.
func general(path, summary string) (string, string) {
	for k := range kind.All() {
		for _, segment := range []string{k.Patterns, k.Segment, strings.Replace(k.Segment, "gateways/", "gateway/", 1)} {
			if i := strings.Index(path+"/", "/"+segment+"/"); segment != "" && i >= 0 {
				word := "/{kind}"
				if segment == k.Patterns {
					word = "/{patterns}"
				}
				path = strings.ReplaceAll(path[:i]+word+path[i+1+len(segment):], "{experiment_id}/{scorer_name}", "{resource}")
				return path, strings.NewReplacer("a "+k.Title, "a resource", k.Title, "resource").Replace(summary)
			}
		}
	}
	return path, summary
}

// TestDocsShowTheAPI holds docs/api.md against the OpenAPI document, and against the tests of who may call what.
func TestDocsShowTheAPI(t *testing.T) {
	spaces := newSpacesCast(t)
	steps := newCast(t).steps(t)
	maps.Copy(steps, spaces.spaceSteps())
	var document struct {
		Paths map[string]map[string]struct {
			Summary  string
			Tags     []string
			Security []any
		}
	}
	if err := json.Unmarshal(spaces.nobody.Do(t, http.MethodGet, "/openapi.json", nil).Body, &document); err != nil {
		t.Fatal(err)
	}
	exact, common := map[documented]documented{}, map[documented]int{}
	for path, methods := range document.Paths {
		for method, operation := range methods {
			method = strings.ToUpper(method)
			row := documented{tag: operation.Tags[0], method: method, path: path, summary: operation.Summary, who: "anybody"}
			if operation.Security != nil {
				s, found := steps[method+" "+strings.TrimPrefix(path, base)]
				if row.who = may[s.who()]; !found || row.who == "" {
					t.Fatalf("who may call %s %s is not known in words: %q", method, path, s.who())
				}
			}
			one := row
			one.path, one.summary = general(path, operation.Summary)
			exact[row] = one
			common[one]++
		}
	}
	rows := map[documented]bool{}
	for row, one := range exact {
		if common[one] > 1 {
			row = one
		}
		rows[row] = true
	}
	kept.Page(t, "./internal/api", filepath.Join("..", "..", "docs", "api.md"), written(slices.SortedFunc(maps.Keys(rows), func(a, b documented) int {
		return cmp.Or(cmp.Compare(a.tag, b.tag), cmp.Compare(a.path, b.path), cmp.Compare(a.method, b.method))
	})))
}

// written gives the tables: of the kinds, and of each tag.
func written(rows []documented) string {
	var b strings.Builder
	b.WriteString("## Kinds\n\n| kind | `{kind}` | `{patterns}` | `{resource}` |\n|---|---|---|---|\n")
	for k := range kind.All() {
		patterns, resource := "–", "the name"
		if k.Patterns != "" {
			patterns = "`" + k.Patterns + "`"
		}
		switch {
		case k.Parent != "":
			resource = "the experiment's id, `/`, the name"
		case k.ByID:
			resource = "the id"
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", k.Title, k.Segment, patterns, resource)
	}
	tag := ""
	for _, row := range rows {
		if row.tag != tag {
			tag = row.tag
			fmt.Fprintf(&b, "\n## %s\n\n| method | path | | who may |\n|---|---|---|---|\n", strings.ToUpper(tag[:1])+tag[1:])
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", row.method, row.path, row.summary, row.who)
	}
	return b.String()
}
