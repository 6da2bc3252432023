// Package app is the only package that sees everything: it wires the parts together and runs them.
package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/api"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/gateway"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/login"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/supervise"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/terminal"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/token"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/ui"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/upstream"
)

// App is the whole gateway, ready to serve.
type App struct {
	Store    *store.DB
	Cache    *directory.Cache
	MLflow   *upstream.MLflow
	Sessions *session.Manager
	Gateway  gateway.Options // what the gateway is made of

	settings *config.Config
	log      *slog.Logger
	unready  sync.Map // names of checks that failed the last time
	started  atomic.Bool
	cleaner  api.Cleaner // nil: MLflow is not ours
	handler  http.Handler
	closers  []func() error
	uses     *token.Uses
	journal  *audit.Journal // nil: events are in the log alone

	watch     watch
	metricsAt net.Listener // nil: metrics are nowhere
	restarts  func() int64 // of MLflow; nil: it is not ours
}

// New builds the gateway from its settings. Close takes it down again.
func New(ctx context.Context, c *config.Config, log *slog.Logger) (*App, error) {
	return newApp(ctx, c, nil, log)
}

// newApp builds the gateway in front of an MLflow of its own, or, where that is nil, of somebody else's.
func newApp(ctx context.Context, c *config.Config, own *supervise.Server, log *slog.Logger) (*App, error) {
	a := &App{settings: c, log: slog.New(correlated{log.Handler()})}
	if own != nil {
		a.cleaner, a.restarts = cleaner{own}, own.Restarts
	}
	if err := a.build(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *App) build(ctx context.Context) error {
	c := a.settings
	err := a.openTelemetry(ctx)
	if err != nil {
		return err
	}
	if a.Store, err = store.Connect(ctx, databaseOptions(c)); err != nil {
		return inDatabase(c, err)
	}
	a.closers = append(a.closers, a.Store.Close)
	if a.Cache, err = directory.NewCache(a.Store, c.Order); err != nil {
		return err
	}
	a.Store.OnChange(a.Cache.Invalidate)
	a.Store.ShareNew(store.Share{Level: c.GroupsOfCreator, Except: ofEverybody(c)})
	if a.MLflow, err = upstream.New(upstream.Options{Address: c.Upstream, SocketPrefix: c.SocketPrefix, ConnectTimeout: c.ConnectTimeout,
		Workspaces: c.Workspaces.Enabled, Log: a.log, Watch: a.watch.watcher(), Cached: a.cached()}); err != nil {
		return err
	}
	a.closers = append(a.closers, func() error { a.MLflow.Close(); return nil })
	proxies, err := httpx.ParseProxies(c.Proxies)
	if err != nil {
		return err
	}
	origin := &httpx.Origin{Public: c.PublicURL, Proxies: proxies, Prefix: a.MLflow.Prefix()}
	keys, err := session.NewKeys(c.Secrets)
	if err != nil {
		return err
	}
	providers := newProviders(c.Providers)
	issuers, err := providers.issuers(c.Workloads)
	if err != nil {
		return err
	}
	events := a.events()
	if err := a.takeOver(ctx, providers, events); err != nil {
		return inDatabase(c, err)
	}
	attacher, err := a.attacher(ctx, providers, events)
	if err != nil {
		return err
	}
	people := arrivals{a.Store, attacher}
	renewal := a.renewal(people, providers.choices(), keys, events)
	if err := a.openSessions(origin, renewal, events); err != nil {
		return err
	}
	limits, err := a.limits()
	if err != nil {
		return err
	}
	a.uses = token.NewUses(a.Store, a.log, time.Now)
	known, err := token.New(token.Options{Sessions: a.Sessions, Cached: a.cached(), People: a.Cache, Verifier: issuers, Asking: providers.introspector(), Recorder: people, Failures: limits.credentials,
		Upgrades: a.Store, Uses: a.uses, Client: origin.Client, Audit: events, Log: a.log, Now: time.Now})
	if err != nil {
		return err
	}
	auth := authenticator{known}
	rules := authz.Rules{Default: c.Default, RestrictCreation: c.RestrictCreation, Workspaces: c.Workspaces.Enabled}
	a.Gateway = gateway.Options{MLflow: a.MLflow, Auth: auth, Grants: a.Cache, Lifecycle: a.Store, Owners: a.Store, Managers: a.Store, Denied: denied(origin.Prefix), Sealer: keys, Rules: rules,
		Origin: origin, Audit: events, Log: a.log, Report: gateway.Report(c.Report), MaxJSON: c.MaxJSON, MaxFiltered: c.MaxFiltered,
		Spaces: gateway.Spaces{NameToCreate: c.Workspaces.NameToCreate, NotDefault: c.Workspaces.NotDefault}}
	pages, err := ui.New(origin.Prefix + uiPath + "/")
	if err != nil {
		return fmt.Errorf("setting up the pages: %w", err)
	}
	a.Gateway.Script = script(pages, c.Pages)
	a.watchRequests(origin)
	proxy, err := gateway.New(a.Gateway)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	in := login.New(login.Options{Choices: providers.choices(), AutoRedirect: c.OIDC.AutoRedirect, Landing: landing(c.Pages), People: people, Sessions: a.Sessions, Keys: keys, Origin: origin,
		Renewal: renewal, Failures: limits.logouts, Authenticate: auth.Authenticate, Ended: a.signedIn(), Audit: events, Log: a.log, Now: time.Now})
	in.Mount(mux)
	administration := api.New(api.Options{Store: a.Store, Identities: a.Store, Roles: a.Store, Passwords: known, Locals: a.Store, Requests: a.Store, Providers: providers, MLflow: a.MLflow, Grants: a.Cache, Sessions: a.Sessions, Rules: rules, Authenticate: auth.Authenticate, Origin: origin,
		Cookie: c.Session.Cookie, TokenLifetime: c.TokenLifetime, FreshFor: c.StepUp, Cleaner: a.cleaner, Attacher: attacher, Doctor: a.checkup(), Trials: in, Journal: a.reader(), Audit: events, Log: a.log, Now: time.Now})
	in.Judge = administration.Judge
	administration.Mount(mux)
	terminal.New(terminal.Options{Store: a.Store, Sealer: keys, Failures: limits.credentials, Origin: origin, Authenticate: auth.Authenticate,
		Prove: known.Prove, ExchangeFor: exchangeFor(c), TokenLifetime: c.Terminal.Token, Lifetime: c.Terminal.Login, Audit: events, Log: a.log, Now: time.Now}).Mount(mux)
	a.mountHealth(mux)
	a.mountUI(mux, origin.Prefix, pages, auth.Authenticate)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		httpx.WriteError(w, r, a.log, errs.New(errs.NotFound, "there is no %s %s", r.Method, r.URL.Path))
	})
	own := a.watch.ours(mux)
	a.handler = a.watch.over(named(origin, a.log, a.under(origin.Prefix, own, split(own, proxy))))
	a.measure()
	return nil
}

