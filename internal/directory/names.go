package directory

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// words are segments of paths where usernames are others, of our API and of MLflow's.
var words = map[string]bool{"current": true, "get": true, "list": true, "create": true, "create-ui": true, "delete": true, "update-password": true,
	"update-admin": true, "access-token": true, "roles": true, "permissions": true, "service-account-sources": true}

// Canonical gives a username as it is stored.
func Canonical(username string) string { return strings.ToLower(strings.TrimSpace(username)) }

// NewUsername gives the username of a new account as it is stored.
func NewUsername(username string) (string, error) {
	name := Canonical(username)
	if name == "" || len(name) > 255 || strings.ContainsAny(name, ":/") || strings.ContainsFunc(name, unicode.IsControl) {
		return "", errs.New(errs.Invalid, "username must not be empty, nor longer than 255 bytes, nor contain : or / or control characters")
	}
	if words[name] {
		return "", errs.New(errs.Invalid, "the username %q is a word of the API, and nobody can have it", name)
	}
	return name, nil
}

// NewGroupName checks the name of a new group. A slash is allowed (Keycloak sends full paths), and sent as %2F in paths; what
// clients send unencoded, and so would name something else, is not.
func NewGroupName(text string) (string, error) {
	name := strings.TrimSpace(text)
	switch {
	case name == "":
		return "", errs.New(errs.Invalid, "group_name must not be empty")
	case utf8.RuneCountInString(name) > 255:
		return "", errs.New(errs.Invalid, "group_name has at most 255 characters")
	case name == "." || name == ".." || strings.ContainsAny(name, "?#%"):
		return "", errs.New(errs.Invalid, "group_name must not contain ?, # or %%, nor be . or ..")
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.Is(unicode.C, r) }):
		return "", errs.New(errs.Invalid, "group_name must not contain characters that cannot be seen")
	}
	return name, nil
}

// reservedRole is how the names of users' own roles begin.
const reservedRole = "__user_"

// CheckRoleName refuses what cannot be the name of a new role.
func CheckRoleName(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return errs.New(errs.Invalid, "Role name cannot be empty.")
	case strings.HasPrefix(strings.ToLower(strings.TrimSpace(name)), reservedRole):
		return errs.New(errs.Invalid, "Role name %q uses the reserved '__user_' prefix. Choose a different name.", name)
	case len(name) > 255:
		return errs.New(errs.Invalid, "Role name must be at most 255 bytes.")
	}
	return nil
}

// CheckRoleDescription refuses what is too long for a role; nil is none.
func CheckRoleDescription(text *string) error {
	if text != nil && len(*text) > 1024 {
		return errs.New(errs.Invalid, "Role description must be at most 1024 bytes.")
	}
	return nil
}

// CheckPermission refuses what a role cannot hold on a type: a level of a workspace is USE or MANAGE, and nothing is refused
// by NO_PERMISSIONS there, but by DENY.
func CheckPermission(of kind.Name, permission string) error {
	_, isKind := kind.Of(of)
	if _, isPart := kind.WithPart(string(of)); !isKind && !isPart {
		return errs.New(errs.Invalid, "Invalid resource type '%s'.", of)
	}
	allowed := []string{"READ", "USE", "EDIT", "MANAGE", Deny}
	if of == kind.Workspace {
		allowed = []string{"USE", "MANAGE"}
	}
	if !slices.Contains(allowed, permission) {
		return errs.New(errs.Invalid, "Invalid permission '%s' for resource_type='%s'. It must be one of %s.", permission, of, strings.Join(allowed, ", "))
	}
	return nil
}
