// Package upstream reaches MLflow: the reverse proxy, its transport, and look-ups through MLflow's own REST API.
package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// Options configure the way to MLflow.
type Options struct {
	Address        string // http://host:port, https://host or unix:///path/to/socket; a path behind a host is the prefix
	SocketPrefix   string // the path under which MLflow serves everything, where the address is a socket's; "" for none
	ConnectTimeout time.Duration
	Workspaces     bool // every request is in a workspace, which its context names
	Log            *slog.Logger
	Watch          Watcher                           // nil: nobody is told of requests to MLflow
	Cached         func(cache string) func(hit bool) // gives what is told of each look-up in a memory; nil: nobody
}

// Caches are the names of what is remembered of MLflow's answers.
func Caches() []string { return []string{cacheOwned, cacheNames, cacheKinds} }

const (
	cacheOwned = "mlflow_owners" // to which experiment runs, traces and the like belong
	cacheNames = "mlflow_names"  // of experiments
	cacheKinds = "mlflow_kinds"  // of names of the model registry
)

// MLflow is one MLflow server, which is reached through the gateway alone.
type MLflow struct {
	base       *url.URL // what requests are addressed to; for a socket its host is localhost
	transport  *transport
	asking     http.RoundTripper // the same, for the gateway's own requests
	proxy      *httputil.ReverseProxy
	log        *slog.Logger
	workspaces bool
	lookups
	indexes *indexes
}

// New prepares the way to MLflow; it does not connect yet.
func New(o Options) (*MLflow, error) {
	base, err := url.Parse(o.Address)
	if err != nil {
		return nil, fmt.Errorf("parsing the upstream's address: %w", err)
	}
	dialer := &net.Dialer{Timeout: o.ConnectTimeout, KeepAlive: 30 * time.Second}
	dial := dialer.DialContext
	switch base.Scheme {
	case "http", "https":
		if base.Host == "" || base.User != nil || base.RawQuery != "" {
			return nil, fmt.Errorf("upstream address %q must have the form http://host:port", base.Redacted())
		}
	case "unix":
		socket := base.Path
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}
		// MLflow's host check knows localhost (mlflow/server/security_utils.py), and a socket has no host of its own.
		base = &url.URL{Scheme: "http", Host: "localhost", Path: o.SocketPrefix}
	default:
		return nil, fmt.Errorf("upstream address %q must start with http://, https:// or unix://", base.Redacted())
	}
	if base.Path, err = httpx.ParsePrefix(base.Path); err != nil {
		return nil, fmt.Errorf("upstream address %q: %w", base.Redacted(), err)
	}
	m := &MLflow{base: base, log: o.Log, workspaces: o.Workspaces, transport: newTransport(&http.Transport{
		DialContext:           dial,
		MaxIdleConns:          256,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       4 * time.Second, // uvicorn closes an idle connection after 5 s; ours must go first
		DisableCompression:    true,            // what the client asked for is what it gets
		WriteBufferSize:       64 << 10,
		ReadBufferSize:        64 << 10,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
	})}
	var forwarding http.RoundTripper = m.transport
	if m.asking = forwarding; o.Watch != nil {
		m.asking, forwarding = &watched{m.transport, o.Watch, false}, &watched{m.transport, o.Watch, true}
	}
	if m.lookups, err = newLookups(m, o.Cached); err != nil {
		return nil, err
	}
	if m.indexes, err = newIndexes(m); err != nil {
		return nil, err
	}
	m.proxy = &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) { // Prepare has made the request already; this one header is dropped before
			p.Out.Header["X-Forwarded-For"] = p.In.Header["X-Forwarded-For"]
		},
		Transport:     forwarding,
		FlushInterval: -1, // streams stay streams
		BufferPool:    newBuffers(),
		ErrorLog:      slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
		ErrorHandler:  m.failed,
	}
	return m, nil
}

// Prefix is the path under which MLflow serves everything, and so the gateway too; "" for none.
func (m *MLflow) Prefix() string { return m.base.Path }

// onePiece is the length in bytes up to which an answer of known length is sent in one piece, when it is complete. Flushing
// it would cost a goroutine and a second write for nothing.
const onePiece = 2 << 10

