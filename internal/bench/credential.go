package bench

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/token"
)

// Credential is one way to say who a request is from.
type Credential struct {
	Name   string
	header string
	value  string
}

func session(c *http.Cookie) Credential {
	return Credential{"session cookie", "Cookie", c.Name + "=" + c.Value}
}

func basic(username, secret string) Credential {
	return Credential{"access token", "Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(username+":"+secret))}
}

func jwt(raw string) Credential { return Credential{"bearer JWT", "Authorization", "Bearer " + raw} }

// request makes a request with the credential and with the headers of the mlflow client.
func (c Credential) request(ctx context.Context, method, address string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header = http.Header{c.header: {c.value}, "User-Agent": {"mlflow-python-client/3.17.2"}, "Accept": {"*/*"},
		"Accept-Encoding": {"gzip, deflate"}}
	return r, nil
}

// signIn signs the person in with a browser's steps and gives the session cookie.
func (w *World) signIn(ctx context.Context) (*http.Cookie, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasSuffix(r.URL.Path, "/authorize") {
			query := r.URL.Query()
			query.Set("login_hint", person.Username)
			r.URL.RawQuery = query.Encode()
		}
		if r.URL.Path == "/" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.Gateway+"/login/start", nil)
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	for _, cookie := range jar.Cookies(r.URL) {
		if cookie.Name == "session" {
			return cookie, nil
		}
	}
	return nil, fmt.Errorf("no session was given: %s", answer.Status)
}

func (w *World) newToken(ctx context.Context) (string, error) {
	user, err := w.store.User(ctx, person.Email)
	if err != nil {
		return "", err
	}
	secret, hash := token.NewSecret()
	now := time.Now()
	return secret, w.store.SetAccessToken(ctx, directory.AccessToken{UserID: user.ID, Hash: hash, CreatedAt: now, ExpiresAt: now.Add(24 * time.Hour)})
}
