package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
)

// Identities keeps by which identities people are known.
type Identities interface {
	Identities(ctx context.Context, username string) ([]directory.Identity, error)
	LinkIdentity(ctx context.Context, username string, id directory.Identity) error
	UnlinkIdentity(ctx context.Context, username string, id directory.Identity) error
}

// Providers knows the identity providers by the ids of the settings. Identities have the issuer in their place: an id can be
// given to another provider one day.
type Providers interface {
	// ID gives the id of the provider of which identities have a name; the name itself for one that is not
	// configured any more, or whose id would not say it.
	ID(name string) string
	// Name gives the name that identities of a provider have.
	Name(ctx context.Context, id string) (string, error)
	// All are those that are configured.
	All() []Provider
	// Settings are what administrators see of how they are set up.
	Settings() []ProviderRow
}

// Provider is an identity provider as administrators choose it.
type Provider struct{ ID, Title string }

type identityRef struct {
	Provider string `json:"provider_id"`
	Subject  string `json:"subject"`
}

type newIdentity struct {
	Username string `path:"username" maxLength:"255"`
	Body     struct {
		Provider string `json:"provider_id" maxLength:"255"`
		Subject  string `json:"subject" maxLength:"255"`
	}
}

type oneIdentity struct {
	Username string `path:"username" maxLength:"255"`
	Provider string `query:"provider_id" required:"true" maxLength:"255"`
	Subject  string `query:"subject" required:"true" maxLength:"255"`
}

func (a *API) identities(r *registrar) {
	const at = "/users/{username}/identities"
	add(r, http.MethodGet, at, 200, "The identities by which a user is known", a.listIdentities)
	add(r, http.MethodPost, at, 201, "Have a user be known by one more identity", a.linkIdentity)
	add(r, http.MethodDelete, at, 200, "Have a user not be known by an identity any more", a.unlinkIdentity)
}

func (a *API) listIdentities(ctx context.Context, s *identity.Subject, in *UserPath) ([]identityRef, error) {
	if err := administrator(s); err != nil {
		return nil, err
	}
	known, err := a.Identities.Identities(ctx, canonical(in.Username))
	all := make([]identityRef, 0, len(known))
	for _, id := range known {
		all = append(all, identityRef{a.Providers.ID(id.Provider), id.Subject})
	}
	return all, err
}

func (a *API) linkIdentity(ctx context.Context, s *identity.Subject, in *newIdentity) (message, error) {
	if err := administrator(s); err != nil {
		return message{}, err
	}
	if strings.TrimSpace(in.Body.Provider) == "" || strings.TrimSpace(in.Body.Subject) == "" {
		return message{}, errs.New(errs.Invalid, "provider_id and subject must not be empty")
	}
	name, err := a.Providers.Name(ctx, in.Body.Provider)
	if err != nil {
		return message{}, err
	}
	user := canonical(in.Username)
	err = a.Identities.LinkIdentity(ctx, user, directory.Identity{Provider: name, Subject: in.Body.Subject})
	return message{Message: "User " + user + " is known by the identity"}, err
}

func (a *API) unlinkIdentity(ctx context.Context, s *identity.Subject, in *oneIdentity) (deletion, error) {
	if err := administrator(s); err != nil {
		return deletion{}, err
	}
	user := canonical(in.Username)
	known, err := a.Identities.Identities(ctx, user)
	if err != nil {
		return deletion{}, err
	}
	for _, id := range known { // by the id or by the issuer, and also when that does not answer
		if id.Subject == in.Subject && (a.Providers.ID(id.Provider) == in.Provider || id.Provider == in.Provider) {
			return deletion{1}, a.Identities.UnlinkIdentity(ctx, user, id)
		}
	}
	return deletion{}, errs.New(errs.NotFound, "no such identity is bound to this user")
}
