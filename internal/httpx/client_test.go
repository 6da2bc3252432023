package httpx_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

// from makes a request of a peer, with headers given as pairs of name and value.
func from(peer string, headers ...string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr, r.Host = peer, "gateway.example"
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func proxies(t *testing.T, list ...string) []netip.Prefix {
	t.Helper()
	prefixes, err := httpx.ParseProxies(list)
	if err != nil {
		t.Fatal(err)
	}
	return prefixes
}

func TestParseProxies(t *testing.T) {
	got := proxies(t, "10.1.2.3/8", "192.0.2.7", "2001:db8::/32", "::1")
	want := []string{"10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32", "::1/128"}
	for i, prefix := range got {
		if prefix.String() != want[i] {
			t.Errorf("prefix %d is %s, want %s", i, prefix, want[i])
		}
	}
	for _, wrong := range []string{"", "proxy.example", "10.0.0.0/33", "10.0.0", "*"} {
		if _, err := httpx.ParseProxies([]string{wrong}); err == nil {
			t.Errorf("%q was taken for a proxy", wrong)
		}
	}
}

func TestClientAddress(t *testing.T) {
	const xff = "X-Forwarded-For"
	for _, c := range []struct {
		name    string
		trusted []string
		request *http.Request
		want    string
	}{
		{"the peer", nil, from("203.0.113.9:1000"), "203.0.113.9"},
		{"spoofed without proxies", nil, from("203.0.113.9:1000", xff, "127.0.0.1"), "203.0.113.9"},
		{"spoofed by a peer that is no proxy", []string{"10.0.0.0/8"}, from("203.0.113.9:1000", xff, "10.0.0.1"), "203.0.113.9"},
		{"behind a proxy", []string{"10.0.0.0/8"}, from("10.0.0.1:1000", xff, "203.0.113.9"), "203.0.113.9"},
		{"spoofed ahead of what the proxy appends", []string{"10.0.0.0/8"}, from("10.0.0.1:1000", xff, "127.0.0.1, 203.0.113.9"), "203.0.113.9"},
		{"spoofed in a header of its own", []string{"10.0.0.0/8"}, from("10.0.0.1:1000", xff, "127.0.0.1", xff, "203.0.113.9"), "203.0.113.9"},
		{"two proxies", []string{"10.0.0.0/8"}, from("10.0.0.1:1000", xff, "127.0.0.1, 203.0.113.9, 10.0.0.2"), "203.0.113.9"},
		{"all hops are proxies", []string{"10.0.0.0/8"}, from("10.0.0.1:1000", xff, "10.0.0.3,10.0.0.2"), "10.0.0.3"},
		{"no address ends the walk", []string{"10.0.0.0/8"}, from("10.0.0.1:1000", xff, "127.0.0.1, unknown, 10.0.0.2"), "10.0.0.2"},
		{"an address with a port is none", []string{"10.0.0.0/8"}, from("10.0.0.1:1000", xff, "127.0.0.1:80"), "10.0.0.1"},
		{"empty", []string{"10.0.0.0/8"}, from("10.0.0.1:1000", xff, ""), "10.0.0.1"},
		{"a proxy whose IPv4 address came as IPv6", []string{"10.0.0.0/8"}, from("[::ffff:10.0.0.1]:1000", xff, "::ffff:203.0.113.9"), "203.0.113.9"},
		{"IPv6", []string{"2001:db8::/32"}, from("[2001:db8::1]:1000", xff, "2001:db9::1"), "2001:db9::1"},
		{"other headers never count", []string{"10.0.0.0/8"}, from("10.0.0.1:1000", "X-Real-Ip", "127.0.0.1", "Forwarded", "for=127.0.0.1"), "10.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := &httpx.Origin{Proxies: proxies(t, c.trusted...)}
			if got := o.Client(c.request); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestOriginOfRequest(t *testing.T) {
	const proto, host = "X-Forwarded-Proto", "X-Forwarded-Host"
	encrypted := from("203.0.113.9:1")
	encrypted.TLS = &tls.ConnectionState{}
	for _, c := range []struct {
		name    string
		public  string
		trusted []string
		request *http.Request
		want    string
	}{
		{"of the request", "", nil, from("203.0.113.9:1"), "http://gateway.example"},
		{"of an encrypted request", "", nil, encrypted, "https://gateway.example"},
		{"spoofed without proxies", "", nil, from("203.0.113.9:1", proto, "https", host, "evil.example"), "http://gateway.example"},
		{"spoofed by a peer that is no proxy", "", []string{"10.0.0.1"}, from("203.0.113.9:1", proto, "https", host, "evil.example"), "http://gateway.example"},
		{"behind a proxy", "", []string{"10.0.0.1"}, from("10.0.0.1:1", proto, "https", host, "public.example"), "https://public.example"},
		{"spoofed ahead of what the proxy appends", "", []string{"10.0.0.1"}, from("10.0.0.1:1", proto, "http,https", host, "evil.example, public.example"), "https://public.example"},
		{"spoofed in a header of its own", "", []string{"10.0.0.1"}, from("10.0.0.1:1", host, "evil.example", host, "public.example"), "http://public.example"},
		{"unknown scheme", "", []string{"10.0.0.1"}, from("10.0.0.1:1", proto, "javascript"), "http://gateway.example"},
		{"a configured address beats all of it", "https://mlflow.example", []string{"10.0.0.1"}, from("10.0.0.1:1", proto, "http", host, "evil.example"), "https://mlflow.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := &httpx.Origin{Proxies: proxies(t, c.trusted...)}
			if c.public != "" {
				o.Public, _ = url.Parse(c.public)
			}
			if got := o.Of(c.request); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if got, want := o.TLS(c.request), strings.HasPrefix(c.want, "https:"); got != want {
				t.Errorf("TLS is %v", got)
			}
		})
	}
}

func TestSameOrigin(t *testing.T) {
	const site, origin = "Sec-Fetch-Site", "Origin"
	for _, c := range []struct {
		name    string
		public  string
		headers []string
		want    bool
	}{
		{"our own page", "https://mlflow.example", []string{site, "same-origin", origin, "https://mlflow.example"}, true},
		{"our own page, no Origin", "https://mlflow.example", []string{site, "same-origin"}, true},
		{"an older browser", "https://mlflow.example", []string{origin, "https://mlflow.example"}, true},
		{"taken from the request", "", []string{origin, "http://gateway.example"}, true},
		{"a public address in another case", "https://MLflow.Example", []string{origin, "https://mlflow.example"}, true},
		{"a public address with the port that browsers leave out", "https://mlflow.example:443", []string{origin, "https://mlflow.example"}, true},
		{"the same for http", "http://mlflow.example:80", []string{origin, "http://mlflow.example"}, true},
		{"neither header", "https://mlflow.example", nil, false},
		{"cross-site request forgery", "https://mlflow.example", []string{site, "cross-site", origin, "https://evil.example"}, false},
		{"a sibling domain", "https://mlflow.example", []string{site, "same-site", origin, "https://other.mlflow.example"}, false},
		{"typed by the user", "https://mlflow.example", []string{site, "none"}, false},
		{"the headers contradict each other", "https://mlflow.example", []string{site, "same-origin", origin, "https://evil.example"}, false},
		{"the right Origin from another site", "https://mlflow.example", []string{site, "cross-site", origin, "https://mlflow.example"}, false},
		{"sandboxed frame", "https://mlflow.example", []string{origin, "null"}, false},
		{"another scheme", "https://mlflow.example", []string{origin, "http://mlflow.example"}, false},
		{"another port", "https://mlflow.example", []string{origin, "https://mlflow.example:8443"}, false},
		{"the other scheme's port", "https://mlflow.example:80", []string{origin, "https://mlflow.example"}, false},
		{"a prefix of the host", "https://mlflow.example", []string{origin, "https://mlflow.example.evil.example"}, false},
		{"user information", "https://mlflow.example", []string{origin, "https://mlflow.example@evil.example"}, false},
		{"a path behind it", "https://mlflow.example", []string{origin, "https://mlflow.example/"}, false},
		{"spoofed X-Forwarded-Host", "", []string{origin, "http://evil.example", "X-Forwarded-Host", "evil.example"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := &httpx.Origin{}
			if c.public != "" {
				o.Public, _ = url.Parse(c.public)
			}
			if got := o.SameOrigin(from("203.0.113.9:1", c.headers...)); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestNavigation(t *testing.T) {
	for _, c := range []struct {
		name, method string
		headers      []string
		want         bool
	}{
		{"a browser opens a page", "GET", []string{"Sec-Fetch-Mode", "navigate", "Accept", "text/html"}, true},
		{"an older browser", "GET", []string{"Accept", "text/html,*/*"}, true},
		{"the page's own script", "GET", []string{"Sec-Fetch-Mode", "cors", "Accept", "text/html"}, false},
		{"a form", "POST", []string{"Sec-Fetch-Mode", "navigate", "Accept", "text/html"}, false},
		{"the MLflow client", "GET", []string{"Accept", "*/*"}, false},
		{"a program with a credential", "GET", []string{"Accept", "text/html", "Authorization", "Basic x"}, false},
		{"HEAD", "HEAD", []string{"Accept", "text/html"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := from("203.0.113.9:1", c.headers...)
			r.Method = c.method
			if got := httpx.Navigation(r); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestLocalPathStaysHere(t *testing.T) {
	for _, c := range []struct{ name, to, want string }{
		{"root", "/", "/"},
		{"path and query", "/a/b?c=d&e=%2F", "/a/b?c=d&e=%2F"},
		{"an address inside the query", "/a?next=https://evil.example", "/a?next=https://evil.example"},
		{"fragment, where MLflow's UI keeps its paths", "/?a=b#/experiments/1", "/?a=b#/experiments/1"},
		{"UTF-8", "/ä", "/%C3%A4"},
		{"empty", "", "/"},
		{"no slash", "a", "/"},
		{"scheme", "https://evil.example", "/"},
		{"scheme without slashes", "https:evil.example", "/"},
		{"script", "javascript:alert(1)", "/"},
		{"host", "//evil.example", "/"},
		{"three slashes", "///evil.example", "/"},
		{"four slashes", "////evil.example", "/"},
		{"backslash is a slash to browsers", `/\evil.example`, "/"},
		{"two backslashes", `\\evil.example`, "/"},
		{"slash, slash, backslash", `//\evil.example`, "/"},
		{"browsers drop a tab", "/\t/evil.example", "/"},
		{"browsers drop a newline", "/\n/evil.example", "/"},
		{"a space ahead", " //evil.example", "/"},
		{"encoded slash", "/%2f/evil.example", "/"},
		{"encoded slash first", "/%2fevil.example", "/"},
		{"encoded backslash", "/%5cevil.example", "/"},
		{"encoded tab", "/%09/evil.example", "/"},
		{"header injection", "/a%0d%0aSet-Cookie:x=y", "/"},
		{"NUL", "/a%00", "/"},
		{"raw header injection", "/a\r\nSet-Cookie: x=y", "/"},
		{"wrong encoding", "/a%zz", "/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := httpx.LocalPath(c.to); got != c.want {
				t.Errorf("LocalPath(%q) = %q, want %q", c.to, got, c.want)
			}
		})
	}
}

// Whatever comes in, a browser resolves what comes out against the page's own origin, and the answer is stable.
func FuzzLocalPath(f *testing.F) {
	for _, seed := range []string{"/", "/a?b#c", "//evil", `/\evil`, "/%2f/evil", "/%09/evil", "/./\t/evil", "https:evil", "/a:b//c", "/?//x", "/%5c%5cx"} {
		f.Add(seed)
	}
	base, _ := url.Parse("https://gateway.example/login")
	f.Fuzz(func(t *testing.T, to string) {
		got := httpx.LocalPath(to)
		u, err := base.Parse(got)
		if err != nil || u.Scheme != "https" || u.Host != "gateway.example" || u.User != nil {
			t.Fatalf("LocalPath(%q) = %q leads to %v, %v", to, got, u, err)
		}
		if !strings.HasPrefix(got, "/") || len(got) > 1 && strings.ContainsAny(got[1:2], `/\`) || strings.ContainsAny(got, "\r\n\t\x00\\") {
			t.Errorf("LocalPath(%q) = %q", to, got)
		}
		if again := httpx.LocalPath(got); again != got {
			t.Errorf("LocalPath(%q) = %q, and then %q", to, got, again)
		}
	})
}

func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{"localhost": true, "127.0.0.1": true, "127.9.9.9": true, "::1": true, "": false, "10.0.0.1": false,
		"localhost.evil.example": false, "127.0.0.1.evil.example": false, "0.0.0.0": false} {
		if got := httpx.Loopback(host); got != want {
			t.Errorf("Loopback(%q) = %v", host, got)
		}
	}
}

// A page's script hears that nobody is signed in, and a program how to sign in.
func TestChallenges(t *testing.T) {
	for mode, want := range map[string][]string{"": {`Basic realm="mlflow"`, `Bearer realm="mlflow"`}, "cors": {`Bearer realm="mlflow"`}, "same-origin": {`Bearer realm="mlflow"`}} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if mode != "" {
			r.Header.Set("Sec-Fetch-Mode", mode)
		}
		if diff := cmp.Diff(want, httpx.Challenges(r)); diff != "" {
			t.Errorf("%s: %s", mode, diff)
		}
	}
}
