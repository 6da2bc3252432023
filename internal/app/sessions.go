package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/login"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/filesystem"
	redisstore "github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/redis"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
)

// renewal has sessions follow the provider; nil where they do not.
func (a *App) renewal(people login.People, choices login.Choices, keys *session.Keys, events audit.Recorder) *login.Renewal {
	if !a.settings.OIDC.Refresh {
		return nil
	}
	return &login.Renewal{Choices: choices, People: people, Keys: keys, Leeway: a.settings.OIDC.RefreshLeeway, Audit: events, Log: a.log, Now: time.Now}
}

func (a *App) openSessions(origin *httpx.Origin, renewal *login.Renewal, events audit.Recorder) error {
	c := a.settings
	kept, err := sessionStore(c, a.Store, a.log)
	if err != nil {
		return err
	}
	a.closers = append(a.closers, kept.Close)
	sameSite := http.SameSiteLaxMode
	if c.Session.SameSite == "strict" {
		sameSite = http.SameSiteStrictMode
	}
	o := session.Options{Store: kept, Log: a.log, CookieName: c.Session.Cookie, Path: origin.Prefix, Permanent: c.Session.Permanent,
		Lifetime: c.Session.Lifetime, MaxAge: c.Session.MaxAge, SameSite: sameSite,
		Secure: func(r *http.Request) bool { return c.Session.Secure || origin.TLS(r) },
		Replaced: func(ctx context.Context, old session.Record) {
			events.Record(ctx, audit.Event{Name: audit.SessionEnded, UserID: old.UserID, Provider: old.Provider, Subject: old.Subject, Cause: "replaced", Count: 1})
		}}
	if cached := a.cached(); cached != nil {
		o.Cached = cached(cacheSessions)
	}
	if renewal != nil { // a nil in an interface would not be one
		o.Renewer = renewal
	}
	a.Sessions, err = session.NewManager(o)
	return err
}

// sessionStore opens where sessions are kept.
func sessionStore(c *config.Config, db *store.DB, log *slog.Logger) (session.Store, error) {
	switch c.Session.Type {
	case "redis":
		client, err := redisClient(c.Redis)
		if err != nil {
			return nil, err
		}
		return redisstore.New(client, c.Session.KeyPrefix, time.Now), nil
	case "database":
		return db.Sessions(time.Now), nil
	}
	return filesystem.Open(c.Session.Dir, c.Session.KeyPrefix, log, time.Now)
}

// redisClient reaches the one Redis of the settings, or the master that the Sentinels name. Each certificate must be for the
// host that is reached.
func redisClient(c config.Redis) (redis.UniversalClient, error) {
	var secure *tls.Config
	if c.TLS {
		secure = &tls.Config{MinVersion: tls.VersionTLS12}
		if c.CAFile != "" {
			pem, err := os.ReadFile(c.CAFile)
			if err != nil {
				return nil, fmt.Errorf("reading REDIS_SSL_CA_FILE: %w", err)
			}
			secure.RootCAs = x509.NewCertPool()
			if !secure.RootCAs.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("REDIS_SSL_CA_FILE %s holds no certificate in PEM", c.CAFile)
			}
		}
	}
	if len(c.Sentinels) > 0 {
		return redis.NewFailoverClient(&redis.FailoverOptions{MasterName: c.Master, SentinelAddrs: c.Sentinels, SentinelUsername: c.SentinelUsername, ContextTimeoutEnabled: true,
			SentinelPassword: c.SentinelPassword, DB: c.DB, Username: c.Username, Password: c.Password, TLSConfig: secure}), nil
	}
	return redis.NewClient(&redis.Options{Addr: net.JoinHostPort(c.Host, strconv.Itoa(c.Port)), DB: c.DB, Username: c.Username,
		Password: c.Password, TLSConfig: secure, ContextTimeoutEnabled: true}), nil
}
