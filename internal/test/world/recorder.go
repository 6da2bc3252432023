package world

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"slices"
	"sync"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
)

// Call is one request that reached MLflow.
type Call struct {
	Method, Path string
	// Forwarded is true for a client's request, and false for what the gateway asked on its own behalf.
	Forwarded bool
}

// Recorder stands between the gateway and MLflow and notes every request.
type Recorder struct {
	URL string

	mu     sync.Mutex
	calls  []Call
	refuse bool
}

// Refused is what a client's request is answered with while the recorder refuses: the gateway let it through.
const Refused = http.StatusTeapot

// NewRecorder starts a recorder before an MLflow server.
func NewRecorder(t testing.TB, mlflow *mlflowtest.Server) *Recorder {
	t.Helper()
	r := &Recorder{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = "http", "localhost"
			p.Out.Header["X-Forwarded-For"] = p.In.Header["X-Forwarded-For"]
		},
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", mlflow.Socket)
		}},
		FlushInterval: -1,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if r.note(request) {
			w.WriteHeader(Refused)
			return
		}
		_ = http.NewResponseController(w).EnableFullDuplex() // or an answer that begins before the body was read to its end is lost
		proxy.ServeHTTP(w, request)
	}))
	t.Cleanup(server.Close)
	r.URL = server.URL
	return r
}

func (r *Recorder) note(request *http.Request) (refuse bool) {
	call := Call{request.Method, request.URL.Path, request.Header.Get("X-Forwarded-For") != ""}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, call)
	return r.refuse && call.Forwarded
}

// Refuse makes the recorder answer clients' requests itself, so that none has an effect; look-ups go through.
func (r *Recorder) Refuse() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = true
}

// Pass makes the recorder hand clients' requests on again.
func (r *Recorder) Pass() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = false
}

// Calls gives what has come since the last time it was asked.
func (r *Recorder) Calls() []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := r.calls
	r.calls = nil
	return calls
}

// Forwarded gives the clients' requests among what has come since the last time it was asked.
func (r *Recorder) Forwarded() []Call {
	return slices.DeleteFunc(r.Calls(), func(c Call) bool { return !c.Forwarded })
}
