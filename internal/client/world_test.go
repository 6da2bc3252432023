package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/client"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// terminal is a person at a terminal, before a true gateway, in which they are signed in with a browser.
type terminal struct {
	t       *testing.T
	world   *world.World
	server  string
	browser *world.Client
	said    bytes.Buffer
	login   client.Login
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	return newTerminalBefore(t, "http://127.0.0.1:1")
}

// newTerminalBefore is the same before a gateway of another upstream, which is down too.
func newTerminalBefore(t *testing.T, upstream string) *terminal {
	t.Helper()
	here := &terminal{t: t, world: world.New(t, upstream, nil)}
	here.server = here.world.URL + here.world.Prefix
	here.browser = here.world.Browser(t, "ann", world.Members)
	here.login = client.Login{Server: here.server, File: client.File{Path: filepath.Join(t.TempDir(), "settings", "credentials.json")}, Say: &here.said,
		Now: time.Now, Browser: here.open, Wait: func(ctx context.Context, _ time.Duration) error { return here.typed(ctx) }}
	return here
}

var (
	hidden = regexp.MustCompile(`name="ticket" value="([^"]*)"`)
	shown  = regexp.MustCompile(`[B-Z]{4}-[B-Z]{4}`)
)

// approve approves what the page at an address of the gateway asks.
func (here *terminal) approve(page, to string) world.Answer {
	here.t.Helper()
	found := hidden.FindSubmatch(here.browser.Do(here.t, http.MethodGet, page, nil).Body)
	if found == nil {
		here.t.Fatalf("%s asks nothing", page)
	}
	request := here.browser.Request(here.t, http.MethodPost, to, url.Values{"ticket": {string(found[1])}, "answer": {"approve"}}.Encode())
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return here.browser.Send(here.t, request)
}

// open is the browser that a program opens: its person approves.
func (here *terminal) open(address string) error {
	at, err := url.Parse(address)
	if err != nil {
		return err
	}
	got := here.approve(strings.TrimPrefix(at.RequestURI(), here.world.Prefix), "/oauth/authorize")
	back, err := http.Get(got.Header.Get("Location"))
	if err == nil {
		err = back.Body.Close()
	}
	return err
}

// typed types the code that the terminal shows into the browser, once.
func (here *terminal) typed(context.Context) error {
	if code := shown.Find(here.said.Bytes()); code != nil {
		here.said.Reset()
		here.approve("/oauth/device?user_code="+string(code), "/oauth/device")
	}
	return nil
}

func (here *terminal) must(err error) {
	here.t.Helper()
	if err != nil {
		here.t.Fatal(err)
	}
}

// kept gives the one credential of the file.
func (here *terminal) kept() client.Credential {
	here.t.Helper()
	text, err := os.ReadFile(here.login.File.Path)
	here.must(err)
	var all struct{ Servers map[string]client.Credential }
	here.must(json.Unmarshal(text, &all))
	return all.Servers[here.server]
}

// whoami gives whom the gateway takes a token for.
func (here *terminal) whoami(token string) string {
	here.t.Helper()
	r := here.world.Nobody(here.t).Request(here.t, http.MethodGet, "/api/2.0/mlflow/users/current", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	var said struct {
		Username string `json:"username"`
	}
	_ = json.Unmarshal(here.world.Nobody(here.t).Send(here.t, r).Body, &said)
	return said.Username
}

// stub is a server that answers everything with what a function gives.
func stub(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return server.URL
}

func mustQuery(t *testing.T, address string) url.Values {
	t.Helper()
	at, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return at.Query()
}
