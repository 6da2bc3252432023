package policy_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
)

var update = flag.Bool("update", false, "write anew how MLflow routes requests (testdata/routing.jsonl)")

// routed is where MLflow leads a request: to a rule, whose parameters are {}, with their values; or to none, with a status.
type routed struct {
	Request string   `json:"request"` // method and target, as they are on the wire
	Rule    string   `json:"rule,omitempty"`
	Values  []string `json:"values,omitempty"`
	Status  int      `json:"status,omitempty"`
}

const record = "testdata/routing.jsonl"

// recorded is how the installed MLflow has routed the requests of the file.
func recorded(t testing.TB) map[string]routed {
	t.Helper()
	raw, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]routed{}
	for line := range bytes.Lines(raw) {
		var r routed
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		all[r.Request] = r
	}
	return all
}

// askMLflow says where uvicorn, Starlette and Flask lead a request.
func askMLflow(t testing.TB, request string) routed {
	t.Helper()
	said := mlflowtest.Read(t, []byte(request+" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n"))
	if len(said.Calls) != 1 || len(said.Status) != 1 {
		return routed{Request: request, Status: said.Status[0]}
	}
	call := said.Calls[0]
	r := routed{Request: request, Rule: call.Method + " " + parameters.ReplaceAllString(call.Rule, "{}")}
	for _, name := range parameters.FindAllString(call.Rule, -1) {
		r.Values = append(r.Values, call.Args[strings.Trim(name, "{}")])
	}
	return r
}

// forward reads a request as the gateway does: where it must lead, and the request that MLflow gets.
func forward(m *policy.Matcher, request string) (want routed, forwarded string, ok bool) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(request + " HTTP/1.1\r\nHost: gateway\r\n\r\n")))
	if err != nil {
		return want, "", false
	}
	path, err := httpx.CanonicalPath(r)
	if err != nil {
		return want, "", false
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	match, found := m.Match(r.Method, path.Decoded)
	if err != nil || !found || match.Route.Access == policy.Refused {
		return want, "", false
	}
	// upstream.Prepare makes the request of the same parts
	target := &url.URL{Path: path.Decoded, RawQuery: query.Encode()}
	forwarded = match.Route.Method + " " + target.RequestURI()
	rule := strings.Replace(match.Route.Path, "{namespace}/{slug}", "{name}", 1) // MLflow reads an MCP server's name as one
	want = routed{Request: forwarded, Rule: match.Route.Method + " " + parameters.ReplaceAllString(rule, "{}")}
	for _, name := range parameters.FindAllString(rule, -1) {
		value := match.Value(strings.Trim(name, "{*}"))
		if rule != match.Route.Path && name == "{name}" {
			value = match.Value("namespace") + "/" + match.Value("slug")
		}
		want.Values = append(want.Values, value)
	}
	return want, forwarded, true
}

// sample fills a row's parameters.
func sample(route *policy.Route) string {
	path := parameters.ReplaceAllStringFunc(route.Path, func(name string) string {
		if strings.HasSuffix(name, "*}") {
			return "2/run/artifacts/a.txt"
		}
		return "m-1"
	})
	return route.Method + " " + path
}

