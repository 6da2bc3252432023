// Package bench measures what the gateway costs: the true gateway beside a bare reverse proxy and no proxy at all, over one
// stub of MLflow, in one process and over loopback.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/app"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
)

// World is everything that is measured, listening on loopback.
type World struct {
	Direct      string // the stub itself
	Bare        string // a bare reverse proxy in front of it
	Gateway     string // the gateway in front of it
	Credentials []Credential

	more    map[string]string // settings beside those that it needs
	stub    *stub
	asked   atomic.Int64 // requests to the provider
	store   *store.DB
	closers []func() error
}

// Start builds the world. The folder is for its database and sessions; more settings may be given.
func Start(ctx context.Context, folder string, more map[string]string) (*World, error) {
	w := &World{stub: newStub(), more: more}
	if err := w.build(ctx, folder); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func (w *World) build(ctx context.Context, folder string) error {
	var err error
	if w.Direct, err = w.serve(w.stub); err != nil {
		return err
	}
	target, err := url.Parse(w.Direct)
	if err != nil {
		return err
	}
	if w.Bare, err = w.serve(bare(target)); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.Gateway = "http://" + listener.Addr().String()
	provider, err := w.provider()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	gateway, err := open(ctx, w.Direct, provider.Issuer, folder, w.more)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	w.store = gateway.Store
	w.run(gateway, listener)
	return w.enroll(ctx, provider)
}

// serve serves a handler on a port of its own.
func (w *World) serve(handler http.Handler) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	w.closers = append(w.closers, server.Close)
	return "http://" + listener.Addr().String(), nil
}

// run serves the gateway as its own command does, with the watch over its cache.
func (w *World) run(gateway *app.App, listener net.Listener) {
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- gateway.Serve(ctx, listener) }()
	w.closers = append(w.closers, func() error {
		stop()
		return errors.Join(<-served, gateway.Close())
	})
}

// bare is the least that a reverse proxy can be. It alone gets a transport that keeps enough connections: the default one
// keeps two, and would make it slower than it is.
func bare(target *url.URL) http.Handler {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 256, 256
	transport.DisableCompression = true
	return &httputil.ReverseProxy{Transport: transport, Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(target)
		p.SetXForwarded()
	}}
}

const (
	clientID     = "mlflow"
	clientSecret = "the-secret-of-the-bench"
)

var person = devidp.Person{Subject: "ada", Username: "ada", Email: "ada@example.com", Name: "Ada", Groups: []string{"mlflow"}}

func (w *World) provider() (*devidp.Provider, error) {
	var provider *devidp.Provider
	issuer, err := w.serve(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.asked.Add(1)
		provider.Handler().ServeHTTP(rw, r)
	}))
	if err != nil {
		return nil, err
	}
	provider, err = devidp.New(devidp.Options{Issuer: issuer, ClientID: clientID, ClientSecret: clientSecret,
		RedirectURIs: []string{w.Gateway + "/callback"}, People: []devidp.Person{person}, AutoApprove: true})
	return provider, err
}

// open builds the gateway from settings as people give them, and from no others.
func open(ctx context.Context, upstream, issuer, folder string, more map[string]string) (*app.App, error) {
	values := map[string]string{
		"MLFLOW_UPSTREAM":        upstream,
		"SECRET_KEY":             "b3NvbWUtcmFuZG9tLWJ5dGVz-7f1",
		"OIDC_USERS_DB_URI":      "sqlite:///" + filepath.Join(folder, "auth.db"),
		"SESSION_FILE_DIR":       filepath.Join(folder, "sessions"),
		"OIDC_DISCOVERY_URL":     issuer + "/.well-known/openid-configuration",
		"OIDC_CLIENT_ID":         clientID,
		"OIDC_CLIENT_SECRET":     clientSecret,
		"OIDC_USE_REFRESH_TOKEN": "true", // so that the provider is asked for more than signing in
		"SHUTDOWN_GRACE_SECONDS": "5",
	}
	maps.Copy(values, more)
	settings, err := config.Load(func(name string) (string, bool) { v, ok := values[name]; return v, ok }, os.DevNull, nil)
	if err != nil {
		return nil, err
	}
	if err := settings.CheckServe(); err != nil {
		return nil, err
	}
	return app.New(ctx, settings, slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: settings.LogLevel})))
}

// enroll signs the person in, lets them edit the experiment, and makes their credentials.
func (w *World) enroll(ctx context.Context, provider *devidp.Provider) error {
	cookie, err := w.signIn(ctx)
	if err != nil {
		return fmt.Errorf("signing in: %w", err)
	}
	if err := w.store.CreateGrant(ctx, store.Principal{User: person.Email}, kind.Experiment, Experiment, kind.Edit, nil); err != nil {
		return err
	}
	secret, err := w.newToken(ctx)
	if err != nil {
		return err
	}
	expires := time.Now().Add(24 * time.Hour).Unix()
	bearer := provider.Token(person.Subject, map[string]any{"exp": expires, "email": person.Email, "name": person.Name, "groups": person.Groups})
	w.Credentials = []Credential{session(cookie), basic(person.Email, secret), jwt(bearer)}
	return w.settle(ctx)
}

// Close takes the world down.
func (w *World) Close() error {
	var all []error
	for i := len(w.closers) - 1; i >= 0; i-- {
		all = append(all, w.closers[i]())
	}
	w.closers = nil
	return errors.Join(all...)
}
