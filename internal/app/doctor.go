package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/login/oidc"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/filesystem"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/redis"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/upstream"
)

// finding is what was found out about one thing that the gateway needs.
type finding struct {
	what string
	says string
	mend string // what to do about it; "" where it is well
	bad  bool   // the gateway does not work like that

	provider string // the id of the one that it is about; "": of none
}

func well(what, format string, args ...any) finding {
	return finding{what: what, says: said(format, args)}
}

// but is something that works and may not be what is wanted.
func but(what, mend, format string, args ...any) finding {
	return finding{what: what, says: said(format, args), mend: mend}
}

func broken(what, mend, format string, args ...any) finding {
	return finding{what: what, says: said(format, args), mend: mend, bad: true}
}

// mostSaid bounds what a finding says, in bytes: errors quote what others answered.
const mostSaid = 1000

// said is a text that does nothing to a terminal, whoever wrote the parts of it.
func said(format string, args []any) string {
	text := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, fmt.Sprintf(format, args...))
	if len(text) > mostSaid {
		text = strings.ToValidUTF8(text[:mostSaid], "") + " …"
	}
	return text
}

// state is well, worth a look, or broken.
func (f finding) state() string {
	switch {
	case f.bad:
		return "fail"
	case f.mend != "":
		return "look"
	}
	return "ok"
}

// patient is what is looked at. A command opens each part of it by itself; the gateway that runs has them open.
type patient struct {
	settings *config.Config
	version  func(ctx context.Context) (store.Version, error)
	within   func(ctx context.Context, do func(*store.DB) error) error // of the users database
	mlflow   func() (mlflow *upstream.MLflow, done func(), err error)
	redis    func(ctx context.Context) error
}

