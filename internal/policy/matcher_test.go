package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// table makes rows of lines such as "GET /a/{b}".
func table(lines ...string) []policy.Route {
	var routes []policy.Route
	for _, line := range lines {
		method, path, _ := strings.Cut(line, " ")
		routes = append(routes, policy.Route{Method: method, Path: path})
	}
	return routes
}

func newMatcher(t testing.TB, routes []policy.Route) *policy.Matcher {
	t.Helper()
	m, err := policy.NewMatcher(routes)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMatch(t *testing.T) {
	m := newMatcher(t, table("GET /", "GET /a", "POST /a", "GET /a/{x}", "GET /a/b", "GET /a/{x}/c", "GET /a/b/d", "DELETE /a/{x}/{y}/{z}",
		"GET /r/{path*}", "GET /r/s", "PUT /r/s/{path*}", "GET /q/{x}/e", "GET /q/{path*}", "GET /s/", "POST /t/u/", "GET /t/{x}", "GET /r/s/",
		"POST /v/{x}:run", "POST /v/{y}", "POST /v/{x}:walk/{z}"))
	for _, c := range []struct{ name, method, path, want, values string }{
		{"root", "GET", "/", "GET /", ""},
		{"literal", "GET", "/a", "GET /a", ""},
		{"by method", "POST", "/a", "POST /a", ""},
		{"HEAD is GET", "HEAD", "/a", "GET /a", ""},
		{"HEAD is not POST", "HEAD", "/a/b/c/d", "", ""},
		{"one segment", "GET", "/a/z", "GET /a/{x}", "x=z"},
		{"a literal beats a parameter", "GET", "/a/b", "GET /a/b", ""},
		{"back from a literal that leads nowhere", "GET", "/a/b/c", "GET /a/{x}/c", "x=b"},
		{"literal all the way", "GET", "/a/b/d", "GET /a/b/d", ""},
		{"three parameters", "DELETE", "/a/b/d/e", "DELETE /a/{x}/{y}/{z}", "x=b y=d z=e"},
		{"rest", "GET", "/r/x", "GET /r/{path*}", "path=x"},
		{"rest of several segments", "GET", "/r/x/y/z", "GET /r/{path*}", "path=x/y/z"},
		{"rest with a trailing slash", "GET", "/r/x/", "GET /r/{path*}", "path=x/"},
		{"a literal beats the rest", "GET", "/r/s", "GET /r/s", ""},
		{"back from a literal to the rest", "GET", "/r/s/t", "GET /r/{path*}", "path=s/t"},
		{"back from another method's rest", "PUT", "/r/s/t", "PUT /r/s/{path*}", "path=t"},
		{"a parameter beats the rest", "GET", "/q/x/e", "GET /q/{x}/e", "x=x"},
		{"back from a parameter to the rest leaves none of it", "GET", "/q/x/f", "GET /q/{path*}", "path=x/f"},
		{"a fixed ending", "POST", "/v/a:run", "POST /v/{x}:run", "x=a"},
		{"an ending that leads on", "POST", "/v/a:walk/b", "POST /v/{x}:walk/{z}", "x=a z=b"},
		{"back from an ending that leads nowhere", "POST", "/v/a:walk", "POST /v/{y}", "y=a:walk"},
		{"an unknown ending", "POST", "/v/a:jump", "POST /v/{y}", "y=a:jump"},
		{"an ending in another case", "POST", "/v/a:RUN", "POST /v/{y}", "y=a:RUN"},
		{"an ending alone", "POST", "/v/:run", "POST /v/{y}", "y=:run"},
		{"two endings, of which a server may take either", "POST", "/v/a:run:run", "POST /v/{y}", "y=a:run:run"},
		{"unknown path", "GET", "/b", "", ""},
		{"unknown method", "PATCH", "/a", "", ""},
		{"OPTIONS", "OPTIONS", "/a", "", ""},
		{"lower-case method, which Flask folds", "get", "/a", "", ""},
		{"lower-case head", "head", "/a", "", ""},
		{"no method", "", "/a", "", ""},
		{"path in another case", "GET", "/A", "", ""},
		{"trailing slash", "GET", "/a/", "", ""},
		{"trailing slash behind a parameter", "GET", "/a/z/", "", ""},
		{"empty parameter", "GET", "/a//c", "", ""},
		{"empty rest", "GET", "/r/", "", ""},
		{"no rest", "GET", "/r", "", ""},
		{"longer than any row", "GET", "/a/b/d/e/f", "", ""},
		{"two slashes", "GET", "//a", "", ""},
		{"trailing slash of a row", "GET", "/s/", "GET /s/", ""},
		{"no trailing slash where a row has one", "GET", "/s", "", ""},
		{"two trailing slashes", "GET", "/s//", "", ""},
		{"something behind a trailing slash", "GET", "/s//a", "", ""},
		{"trailing slash of another method", "GET", "/t/u/", "", ""},
		{"no slash for a parameter beside one", "GET", "/t/u", "GET /t/{x}", "x=u"},
		{"a trailing slash of a row beats the rest", "GET", "/r/s/", "GET /r/s/", ""},
		{"a pattern is no path", "GET", "/a/{x}/d", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := m.Match(c.method, c.path)
			pattern, values := "", ""
			if ok {
				pattern = got.Route.Pattern()
				for _, name := range []string{"x", "y", "z", "path"} {
					if value := got.Value(name); value != "" {
						values += " " + name + "=" + value
					}
				}
			}
			if pattern != c.want || strings.TrimSpace(values) != c.values {
				t.Errorf("got %q with %q", pattern, values)
			}
		})
	}
}

