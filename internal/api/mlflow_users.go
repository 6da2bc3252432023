package api

import (
	"context"
	"net/http"
	"unicode/utf8"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
)

// Passwords checks and makes those of local accounts.
type Passwords interface {
	// Confirm tells whether a secret is the user's password.
	Confirm(r *http.Request, user directory.User, secret string) error
	HashPassword(ctx context.Context, secret string) (string, error)
}

// Locals keeps the hashes of passwords.
type Locals interface {
	PasswordOf(ctx context.Context, username string) (directory.Password, error)
	KeepPassword(ctx context.Context, userID int64, hash string) error
	CreateLocal(ctx context.Context, u directory.User, hash string) (directory.User, error)
}

// theirUser is a user as MLflow's API shows it.
type theirUser struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
	Admin    bool   `json:"is_admin"`
}

// currentUser answers both APIs, whose path it is.
type currentUser struct {
	Profile
	User  theirUser `json:"user" doc:"as MLflow's own API answers"`
	Basic bool      `json:"is_basic_auth" doc:"whether the caller came with a password of the account's own, which MLflow's pages can change"`
}

func (a *API) mlflowUsers(r *registrar) {
	r.mlflow(theirs{method: http.MethodPost, path: "/users/create", summary: "Make a local account", fields: []string{"username", "password"}, do: a.createLocal})
	r.mlflow(theirs{method: http.MethodGet, path: "/users/get", summary: "One user, in the form of MLflow", fields: []string{"username"}, do: a.getUser})
	r.mlflow(theirs{method: http.MethodGet, path: "/users/list", summary: "Users with their roles, in the form of MLflow", fields: nil, do: a.usersWithRoles})
	r.mlflow(theirs{method: http.MethodPatch, path: "/users/update-password", summary: "Give a local account a password", fields: []string{"username", "password", "current_password?"}, do: a.updatePassword})
	r.mlflow(theirs{method: http.MethodPatch, path: "/users/update-admin", summary: "Make a user an administrator, or none", fields: []string{"username", "is_admin"}, do: a.updateAdmin})
	r.mlflow(theirs{method: http.MethodDelete, path: "/users/delete", summary: "Delete a user with all permissions", fields: []string{"username"}, do: a.deleteTheirs})
}

func (a *API) createLocal(ctx context.Context, s *identity.Subject, in params) (any, error) {
	over, err := a.over(ctx, s)
	if err != nil {
		return nil, err
	}
	if allowed, err := over.any(ctx); err != nil || !allowed {
		return nil, first(err, errPermission)
	}
	given, err := in.texts("username", "password")
	if err != nil {
		return nil, err
	}
	name, err := directory.NewUsername(given[0])
	if err != nil {
		return nil, err
	}
	if _, err := a.Store.User(ctx, name); !errs.Is(err, errs.NotFound) { // before the hash, which takes long
		return nil, first(err, errs.New(errs.Conflict, "User (username=%s) already exists.", name))
	}
	hash, err := a.newHash(ctx, given[1])
	if err != nil {
		return nil, err
	}
	user, err := a.Locals.CreateLocal(ctx, directory.User{Username: name, DisplayName: name, ManagedBy: directory.Manual}, hash)
	if err != nil {
		return nil, err
	}
	return row{"user": theirUser{user.ID, user.Username, user.Admin}}, nil
}

