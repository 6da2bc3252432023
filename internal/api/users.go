package api

import (
	"context"
	"net/http"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
)

type groupRef struct {
	ID   int64  `json:"id"`
	Name string `json:"group_name"`
}

// Profile is a user as this API shows it. It is exported for the OpenAPI document, which leaves out embedded types that are not.
type Profile struct {
	DisplayName string     `json:"display_name"`
	Groups      []groupRef `json:"groups"`
	ID          int64      `json:"id"`
	Admin       bool       `json:"is_admin"`
	Service     bool       `json:"is_service_account"`
	Username    string     `json:"username"`
}

// OneUser is a user as administrators see it.
type OneUser struct {
	Profile
	Active bool `json:"active"`
}

type none struct{}

func (a *API) users(r *registrar) {
	add(r, http.MethodGet, "/users/current", 200, "Who am I", func(ctx context.Context, s *identity.Subject, _ *none) (currentUser, error) {
		one, err := a.profile(ctx, s.Username)
		me := one.Profile
		me.Admin = s.Admin // not with a narrowed token
		return currentUser{me, theirUser{me.ID, me.Username, me.Admin}, s.Credential == identity.Password}, err
	})
	add(r, http.MethodGet, "/users/{username}", 200, "One user", func(ctx context.Context, s *identity.Subject, in *UserPath) (OneUser, error) {
		if err := administrator(s); err != nil {
			return OneUser{}, err
		}
		return a.profile(ctx, in.Username)
	})
	addPaged(r, "/users", "The names of users, or of service accounts", a.listUsers)
	add(r, http.MethodPost, "/users", 201, "Make a user, or set the roles of one that exists", a.createUser)
	add(r, http.MethodDelete, "/users", 200, "Delete a user with all permissions", a.deleteUser)
	add(r, http.MethodPatch, "/users/access-token", 200, "Make an access token in place of the one before", a.accessToken)
}

// canonical gives a username as it is stored.
func canonical(username string) string { return directory.Canonical(username) }

func (a *API) profile(ctx context.Context, username string) (OneUser, error) {
	user, err := a.Store.User(ctx, canonical(username))
	if err != nil {
		return OneUser{}, err
	}
	groups, err := a.Store.GroupsOf(ctx, user.ID)
	if err != nil {
		return OneUser{}, err
	}
	p := Profile{DisplayName: user.DisplayName, Groups: []groupRef{}, ID: user.ID, Admin: user.Admin, Service: user.Service, Username: user.Username}
	for _, g := range groups {
		p.Groups = append(p.Groups, groupRef{g.ID, g.Name})
	}
	return OneUser{p, user.Active}, nil
}

type userListing struct {
	Paging
	Service bool `query:"service"`
}

func (a *API) listUsers(ctx context.Context, _ *identity.Subject, in *userListing) ([]string, int, error) {
	users, total, err := a.Store.UsersPage(ctx, store.UsersQuery{Page: in.stored(), Service: &in.Service})
	names := make([]string, 0, len(users))
	for _, u := range users {
		names = append(names, u.Username)
	}
	return names, total, err
}

type newUser struct {
	Body struct {
		Username    string  `json:"username" maxLength:"255"`
		DisplayName string  `json:"display_name" maxLength:"255"`
		Admin       bool    `json:"is_admin,omitempty"`
		Service     bool    `json:"is_service_account,omitempty"`
		Source      *string `json:"service_account_source,omitempty" nullable:"true" doc:"internal: with access tokens made here; or the provider, whose JWTs name the account as subject"`
		Subject     *string `json:"subject,omitempty" nullable:"true" doc:"the claim sub of the account's JWTs"`
		Owner       *string `json:"owner,omitempty" nullable:"true" doc:"of a service account: who handles its tokens, beside administrators"`
	}
}

func (a *API) createUser(ctx context.Context, s *identity.Subject, in *newUser) (message, error) {
	if err := administrator(s); err != nil {
		return message{}, err
	}
	name, err := directory.NewUsername(in.Body.Username)
	if err != nil {
		return message{}, err
	}
	if in.Body.Service {
		return a.createService(ctx, s, name, in)
	}
	for _, given := range []*string{in.Body.Source, in.Body.Subject, in.Body.Owner} {
		if given != nil && *given != "" {
			return message{}, errs.New(errs.Invalid, "service_account_source, subject and owner are of service accounts")
		}
	}
	_, err = a.Store.CreateUser(ctx, directory.User{Username: name, DisplayName: in.Body.DisplayName, Admin: in.Body.Admin, ManagedBy: directory.Manual})
	if errs.Is(err, errs.Conflict) {
		return a.setRoles(ctx, name, in)
	}
	return message{Message: "User " + name + " has been created"}, err
}

func (a *API) setRoles(ctx context.Context, name string, in *newUser) (message, error) {
	err := a.Store.SetRoles(ctx, name, in.Body.Admin, in.Body.Service)
	return message{Message: "User " + name + " exists already; the roles are set", status: http.StatusOK}, err
}

// createService makes a service account. Of one that exists the roles are set, and its owner and source where they are given.
func (a *API) createService(ctx context.Context, s *identity.Subject, name string, in *newUser) (message, error) {
	as, err := a.bound(ctx, in.Body.Source, in.Body.Subject)
	if err != nil {
		return message{}, err
	}
	owner := ""
	if in.Body.Owner != nil {
		owner = canonical(*in.Body.Owner)
	}
	if _, err := a.Store.User(ctx, name); errs.Is(err, errs.NotFound) {
		_, err := a.Store.CreateService(ctx, directory.User{Username: name, DisplayName: in.Body.DisplayName, Admin: in.Body.Admin, ManagedBy: directory.Manual}, owner, as)
		return message{Message: "Service account " + name + " has been created"}, err
	}
	done, err := a.setRoles(ctx, name, in)
	if err == nil && owner != "" {
		err = a.Store.SetServiceOwner(ctx, name, owner)
	}
	if err == nil && as.Subject != "" {
		err = a.bind(ctx, s, name, as)
	}
	return done, err
}

type namedUser struct {
	Body struct {
		Username string `json:"username" maxLength:"255"`
	}
}

func (a *API) deleteUser(ctx context.Context, s *identity.Subject, in *namedUser) (message, error) {
	if err := administrator(s); err != nil {
		return message{}, err
	}
	name := canonical(in.Body.Username)
	user, err := a.Store.User(ctx, name)
	if err == nil {
		err = a.Store.DeleteUser(ctx, name)
	}
	if err != nil {
		return message{}, err
	}
	// From here on the sessions are nobody's (token.Authenticator); what is left of them only lists what is over.
	if _, err := a.Sessions.EndAll(ctx, session.Query{UserID: user.ID}, session.All); err != nil {
		a.Log.WarnContext(ctx, "the sessions of a deleted user could not be removed; they let nobody in", "user", name, "error", err)
	}
	return message{Message: "User " + name + " has been deleted"}, nil
}
