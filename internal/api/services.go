package api

import (
	"context"
	"net/http"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
)

// internal is the source of service accounts that have tokens made here; the others are the ids of providers.
const internal = "internal"

type source struct {
	ID    string `json:"id"`
	Title string `json:"display_name"`
	Type  string `json:"type"`
}

type sourceChange struct {
	UserPath
	Body struct {
		Source  string  `json:"source"`
		Subject *string `json:"subject,omitempty" nullable:"true" doc:"as whom the provider's JWTs name the account"`
	}
}

type sourceOf struct {
	Username string `json:"username"`
	Source   string `json:"service_account_source"`
}

// serviceAccounts are users that programs use: with tokens made here, or with JWTs of the provider.
func (a *API) serviceAccounts(r *registrar) {
	add(r, http.MethodGet, "/users/service-account-sources", 200, "By what service accounts can be known", func(_ context.Context, s *identity.Subject, _ *none) ([]source, error) {
		sources := []source{{internal, "Access tokens of this server", "internal"}}
		for _, provider := range a.Providers.All() {
			sources = append(sources, source{provider.ID, provider.Title, "oidc"})
		}
		return sources, administrator(s)
	})
	add(r, http.MethodPut, "/users/{username}/service-account-source", 200, "Say by what a service account is known", func(ctx context.Context, s *identity.Subject, in *sourceChange) (sourceOf, error) {
		if err := administrator(s); err != nil {
			return sourceOf{}, err
		}
		as, err := a.bound(ctx, &in.Body.Source, in.Body.Subject)
		if err != nil {
			return sourceOf{}, err
		}
		name := canonical(in.Username)
		return sourceOf{name, in.Body.Source}, a.bind(ctx, s, name, as)
	})
}

func (a *API) bind(ctx context.Context, s *identity.Subject, name string, as directory.Identity) error {
	err := a.Store.BindService(ctx, name, as)
	return a.done(ctx, err, s, audit.Event{Name: audit.ServiceBound, Account: name, Provider: as.Provider, Subject: as.Subject})
}

// bound gives the identity by which a service account is known; none where it is known by its tokens alone. A subject is one
// of the issuer: at another one it means nothing.
func (a *API) bound(ctx context.Context, from, subject *string) (directory.Identity, error) {
	given := subject != nil && *subject != ""
	if from == nil || *from == "" || *from == internal {
		if given {
			return directory.Identity{}, errs.New(errs.Invalid, "a subject needs an identity provider as service_account_source")
		}
		return directory.Identity{}, nil
	}
	name, err := a.Providers.Name(ctx, *from)
	switch {
	case errs.Is(err, errs.NotFound):
		return directory.Identity{}, errs.New(errs.Invalid, "service_account_source can be %s or the id of an identity provider", internal)
	case err != nil:
		return directory.Identity{}, err
	case !given:
		return directory.Identity{}, errs.New(errs.Invalid, "the source %s needs a subject: the claim sub of the account's JWTs", *from)
	case len(*subject) > 255:
		return directory.Identity{}, errs.New(errs.Invalid, "a subject has at most 255 bytes")
	}
	return directory.Identity{Provider: name, Subject: *subject}, nil
}