// first gives the first error that is one.
func first(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

// newHash refuses a password that is too short, as MLflow does, or too long, and hashes it.
func (a *API) newHash(ctx context.Context, password string) (string, error) {
	if utf8.RuneCountInString(password) < 12 {
		return "", errs.New(errs.Invalid, "Password must be at least 12 characters.")
	}
	if len(password) > 1024 {
		return "", errs.New(errs.Invalid, "Password must be at most 1024 bytes.")
	}
	return a.Passwords.HashPassword(ctx, password)
}

func (a *API) getUser(ctx context.Context, s *identity.Subject, in params) (any, error) {
	name, err := in.text("username")
	if err != nil {
		return nil, err
	}
	if !s.Admin && canonical(name) != s.Username {
		return nil, errPermission
	}
	user, err := a.named(ctx, in)
	return row{"user": theirUser{user.ID, user.Username, user.Admin}}, err
}

// usersWithRoles lists everybody: whoever assigns a review or a role chooses among them. Of roles each caller is shown their
// own, and those of the workspaces that they administer.
func (a *API) usersWithRoles(ctx context.Context, s *identity.Subject, _ params) (any, error) {
	over, err := a.over(ctx, s)
	if err != nil {
		return nil, err
	}
	people, err := a.Store.Users(ctx, false)
	if err != nil {
		return nil, err
	}
	services, err := a.Store.Users(ctx, true)
	if err != nil {
		return nil, err
	}
	roles, err := a.Roles.Roles(ctx)
	if err != nil {
		return nil, err
	}
	assigned, err := a.Roles.Assignments(ctx)
	if err != nil {
		return nil, err
	}
	byID := map[int64]directory.Role{}
	for _, role := range roles {
		byID[role.ID] = role
	}
	users := []row{}
	for _, user := range append(people, services...) {
		shown := []row{}
		for _, id := range assigned[user.ID] {
			if role, ok := byID[id]; ok && (user.ID == s.UserID || over.workspace(role.Workspace)) {
				shown = append(shown, roleRow(role))
			}
		}
		users = append(users, row{"id": user.ID, "username": user.Username, "is_admin": user.Admin, "roles": shown})
	}
	return row{"users": users}, nil
}

// updatePassword gives an account a password in place of the one before. Whoever does it for themselves shows that one
// again: who has come upon a session must not have the account for good. Sessions end, but the caller's own; an
// administrator's reset ends the tokens too, since they may be those of whoever it is done against.
func (a *API) updatePassword(ctx context.Context, s *identity.Subject, in params) (any, error) {
	given, err := in.texts("username", "password")
	if err != nil {
		return nil, err
	}
	password, self := given[1], canonical(given[0]) == s.Username
	if !self && !s.Admin {
		return nil, errPermission
	}
	user, err := a.named(ctx, in)
	if err != nil {
		return nil, err
	}
	if self {
		if err := a.confirmed(in, user, password); err != nil {
			return nil, err
		}
	}
	if err := a.mayHavePassword(ctx, user); err != nil {
		return nil, err
	}
	hash, err := a.newHash(ctx, password)
	if err != nil {
		return nil, err
	}
	err = a.Locals.KeepPassword(ctx, user.ID, hash)
	if a.done(ctx, err, s, audit.Event{Name: audit.PasswordChanged, Account: user.Username, UserID: user.ID}) != nil {
		return nil, err
	}
	if !self {
		if _, err := a.Store.DeleteTokens(ctx, user.ID); err != nil {
			return nil, err
		}
	}
	_, err = a.endSessions(ctx, s, user.ID, func(f session.Found) bool { return !current(s, f) })
	return nil, err
}

// confirmed asks for the caller's current password.
func (a *API) confirmed(in params, user directory.User, password string) error {
	current, _ := in.fields["current_password"].(string)
	if current == "" {
		return errs.New(errs.Invalid, "Current password is required when changing your own password.")
	}
	err := a.Passwords.Confirm(in.r, user, current)
	if errs.Is(err, errs.Unauthenticated) {
		return errs.New(errs.Invalid, "Current password does not match.")
	}
	if err == nil && password == current {
		return errs.New(errs.Invalid, "New password must differ from the current password.")
	}
	return err
}

// mayHavePassword refuses to give a password to whom a provider signs in, and to service accounts: it would be one more way
// in, past what the provider asks for and past its word that the person has left. One that is there already is changed.
func (a *API) mayHavePassword(ctx context.Context, user directory.User) error {
	p, err := a.Locals.PasswordOf(ctx, user.Username)
	if err == nil && p.User.ID == user.ID {
		return nil
	}
	if err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	known, err := a.Identities.Identities(ctx, user.Username)
	if err != nil {
		return err
	}
	if user.Service || len(known) > 0 || user.ManagedBy != directory.Manual {
		return errs.New(errs.Invalid, "%s signs in through an identity provider, or by tokens, and has no password", user.Username)
	}
	return nil
}

func (a *API) updateAdmin(ctx context.Context, s *identity.Subject, in params) (any, error) {
	if !s.Admin {
		return nil, errPermission
	}
	user, err := a.named(ctx, in)
	if err != nil {
		return nil, err
	}
	value, given := in.fields["is_admin"]
	if !given {
		return nil, missing("is_admin")
	}
	admin, ok := value.(bool)
	if !ok {
		return nil, errs.New(errs.Invalid, "Parameter 'is_admin' must be a boolean.")
	}
	return nil, notTheLast(a.Store.SetRoles(ctx, user.Username, admin, user.Service))
}

func (a *API) deleteTheirs(ctx context.Context, s *identity.Subject, in params) (any, error) {
	if !s.Admin {
		return nil, errPermission
	}
	user, err := a.named(ctx, in)
	if err != nil {
		return nil, err
	}
	if user.ID == s.UserID {
		const said = "Users cannot delete their own account. Ask another admin to delete this user instead."
		return nil, newProblem(httpx.ErrorBody{ErrorCode: "BAD_REQUEST", Message: said, Detail: said}, http.StatusBadRequest)
	}
	var wanted namedUser
	wanted.Body.Username = user.Username
	_, err = a.deleteUser(ctx, s, &wanted)
	return nil, notTheLast(err)
}
