package extract_test

import (
	"bufio"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

func TestNamesOfMCPServers(t *testing.T) {
	for name, want := range map[string]bool{
		"com.example/server": true, "a1/b2": true, "A.-b/c._-d": true, strings.Repeat("a", 253) + "/bb": true,
		"": false, "/": false, "a1": false, "a1/": false, "/b2": false, "a/bb": false, "aa/b": false, "aa/bb/cc": false, "aa//bb": false, "aa/bb/": false,
		"aa/versions": false, "aa/aliases": false, "aa/tags": false, "aa/endpoints": false, "endpoints/aa": false, "versions/aa": false, "aa/Versions": true,
		".a/bb": false, "aa/bb.": false, "a_a/bb": false, "aa/../bb": false, "../bb": false, "aa/..": false, "aa/b b": false, "aa/bb\n": false, "aa%2Fbb": false,
		"aa/b:b": false, "aä/bb": false, "aa/bb\x00": false, strings.Repeat("a", 254) + "/bb": false,
	} {
		if err := extract.NameOf(kind.MCPServer, "name", name); (err == nil) != want {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := extract.NameOf(kind.RegisteredModel, "name", "no slash"); err != nil {
		t.Errorf("another kind's name: %v", err)
	}
}

// served are MLflow 3.17.2's routes of MCP servers, in its order (mlflow/server/mcp_server_api.py): the first that fits is taken.
var served = compile(
	"POST ", "GET ", "GET /endpoints", "POST /{name:path}/versions/{version:path}/tags", "DELETE /{name:path}/versions/{version:path}/tags/{key:path}",
	"GET /{name:path}/versions/{version:path}", "PATCH /{name:path}/versions/{version:path}", "DELETE /{name:path}/versions/{version:path}",
	"POST /{name:path}/versions", "GET /{name:path}/versions", "POST /{name:path}/endpoints", "GET /{name:path}/endpoints/{endpoint_id}",
	"PATCH /{name:path}/endpoints/{endpoint_id}", "DELETE /{name:path}/endpoints/{endpoint_id}", "GET /{name:path}/endpoints", "POST /{name:path}/tags",
	"DELETE /{name:path}/tags/{key:path}", "POST /{name:path}/aliases", "GET /{name:path}/aliases/{alias:path}", "DELETE /{name:path}/aliases/{alias:path}",
	"GET /{name:path}", "PATCH /{name:path}", "DELETE /{name:path}")

const mcpServers = "/api/3.0/mlflow/mcp-servers"

// one is a route as Starlette compiles it.
type one struct {
	method, shape string
	path          *regexp.Regexp
}

var parameter = regexp.MustCompile(`\{(\w+)(:path)?\}`)

func compile(routes ...string) []one {
	var all []one
	for _, route := range routes {
		method, path, _ := strings.Cut(route, " ")
		expression := parameter.ReplaceAllStringFunc(path, func(p string) string {
			found := parameter.FindStringSubmatch(p)
			if found[2] != "" {
				return "(?P<" + found[1] + ">.*)"
			}
			return "(?P<" + found[1] + ">[^/]+)"
		})
		all = append(all, one{method, parameter.ReplaceAllString(path, "{}"), regexp.MustCompile("^" + regexp.QuoteMeta(mcpServers) + expression + "$")})
	}
	return all
}

// FuzzServerPaths asks, for each path that is let through to the decision, which route and which parameters MLflow takes: they must be those that
// were decided on. A name that MLflow cuts elsewhere would be another server's.
func FuzzServerPaths(f *testing.F) {
	matcher, err := policy.NewMatcher(policy.Routes())
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range []string{"/aa/bb", "/aa%2Fbb", "/aa/bb/versions", "/aa/bb/versions/1.0.0", "/aa/bb/versions/1/tags/a%2fb", "/aa/bb/versions/1/tags/k/versions/2",
		"/aa/bb/aliases/endpoints", "/aa/versions", "/aa/bb/aliases/x/endpoints/1", "/aa/bb/tags/a/b", "/endpoints", "/endpoints/aa", "/aa/bb/endpoints/ae-1", "",
		"/aa%2Fbb%2Fversions%2F1", "/aa/bb/versions/endpoints", "/aa/versions/versions/1", "/versions/bb/versions/1", "/aa/bb/aliases/a%2Fversions%2Fb", "/aa/bb/aliases/x/"} {
		for _, method := range []string{"GET", "POST", "PATCH", "DELETE"} {
			f.Add(method, path)
		}
	}
	f.Fuzz(func(t *testing.T, method, path string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " " + mcpServers + path + " HTTP/1.1\r\nHost: gateway\r\n\r\n")))
		if err != nil || !strings.HasPrefix(r.URL.Path, mcpServers) {
			return
		}
		canonical, err := httpx.CanonicalPath(r)
		if err != nil {
			return
		}
		match, ok := matcher.Match(r.Method, canonical.Decoded)
		if !ok || extract.RouteWords(canonical.Decoded) != extract.RouteWords(match.Route.Path) {
			return
		}
		read := &extract.Request{Path: canonical}
		targets, err := read.Targets(&match)
		if err != nil {
			return
		}
		decided := strings.Replace(strings.TrimPrefix(match.Route.Path, mcpServers), "{namespace}/{slug}", "{}", 1)
		decided = regexp.MustCompile(`\{[^}]+\}`).ReplaceAllString(decided, "{}")
		for _, route := range served {
			values := route.path.FindStringSubmatch(canonical.Decoded)
			if route.method != match.Route.Method || values == nil {
				continue
			}
			if route.shape != decided {
				t.Fatalf("%s %s is decided as %s, and MLflow takes %s", method, path, decided, route.shape)
			}
			for i, name := range route.path.SubexpNames() {
				want := match.Value(name)
				if name == "name" {
					want = targets[0].Value
				}
				if values[i] != want && name != "" {
					t.Fatalf("%s %s: the %s is decided as %q, and MLflow takes %q", method, path, name, want, values[i])
				}
			}
			return
		}
		t.Fatalf("%s %s is decided as %s, and MLflow does not serve it", method, path, decided)
	})
}
