package devidp

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// LogoutToken makes a logout token (OpenID Connect Back-Channel Logout 1.0 §2.4). Overrides replace claims; nil removes one.
func (p *Provider) LogoutToken(overrides map[string]any) string {
	return p.LogoutTokenAs("logout+jwt", overrides)
}

// LogoutTokenAs makes one that says that it is of another type.
func (p *Provider) LogoutTokenAs(kind string, overrides map[string]any) string {
	claims := map[string]any{"jti": random(), "exp": p.Now().Add(2 * time.Minute).Unix(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}
	for name, value := range overrides {
		claims[name] = value
	}
	return p.signAs(kind, claims)
}

// Sessions gives the names of a person's sessions here, the oldest first.
func (p *Provider) Sessions(subject string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{}, p.sessions[subject]...)
}

// SignOut ends all sessions of a person, and tells the relying party of each. It gives the statuses of the answers.
func (p *Provider) SignOut(ctx context.Context, client *http.Client, subject string) ([]int, error) {
	sessions := p.Sessions(subject)
	p.mu.Lock()
	delete(p.sessions, subject)
	p.mu.Unlock()
	var statuses []int
	for _, session := range sessions {
		status, _, err := SendLogout(ctx, client, p.BackChannel, p.LogoutToken(map[string]any{"sub": subject, "sid": session}))
		if err != nil {
			return statuses, err
		}
		statuses = append(statuses, status)
	}
	return statuses, nil
}

// SendLogout sends a logout token to a relying party, and gives its answer.
func SendLogout(ctx context.Context, client *http.Client, to, token string) (int, string, error) {
	form := url.Values{"logout_token": {token}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, "", fmt.Errorf("sending a logout: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := client.Do(request)
	if err != nil {
		return 0, "", fmt.Errorf("sending a logout: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return 0, "", fmt.Errorf("sending a logout: %w", err)
	}
	return answer.StatusCode, string(text), nil
}
