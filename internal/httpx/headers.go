package httpx

import (
	"net/http"
	"slices"
	"strings"
)

// stripped are the request headers that never reach MLflow: credentials, claims of an identity or an origin, and
// switches that change what a request means. Host and Origin of the outside would make MLflow refuse the request.
var stripped = map[string]bool{
	"Authorization": true, "Cookie": true, "Proxy-Authorization": true, "Proxy-Authenticate": true, "Proxy-Connection": true,
	"Origin": true, "Referer": true, "Forwarded": true, "Via": true, "X-Real-Ip": true, "X-Client-Ip": true, "True-Client-Ip": true,
	"X-Mlflow-Authorization": true, "X-Mlflow-Guardrail-Bypass": true, "X-Mlflow-Workspace": true,
	"X-Http-Method": true, "X-Http-Method-Override": true, "X-Method-Override": true, "X-Original-Url": true, "X-Rewrite-Url": true,
	"X-User": true, "X-Username": true, "X-Email": true, "X-Groups": true, "Remote-User": true, "X-Csrf-Token": true,
	// MLflow's own tracing goes on with the trace that is named here (W3C Trace Context), whosever it is.
	"Traceparent": true, "Tracestate": true, "Baggage": true,
	"Connection": true, "Keep-Alive": true, "Te": true, "Trailer": true, "Upgrade": true,
}

var strippedPrefixes = []string{"X-Forwarded-", "X-Remote-", "X-Auth-", "X-Authenticated-", "X-Webauth-", "Remote-", "Access-Control-", "Sec-", "X-Amzn-Oidc-", "X-Goog-"}

// StripRequest removes every header by which a client could claim to be someone or somewhere else. A name with an
// underscore goes as well: WSGI servers read X_Forwarded_For and X-Forwarded-For as one (GHSA-vjrc-mh2v-45x6).
func StripRequest(h http.Header) {
	for name := range h {
		if stripped[name] || strings.ContainsRune(name, '_') || hasPrefix(name, strippedPrefixes) {
			delete(h, name)
		}
	}
}

func hasPrefix(name string, prefixes []string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// CheckHeaders refuses requests that ask to be understood in another way than their first line says. Each value of a
// repeated header counts.
func CheckHeaders(r *http.Request) string {
	for _, name := range []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"} {
		if given(r.Header, name) {
			return "the header " + name + " is not supported"
		}
	}
	if given(r.Header, "Upgrade") {
		return "protocol upgrades are not supported"
	}
	return ""
}

func given(h http.Header, name string) bool {
	return slices.ContainsFunc(h[name], func(value string) bool { return strings.TrimSpace(value) != "" })
}
