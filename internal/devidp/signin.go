package devidp

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// SignIn walks a client with a cookie jar through a relying party's sign-in, as a browser would: the start address leads
// to this provider's page, where the person's button is pressed, and back. It gives the status and text of the page at
// which that ends.
func SignIn(ctx context.Context, client *http.Client, start, subject string) (status int, text string, err error) {
	at, status, text, err := visit(ctx, client, http.MethodGet, start, nil)
	if err != nil || status != http.StatusOK || at.Path != "/authorize" {
		return status, text, err
	}
	_, status, text, err = visit(ctx, client, http.MethodPost, at.String(), url.Values{"person": {subject}})
	return status, text, err
}

func visit(ctx context.Context, client *http.Client, method, address string, form url.Values) (*url.URL, int, string, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, 0, "", fmt.Errorf("signing in: %w", err)
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, 0, "", fmt.Errorf("signing in: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return nil, 0, "", fmt.Errorf("signing in: %w", err)
	}
	return answer.Request.URL, answer.StatusCode, string(text), nil
}