// own are the paths that the gateway answers itself, with all below them; all others are MLflow's.
var own = []string{"/login", "/callback", "/logout", "/backchannel-logout", "/frontchannel-logout", "/providers", "/auth", "/oauth", "/.well-known/oauth-authorization-server", "/health", "/openapi.json",
	"/api/2.0/mlflow/permissions", "/ajax-api/2.0/mlflow/permissions", "/api/3.0/mlflow/permissions", "/ajax-api/3.0/mlflow/permissions",
	"/api/2.0/mlflow/users", "/ajax-api/2.0/mlflow/users", "/api/3.0/mlflow/users", "/ajax-api/3.0/mlflow/users",
	"/api/3.0/mlflow/roles", "/ajax-api/3.0/mlflow/roles", "/api/3.0/mlflow/workspace-permissions", "/ajax-api/3.0/mlflow/workspace-permissions",
	"/api/2.0/mlflow/audit", "/ajax-api/2.0/mlflow/audit",
	"/api/3.0/mlflow/workspace-rules", "/ajax-api/3.0/mlflow/workspace-rules", "/oidc"}

// split sends the gateway's own paths to the mux. It compares the path as it was sent: an encoded spelling of such a path
// is MLflow's business, and there it is in no table.
func split(mux, proxy http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.EscapedPath()
		for _, prefix := range own {
			if rest, ok := strings.CutPrefix(path, prefix); ok && (rest == "" || rest[0] == '/') {
				mux.ServeHTTP(w, r)
				return
			}
		}
		if api.OfPermissions(path) {
			mux.ServeHTTP(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	})
}

// Handler is the whole gateway as one handler.
func (a *App) Handler() http.Handler { return a.handler }

// Serve serves on the listener until the context ends, and then lets requests in flight finish within the grace time.
func (a *App) Serve(ctx context.Context, listener net.Listener) error {
	watch, stopWatch := context.WithCancel(context.WithoutCancel(ctx))
	watched := make(chan struct{})
	go func() { defer close(watched); a.Cache.Watch(watch) }()
	versions := make(chan struct{})
	go func() { defer close(versions); a.watchVersion(watch) }()
	kept := make(chan struct{})
	go func() { defer close(kept); a.keepAudit(watch) }()
	used := make(chan struct{})
	go func() { defer close(used); a.uses.Run(watch) }()
	measured := make(chan struct{})
	go func() { defer close(measured); a.serveMetrics(watch) }()
	warned := make(chan struct{})
	go func() { defer close(warned); a.warnUnenforced(watch) }()
	defer func() {
		stopWatch()
		<-watched
		<-versions
		<-used
		<-warned
		<-kept
		<-measured
	}()
	if a.settings.Workspaces.Enabled {
		go a.compareWorkspaces(watch)
	}

	server := &http.Server{Handler: a.handler, ReadHeaderTimeout: min(20*time.Second, a.settings.RequestTimeout), ReadTimeout: a.settings.RequestTimeout, IdleTimeout: 120 * time.Second,
		TLSConfig:      &tls.Config{MinVersion: tls.VersionTLS12}, // whatever GODEBUG says
		MaxHeaderBytes: 64 << 10, ErrorLog: serverLog(a.log)}
	served := make(chan error, 1)
	go func() {
		if a.settings.TLSCert != "" {
			served <- server.ServeTLS(listener, a.settings.TLSCert, a.settings.TLSKey)
			return
		}
		served <- server.Serve(listener)
	}()
	select {
	case err := <-served:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	a.log.Info("stopping; requests in flight may finish", "grace", a.settings.Grace)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.settings.Grace)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		a.log.Warn("requests were cut at the end of the grace time", "error", err)
		return server.Close()
	}
	return nil
}

// Close takes down what New built.
func (a *App) Close() error {
	var all []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		all = append(all, a.closers[i]())
	}
	a.closers = nil
	return errors.Join(all...)
}
