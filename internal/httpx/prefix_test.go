package httpx_test

import (
	"net/http/httptest"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

func TestParsePrefix(t *testing.T) {
	for text, want := range map[string]string{"": "", "/": "", "/x": "/x", "/x/": "/x", "/ml-flow/v2.0_~": "/ml-flow/v2.0_~"} {
		if got, err := httpx.ParsePrefix(text); got != want || err != nil {
			t.Errorf("%q: got %q %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"x", "x/y", "//", "//x", "/x//y", "/x//", "/..", "/x/../y", "/.", "/x?y", "/x#y", "/%78", "/x y", "/{x}", "/é", "/x\\y", "/x;y"} {
		if got, err := httpx.ParsePrefix(text); err == nil {
			t.Errorf("%q was taken for %q", text, got)
		}
	}
}

// A prefix is compared with a path as it was sent: that a path reads the same in every spelling is what keeps the two equal.
func FuzzPrefixHasOneSpelling(f *testing.F) {
	for _, seed := range []string{"/x", "/a/b", "/..", "/%2e", "/a;b", "//", "/a/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		prefix, err := httpx.ParsePrefix(text)
		if err != nil || prefix == "" {
			return
		}
		r := httptest.NewRequest("GET", prefix+"/login", nil)
		path, err := httpx.CanonicalPath(r)
		if err != nil || path.Decoded != prefix+"/login" || r.URL.EscapedPath() != path.Decoded {
			t.Fatalf("%q becomes %q %v", prefix, path.Decoded, err)
		}
	})
}

// An attacker's address in ?next= leads nowhere but to the gateway's own pages, which begin below the prefix.
func TestPagesToReturnTo(t *testing.T) {
	at := httpx.Origin{Prefix: "/ml"}
	for to, want := range map[string]string{
		"/ml/": "/ml/", "/ml": "/ml", "/ml?a=b": "/ml?a=b", "/ml/#/experiments/1": "/ml/#/experiments/1", "/ml/a?b=c": "/ml/a?b=c",
		"": "/ml/", "/": "/ml/", "/other": "/ml/", "/mlx": "/ml/", "/ml/../other": "/ml/", "/ml/%2e%2e/other": "/ml/", "//evil.example/ml/": "/ml/", "https://evil.example/ml/": "/ml/",
		`/ml/\evil.example`: "/ml/",
	} {
		if got := at.Return(to); got != want {
			t.Errorf("%q: got %q, want %q", to, got, want)
		}
	}
	if got := (&httpx.Origin{}).Return("/other"); got != "/other" {
		t.Errorf("without a prefix: got %q", got)
	}
}