// Forward sends a prepared request to MLflow and streams the answer back. When modify is given it sees the answer before
// any of it is sent, and its error becomes the answer instead.
func (m *MLflow) Forward(w http.ResponseWriter, r *http.Request, modify func(*http.Response) error) {
	if r.ContentLength != 0 {
		// Otherwise the server takes the body away as soon as the answer begins (net/http, ResponseController.EnableFullDuplex),
		// and the transport, which reads a body to its end after all of it is sent, then drops the connection and the answer.
		_ = http.NewResponseController(w).EnableFullDuplex() // HTTP/2 has it without being asked
	}
	proxy, head := *m.proxy, w.Header()
	name, secured := head[httpx.RequestID], head[transportSecurity]
	proxy.ModifyResponse = func(answer *http.Response) error {
		m.cleanAnswer(answer)
		restore(head, httpx.RequestID, name) // an answer before the answer (1xx) has taken away what was there (httputil.ReverseProxy)
		restore(head, transportSecurity, secured)
		if answer.ContentLength >= 0 && answer.ContentLength <= onePiece {
			proxy.FlushInterval = 0
		}
		if modify != nil {
			return modify(answer)
		}
		return nil
	}
	proxy.ServeHTTP(w, r)
}

const transportSecurity = "Strict-Transport-Security"

func restore(head http.Header, name string, values []string) {
	if values != nil {
		head[name] = values
	}
}

// Prepare makes the request that goes to MLflow: the canonical path and query, the upstream's own host, and none of the
// client's headers that could claim an identity, an origin or a workspace: that is the one of the context. The two requests share what neither changes;
// Forward copies the values of headers before any of them is.
func (m *MLflow) Prepare(r *http.Request, path httpx.Path, query url.Values, client string) *http.Request {
	out := r.WithContext(r.Context())
	out.Header = maps.Clone(r.Header)
	out.URL = &url.URL{Scheme: m.base.Scheme, Host: m.base.Host, Path: m.base.Path + path.Decoded, RawQuery: query.Encode()}
	out.Host = m.base.Host
	out.RequestURI = ""
	out.Trailer = nil // headers behind the body would be seen by none of the checks
	httpx.StripRequest(out.Header)
	out.Header["X-Forwarded-For"] = []string{client}
	if name := workspace.Of(r.Context()).Name; name != "" {
		out.Header[workspace.Header] = []string{name}
	}
	return out
}

// cleanAnswer removes from an answer what only the gateway may say: cookies, the request's name, how long to come by TLS alone, origins
// that may read it, and addresses of the upstream itself.
func (m *MLflow) cleanAnswer(answer *http.Response) {
	h := answer.Header
	h.Del("Set-Cookie")
	h.Del("Server")
	h.Del(httpx.RequestID)
	h.Del(transportSecurity)
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			delete(h, name)
		}
	}
	if location := h.Get("Location"); location != "" {
		if u, err := url.Parse(location); err == nil && u.Host == m.base.Host {
			u.Scheme, u.Host = "", "" // the path has MLflow's prefix, which is the gateway's as well
			h.Set("Location", u.String())
		}
	}
}

func (m *MLflow) failed(w http.ResponseWriter, r *http.Request, err error) {
	var coded *errs.Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &coded):
	case errors.As(err, &tooLarge):
		err = errs.New(errs.TooLarge, "the body is larger than the limit of %d bytes", tooLarge.Limit)
	default:
		err = errs.Wrap(errs.BadGateway, err, "MLflow cannot be reached; try again shortly")
	}
	httpx.WriteError(w, r, m.log, err)
}

// Healthy asks MLflow's own health endpoint.
func (m *MLflow) Healthy(ctx context.Context) error {
	_, err := m.about(ctx, "/health")
	return err
}

// Version asks MLflow for its version. The text is MLflow's own.
func (m *MLflow) Version(ctx context.Context) (string, error) {
	said, err := m.about(ctx, "/version")
	return strings.TrimSpace(string(said)), err
}

// about asks what older versions of MLflow serve at the root even where they have a prefix for all else (measured: 2.22.0, 3.5.0).
func (m *MLflow) about(ctx context.Context, path string) ([]byte, error) {
	if m.workspaces && workspace.Of(ctx).Name == "" {
		ctx = workspace.In(ctx, workspace.Scope{Name: kind.DefaultWorkspace})
	}
	said, err := m.call(ctx, http.MethodGet, path, nil, nil, 1<<16)
	if m.base.Path != "" && errs.Is(err, errs.NotFound) {
		return m.exchange(ctx, http.MethodGet, path, nil, nil, 1<<16)
	}
	return said, err
}

// Host is the name by which the gateway calls MLflow, with the port where the address has one.
func (m *MLflow) Host() string { return m.base.Host }

// Searches asks MLflow's API for an experiment. MLflow tells its health and its version whatever host it is called by; for all else it
// looks at the host, and at its database.
func (m *MLflow) Searches(ctx context.Context) error {
	_, err := m.call(ctx, http.MethodGet, experimentsSearch, url.Values{"max_results": {"1"}}, nil, lookupLimit)
	return err
}

// Returned tells each time that MLflow answers again after it could not be reached; it may be another version then. One
// goroutine waits for it.
func (m *MLflow) Returned() <-chan struct{} { return m.transport.returned }