// Two rows for one request would be decided by their order; a parameter under another name would be read as empty.
func TestNewMatcherRefusesAWrongTable(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
	}{
		{"twice", []string{"GET /a", "GET /a"}},
		{"twice with a parameter", []string{"GET /a/{x}", "GET /a/{x}"}},
		{"twice with the rest", []string{"GET /a/{x*}", "GET /a/{x*}"}},
		{"another name for a parameter", []string{"GET /a/{x}", "POST /a/{y}"}},
		{"another name for the rest", []string{"GET /a/{x*}", "POST /a/{y*}"}},
		{"something behind the rest", []string{"GET /a/{x*}/b"}},
		{"too many parameters", []string{"GET /{a}/{b}/{c}/{d}/{e}"}},
		{"too many with the rest", []string{"GET /{a}/{b}/{c}/{d}/{e*}"}},
		{"one name for two parameters", []string{"GET /{x}/{x}"}},
		{"one name for a parameter and the rest", []string{"GET /{x}/{x*}"}},
		{"no name", []string{"GET /{}"}},
		{"no name for the rest", []string{"GET /{*}"}},
		{"no brace at the end", []string{"GET /{x"}},
		{"no slash", []string{"GET a"}},
		{"parameter inside a segment", []string{"GET /a{x}"}},
		{"text behind a parameter", []string{"GET /{x}run"}},
		{"no word behind the colon", []string{"GET /{x}:"}},
		{"two words behind a parameter", []string{"GET /{x}:a:b"}},
		{"a parameter as the ending", []string{"GET /{x}:{y}"}},
		{"an ending of the rest", []string{"GET /{x*}:run"}},
		{"an ending of no name", []string{"GET /{}:run"}},
		{"twice with an ending", []string{"GET /{x}:run", "GET /{x}:run"}},
		{"another name before an ending", []string{"GET /{x}:run", "POST /{y}:run"}},
		{"brace inside a parameter", []string{"GET /{x{y}"}},
		{"two stars", []string{"GET /{x**}"}},
		{"empty segment", []string{"GET /a//b"}},
		{"two slashes ahead", []string{"GET //a"}},
		{"trailing slash behind a parameter", []string{"GET /{x}/"}},
		{"trailing slash behind the rest", []string{"GET /{x*}/"}},
		{"twice with a trailing slash", []string{"GET /a/", "GET /a/"}},
		{"two trailing slashes", []string{"GET /a//"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := policy.NewMatcher(table(c.lines...)); err == nil {
				t.Error("the table was accepted")
			}
		})
	}
}

