package httpx_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

// get reads a request line as the server does, so that its path has been through net/http's own parser.
func get(target string) (*http.Request, error) {
	return http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: gateway\r\n\r\n")))
}

func canonical(t *testing.T, target string) (httpx.Path, error) {
	t.Helper()
	r, err := get(target)
	if err != nil {
		t.Fatalf("net/http refuses the target itself: %v", err)
	}
	return httpx.CanonicalPath(r)
}

func TestCanonicalPathDecodesOnce(t *testing.T) {
	for _, c := range []struct{ name, target, decoded, escaped string }{
		{"plain", "/api/2.0/mlflow/runs/get?run_id=1", "/api/2.0/mlflow/runs/get", "/api/2.0/mlflow/runs/get"},
		{"root", "/", "/", "/"},
		{"trailing slash is kept, and no row has one", "/version/", "/version/", "/version/"},
		{"case is kept", "/API/2.0/MLFLOW", "/API/2.0/MLFLOW", "/API/2.0/MLFLOW"},
		{"encoded letter", "/%61pi/2.0/mlflow/%65xperiments/get", "/api/2.0/mlflow/experiments/get", "/api/2.0/mlflow/experiments/get"},
		{"encoded space", "/a/b%20c", "/a/b c", "/a/b%20c"},
		{"plus is a plus", "/a/b+c", "/a/b+c", "/a/b+c"},
		{"UTF-8", "/a/%C3%A4", "/a/ä", "/a/%C3%A4"},
		{"UTF-8 that was not encoded", "/a/ä", "/a/ä", "/a/%C3%A4"},
		{"encoded question mark stays in the path", "/a/b%3Fc=d", "/a/b?c=d", "/a/b%3Fc=d"},
		{"encoded number sign stays in the path", "/a/b%23c", "/a/b#c", "/a/b%23c"},
		{"percent sign that starts no sequence", "/a/100%25", "/a/100%", "/a/100%25"},
		{"dots that are no dot segment", "/a/..b/c../...", "/a/..b/c../...", "/a/..b/c../..."},
		{"absolute form", "http://elsewhere/api/2.0/mlflow/runs/get", "/api/2.0/mlflow/runs/get", "/api/2.0/mlflow/runs/get"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, err := canonical(t, c.target)
			if err != nil {
				t.Fatal(err)
			}
			if path.Decoded != c.decoded || path.Escaped() != c.escaped {
				t.Errorf("got %q, forwarded as %q", path.Decoded, path.Escaped())
			}
		})
	}
}

// MLflow 3.17.2 serves the runs of another path for most of these: uvicorn decodes %2F before it routes, and the artifact
// proxy decodes until nothing changes any more.
func TestCanonicalPathRefusesASecondMeaning(t *testing.T) {
	for _, c := range []struct{ name, target string }{
		{"encoded slash routes elsewhere", "/api/2.0/mlflow%2Fexperiments%2Fget"},
		{"encoded slash, lower case", "/api/2.0/mlflow%2fexperiments/get"},
		{"double-encoded slash", "/api/2.0/mlflow%252Fexperiments"},
		{"empty segment at the start", "//api/2.0/mlflow/experiments/get"},
		{"empty segment inside", "/api//2.0/mlflow/experiments/get"},
		{"empty segment at the end", "/api/2.0//"},
		{"three slashes", "///api"},
		{"parent", "/api/2.0/../2.0/mlflow"},
		{"parent at the end", "/api/.."},
		{"current", "/api/./2.0"},
		{"current at the end", "/api/."},
		{"encoded parent", "/api/%2e%2e/admin"},
		{"encoded parent, upper case", "/api/%2E%2E/admin"},
		{"half-encoded parent", "/api/.%2e/admin"},
		{"encoded current deletes all artifacts", "/api/2.0/mlflow-artifacts/artifacts/%2e"},
		{"double-encoded parent", "/api/%252e%252e/admin"},
		{"digit decoded twice", "/api/2.0/mlflow-artifacts/artifacts/%2532/run"},
		{"digit decoded three times", "/api/2.0/mlflow-artifacts/artifacts/%252532/run"},
		{"parameter", "/api;x=1/2.0"},
		{"encoded parameter", "/api%3Bx=1/2.0"},
		{"backslash", `/api\2.0`},
		{"encoded backslash", "/api/..%5c2.0"},
		{"NUL", "/api/%00"},
		{"newline", "/api/a%0Ab"},
		{"carriage return", "/api/a%0D%0Ab"},
		{"tab", "/api/a%09b"},
		{"delete", "/api/a%7fb"},
		{"C1 control", "/api/a%C2%85b"},
		{"bytes that are no UTF-8", "/api/%FF"},
		{"overlong slash", "/api/%C0%AF"},
		{"UTF-16 surrogate in UTF-8", "/api/%ED%A0%80"},
		{"asterisk form", "*"},
		{"no slash after the scheme", "http:api"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path, err := canonical(t, c.target)
			if !errs.Is(err, errs.Invalid) {
				t.Errorf("got %q, %v; want it refused as invalid", path.Decoded, err)
			}
		})
	}
}