// stranger is a patient of which nothing is open.
func stranger(c *config.Config) patient {
	return patient{settings: c,
		version: func(ctx context.Context) (store.Version, error) { return store.VersionOf(ctx, databaseOptions(c)) },
		within:  func(ctx context.Context, do func(*store.DB) error) error { return withStore(ctx, c, do) },
		mlflow: func() (*upstream.MLflow, func(), error) {
			mlflow, err := upstream.New(upstream.Options{Address: c.Upstream, ConnectTimeout: c.ConnectTimeout, Workspaces: c.Workspaces.Enabled, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				return nil, nil, err
			}
			return mlflow, mlflow.Close, nil
		},
		redis: func(ctx context.Context) error { return pingRedis(ctx, c) },
	}
}

func pingRedis(ctx context.Context, c *config.Config) error {
	client, err := redisClient(c.Redis)
	if err != nil {
		return err
	}
	defer client.Close()
	return redis.New(client, c.Session.KeyPrefix, time.Now).Ping(ctx)
}

// findings looks at everything at once, and changes nothing.
func (p patient) findings(ctx context.Context) []finding {
	c := p.settings
	looks := []func() []finding{
		func() []finding { return []finding{settingsFinding(c)} },
		func() []finding { return p.databaseFindings(ctx) },
		func() []finding { return p.mlflowFindings(ctx) },
	}
	for _, one := range c.Providers {
		looks = append(looks, func() []finding {
			all := providerFindings(ctx, c, one)
			for i := range all {
				all[i].provider = one.ID
			}
			return all
		})
	}
	looks = append(looks, func() []finding {
		return append([]finding{cookieFinding(c), p.sessionFinding(ctx)}, choiceFindings(c)...)
	})
	found := make([][]finding, len(looks))
	var wg sync.WaitGroup
	for i, look := range looks {
		wg.Go(func() { found[i] = look() })
	}
	wg.Wait()
	return slices.Concat(found...)
}

// ErrUnwell says that something does not work.
var ErrUnwell = errors.New("something does not work; what to do is said above")

// Doctor looks at all that the gateway needs, changes nothing, and says how to mend what is wrong. It gives ErrUnwell where
// something does not work.
func Doctor(ctx context.Context, c *config.Config, output io.Writer) error {
	unwell := false
	for _, f := range stranger(c).findings(ctx) {
		sign := f.state()
		if f.bad {
			sign, unwell = "FAIL", true
		}
		if _, err := fmt.Fprintf(output, "%-4s  %-10s  %s\n", sign, f.what, f.says); err != nil {
			return err
		}
		if f.mend != "" {
			if _, err := fmt.Fprintf(output, "%18s→ %s\n", "", f.mend); err != nil {
				return err
			}
		}
	}
	if unwell {
		return ErrUnwell
	}
	return nil
}

func settingsFinding(c *config.Config) finding {
	if err := c.CheckServe(); err != nil {
		return broken("settings", "set what is missing, in the environment or in .env; docs/settings.md lists everything", "%v", err)
	}
	return well("settings", "complete")
}

// choiceFindings are about settings that may not be meant.
func choiceFindings(c *config.Config) []finding {
	var all []finding
	if c.Report.Decisions {
		all = append(all, but("settings", "take REPORT_ONLY out to enforce permissions", "permissions are not enforced: whoever is signed in may do everything, and the log says what would be refused"))
	}
	for _, name := range c.Unheeded() {
		all = append(all, but("settings", "take it out", "%s has no effect in this version", name))
	}
	return all
}

func (p patient) databaseFindings(ctx context.Context) []finding {
	c := p.settings
	v, err := p.version(ctx)
	switch {
	case err != nil:
		return []finding{broken("database", "start the database, or correct OIDC_USERS_DB_URI", "%v", inDatabase(c, err))}
	case v.Current > v.Newest:
		return []finding{broken("database", "use the program that upgraded it, or a newer one", "%s has version %d, and this program knows versions up to %d", c.Database, v.Current, v.Newest)}
	case v.Current < v.Newest:
		return []finding{but("database", "nothing, if you start the gateway: serve does it; `mlflow-oidc-auth db upgrade` does it now", "%s has version %d of %d", c.Database, v.Current, v.Newest)}
	}
	return append([]finding{well("database", "%s has version %d", c.Database, v.Current)}, p.importFindings(ctx)...)
}

// mlflowFindings are about the MLflow behind the gateway, or the program that would start one.
func (p patient) mlflowFindings(ctx context.Context) []finding {
	c := p.settings
	if c.Upstream == "" {
		path, err := exec.LookPath(c.MLflowCommand)
		if err != nil {
			return []finding{broken("mlflow", "pip install mlflow, or name a running server by MLFLOW_UPSTREAM", "%v", err)}
		}
		return []finding{well("mlflow", "serve starts %s", path)}
	}
	mlflow, done, err := p.mlflow()
	if err != nil {
		return []finding{broken("mlflow", "correct MLFLOW_UPSTREAM", "%v", err)}
	}
	defer done()
	version, err := mlflow.Version(ctx)
	ask := mlflow.Searches // its version it tells whatever host it is called by
	if c.Workspaces.Enabled {
		ask = mlflow.HasWorkspaces
	}
	refused := ask(ctx)
	var all []finding
	switch {
	case errors.Is(refused, upstream.ErrHost):
		all = append(all, broken("mlflow", "start MLflow with --allowed-hosts "+mlflow.Host()+", which takes the place of the hosts that it takes by itself",
			"it refuses what is for the host %s", mlflow.Host()))
	case errs.Is(refused, errs.Unavailable):
		all = append(all, broken("mlflow", "start it with --enable-workspaces, or turn MLFLOW_ENABLE_WORKSPACES off", "%v", refused))
	case err != nil:
		return []finding{broken("mlflow", "start MLflow there, or correct MLFLOW_UPSTREAM", "%s: %v", c.Upstream, err)}
	case refused != nil:
		all = append(all, broken("mlflow", "look into MLflow's own log", "%v", refused))
	}
	if says := concern(version); err == nil && says != "" {
		all = append(all, but("mlflow", "update the gateway or MLflow", "%.40q at %s: %s", version, c.Upstream, says))
	} else if err == nil {
		all = append(all, well("mlflow", "%.40q answers at %s", version, c.Upstream))
	}
	if !near(c.Upstream) {
		all = append(all, but("mlflow", "see that the gateway alone reaches it: whoever else does is past all permissions", "%s is reached over a network", c.Upstream))
	}
	return all
}

// near tells whether nobody from another machine reaches an address by itself.
func near(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "unix" {
		return err == nil
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}

// lookSkew is from when a difference of clocks is worth a word.
const lookSkew = 5 * time.Second

func providerFindings(ctx context.Context, c *config.Config, settings config.OIDC) []finding {
	what := "provider"
	called := fmt.Sprintf("%s (%s)", settings.ID, settings.DisplayName)
	provider := oidc.New(settings, time.Now) // another than the one that runs, which remembers what it heard
	to, err := provider.Start(ctx, directory.SignIn{Redirect: settings.RedirectURI, State: "s", Nonce: "n", Verifier: "v"})
	if err != nil {
		return []finding{broken(what, "see that this machine reaches it, and that OIDC_DISCOVERY_URL is right", "%s: %v", called, cause(err))}
	}
	at, _, _ := strings.Cut(to, "?")
	all := []finding{well(what, "%s signs in at %s", called, at)}
	if settings.DiscoveryURL != "" {
		all = append(all, keysFinding(ctx, provider, settings))
		if f, ok := clockFinding(ctx, settings); ok {
			all = append(all, f)
		}
	}
	if !settings.TokensOnly {
		all = append(all, redirectFinding(c, settings))
	}
	return all
}

// cause gives an error with what is behind it, which people who sign in are not told.
func cause(err error) error {
	if behind := errors.Unwrap(err); behind != nil {
		return fmt.Errorf("%w: %w", err, behind)
	}
	return err
}

// keysFinding looks at whether there are keys, without which no token is good.
func keysFinding(ctx context.Context, provider *oidc.Provider, settings config.OIDC) finding {
	const what, mend = "keys", "see that this machine reaches the jwks_uri of the provider, and that there are keys for signatures"
	n, err := provider.Keys(ctx)
	switch {
	case err != nil:
		return broken(what, mend, "%s: %v", settings.ID, cause(err))
	case n == 0:
		return broken(what, mend, "%s has none that can be used, and so all of its tokens are refused", settings.ID)
	}
	return well(what, "%s has %d", settings.ID, n)
}

// clockFinding compares our clock with the provider's: with another time its tokens seem expired, or from the future.
func clockFinding(ctx context.Context, settings config.OIDC) (finding, bool) {
	off, err := oidc.New(settings, time.Now).ClockSkew(ctx)
	if err != nil { // it does not say what time it has
		return finding{}, false
	}
	const mend = "set the clock of this machine by NTP"
	switch {
	case off.Abs() > oidc.MaxSkew:
		return broken("clock", mend, "it is %v off that of %s, whose tokens will be refused", off, settings.ID), true
	case off.Abs() > lookSkew:
		return but("clock", mend, "it is %v off that of %s", off, settings.ID), true
	}
	return well("clock", "as that of %s", settings.ID), true
}

// redirectFinding looks at where a provider's answer comes to, which has to be registered there to the letter.
func redirectFinding(c *config.Config, settings config.OIDC) finding {
	const what = "redirect"
	if settings.RedirectURI == "" {
		if c.PublicURL == nil {
			return but(what, "set PUBLIC_URL or OIDC_REDIRECT_URI, where the gateway is behind a proxy", "it is computed from what each request says of the host")
		}
		return well(what, "register %s at %s", strings.TrimSuffix(c.PublicURL.String(), "/")+settings.Callback(), settings.ID)
	}
	u, err := url.Parse(settings.RedirectURI)
	if err != nil {
		return broken(what, "correct OIDC_REDIRECT_URI", "%v", err)
	}
	if u.Scheme != "https" && !near(settings.RedirectURI) {
		return but(what, "serve over TLS: codes and cookies travel in clear, and browsers drop cookies that are Secure", "%s is not https", settings.RedirectURI)
	}
	if c.PublicURL != nil && (u.Scheme != c.PublicURL.Scheme || u.Host != c.PublicURL.Host) {
		return broken(what, "make both the same: the cookie of a sign-in is not sent to another host", "%s is not at PUBLIC_URL %s", settings.RedirectURI, c.PublicURL)
	}
	return well(what, "register %s at %s", settings.RedirectURI, settings.ID)
}

// cookieFinding looks at whether browsers will keep the session cookie, and send it to nobody who listens.
func cookieFinding(c *config.Config) finding {
	const what = "cookies"
	clear := c.PublicURL != nil && c.PublicURL.Scheme != "https" && !near(c.PublicURL.String())
	switch {
	case clear && c.Session.Secure:
		return broken(what, "serve over TLS, and name that address by PUBLIC_URL", "SESSION_COOKIE_SECURE is set, and browsers do not keep such a cookie from %s: nobody stays signed in", c.PublicURL)
	case clear:
		return but(what, "serve over TLS, and name that address by PUBLIC_URL", "the session cookie travels in clear to and from %s", c.PublicURL)
	case c.PublicURL == nil && !c.Session.Secure:
		return but(what, "set PUBLIC_URL, or SESSION_COOKIE_SECURE where everybody comes by TLS", "they are for TLS alone where a request came by TLS, as far as TRUSTED_PROXIES can say so")
	}
	return well(what, "for TLS alone")
}

func (p patient) sessionFinding(ctx context.Context) finding {
	const what = "sessions"
	c := p.settings
	switch c.Session.Type {
	case "database":
		return well(what, "in the users database")
	case "redis":
		if err := p.redis(ctx); err != nil {
			return broken(what, "start Redis, or correct REDIS_HOST, REDIS_PORT and the rest", "%v", cause(err))
		}
		return well(what, "in Redis, which answers")
	}
	if err := filesystem.Supported(); err != nil {
		return broken(what, "set SESSION_TYPE to database or redis", "%v", err)
	}
	info, err := os.Stat(c.Session.Dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return well(what, "in %s, which serve makes", c.Session.Dir)
	case err != nil:
		return broken(what, "correct SESSION_FILE_DIR", "%v", err)
	case !info.IsDir():
		return broken(what, "correct SESSION_FILE_DIR", "%s is no folder", c.Session.Dir)
	case info.Mode().Perm()&0o077 != 0:
		return but(what, "chmod 700 "+c.Session.Dir, "%s is open to other users of this machine", c.Session.Dir)
	}
	return well(what, "in %s", c.Session.Dir)
}