// rank says how well a pattern fits a path: a digit a segment, 0 for a literal, 1 for a parameter with an ending, 2 for one
// without, 3 for the rest; "" for not.
func rank(pattern, path string) string {
	want, have := strings.Split(pattern, "/")[1:], strings.Split(strings.TrimPrefix(path, "/"), "/")
	digits := "="
	for i, part := range want {
		switch {
		case strings.HasSuffix(part, "*}"):
			if i >= len(have) || strings.Join(have[i:], "/") == "" {
				return ""
			}
			return digits + "3"
		case i >= len(have):
			return ""
		case strings.HasPrefix(part, "{"):
			_, verb, ends := strings.Cut(part, "}:")
			if name, word, _ := strings.Cut(have[i], ":"); have[i] == "" || ends && (word != verb || name == "") {
				return ""
			}
			if ends {
				digits += "1"
			} else {
				digits += "2"
			}
		case part != have[i]:
			return ""
		default:
			digits += "0"
		}
	}
	if len(want) != len(have) {
		return ""
	}
	return digits
}

// slowMatch tries every row: of those that fit, the one with the earliest literals wins.
func slowMatch(routes []policy.Route, method, path string) string {
	if method == "HEAD" {
		method = "GET"
	}
	var fits []string
	for _, route := range routes {
		if digits := rank(route.Path, path); digits != "" && route.Method == method {
			fits = append(fits, digits+" "+route.Path)
		}
	}
	if len(fits) == 0 {
		return ""
	}
	_, pattern, _ := strings.Cut(slices.Min(fits), " ")
	return pattern
}

func checkMatch(t *testing.T, m *policy.Matcher, routes []policy.Route, method, path string) {
	t.Helper()
	want := slowMatch(routes, method, path)
	match, ok := m.Match(method, path)
	if ok != (want != "") || ok && match.Route.Path != want {
		t.Fatalf("%s %q: got %v, want %q", method, path, match.Route, want)
	}
	if !ok {
		return
	}
	filled := match.Route.Path
	for part := range strings.SplitSeq(match.Route.Path, "/") {
		if open, _, ok := strings.Cut(part, "}"); ok {
			filled = strings.Replace(filled, open+"}", match.Value(strings.Trim(open, "{*")), 1)
		}
	}
	if strings.TrimPrefix(filled, "/") != strings.TrimPrefix(path, "/") {
		t.Fatalf("%q matches %q, whose values give %q", path, match.Route.Path, filled)
	}
}

// The trie finds the row that a look at every row finds, and its values put back into the pattern give the path.
func FuzzMatch(f *testing.F) {
	f.Add("/a\n/a/{x}\n/a/b/{y*}\n/{z}/b", "GET", "/a/b/c")
	f.Add("/{a}/{b}/{c}\n/{a}/x/{r*}\n/q", "HEAD", "/q/x/")
	f.Add("/\n/{r*}", "GET", "//")
	f.Add("/a/\n/a\n/a/{r*}\n/{x}/b/", "GET", "/a/")
	f.Add("/a/{x}/c\n/a/b/d\n/a/{r*}", "GET", "/a/b/c")
	f.Add("/a/{x}:run\n/a/{y}\n/a/{x}:run/b", "GET", "/a/b:run")
	real := policy.Routes()
	matcher := newMatcher(f, real)
	f.Fuzz(func(t *testing.T, patterns, method, path string) {
		checkMatch(t, matcher, real, method, path)
		var routes []policy.Route
		for pattern := range strings.SplitSeq(patterns, "\n") {
			routes = append(routes, policy.Route{Method: "GET", Path: pattern})
		}
		m, err := policy.NewMatcher(routes)
		if err != nil {
			return
		}
		for _, at := range append(routes, policy.Route{Path: path}) {
			checkMatch(t, m, routes, method, at.Path)
		}
	})
}

var requests = []struct{ method, path string }{
	{"GET", "/api/2.0/mlflow/runs/get"},
	{"HEAD", "/ajax-api/2.0/mlflow/logged-models/m-1/artifacts/directories"},
	{"DELETE", "/api/2.0/mlflow/logged-models/m-1/tags/key"},
	{"PUT", "/api/2.0/mlflow-artifacts/artifacts/2/abc/artifacts/model/MLmodel"},
	{"GET", "/api/2.0/mlflow/no/such/route"},
}

func TestMatchAllocatesNothing(t *testing.T) {
	m := newMatcher(t, policy.Routes())
	for _, r := range requests {
		if n := testing.AllocsPerRun(100, func() { m.Match(r.method, r.path) }); n != 0 {
			t.Errorf("%s %s: %v allocations", r.method, r.path, n)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	m := newMatcher(b, policy.Routes())
	b.ReportAllocs()
	for i := range b.N {
		r := requests[i%len(requests)]
		m.Match(r.method, r.path)
	}
}
