// Package world puts the whole gateway together for a test: the true application on a loopback port, an OpenID provider,
// a real MLflow behind, and people who sign in as with a browser.
package world

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/app"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/storetest"
)

// World is a gateway with all that it needs.
type World struct {
	URL      string
	Prefix   string // the path under which MLflow, and so the gateway, serves everything; requests get it by themselves
	App      *app.App
	IDP      *devidp.Provider
	Issuer   *httptest.Server
	Settings map[string]string

	stop func()
	log  output
}

// key signs for all providers: making one takes longer than most tests.
var key = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// Groups that the settings of every world name.
const (
	Members = "mlflow"
	Admins  = "mlflow-admin"
)

// New starts a gateway before an upstream. The settings are added to those that every world has, and replace them.
func New(t testing.TB, upstream string, settings map[string]string) *World {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &World{URL: "http://" + listener.Addr().String(), log: output{t, &lines{}}}
	if address, err := url.Parse(upstream); err == nil && address.Scheme == "http" {
		w.Prefix = address.Path
	}
	w.Issuer = httptest.NewUnstartedServer(nil)
	issuer := "http://" + w.Issuer.Listener.Addr().String()
	w.IDP, err = devidp.New(devidp.Options{Issuer: issuer, ClientID: "gateway", ClientSecret: "a secret of the client", Key: key(),
		RedirectURIs: []string{w.URL + w.Prefix + "/callback"}})
	if err != nil {
		t.Fatal(err)
	}
	w.Issuer.Config.Handler = w.IDP.Handler()
	w.Issuer.Start()
	t.Cleanup(w.Issuer.Close)
	dir, db := t.TempDir(), storetest.Ready(t)
	w.Settings = map[string]string{
		"MLFLOW_UPSTREAM": upstream, "SECRET_KEY": "nobody-guesses-this-one-4711", "OIDC_USERS_DB_URI": "sqlite:///" + db.Path,
		"SESSION_FILE_DIR": filepath.Join(dir, "sessions"), "OIDC_DISCOVERY_URL": issuer + "/.well-known/openid-configuration",
		"OIDC_CLIENT_ID": "gateway", "OIDC_CLIENT_SECRET": "a secret of the client", "OIDC_GROUP_NAME": Members, "OIDC_ADMIN_GROUP_NAME": Admins,
		"SHUTDOWN_GRACE_SECONDS": "5",
	}
	maps.Copy(w.Settings, settings)
	w.start(t, listener)
	t.Cleanup(func() { w.stop() })
	return w
}

