package httpx_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

// received reads header lines as the server does.
func received(t *testing.T, lines ...string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("POST / HTTP/1.1\r\nHost: gateway\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Each of these could make MLflow, or a server in front of it, believe that someone else asks, from somewhere else.
func TestStripRequestRemovesClaims(t *testing.T) {
	for _, name := range []string{
		"Authorization", "authorization", "Proxy-Authorization", "Cookie", "X-MLflow-Authorization", "X-MLFLOW-WORKSPACE", "X-MLflow-Guardrail-Bypass",
		"X-Forwarded-For", "x-forwarded-for", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "X-Forwarded-User", "X-Forwarded-Email",
		"X-Forwarded-Groups", "X-Forwarded-Preferred-Username", "X-Forwarded-Access-Token", "X_Forwarded_For", "X-Forwarded_User", "x_mlflow_workspace",
		"Forwarded", "Via", "X-Real-IP", "True-Client-IP", "X-Client-IP", "X-Remote-User", "Remote-User", "Remote_User", "REMOTE_USER", "Remote-Groups",
		"X-Auth-Request-User", "X-Auth-Request-Email", "X-Authenticated-User", "X-Webauth-User", "X-User", "X-Email", "X-Groups", "Traceparent", "Tracestate", "Baggage",
		"X-Amzn-Oidc-Identity", "X-Amzn-Oidc-Data", "X-Goog-Authenticated-User-Email", "X-Goog-Iap-Jwt-Assertion",
		"Origin", "Referer", "Sec-Fetch-Site", "Access-Control-Request-Method",
		"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X_HTTP_METHOD_OVERRIDE", "X-Original-URL", "X-Rewrite-URL",
		"Connection", "Keep-Alive", "TE", "Trailer", "Upgrade", "Proxy-Connection",
	} {
		t.Run(name, func(t *testing.T) {
			r := received(t, name+": x")
			httpx.StripRequest(r.Header)
			if diff := cmp.Diff(http.Header{}, r.Header); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStripRequestKeepsTheRest(t *testing.T) {
	lines := []string{"Accept: */*", "Accept-Encoding: gzip", "Content-Type: application/json", "Range: bytes=0-1", "If-None-Match: x",
		"User-Agent: mlflow-python-client/3.17.2", "X-Request-Id: 7"}
	r, want := received(t, lines...), received(t, lines...).Header
	httpx.StripRequest(r.Header)
	if diff := cmp.Diff(want, r.Header); diff != "" {
		t.Error(diff)
	}
}

func TestCheckHeaders(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		ok    bool
	}{
		{"none", nil, true},
		{"method override", []string{"X-HTTP-Method-Override: DELETE"}, false},
		{"method override, another spelling", []string{"x-http-method: DELETE"}, false},
		{"method override, a third", []string{"X-Method-Override: DELETE"}, false},
		{"method override behind an empty one", []string{"X-HTTP-Method-Override:", "X-HTTP-Method-Override: DELETE"}, false},
		{"websocket", []string{"Connection: Upgrade", "Upgrade: websocket"}, false},
		{"cleartext HTTP/2", []string{"Upgrade: h2c"}, false},
		{"upgrade behind an empty one", []string{"Upgrade:", "Upgrade: h2c"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if problem := httpx.CheckHeaders(received(t, c.lines...)); (problem == "") != c.ok {
				t.Errorf("got %q", problem)
			}
		})
	}
}
