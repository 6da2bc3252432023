package app_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/app"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session/sessiontest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

func signedIn(t *testing.T, c *world.Client) bool {
	t.Helper()
	return strings.Contains(string(c.Do(t, http.MethodGet, "/auth/status", nil).Body), c.Username)
}

// certificate writes a certificate of its own authority for a host, and gives the paths of both files.
func certificate(t *testing.T, host string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	says := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	if ip := net.ParseIP(host); ip != nil {
		says.IPAddresses = []net.IP{ip}
	} else {
		says.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, says, says, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, content []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", secret)
}

func overTLS(t *testing.T, cert, key string) string {
	t.Helper()
	address, _ := sessiontest.Redis(t, "--port", "0", "--tls-port", sessiontest.Port, "--tls-cert-file", cert, "--tls-key-file", key,
		"--tls-ca-cert-file", cert, "--tls-auth-clients", "no", "--requirepass", "hunter2")
	_, port, _ := net.SplitHostPort(address) // it is one
	return port
}

func TestSessionsInRedisOverTLS(t *testing.T) {
	cert, key := certificate(t, "127.0.0.1")
	w := world.New(t, "http://127.0.0.1:1", map[string]string{"SESSION_TYPE": "redis", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": overTLS(t, cert, key),
		"REDIS_PASSWORD": "hunter2", "REDIS_SSL": "true", "REDIS_SSL_CA_FILE": cert})
	c := w.Browser(t, "ann", world.Members)
	w.Restart(t)
	if !signedIn(t, c) {
		t.Error("the session did not outlive the gateway")
	}
}

// The attack: somebody between the gateway and Redis, with a certificate of its own, or of another host.
func TestAttackRedisInTheMiddle(t *testing.T) {
	cert, key := certificate(t, "127.0.0.1")
	otherHost, otherKey := certificate(t, "redis.example.com")
	trusted, _ := certificate(t, "127.0.0.1")
	for name, tc := range map[string]struct{ port, ca string }{
		"unknown authority": {overTLS(t, cert, key), trusted},
		"not of the system": {overTLS(t, cert, key), ""},
		"another host":      {overTLS(t, otherHost, otherKey), otherHost},
	} {
		t.Run(name, func(t *testing.T) {
			w := world.New(t, "http://127.0.0.1:1", map[string]string{"SESSION_TYPE": "redis", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": tc.port,
				"REDIS_PASSWORD": "hunter2", "REDIS_SSL": "true", "REDIS_SSL_CA_FILE": tc.ca})
			got := w.Nobody(t).Do(t, http.MethodGet, "/health/ready", nil)
			if !strings.Contains(string(got.Body), `"sessions":false`) {
				t.Errorf("the session store is said to be %s", got.Body)
			}
		})
	}
}

func TestWrongCAFileStopsTheStart(t *testing.T) {
	_, key := certificate(t, "127.0.0.1")
	for path, want := range map[string]string{filepath.Join(t.TempDir(), "none"): "reading REDIS_SSL_CA_FILE", key: "no certificate"} {
		settings := map[string]string{"SESSION_TYPE": "redis", "REDIS_SSL": "1", "REDIS_SSL_CA_FILE": path, "MLFLOW_UPSTREAM": "http://127.0.0.1:1",
			"SECRET_KEY": "nobody-guesses-this-one-4711", "OIDC_USERS_DB_URI": "sqlite:///" + filepath.Join(t.TempDir(), "auth.db")}
		c, err := config.Load(func(name string) (string, bool) { v, ok := settings[name]; return v, ok }, filepath.Join(t.TempDir(), ".env"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := app.New(t.Context(), c, slog.New(slog.NewTextHandler(io.Discard, nil))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// The master dies, the Sentinel makes the replica the master, and people stay signed in.
func TestSessionsOutliveTheRedisMaster(t *testing.T) {
	master, kill := sessiontest.Redis(t, "--port", sessiontest.Port)
	host, port, _ := net.SplitHostPort(master) // it is one
	replica, _ := sessiontest.Redis(t, "--port", sessiontest.Port, "--replicaof", host+" "+port)
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	if err := os.WriteFile(conf, []byte("sentinel monitor sessions "+host+" "+port+" 1\nsentinel down-after-milliseconds sessions 500\n"+
		"sentinel failover-timeout sessions 2000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel, _ := sessiontest.Redis(t, conf, "--sentinel", "--port", sessiontest.Port)
	ask := redis.NewSentinelClient(&redis.Options{Addr: sentinel})
	defer ask.Close()
	behind := redis.NewClient(&redis.Options{Addr: replica})
	defer behind.Close()
	sessiontest.Eventually(t, "the Sentinel knows the replica, and it follows", func() bool {
		known, err := ask.Replicas(context.Background(), "sessions").Result()
		info := behind.Info(context.Background(), "replication").Val()
		return err == nil && len(known) == 1 && strings.Contains(info, "master_link_status:up")
	})
	w := world.New(t, "http://127.0.0.1:1", map[string]string{"SESSION_TYPE": "redis", "REDIS_SENTINELS": sentinel, "REDIS_SENTINEL_MASTER": "sessions"})
	c := w.Browser(t, "ann", world.Members)
	sessiontest.Eventually(t, "the replica has the session", func() bool { return behind.DBSize(context.Background()).Val() > 0 })
	kill()
	sessiontest.Eventually(t, "the gateway goes on with the new master", func() bool {
		return signedIn(t, c) && behind.Info(context.Background(), "replication").Val() != "" &&
			strings.Contains(behind.Info(context.Background(), "replication").Val(), "role:master")
	})
	other := w.Browser(t, "bob", world.Members)
	if !signedIn(t, other) {
		t.Error("nobody new can sign in")
	}
}
