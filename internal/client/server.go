package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// clientID is what gateways call this program.
const clientID = "mlflow-oidc-auth"

// server is a gateway that signs programs in (RFC 8414).
type server struct {
	Issuer              string `json:"issuer"`
	Authorization       string `json:"authorization_endpoint"`
	Token               string `json:"token_endpoint"`
	DeviceAuthorization string `json:"device_authorization_endpoint"`
	Revocation          string `json:"revocation_endpoint"`
}

// Address gives the one spelling of a server's address: scheme and host in lower case, no slash at the end.
func Address(typed string) (string, error) {
	wrong := fmt.Errorf("%q is not the address of a server, such as https://mlflow.example.com", typed)
	u, err := url.Parse(strings.TrimSpace(typed))
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", wrong
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if port := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]; port != "" {
		u.Host = strings.TrimSuffix(u.Host, port)
		return strings.TrimRight(u.String(), "/"), nil
	}
	return "", wrong
}

// open tells whether what goes to a server can be read on its way.
func open(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())
}

// problem is what a server answers of itself, by the codes of OAuth.
type problem struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

// Error gives the description, or the code.
func (p problem) Error() string {
	if p.Description != "" {
		return p.Description
	}
	return p.Code
}

// web asks servers. A redirect is not followed: what is sent is for one server alone.
var web = &http.Client{Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func ask(r *http.Request, into any) error {
	r.Header.Set("Accept", "application/json")
	answer, err := web.Do(r)
	if err != nil {
		return fmt.Errorf("the server cannot be reached: %w", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("the server's answer broke off: %w", err)
	}
	if answer.StatusCode == http.StatusOK {
		if err := json.NewDecoder(bytes.NewReader(body)).Decode(into); err != nil {
			return fmt.Errorf("%s answers nothing that this program understands: is it the address of a gateway?", r.URL.Redacted())
		}
		return nil
	}
	var said problem
	if json.Unmarshal(body, &said) == nil && said.Code != "" {
		return said
	}
	return fmt.Errorf("%s answers with %s", r.URL.Redacted(), answer.Status)
}

func post(ctx context.Context, to string, fields url.Values, into any) error {
	fields.Set("client_id", clientID)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(fields.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return ask(r, into)
}

// discover asks a server where everything is. It must call itself as it was called, and name no place outside itself: else one
// server could have tokens made at another and sent to it.
func discover(ctx context.Context, address string) (server, error) {
	var found server
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/.well-known/oauth-authorization-server", nil)
	if err != nil {
		return found, err
	}
	if err := ask(r, &found); err != nil {
		return found, fmt.Errorf("%w; does mlflow-oidc-auth serve at %s?", err, address)
	}
	if said, err := Address(found.Issuer); err != nil || said != address {
		return found, fmt.Errorf("the server calls itself %q; sign in there, and set MLFLOW_TRACKING_URI to it", found.Issuer)
	}
	for _, place := range []string{found.Authorization, found.Token, found.DeviceAuthorization, found.Revocation} {
		if !strings.HasPrefix(place, found.Issuer+"/") {
			return found, fmt.Errorf("the server names %q, which is not one of its own places", place)
		}
	}
	return found, nil
}

// issued is what a server gives.
type issued struct {
	AccessToken  string  `json:"access_token"`
	TokenType    string  `json:"token_type"`
	ExpiresIn    float64 `json:"expires_in"`
	RefreshToken string  `json:"refresh_token"`
	Scope        string  `json:"scope"`
	Username     string  `json:"username"`
}

// keep makes a credential of what a server gives.
func (c Credential) keep(got issued, now time.Time) (Credential, error) {
	if got.AccessToken == "" || !strings.EqualFold(got.TokenType, "Bearer") || got.RefreshToken == "" || got.ExpiresIn <= 0 {
		return c, fmt.Errorf("the server gives no token that this program understands")
	}
	c.AccessToken, c.RefreshToken = got.AccessToken, got.RefreshToken
	c.ObtainedAt = float64(now.UnixMilli()) / 1000
	c.ExpiresAt = c.ObtainedAt + got.ExpiresIn
	return c, nil
}
