package oidc

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	gooidc "github.com/coreos/go-oidc/v3/oidc"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/assertion"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// asking is the context of requests to the token endpoint: with a key of ours, what it signs goes along.
func (p *Provider) asking(ctx context.Context, f *found) context.Context {
	if p.settings.Assertion.Key == nil {
		return p.context(ctx)
	}
	client := *p.client
	client.Transport = proving{p.client.Transport, func() (url.Values, error) { return p.proof(f, f.endpoint.TokenURL) }}
	return gooidc.ClientContext(ctx, &client)
}

// proof signs that a request to an endpoint is from this client. It is for the issuer, whose name was verified when it was
// discovered: a provider that gives another one's address for its own endpoint would else be handed what the other one takes. Or
// it is for the endpoint to which it goes, and so never for one to which it does not.
func (p *Provider) proof(f *found, endpoint string) (url.Values, error) {
	audience := endpoint
	if p.settings.Assertion.Audience != config.ForEndpoint {
		audience = f.issuer
	}
	if audience == "" {
		return nil, errs.New(errs.Unavailable, "the identity provider's issuer is not known, for which the client's key has to sign; an administrator has to set "+
			"OIDC_ISSUER, or OIDC_CLIENT_ASSERTION_AUDIENCE=endpoint")
	}
	signed, err := p.settings.Assertion.Key.Sign(p.settings.ClientID, audience, p.now())
	return url.Values{"client_assertion_type": {assertion.Type}, "client_assertion": {signed}}, err
}

// proving adds a proof of its own to each form that is sent.
type proving struct {
	next  http.RoundTripper
	proof func() (url.Values, error)
}

// RoundTrip adds the proof (http.RoundTripper).
func (p proving) RoundTrip(r *http.Request) (*http.Response, error) {
	form, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil {
		return nil, err
	}
	proof, err := p.proof()
	if err != nil {
		return nil, err
	}
	text := string(form) + "&" + proof.Encode()
	sent := r.Clone(r.Context())
	sent.Body, sent.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	sent.GetBody = nil // it is good once
	return p.next.RoundTrip(sent)
}
