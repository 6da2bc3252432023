package jwt

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

// maxAnswer bounds every answer of an issuer, in bytes.
const maxAnswer = 4 << 20

// NewClient makes the client by which an issuer is asked. The settings of TLS are taken over; it speaks TLS 1.2 at least.
func NewClient(timeout time.Duration, settings *tls.Config) *http.Client {
	settings = settings.Clone()
	settings.MinVersion = max(settings.MinVersion, tls.VersionTLS12)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = settings
	return &http.Client{Timeout: timeout, Transport: limited{transport}, CheckRedirect: redirected}
}

// redirected follows an issuer elsewhere only with what is no secret: never with a token, a code or a client's secret, and
// never to plain HTTP.
func redirected(to *http.Request, via []*http.Request) error {
	from := via[0]
	if len(via) > 3 || from.Method != http.MethodGet || from.Header.Get("Authorization") != "" || !Secure(to.URL) {
		return http.ErrUseLastResponse
	}
	return nil
}

// Secure tells whether an address of an issuer may be used: over TLS, or on this machine.
func Secure(u *url.URL) bool {
	return u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && httpx.Loopback(u.Hostname()))
}

// limited bounds every answer.
type limited struct{ next http.RoundTripper }

// RoundTrip bounds the answer (http.RoundTripper).
func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := l.next.RoundTrip(r)
	if err == nil {
		answer.Body = http.MaxBytesReader(nil, answer.Body, maxAnswer)
	}
	return answer, err
}

// Wellknown is where a discovery document is, below its issuer (OpenID Connect Discovery 1.0 §4).
const Wellknown = "/.well-known/openid-configuration"

// Discover asks an issuer's discovery document where its keys are. One that names another issuer is refused.
func Discover(ctx context.Context, client *http.Client, address, issuer string) (string, error) {
	body, err := fetch(ctx, client, address, "", maxKeySet)
	if err != nil {
		return "", err
	}
	var document struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(body, &document); err != nil {
		return "", fmt.Errorf("reading the discovery document: %w", err)
	}
	if document.Issuer != issuer {
		return "", fmt.Errorf("the discovery document is of the issuer %q, not of %q", document.Issuer, issuer)
	}
	if u, err := url.Parse(document.Keys); err != nil || !Secure(u) {
		return "", fmt.Errorf("the discovery document's jwks_uri %q is no https:// address", document.Keys)
	}
	return document.Keys, nil
}

// fetch gets a document of an issuer, with a bearer token where that needs one.
func fetch(ctx context.Context, client *http.Client, address, bearer string, most int64) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("asking the issuer: %w", err)
	}
	request.Header.Set("Accept", "application/json, application/jwk-set+json")
	if bearer != "" {
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(bearer))
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking the issuer: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the issuer answered %d", answer.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, most+1))
	if err != nil {
		return nil, fmt.Errorf("reading the issuer's answer: %w", err)
	}
	if int64(len(body)) > most {
		return nil, errors.New("the issuer's answer is too large")
	}
	return body, nil
}
