package gateway_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// TestSlowAndHugeRequests holds connections open with requests that never come to their end, or have none in sight.
func TestSlowAndHugeRequests(t *testing.T) {
	s := &scene{World: world.New(t, mlflowtest.Shared(t).Address, map[string]string{"REQUEST_TIMEOUT_SECONDS": "1", "MAX_JSON_BODY_BYTES": "100000"})}
	s.thief = s.Person(t, "thief", world.Members)
	s.thiefs = s.thief.MakeWork(t)
	login := "Authorization: " + s.thief.Request(t, "GET", "/", nil).Header.Get("Authorization") + "\r\n"
	const post = "POST /api/2.0/mlflow/runs/search HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\n"
	for name, c := range map[string]struct {
		raw  string
		want int // 0: closed without an answer
	}{
		"nothing":                         {"", 0},
		"half a first line":               {"GET /ver", http.StatusBadRequest},
		"headers without an end":          {"GET /version HTTP/1.1\r\nHost: g\r\n", 0},
		"half a body":                     {post + login + "Content-Length: 100\r\n\r\n{", http.StatusBadRequest},
		"half a chunk":                    {post + login + "Transfer-Encoding: chunked\r\n\r\n64\r\n{", http.StatusBadRequest},
		"half a body of nobody":           {post + "Content-Length: 100\r\n\r\n{", http.StatusUnauthorized},
		"half a body for no route":        {"POST /no/such HTTP/1.1\r\nHost: g\r\nContent-Length: 100\r\n\r\n{", http.StatusForbidden},
		"a header of 100 kB":              {"GET /version HTTP/1.1\r\nHost: g\r\nX-A: " + strings.Repeat("a", 100_000) + "\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge},
		"10,000 headers":                  {"GET /version HTTP/1.1\r\nHost: g\r\n" + strings.Repeat("X-A: b\r\n", 10_000) + "\r\n", http.StatusRequestHeaderFieldsTooLarge},
		"a path of 100 kB":                {"GET /" + strings.Repeat("a", 100_000) + " HTTP/1.1\r\nHost: g\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge},
		"a body beyond the limit":         {post + login + "Connection: close\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat(" ", 200_000), http.StatusRequestEntityTooLarge},
		"an announced body of 1 EB":       {post + login + "Content-Length: 1152921504606846976\r\n\r\n" + strings.Repeat(" ", 200_000), http.StatusRequestEntityTooLarge},
		"chunks without an end":           {post + login + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("400\r\n"+strings.Repeat(" ", 1024)+"\r\n", 200), http.StatusRequestEntityTooLarge},
		"a chunk's extension without end": {post + login + "Transfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("a", 1<<20), http.StatusBadRequest},
		"trailers without an end":         {post + login + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("X-A: b\r\n", 200_000), http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			statuses := s.wire(t, c.raw)
			if c.want == 0 && len(statuses) > 0 || c.want > 0 && (len(statuses) != 1 || statuses[0] != c.want) {
				t.Errorf("answered %v, want %d and then the end", statuses, c.want)
			}
		})
	}
}

// TestStreamsMayTakeLongerThanRequests uploads and reads an artifact more slowly than a request may come.
func TestStreamsMayTakeLongerThanRequests(t *testing.T) {
	s := &scene{World: world.New(t, mlflowtest.Shared(t).Address, map[string]string{"REQUEST_TIMEOUT_SECONDS": "1"})}
	ann := s.Person(t, "ann", world.Members)
	target := "/api/2.0/mlflow-artifacts/artifacts/" + ann.MakeWork(t).Artifacts + "/large.bin"
	const size = 32 << 20 // more than the sockets between hold
	body, pieces := io.Pipe()
	go func() {
		_, _ = io.CopyN(pieces, zeros{}, size/2)
		s.wire(t, "GET /slow") // ends when the time of a request is over
		_, _ = io.CopyN(pieces, zeros{}, size/2)
		_ = pieces.Close()
	}()
	upload := ann.Request(t, "PUT", target, "")
	upload.Body, upload.ContentLength = body, size
	if got := ann.Send(t, upload); got.Status != http.StatusOK {
		t.Fatalf("the upload was answered with %d %s", got.Status, got.Body)
	}
	answer, err := ann.HTTP.Do(ann.Request(t, "GET", target, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	s.wire(t, "GET /slow")
	if n, err := io.Copy(io.Discard, answer.Body); n != size || err != nil {
		t.Errorf("%d bytes came, and %v", n, err)
	}
}
