package gateway_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// wire writes bytes to the gateway's own port and gives the status of each answer until the connection is closed.
func (s *scene) wire(t *testing.T, raw string) (statuses []int) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil { // for a test that fails; none waits for it
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(conn, raw) }() // the gateway may close before it has read all
	answers := bufio.NewReader(conn)
	for {
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
				t.Errorf("the connection is neither answered nor closed, after %v", statuses)
			}
			return statuses
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusContinue {
			statuses = append(statuses, answer.StatusCode)
		}
	}
}

// TestSmuggleARequest writes what two servers could cut into requests differently. MLflow gets those that were decided on, one
// each, and never the hidden one. Behind each stands one more request: where it is answered, the connection was not in doubt.
func TestSmuggleARequest(t *testing.T) {
	s := newScene(t)
	login := s.thief.Request(t, "GET", "/", nil).Header.Get("Authorization")
	search := fmt.Sprintf(`{"experiment_ids":["%s"]}`, s.thiefs.Experiment)
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(search), search)
	length := fmt.Sprintf("Content-Length: %d\r\n", len(search))
	const post, version = "POST /api/2.0/mlflow/runs/search HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\nAUTH", "GET /version HTTP/1.1\r\nHost: g\r\nAUTH"
	const hidden, last = "GET /static-files/hidden HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 127.0.0.1\r\n\r\n", "GET /health/live HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n"
	const te = "Transfer-Encoding: chunked\r\n"
	const searched, asked = "POST /api/2.0/mlflow/runs/search", "GET /version"
	for name, c := range map[string]struct {
		raw       string
		statuses  []int
		forwarded []string
	}{
		"one length":                      {post + length + "\r\n" + search + last, []int{200, 200}, []string{searched}},
		"chunks":                          {post + te + "\r\n" + chunked + last, []int{200, 200}, []string{searched}},
		"the same length twice":           {post + length + length + "\r\n" + search + last, []int{200, 200}, []string{searched}},
		"the same length, as a list":      {post + fmt.Sprintf("Content-Length: %d, %d\r\n\r\n", len(search), len(search)) + search + last, []int{400}, nil},
		"two lengths, the longer first":   {post + fmt.Sprintf("Content-Length: %d\r\n", len(search)+len(hidden)) + length + "\r\n" + search + hidden + last, []int{400}, nil},
		"two lengths, the shorter first":  {post + length + fmt.Sprintf("Content-Length: %d\r\n", len(search)+len(hidden)) + "\r\n" + search + hidden + last, []int{400}, nil},
		"a negative length":               {post + "Content-Length: -1\r\n\r\n" + search + hidden, []int{400}, nil},
		"a length with a sign":            {post + fmt.Sprintf("Content-Length: +%d\r\n\r\n", len(search)) + search + hidden, []int{400}, nil},
		"a hexadecimal length":            {post + "Content-Length: 0x1d\r\n\r\n" + search + hidden, []int{400}, nil},
		"a length beyond 64 bits":         {post + "Content-Length: 18446744073709551617\r\n\r\n" + search + hidden, []int{400}, nil},
		"a length with NUL":               {post + "Content-Length: 2\x009\r\n\r\n" + search + hidden, []int{400}, nil},
		"a length of another name":        {post + strings.Replace(length, "-", "_", 1) + te + "\r\n" + chunked + last, []int{200, 200}, []string{searched}},
		"length against chunks (CL.TE)":   {post + fmt.Sprintf("Content-Length: %d\r\n", len(chunked)+len(hidden)) + te + "\r\n" + chunked + hidden + last, []int{200, 401, 200}, []string{searched}},
		"chunks against length (TE.CL)":   {post + te + "Content-Length: 4\r\n\r\n" + chunked + last, []int{200, 200}, []string{searched}},
		"chunked, identity":               {post + "Transfer-Encoding: chunked, identity\r\n" + length + "\r\n" + search + hidden, []int{501}, nil},
		"identity":                        {post + "Transfer-Encoding: identity\r\n" + length + "\r\n" + search + hidden, []int{501}, nil},
		"gzip, chunked":                   {post + "Transfer-Encoding: gzip, chunked\r\n" + length + "\r\n" + search + hidden, []int{501}, nil},
		"xchunked":                        {post + "Transfer-Encoding: xchunked\r\n" + length + "\r\n" + search + hidden, []int{501}, nil},
		"quoted chunked":                  {post + "Transfer-Encoding: \"chunked\"\r\n" + length + "\r\n" + search + hidden, []int{501}, nil},
		"chunked in upper case":           {post + "Transfer-Encoding: CHUNKED\r\n\r\n" + chunked + last, []int{200, 200}, []string{searched}},
		"chunked behind spaces":           {post + "Transfer-Encoding:  \tchunked \r\n\r\n" + chunked + last, []int{200, 200}, []string{searched}},
		"chunked behind a vertical tab":   {post + "Transfer-Encoding: \x0bchunked\r\n" + length + "\r\n" + search + hidden, []int{400}, nil},
		"chunked twice":                   {post + te + te + length + "\r\n" + search + hidden, []int{501}, nil},
		"chunked and empty":               {post + te + "Transfer-Encoding: \r\n" + length + "\r\n" + search + hidden, []int{501}, nil},
		"a space before the colon":        {post + "Transfer-Encoding : chunked\r\n" + length + "\r\n" + search + hidden, []int{400}, nil},
		"a folded header":                 {post + "X-Folded: a\r\n Transfer-Encoding: chunked\r\n" + length + "\r\n" + search + last, []int{200, 200}, []string{searched}},
		"folded chunked":                  {post + "Transfer-Encoding:\r\n chunked\r\n\r\n" + chunked + last, []int{200, 200}, []string{searched}},
		"the first line folded":           {"GET /version HTTP/1.1\r\n Host: g\r\nAUTH\r\n" + hidden, []int{400}, nil},
		"bare line feeds":                 {strings.ReplaceAll(post+length+"\r\n", "\r\n", "\n") + search + last, []int{200, 200}, []string{searched}},
		"a bare carriage return":          {post + "X-A: b\rTransfer-Encoding: chunked\r\n" + length + "\r\n" + search + hidden, []int{400}, nil},
		"NUL in a value":                  {version + "X-A: a\x00b\r\n\r\n" + hidden, []int{400}, nil},
		"NUL in a name":                   {version + "X\x00A: b\r\n\r\n" + hidden, []int{400}, nil},
		"no colon":                        {version + "X-A\r\n\r\n" + hidden, []int{400}, nil},
		"no name":                         {version + ": a\r\n\r\n" + hidden, []int{400}, nil},
		"a chunk with an extension":       {post + te + "\r\n" + strings.Replace(chunked, "\r\n", ";a=\"b\"\r\n", 1) + last, []int{200, 200}, []string{searched}},
		"an extension with a line feed":   {post + te + "\r\n" + strings.Replace(chunked, "\r\n", ";\nxx\r\n", 1) + hidden, []int{400}, nil},
		"a chunk's size beyond 64 bits":   {post + te + "\r\n" + "10000000000000000" + strings.TrimLeft(chunked, "0123456789abcdef") + hidden, []int{400}, nil},
		"a negative chunk":                {post + te + "\r\n-" + chunked + hidden, []int{400}, nil},
		"a chunk's size with 0x":          {post + te + "\r\n0x" + chunked + hidden, []int{400}, nil},
		"a chunk longer than it says":     {post + te + "\r\n" + strings.Replace(chunked, "\r\n0\r\n", "}\r\n0\r\n", 1) + hidden, []int{400}, nil},
		"chunks without an end":           {post + te + "\r\n" + strings.TrimSuffix(chunked, "0\r\n\r\n") + hidden, []int{400}, nil},
		"a trailer that claims a user":    {post + te + "Trailer: X-Forwarded-User\r\n\r\n" + strings.TrimSuffix(chunked, "\r\n") + "X-Forwarded-User: admin\r\n\r\n" + last, []int{200, 200}, []string{searched}},
		"a trailer with a length":         {post + te + "\r\n" + strings.TrimSuffix(chunked, "\r\n") + "Content-Length: 0\r\n\r\n" + last, []int{200, 200}, []string{searched}},
		"a body with GET":                 {version + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(hidden)) + hidden + last, []int{400, 200}, nil},
		"a body behind a refused path":    {"POST /no/such HTTP/1.1\r\nHost: g\r\nAUTH" + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(hidden)) + hidden + last, []int{403, 200}, nil},
		"a body behind nobody's request":  {"POST /api/2.0/mlflow/runs/search HTTP/1.1\r\nHost: g\r\n" + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(hidden)) + hidden + last, []int{401, 200}, nil},
		"a large body behind a refusal":   {"POST /no/such HTTP/1.1\r\nHost: g\r\nAUTHContent-Length: 400000\r\n\r\n" + strings.Repeat("x", 400000) + hidden, []int{403}, nil},
		"one more behind a refused one":   {"GET /api//x HTTP/1.1\r\nHost: g\r\nAUTH\r\n" + version + "\r\n" + last, []int{400, 200, 200}, []string{asked}},
		"one more behind a malformed one": {"GET  /version HTTP/1.1\r\nHost: g\r\nAUTH\r\n" + hidden + last, []int{400}, nil},
		"another host in the first line":  {strings.Replace(version, "/version", "http://evil.example/version", 1) + "\r\n" + last, []int{200, 200}, []string{asked}},
		"a user in the first line":        {strings.Replace(version, "/version", "http://admin:x@g/version", 1) + "\r\n" + last, []int{200, 200}, []string{asked}},
		"another scheme":                  {strings.Replace(version, "/version", "file:///etc/passwd", 1) + "\r\n" + last, []int{403, 200}, nil},
		"no path":                         {strings.Replace(version, "/version", "version", 1) + "\r\n" + hidden, []int{400}, nil},
		"two hosts":                       {version + "Host: evil.example\r\n\r\n" + hidden, []int{400}, nil},
		"no host":                         {"GET /version HTTP/1.1\r\nAUTH\r\n" + hidden, []int{400}, nil},
		"a host with a path":              {strings.Replace(version, "Host: g", "Host: g/x", 1) + "\r\n" + hidden, []int{400}, nil},
		"CONNECT":                         {"CONNECT localhost:5000 HTTP/1.1\r\nHost: g\r\nAUTH\r\n" + hidden + last, []int{400, 401, 200}, nil},
		"OPTIONS *":                       {"OPTIONS * HTTP/1.1\r\nHost: g\r\nAUTH\r\n" + last, []int{200, 200}, nil},
		"HTTP/1.0 with chunks":            {strings.Replace(post, "1.1", "1.0", 1) + te + "\r\n" + chunked + hidden, []int{400}, nil},
		"HTTP/1.0, kept alive":            {strings.Replace(post, "1.1", "1.0", 1) + te + "Connection: keep-alive\r\n\r\n" + chunked + hidden, []int{400, 400}, nil},
		"HTTP/0.9":                        {"GET /version\r\n\r\n" + hidden, []int{400}, nil},
		"HTTP/1.2":                        {strings.Replace(version, "1.1", "1.2", 1) + "\r\n" + last, []int{200, 200}, []string{asked}},
		"HTTP/2 without TLS":              {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + hidden, []int{400}, nil},
		"an upgrade to HTTP/2":            {version + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n" + last, []int{400, 200}, nil},
		"a websocket":                     {version + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n" + hidden + last, []int{400, 401, 200}, nil},
		"tabs in the first line":          {"GET\t/version\tHTTP/1.1\r\nHost: g\r\nAUTH\r\n" + hidden, []int{400}, nil},
		"a tab in the path":               {"GET /ver\tsion HTTP/1.1\r\nHost: g\r\nAUTH\r\n" + hidden, []int{400}, nil},
		"a space in the path":             {"GET /version x HTTP/1.1\r\nHost: g\r\nAUTH\r\n" + hidden, []int{400}, nil},
		"NUL in the path":                 {"GET /version\x00 HTTP/1.1\r\nHost: g\r\nAUTH\r\n" + hidden, []int{400}, nil},
		"a line feed by the query":        {strings.Replace(version, "/version", "/version?a=%0d%0a%0d%0aGET%20/static-files/hidden%20HTTP/1.1", 1) + "\r\n" + last, []int{200, 200}, []string{asked}},
		"a line feed by the path":         {strings.Replace(version, "/version", "/static-files/x%20HTTP/1.1%0d%0a%0d%0aGET%20/static-files/hidden", 1) + "\r\n" + last, []int{400, 200}, nil},
		"an expectation":                  {post + length + "Expect: 100-continue\r\n\r\n" + search + last, []int{200, 200}, []string{searched}},
		"another expectation":             {post + length + "Expect: hidden\r\n\r\n" + search + hidden, []int{417}, nil},
		"hop-by-hop headers of one's own": {version + "Connection: X-Forwarded-For, Host, Authorization\r\n\r\n" + last, []int{200, 200}, []string{asked}},
		"an empty line in front":          {"\r\n" + version + "\r\n" + hidden, []int{400}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s.recorder.Calls()
			statuses := s.wire(t, strings.ReplaceAll(c.raw, "AUTH", "Authorization: "+login+"\r\n"))
			if diff := cmp.Diff(c.statuses, statuses); diff != "" {
				t.Errorf("the answers differ: %s", diff)
			}
			var forwarded []string
			for _, call := range s.recorder.Calls() {
				if strings.Contains(call.Path, "hidden") {
					t.Errorf("the hidden request reached MLflow: %v", call)
				}
				if call.Forwarded {
					forwarded = append(forwarded, call.Method+" "+call.Path)
				} else if slices.Contains(c.forwarded, call.Method+" "+call.Path) {
					t.Errorf("a request reached MLflow without the client's address: %v", call)
				}
			}
			if diff := cmp.Diff(c.forwarded, forwarded); diff != "" {
				t.Errorf("MLflow got other requests than were decided on: %s", diff)
			}
		})
	}
}
