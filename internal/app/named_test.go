package app_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/app"
)

// lines is a log at the level of production that several may write.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write keeps a line (io.Writer).
func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) log() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// index is out of range, so that a handler panics as a fault would have it.
func index(all []string, at int) string { return all[at] }

// A panic ends the request that it is in, visibly: the client is told, the log has where it was, and it is counted as a failure.
func TestPanicIsAFailureThatIsSeen(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		status  int // 0: the client sees that the answer is not whole
		told    []string
		quiet   bool // it is no panic
	}{
		"before the answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Set-Cookie", "session=half-made")
			w.Header().Set("Content-Length", "1000")
			_ = index(nil, 7)
		}, 500, []string{`requests_total{code="5xx",decision="undecided",method="GET",route="unmatched"} 1`, `answers_cut_total{by="server"} 0`}, false},
		"after an answer before the answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			_ = index(nil, 7)
		}, 500, []string{`requests_total{code="5xx",decision="undecided",method="GET",route="unmatched"} 1`}, false},
		"in the middle of the answer": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "the first half")
			_ = http.NewResponseController(w).Flush()
			_ = index(nil, 7)
		}, 0, []string{`requests_total{code="5xx",decision="undecided",method="GET",route="unmatched"} 1`, `answers_cut_total{by="server"} 1`}, false},
		"an answer that is broken off on purpose": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "the first half")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, 0, []string{`requests_total{code="2xx",decision="allowed",method="GET",route="unmatched"} 1`, `answers_cut_total{by="server"} 1`}, true},
	} {
		t.Run(name, func(t *testing.T) {
			log, around := &lines{}, map[string]http.Handler{}
			watched, metrics := app.Around(c.handler, log.log())
			around["watched"], around["not watched"] = watched, app.Named(c.handler, log.log())
			for how, handler := range around {
				before := len(log.String())
				server := httptest.NewServer(handler)
				server.Config.ErrorLog = app.ServerLog(log.log())
				answer, err := http.Get(server.URL + "/secret-path?token=hunter2")
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(answer.Body)
				_ = answer.Body.Close()
				server.Close() // the handler is at its end
				if c.status == 0 && err == nil || c.status > 0 && (answer.StatusCode != c.status || err != nil || !strings.Contains(string(body), `"INTERNAL_ERROR"`)) {
					t.Errorf("%s: answered %d %s %v", how, answer.StatusCode, body, err)
				}
				if answer.Header.Get("Set-Cookie") != "" || answer.Header.Get("X-Request-Id") == "" || strings.Contains(string(body), "out of range") {
					t.Errorf("%s: answered with %v %s", how, answer.Header, body)
				}
				said := log.String()[before:]
				if loud := strings.Contains(said, "level=ERROR msg=\"a request panicked\"") && strings.Contains(said, "named_test.go") &&
					strings.Contains(said, "out of range") && strings.Contains(said, "request="+answer.Header.Get("X-Request-Id")); loud == c.quiet {
					t.Errorf("%s: the log says %s", how, said)
				}
				if strings.Contains(said, "hunter2") || strings.Contains(said, "superfluous") || c.quiet && strings.Contains(said, "ERROR") {
					t.Errorf("%s: the log says %s", how, said)
				}
			}
			recorder := httptest.NewRecorder()
			metrics.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/metrics", nil))
			for _, line := range append(c.told, "requests_in_flight 0") {
				if !strings.Contains(recorder.Body.String(), "mlflow_oidc_auth_"+line+"\n") {
					t.Errorf("%s is not told in %s", line, recorder.Body)
				}
			}
		})
	}
}

// crowded is a listener that at first has too many open files.
type crowded struct {
	net.Listener
	failed bool
}

type temporary struct{ error }

// Temporary says that the listener is worth asking again (net.Error).
func (temporary) Temporary() bool { return true }

// Timeout says that nothing took too long (net.Error).
func (temporary) Timeout() bool { return false }

// Accept fails the first time (net.Listener).
func (c *crowded) Accept() (net.Conn, error) {
	if !c.failed {
		c.failed = true
		return nil, temporary{errors.New("too many open files")}
	}
	return nil, net.ErrClosed
}

// What keeps people from coming is seen in the log; what clients do on their connections is not.
func TestServerThatCannotAcceptSaysSo(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	log := &lines{}
	server := &http.Server{ErrorLog: app.ServerLog(log.log()), Handler: http.NotFoundHandler(), ReadHeaderTimeout: 1}
	if err := server.Serve(&crowded{Listener: listener}); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if said := log.String(); !strings.Contains(said, "level=WARN") || !strings.Contains(said, "too many open files") {
		t.Errorf("the log says %q", said)
	}
	before := log.String()
	for _, line := range []string{"http: TLS handshake error from 10.0.0.1:4711: EOF", "http: superfluous response.WriteHeader call"} {
		server.ErrorLog.Print(line)
	}
	if log.String() != before {
		t.Errorf("the log says %q", log.String())
	}
	server.ErrorLog.Print("http: panic serving 10.0.0.1:4711: boom")
	if !strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("the log says %q", log.String())
	}
}
