package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/token"
)

type groupRef struct {
	ID   int64  `json:"id"`
	Name string `json:"group_name"`
}

type profile struct {
	DisplayName string     `json:"display_name"`
	Groups      []groupRef `json:"groups"`
	ID          int64      `json:"id"`
	Admin       bool       `json:"is_admin"`
	Service     bool       `json:"is_service_account"`
	Username    string     `json:"username"`
}

type none struct{}

type userPath struct {
	Username string `path:"username" maxLength:"255"`
}

func (a *API) users(r *registrar) {
	add(r, http.MethodGet, "/users/current", 200, "Who am I", func(ctx context.Context, s *identity.Subject, _ *none) (profile, error) {
		return a.profile(ctx, s.Username)
	})
	add(r, http.MethodGet, "/users/{username}", 200, "One user", func(ctx context.Context, s *identity.Subject, in *userPath) (profile, error) {
		if !s.Admin && s.Username != in.Username {
			return profile{}, administrator(s)
		}
		return a.profile(ctx, in.Username)
	})
	add(r, http.MethodGet, "/users", 200, "The names of users", a.listUsers)
	add(r, http.MethodPost, "/users", 200, "Make a user", a.createUser)
	add(r, http.MethodDelete, "/users", 200, "Delete a user with all permissions", a.deleteUser)
	add(r, http.MethodPatch, "/users/access-token", 200, "Make an access token in place of the one before", a.accessToken)
}

func (a *API) profile(ctx context.Context, username string) (profile, error) {
	user, err := a.Store.User(ctx, username)
	if err != nil {
		return profile{}, err
	}
	groups, err := a.Store.GroupsOf(ctx, user.ID)
	if err != nil {
		return profile{}, err
	}
	p := profile{DisplayName: user.DisplayName, Groups: []groupRef{}, ID: user.ID, Admin: user.Admin, Service: user.Service, Username: user.Username}
	for _, g := range groups {
		p.Groups = append(p.Groups, groupRef{g.ID, g.Name})
	}
	return p, nil
}

type userListing struct {
	Paging
	Service bool `query:"service"`
}

func (a *API) listUsers(ctx context.Context, _ *identity.Subject, in *userListing) ([]string, error) {
	users, err := a.Store.Users(ctx, in.page(), &in.Service)
	names := make([]string, 0, len(users))
	for _, u := range users {
		names = append(names, u.Username)
	}
	return names, err
}

type newUser struct {
	Body struct {
		Username    string `json:"username" minLength:"1" maxLength:"255"`
		DisplayName string `json:"display_name" maxLength:"255"`
		Admin       bool   `json:"is_admin,omitempty"`
		Service     bool   `json:"is_service_account,omitempty"`
	}
}

func (a *API) createUser(ctx context.Context, s *identity.Subject, in *newUser) (message, error) {
	if err := administrator(s); err != nil {
		return message{}, err
	}
	name := strings.ToLower(strings.TrimSpace(in.Body.Username))
	if name == "" || strings.ContainsAny(name, ":/\x00\r\n") {
		return message{}, errs.New(errs.Invalid, "username must not be empty, nor contain : or /")
	}
	_, err := a.Store.CreateUser(ctx, directory.User{Username: name, DisplayName: in.Body.DisplayName, Admin: in.Body.Admin,
		Service: in.Body.Service, ManagedBy: "manual"})
	return message{Message: "User " + name + " has been created"}, err
}

type namedUser struct {
	Body struct {
		Username string `json:"username" minLength:"1" maxLength:"255"`
	}
}

func (a *API) deleteUser(ctx context.Context, s *identity.Subject, in *namedUser) (message, error) {
	if err := administrator(s); err != nil {
		return message{}, err
	}
	if in.Body.Username == s.Username {
		return message{}, errs.New(errs.Invalid, "nobody can delete themselves; another administrator can")
	}
	return message{Message: "User " + in.Body.Username + " has been deleted"}, a.Store.DeleteUser(ctx, in.Body.Username)
}

type tokenRequest struct {
	Body *struct {
		Username   *string `json:"username,omitempty"`
		Expiration *string `json:"expiration,omitempty" doc:"a time in ISO 8601; at most the configured lifetime"`
	} `required:"false"`
}

type newToken struct {
	Token     string `json:"token"`
	ExpiresAt string `json:"expires_at"`
	Message   string `json:"message"`
}

func (a *API) accessToken(ctx context.Context, s *identity.Subject, in *tokenRequest) (newToken, error) {
	username, expires := s.Username, a.Now().Add(a.TokenLifetime)
	if in.Body != nil && in.Body.Username != nil && *in.Body.Username != "" {
		username = *in.Body.Username
	}
	if username != s.Username && !s.Admin {
		return newToken{}, errs.New(errs.Denied, "only administrators make tokens for others")
	}
	if in.Body != nil && in.Body.Expiration != nil && *in.Body.Expiration != "" {
		asked, err := parseTime(*in.Body.Expiration)
		if err != nil {
			return newToken{}, err
		}
		if !asked.After(a.Now()) || asked.After(expires.Add(24*time.Hour)) {
			return newToken{}, errs.New(errs.Invalid, "expiration must lie in the future, and at most %d days ahead", int(a.TokenLifetime.Hours()/24))
		}
		expires = asked
	}
	user, err := a.Store.User(ctx, username)
	if err != nil {
		return newToken{}, err
	}
	secret, hash := token.NewSecret()
	expires = expires.UTC().Truncate(time.Second)
	err = a.Store.SetAccessToken(ctx, directory.AccessToken{UserID: user.ID, Hash: hash, CreatedAt: a.Now(), ExpiresAt: expires})
	if err != nil {
		return newToken{}, err
	}
	return newToken{Token: secret, ExpiresAt: expires.Format(time.RFC3339), Message: "Token for " + username + " has been created"}, nil
}

func parseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999", "2006-01-02"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, errs.New(errs.Invalid, "expiration must be a time such as 2027-01-31T12:00:00Z")
}
