package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
)

// account is a user with all that administrators see of it.
type account struct {
	Username    string  `json:"username"`
	DisplayName string  `json:"display_name"`
	Admin       bool    `json:"is_admin"`
	Service     bool    `json:"is_service_account"`
	Active      bool    `json:"active"`
	ManagedBy   string  `json:"managed_by" doc:"manual, scim, or oidc: and the id of an identity provider"`
	Source      *string `json:"service_account_source" nullable:"true" doc:"by what a service account is known; null for a person"`
}

type accountListing struct {
	Paging
	Service string `query:"service" doc:"true for service accounts alone, false for people alone"`
}

type activeChange struct {
	UserPath
	Body struct {
		Active   bool `json:"active"`
		Override bool `json:"admin_override,omitempty" doc:"has no effect: an administrator may always do this"`
	}
}

type ownershipChange struct {
	Body struct {
		Username    string `json:"username" maxLength:"255"`
		ManagedBy   string `json:"managed_by" maxLength:"255" doc:"manual, scim, or oidc: and the id of an identity provider"`
		Memberships bool   `json:"memberships,omitempty" doc:"hand the memberships over too"`
	}
}

type handed struct {
	Group string `json:"group"`
	From  string `json:"from"`
}

type ownership struct {
	Username    string    `json:"username"`
	ManagedBy   string    `json:"managed_by"`
	Previous    string    `json:"previous"`
	Memberships *[]handed `json:"memberships,omitempty"`
}

// lifecycle is what administrators do about accounts beside making and deleting them.
func (a *API) lifecycle(r *registrar) {
	addPaged(r, "/users/details", "Users with all that administrators see of them", a.accounts)
	add(r, http.MethodPatch, "/users/{username}/active", 200, "Deactivate a user, with all sessions and tokens, or activate it again", a.setActive)
	add(r, http.MethodPatch, "/users/ownership", 200, "Say which source manages a user", a.setOwnership)
}

func (a *API) accounts(ctx context.Context, s *identity.Subject, in *accountListing) ([]account, int, error) {
	if err := administrator(s); err != nil {
		return nil, 0, err
	}
	q := store.UsersQuery{Page: in.stored()}
	if in.Service != "" {
		service, err := strconv.ParseBool(in.Service)
		if err != nil {
			return nil, 0, huma.Error422UnprocessableEntity("service must be true or false")
		}
		q.Service = &service
	}
	users, total, err := a.Store.UsersPage(ctx, q)
	if err != nil {
		return nil, 0, err
	}
	var services []int64
	for _, u := range users {
		if u.Service {
			services = append(services, u.ID)
		}
	}
	sources, err := a.Store.ServiceSources(ctx, services...)
	all := make([]account, 0, len(users))
	for _, u := range users {
		all = append(all, a.account(u, sources))
	}
	return all, total, err
}

func (a *API) account(u directory.User, sources map[int64]string) account {
	one := account{Username: u.Username, DisplayName: u.DisplayName, Admin: u.Admin, Service: u.Service, Active: u.Active, ManagedBy: a.shownOwner(u.ManagedBy)}
	if u.Service {
		source := internal
		if provider := sources[u.ID]; provider != "" {
			source = a.Providers.ID(provider)
		}
		one.Source = &source
	}
	return one
}

// setActive is for administrators. Who is deactivated is out at once; permissions stay, for when the person comes back.
func (a *API) setActive(ctx context.Context, s *identity.Subject, in *activeChange) (account, error) {
	if err := administrator(s); err != nil {
		return account{}, err
	}
	name := canonical(in.Username)
	before, err := a.Store.User(ctx, name)
	switch {
	case err != nil:
	case in.Body.Active:
		err = a.Store.SetActive(ctx, name, true)
	default:
		err = a.Store.Deactivate(ctx, name)
	}
	if err != nil {
		return account{}, err
	}
	if !in.Body.Active { // those that are left let nobody in, but would again when the account is activated
		if _, err := a.endSessions(ctx, s, before.ID, session.All); err != nil {
			return account{}, err
		}
	}
	after, err := a.Store.User(ctx, name)
	if err != nil {
		return account{}, err
	}
	sources, err := a.Store.ServiceSources(ctx, after.ID)
	return a.account(after, sources), err
}

// setOwnership is for administrators: who manages an account may rename it, and take its memberships away.
func (a *API) setOwnership(ctx context.Context, s *identity.Subject, in *ownershipChange) (ownership, error) {
	if err := administrator(s); err != nil {
		return ownership{}, err
	}
	to, err := a.owner(ctx, in.Body.ManagedBy)
	if err != nil {
		return ownership{}, err
	}
	name := canonical(in.Body.Username)
	done, err := a.Store.HandOver(ctx, name, to, in.Body.Memberships)
	if err != nil {
		return ownership{}, err
	}
	answer := ownership{Username: name, ManagedBy: in.Body.ManagedBy, Previous: a.shownOwner(done.Previous)}
	if in.Body.Memberships {
		answer.Memberships = &[]handed{}
		for _, m := range done.Memberships {
			*answer.Memberships = append(*answer.Memberships, handed{m.Group, a.shownOwner(m.From)})
		}
	}
	return answer, nil
}

const byOIDC = "oidc:" // begins the name that the plugin's API has for a provider as a source

// owner reads the name of a source. One that is none would keep every other out for good.
func (a *API) owner(ctx context.Context, text string) (string, error) {
	if text == directory.Manual || text == directory.SCIM {
		return text, nil
	}
	if id, ok := strings.CutPrefix(text, byOIDC); ok {
		name, err := a.Providers.Name(ctx, id)
		if !errs.Is(err, errs.NotFound) {
			return name, err
		}
	}
	return "", errs.New(errs.Invalid, "managed_by must be manual, scim, or oidc: and the id of an identity provider that is configured")
}

func (a *API) shownOwner(name string) string {
	if name == directory.Manual || name == directory.SCIM {
		return name
	}
	return byOIDC + a.Providers.ID(name)
}