func checkCanonical(t *testing.T, target string) {
	t.Helper()
	r, err := get(target)
	if err != nil {
		return
	}
	path, err := httpx.CanonicalPath(r)
	if err != nil {
		return
	}
	for i, segment := range strings.Split(path.Decoded, "/") {
		if segment == "." || segment == ".." || (segment == "" && i > 0 && i < strings.Count(path.Decoded, "/")) {
			t.Errorf("%q was accepted as %q, with a segment that can be collapsed", target, path.Decoded)
		}
	}
	if strings.ContainsAny(path.Decoded, "\\;\x00\r\n\t") || httpx.Decodable(path.Decoded) || !utf8.ValidString(path.Decoded) {
		t.Errorf("%q was accepted as %q", target, path.Decoded)
	}
	if path.Decoded != r.URL.Path {
		t.Errorf("%q was decoded as %q, and by net/url as %q", target, path.Decoded, r.URL.Path)
	}
	again, err := get(path.Escaped())
	if err != nil {
		t.Fatalf("%q is forwarded as %q, which is no request: %v", target, path.Escaped(), err)
	}
	twice, err := httpx.CanonicalPath(again)
	if err != nil || twice != path {
		t.Errorf("%q is forwarded as %q, which reads as %q, %v", target, path.Escaped(), twice.Decoded, err)
	}
}

// What is accepted has nothing left in it that could be collapsed or decoded, and what is forwarded reads as what was decided.
func FuzzCanonicalPath(f *testing.F) {
	for _, seed := range []string{"/api/2.0/mlflow/runs/get", "/a%2fb", "/a//b", "/%2e%2e/x", "/%252e", "/a;b", "/a%5cb", "/%C3%A4", "/a%25b", "/*",
		"/a%25/2e", "/a:b@c", "/[x]", "/%00", "http://h/a/b", "/a?b#c", "/%E2%80%AE"} {
		f.Add(seed)
	}
	f.Fuzz(checkCanonical)
}

func TestRelativePath(t *testing.T) {
	for _, c := range []struct {
		name, path string
		ok         bool
	}{
		{"the folder itself", "", true},
		{"a file", "model/MLmodel", true},
		{"a folder", "model/", true},
		{"spaces", "my model/a b.txt", true},
		{"hidden file", ".gitignore", true},
		{"dots in a name", "a..b/c...", true},
		{"UTF-8", "ä/日本", true},
		{"a percent sign alone", "100%", true},
		{"a percent sign before text", "100%x", true},
		{"absolute", "/etc/passwd", false},
		{"parent", "..", false},
		{"parent inside", "a/../b", false},
		{"parent at the end", "a/..", false},
		{"parent with a slash behind", "a/../", false},
		{"current", "./a", false},
		{"current alone", ".", false},
		{"empty segment", "a//b", false},
		{"empty segment at the end", "a//", false},
		{"slash alone", "/", false},
		{"backslash", `..\b`, false},
		{"encoded parent", "%2e%2e/b", false},
		{"encoded slash", "a%2fb", false},
		{"double-encoded", "%252e%252e/b", false},
		{"fragment that cuts a URI", "a#b", false},
		{"NUL that ends a C string", "a\x00b", false},
		{"newline", "a\nb", false},
		{"no UTF-8", "a\xff", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := httpx.RelativePath(c.path)
			if c.ok && err != nil || !c.ok && !errs.Is(err, errs.Invalid) {
				t.Errorf("RelativePath(%q) = %v", c.path, err)
			}
		})
	}
}
