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
	"strings"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/login/oidc"
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
}

func well(what, format string, args ...any) finding {
	return finding{what: what, says: fmt.Sprintf(format, args...)}
}

// but is something that works and may not be what is wanted.
func but(what, mend, format string, args ...any) finding {
	return finding{what: what, says: fmt.Sprintf(format, args...), mend: mend}
}

func broken(what, mend, format string, args ...any) finding {
	return finding{what, fmt.Sprintf(format, args...), mend, true}
}

// ErrUnwell says that something does not work.
var ErrUnwell = errors.New("something does not work; what to do is said above")

// Doctor looks at all that the gateway needs, changes nothing, and says how to mend what is wrong. It gives ErrUnwell where
// something does not work.
func Doctor(ctx context.Context, c *config.Config, output io.Writer) error {
	var all []finding
	if err := c.CheckServe(); err != nil {
		all = append(all, broken("settings", "set what is missing, in the environment or in .env; docs/settings.md lists everything", "%v", err))
	} else {
		all = append(all, well("settings", "complete"))
	}
	all = append(all, databaseFinding(ctx, c))
	all = append(all, importFindings(ctx, c)...)
	all = append(all, mlflowFindings(ctx, c)...)
	for _, one := range c.Providers {
		all = append(all, providerFindings(ctx, c, one)...)
	}
	all = append(all, cookieFinding(c), sessionFinding(ctx, c))
	if c.Report.Decisions {
		all = append(all, but("settings", "take REPORT_ONLY out to enforce permissions", "permissions are not enforced: whoever is signed in may do everything, and the log says what would be refused"))
	}
	for _, name := range c.Unheeded() {
		all = append(all, but("settings", "take it out", "%s has no effect in this version", name))
	}
	unwell := false
	for _, f := range all {
		sign := "ok"
		switch {
		case f.bad:
			sign, unwell = "FAIL", true
		case f.mend != "":
			sign = "look"
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

func databaseFinding(ctx context.Context, c *config.Config) finding {
	v, err := store.VersionOf(ctx, databaseOptions(c))
	switch {
	case err != nil:
		return broken("database", "start the database, or correct OIDC_USERS_DB_URI", "%v", inDatabase(c, err))
	case v.Current > v.Newest:
		return broken("database", "use the program that upgraded it, or a newer one", "%s has version %d, and this program knows versions up to %d", c.Database, v.Current, v.Newest)
	case v.Current < v.Newest:
		return but("database", "nothing, if you start the gateway: serve does it; `mlflow-oidc-auth db upgrade` does it now", "%s has version %d of %d", c.Database, v.Current, v.Newest)
	}
	return well("database", "%s has version %d", c.Database, v.Current)
}

// mlflowFindings are about the MLflow behind the gateway, or the program that would start one.
func mlflowFindings(ctx context.Context, c *config.Config) []finding {
	if c.Upstream == "" {
		path, err := exec.LookPath(c.MLflowCommand)
		if err != nil {
			return []finding{broken("mlflow", "pip install mlflow, or name a running server by MLFLOW_UPSTREAM", "%v", err)}
		}
		return []finding{well("mlflow", "serve starts %s", path)}
	}
	mlflow, err := upstream.New(upstream.Options{Address: c.Upstream, ConnectTimeout: c.ConnectTimeout, Workspaces: c.Workspaces.Enabled, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return []finding{broken("mlflow", "correct MLFLOW_UPSTREAM", "%v", err)}
	}
	defer mlflow.Close()
	version, err := mlflow.Version(ctx)
	if err != nil {
		return []finding{broken("mlflow", "start MLflow there, or correct MLFLOW_UPSTREAM", "%s: %v", c.Upstream, err)}
	}
	all := []finding{well("mlflow", "%.40q answers at %s", version, c.Upstream)}
	if says := concern(version); says != "" {
		all[0] = but("mlflow", "update the gateway or MLflow", "%.40q at %s: %s", version, c.Upstream, says)
	}
	if c.Workspaces.Enabled {
		if err := mlflow.HasWorkspaces(ctx); err != nil {
			all = append(all, broken("mlflow", "start it with --enable-workspaces, or turn MLFLOW_ENABLE_WORKSPACES off", "%v", err))
		}
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
	to, err := oidc.New(settings, time.Now).Start(ctx, directory.SignIn{Redirect: settings.RedirectURI, State: "s", Nonce: "n", Verifier: "v"})
	if err != nil {
		return []finding{broken(what, "see that this machine reaches it, and that OIDC_DISCOVERY_URL is right", "%s: %v", called, cause(err))}
	}
	at, _, _ := strings.Cut(to, "?")
	all := []finding{well(what, "%s signs in at %s", called, at)}
	if settings.DiscoveryURL != "" {
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

func sessionFinding(ctx context.Context, c *config.Config) finding {
	const what = "sessions"
	switch c.Session.Type {
	case "database":
		return well(what, "in the users database")
	case "redis":
		client, err := redisClient(c.Redis)
		if err != nil {
			return broken(what, "correct the settings of Redis", "%v", err)
		}
		defer client.Close()
		if err := redis.New(client, c.Session.KeyPrefix, time.Now).Ping(ctx); err != nil {
			return broken(what, "start Redis, or correct REDIS_HOST, REDIS_PORT and the rest", "%v", cause(err))
		}
		return well(what, "in Redis, which answers")
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