// Restart stops the gateway and starts it again on the same address and data.
func (w *World) Restart(t testing.TB) {
	t.Helper()
	w.stop()
	listener, err := net.Listen("tcp", strings.TrimPrefix(w.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	w.start(t, listener)
}

func (w *World) start(t testing.TB, listener net.Listener) {
	t.Helper()
	getenv := func(name string) (string, bool) { value, ok := w.Settings[name]; return value, ok }
	c, err := config.Load(getenv, filepath.Join(t.TempDir(), ".env"), nil)
	if err == nil {
		err = c.CheckServe()
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.App, err = app.New(ctx, c, slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- w.App.Serve(ctx, listener) }()
	w.stop = func() {
		cancel()
		if err := <-served; err != nil {
			t.Error("serving:", err)
		}
		if err := w.App.Close(); err != nil {
			t.Error("closing:", err)
		}
		w.stop = func() {}
	}
}

// Logged gives all that the gateway has logged, at every level.
func (w *World) Logged() string {
	w.log.kept.Lock()
	defer w.log.kept.Unlock()
	return w.log.kept.text.String()
}

type lines struct {
	sync.Mutex
	text strings.Builder
}

type output struct {
	t    testing.TB
	kept *lines
}

// Write sends the gateway's log to the test's (io.Writer).
func (o output) Write(line []byte) (int, error) {
	o.kept.Lock()
	_, _ = o.kept.text.Write(line) // never fails (strings.Builder)
	o.kept.Unlock()
	o.t.Log(strings.TrimRight(string(line), "\n"))
	return len(line), nil
}

// Client is one person, or nobody, before the gateway.
type Client struct {
	World    *World
	HTTP     *http.Client
	Username string
	Token    string // sent as basic password when it is set; else the session cookie of HTTP is what there is
	In       string // the workspace that requests name; "" for none
}

// Inside is the same person, whose requests name a workspace.
func (c *Client) Inside(workspace string) *Client {
	in := *c
	in.In = workspace
	return &in
}

// Person adds a person at the provider, signs in with a browser, and makes an access token, as people do.
func (w *World) Person(t testing.TB, name string, groups ...string) *Client {
	t.Helper()
	browser := w.Browser(t, name, groups...)
	said := browser.JSON(t, http.MethodPatch, "/api/2.0/mlflow/users/access-token", nil)
	return &Client{World: w, HTTP: &http.Client{}, Username: browser.Username, Token: said["token"].(string)}
}

// Browser adds a person at the provider and signs in; requests carry the session cookie and the origin.
func (w *World) Browser(t testing.TB, name string, groups ...string) *Client {
	t.Helper()
	w.IDP.SetPerson(devidp.Person{Subject: "subject of " + name, Username: name, Email: name + "@example.com", Name: name, Groups: groups})
	c := w.Nobody(t)
	c.Username = name + "@example.com"
	status, text, err := devidp.SignIn(t.Context(), c.HTTP, w.URL+w.Prefix+"/login/start?next="+w.Prefix+"/auth/status", "subject of "+name)
	if err != nil || status != http.StatusOK || !strings.Contains(text, c.Username) {
		t.Fatalf("signing in as %s ended with %d %s %v", name, status, text, err)
	}
	return c
}

// Nobody is a browser without a session.
func (w *World) Nobody(t testing.TB) *Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Client{World: w, HTTP: &http.Client{Jar: jar}}
}

// Answer is what the gateway answered, read whole.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Code gives the error_code of an error in MLflow's form.
func (a Answer) Code() string {
	var said struct {
		Code string `json:"error_code"`
	}
	_ = json.Unmarshal(a.Body, &said) // an answer without JSON has no code
	return said.Code
}

// Request makes a request by this person. The body is nil, a string as it is, or a value for JSON.
func (c *Client) Request(t testing.TB, method, target string, body any) *http.Request {
	t.Helper()
	var content io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		content = bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, c.World.URL, content)
	if err != nil {
		t.Fatal(err)
	}
	path, query, _ := strings.Cut(c.World.Prefix+target, "?")
	if strings.HasPrefix(path, "//") { // an absolute address, so that the path is not taken for a host
		path = "//" + request.URL.Host + path
	}
	request.URL.Path = path                                // which cookies go by
	request.URL.Opaque, request.URL.RawQuery = path, query // sent as it is, however odd
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.In != "" {
		request.Header.Set("X-MLFLOW-WORKSPACE", c.In)
	}
	if c.Token != "" {
		request.SetBasicAuth(c.Username, c.Token)
	} else {
		request.Header.Set("Origin", c.World.URL)
	}
	return request
}

// Send sends a request and reads the answer; redirects are not followed.
func (c *Client) Send(t testing.TB, request *http.Request) Answer {
	t.Helper()
	answer, err := c.Try(request)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// Try sends a request that may be left without an answer.
func (c *Client) Try(request *http.Request) (Answer, error) {
	client := *c.HTTP
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := client.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return Answer{answer.StatusCode, answer.Header, body}, err
}

// Do makes and sends a request.
func (c *Client) Do(t testing.TB, method, target string, body any) Answer {
	t.Helper()
	return c.Send(t, c.Request(t, method, target, body))
}

// JSON makes and sends a request that must succeed, and gives the answer's JSON object.
func (c *Client) JSON(t testing.TB, method, target string, body any) map[string]any {
	t.Helper()
	answer := c.Do(t, method, target, body)
	var said map[string]any
	if err := json.Unmarshal(answer.Body, &said); err != nil || answer.Status >= 300 {
		t.Fatalf("%s %s by %q answered %d: %s", method, target, c.Username, answer.Status, answer.Body)
	}
	return said
}