// HasWorkspaces asks whether MLflow has workspaces; an error of code Unavailable says that it has none.
func (m *MLflow) HasWorkspaces(ctx context.Context) error {
	ctx = workspace.In(ctx, workspace.Scope{Name: kind.DefaultWorkspace}) // this route alone takes it where there are none
	raw, err := m.call(ctx, http.MethodGet, "/api/3.0/mlflow/server-info", nil, nil, 1<<20)
	if err != nil {
		return err
	}
	var said struct {
		Workspaces bool `json:"workspaces_enabled"`
	}
	if err := json.Unmarshal(raw, &said); err != nil {
		return errs.Wrap(errs.BadGateway, err, "MLflow's answer could not be read")
	}
	if !said.Workspaces {
		return errs.New(errs.Unavailable, "MLFLOW_ENABLE_WORKSPACES is on, and MLflow has no workspaces: start it with --enable-workspaces")
	}
	return nil
}

// Close drops idle connections.
func (m *MLflow) Close() { m.transport.CloseIdleConnections() }

// Ask asks MLflow on the gateway's own behalf and gives the answer's JSON, up to the limit in bytes. An error of MLflow's
// keeps its message: NotFound for 404, Invalid for another 4xx, BadGateway for all else.
func (m *MLflow) Ask(ctx context.Context, method, path string, query url.Values, body []byte, limit int64) (json.RawMessage, error) {
	return m.call(ctx, method, path, query, body, limit)
}

// ErrTooLarge says that an answer of MLflow's was larger than the limit.
var ErrTooLarge = errors.New("the answer is too large")

func (m *MLflow) call(ctx context.Context, method, path string, query url.Values, body []byte, limit int64) ([]byte, error) {
	return m.exchange(ctx, method, m.base.Path+path, query, body, limit)
}

// exchange is call with the whole path.
func (m *MLflow) exchange(ctx context.Context, method, path string, query url.Values, body []byte, limit int64) ([]byte, error) {
	target := url.URL{Scheme: m.base.Scheme, Host: m.base.Host, Path: path, RawQuery: query.Encode()}
	request, err := http.NewRequestWithContext(ctx, method, target.String(), strings.NewReader(string(body)))
	if err != nil {
		return nil, fmt.Errorf("making a request to MLflow: %w", err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if name := workspace.Of(ctx).Name; name != "" {
		request.Header[workspace.Header] = []string{name}
	} else if m.workspaces { // it would be asked about the default one
		return nil, errs.New(errs.Internal, "MLflow is asked in no workspace: %s", path)
	}
	answer, err := m.asking.RoundTrip(request)
	if err != nil {
		return nil, errs.Wrap(errs.BadGateway, err, "MLflow cannot be reached; try again shortly")
	}
	defer answer.Body.Close()
	read, err := io.ReadAll(io.LimitReader(answer.Body, limit+1))
	switch {
	case err != nil:
		return nil, errs.Wrap(errs.BadGateway, err, "MLflow's answer could not be read")
	case int64(len(read)) > limit:
		return nil, errs.Wrap(errs.BadGateway, ErrTooLarge, "MLflow's answer is larger than the limit of %d bytes", limit)
	case answer.StatusCode == http.StatusOK, answer.StatusCode == http.StatusNoContent:
		return read, nil
	case answer.StatusCode == http.StatusForbidden && bytes.HasPrefix(read, refusedHost):
		return nil, errs.Wrap(errs.BadGateway, ErrHost, "MLflow refuses the host by which MLFLOW_UPSTREAM calls it; start it with --allowed-hosts and that host")
	}
	return nil, answerError(answer.StatusCode, read)
}

// ErrHost says that MLflow answers nobody who calls it by the gateway's name for it.
var ErrHost = errors.New("it is in none of the hosts that MLflow takes")

// refusedHost begins MLflow's answer to a host that it does not take (mlflow/server/security_utils.py).
var refusedHost = []byte("Invalid Host header")

// errUnsaid is why an answer is an error that MLflow gives no reason for: it has no such route, or it is no MLflow.
var errUnsaid = errors.New("it gives no reason")

// Gone tells whether MLflow itself says that what was asked for does not exist.
func Gone(err error) bool { return errs.Is(err, errs.NotFound) && !errors.Is(err, errUnsaid) }

func answerError(status int, body []byte) error {
	var said struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(body, &said) // an answer that is not JSON has no message of its own
	if said.Message == "" {
		said.Message = fmt.Sprintf("MLflow answered %d", status)
	}
	code := errs.BadGateway
	switch {
	case status == http.StatusNotFound || said.Code == "RESOURCE_DOES_NOT_EXIST":
		code = errs.NotFound
	case status >= 400 && status < 500:
		code = errs.Invalid
	}
	if said.Code == "" {
		return errs.Wrap(code, errUnsaid, "%s", said.Message)
	}
	return errs.New(code, "%s", said.Message)
}