// traps are what servers read in more than one way, to be put somewhere into a path.
var traps = []string{"/", "//", "%2f", "%2F", "%252f", "%5c", `\`, ".", "..", "/.", "/..", "/./", "/../", "%2e", "%2E%2e", "%252e", "%25", "%2", "%zz", "%", "%00", "%0a", "%0d%0a",
	"%09", "%20", "%7f", "%C2%80", "%ff", "%C3%A4", "ä", "%E2%80%AE", "%EF%BC%8F", ";", ";a=b", "%3b", "+", "%2B", "?", "%3f", "#", "%23", "*", ":", "%3a", ":generateContent",
	"http://evil.example/", "@", "A", "%41", "~", "!", "$", "&", "'", "(", ")", "=", ",", "{x}", "<x>", "|", "^", "`", `"`, "[", "]", strings.Repeat("x", 3000)}

// edit changes a request: each two bytes of the edits say where and how.
func edit(request string, edits []byte) string {
	for len(edits) >= 2 && len(request) < 10_000 {
		at, how := int(edits[0])%(len(request)+1), int(edits[1])
		edits = edits[2:]
		switch {
		case how < len(traps):
			request = request[:at] + traps[how] + request[at:]
		case at == len(request):
		case how%5 == 0:
			request = request[:at] + request[at+1:]
		case how%5 == 1:
			request = request[:at] + strings.ToUpper(request[at:at+1]) + request[at+1:]
		case how%5 == 2:
			request = request[:at] + fmt.Sprintf("%%%02x", request[at]) + request[at+1:]
		case how%5 == 3:
			request = request[:at] + fmt.Sprintf("%%25%02x", request[at]) + request[at+1:]
		default:
			request = strings.Replace(request, "/api/", "/ajax-api/", 1)
		}
	}
	return request
}

func checkRouting(t *testing.T, m *policy.Matcher, request string, ask func(string) routed) {
	t.Helper()
	want, forwarded, ok := forward(m, request)
	if !ok {
		return
	}
	if diff := cmp.Diff(want, ask(forwarded)); diff != "" {
		t.Errorf("%q is decided as %q with %q, and forwarded as %q: %s", request, want.Rule, want.Values, forwarded, diff)
	}
}

// What is forwarded is led by MLflow's own servers to the rule that was decided on, with the same parameters: no path leads
// around its row.
func FuzzRoutedAsDecided(f *testing.F) {
	routes := policy.Routes()
	m, known := newMatcher(f, routes), recorded(f)
	askMLflow(f, "GET /") // starts it: within the fuzz function that would count as a hang
	for i := range routes {
		f.Add(uint16(i), []byte{}, "")
	}
	f.Add(uint16(0), []byte{}, "GET http://evil.example/api/2.0/mlflow/runs/get")
	f.Add(uint16(0), []byte{}, "HEAD /%61pi/2.0/mlflow/runs/get")
	f.Add(uint16(0), []byte{}, "OPTIONS *")
	f.Fuzz(func(t *testing.T, row uint16, edits []byte, request string) {
		if request == "" {
			request = sample(&routes[int(row)%len(routes)])
		}
		checkRouting(t, m, edit(request, edits), func(forwarded string) routed {
			if r, ok := known[forwarded]; ok {
				return r
			}
			return askMLflow(t, forwarded)
		})
	})
}

// variants are each row as it is, and rows with traps in them: a trap for each row in turn, and all of them for some.
func variants(routes []policy.Route) []string {
	var all []string
	for i := range routes {
		request := sample(&routes[i])
		all = append(all, request)
		hard := strings.Contains(request, "/api/") && (strings.HasSuffix(request, "/runs/get") || strings.Contains(request, "/artifacts/2/") ||
			strings.Contains(request, "/assessments/m-1")) || strings.Contains(request, "/gateway/gemini")
		for j, trap := range traps {
			if len(trap) > 100 || !hard && (j != i%len(traps) || strings.Contains(request, "/ajax-api/")) {
				continue
			}
			slash := strings.LastIndexByte(request, '/')
			all = append(all, request+trap, request[:slash]+trap+request[slash:], request[:slash+1]+trap+request[slash+1:])
		}
	}
	return all
}

// TestRoutedAsRecorded is the fuzz test's property, on answers of the installed MLflow that are kept in a file. Each row
// without a trap is accepted.
func TestRoutedAsRecorded(t *testing.T) {
	routes := policy.Routes()
	m := newMatcher(t, routes)
	if *update {
		writeRecord(t, m, variants(routes))
	}
	known := recorded(t)
	for request := range known {
		checkRouting(t, m, request, func(forwarded string) routed {
			if _, ok := known[forwarded]; !ok {
				t.Errorf("%q is forwarded as %q, which is not in the record: run this test with -update", request, forwarded)
			}
			return known[forwarded]
		})
	}
	for i := range routes {
		request := sample(&routes[i])
		if _, _, ok := forward(m, request); !ok && routes[i].Access != policy.Refused {
			t.Errorf("%s is not accepted", request)
		}
		if _, ok := known[request]; !ok {
			t.Errorf("%s is not in the record: run this test with -update", request)
		}
	}
}

func writeRecord(t *testing.T, m *policy.Matcher, requests []string) {
	t.Helper()
	all := map[string]bool{}
	for _, request := range requests {
		all[request] = true
		if _, forwarded, ok := forward(m, request); ok {
			all[forwarded] = true
		}
	}
	var b bytes.Buffer
	lines := json.NewEncoder(&b)
	lines.SetEscapeHTML(false)
	for _, request := range slices.Sorted(maps.Keys(all)) {
		if err := lines.Encode(askMLflow(t, request)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(record, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
