package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// ExplanationQuery names whose permission on what is explained.
type ExplanationQuery struct {
	User string `query:"user" maxLength:"255" doc:"a username; without it one's own"`
	Kind string `query:"kind" required:"true" doc:"such as experiment or registered_model"`
	ID   string `query:"id" required:"true" maxLength:"512" doc:"what permissions of the kind hold: an experiment's id, else a name; a scorer's is the experiment's id, a slash and its name"`
}

// Explanation is a person's level on a resource, and how it comes about.
type Explanation struct {
	User       string       `json:"user"`
	Kind       string       `json:"kind"`
	ID         string       `json:"id"`
	Name       string       `json:"name,omitempty" doc:"of the resource, where it has an id beside it and MLflow tells"`
	Permission string       `json:"permission" doc:"the level that counts"`
	Reason     string       `json:"reason" doc:"grant, admin, default, workspace or deactivated"`
	Considered []Considered `json:"considered" doc:"every grant that speaks of the resource, in the order in which they are asked"`
	Remark     string       `json:"remark,omitempty" doc:"what could not be found out, where MLflow could not be asked"`
}

// Considered is one grant that speaks of a resource.
type Considered struct {
	ID         int64  `json:"id,omitempty"`
	Source     string `json:"source" doc:"user, group, regex, group-regex or role"`
	Group      string `json:"group,omitempty" doc:"whose grant it is, where it is not the user's own"`
	Role       string `json:"role,omitempty"`
	Kind       string `json:"kind"`
	Workspace  string `json:"workspace,omitempty"`
	Resource   string `json:"resource,omitempty"`
	Pattern    string `json:"regex,omitempty"`
	Priority   *int   `json:"priority,omitempty" doc:"of patterns: the smallest is asked first"`
	Permission string `json:"permission"`
	Expires    string `json:"expires_at,omitempty"`
	Decides    bool   `json:"decides" doc:"this one decided"`
}

func (a *API) explanations(r *registrar) {
	add(r, http.MethodGet, "/permissions/explain", 200, "What somebody may do with a resource, and why", a.Explain)
}

// askedKind finds the kind that a question is about.
func (a *API) askedKind(name string) (kind.Kind, error) {
	k, ok := kind.Of(kind.Name(name))
	if !ok || k.Name == kind.Workspace && !a.Rules.Workspaces {
		return k, errs.New(errs.Invalid, "there is no kind %q", name)
	}
	return k, nil
}

// Explain decides as a request would be decided, and says how: to administrators, to whoever manages the resource, and to
// oneself what one may at least read. Of the rest nobody learns here whether it exists.
func (a *API) Explain(ctx context.Context, s *identity.Subject, in *ExplanationQuery) (Explanation, error) {
	k, err := a.askedKind(in.Kind)
	if err != nil {
		return Explanation{}, err
	}
	name := canonical(in.User)
	if name == "" {
		name = s.Username
	}
	self := name == s.Username
	if !self || s.Admin { // administrators are held to the form of ids
		if err := a.manages(ctx, s, k, in.ID); err != nil {
			return Explanation{}, err
		}
	}
	user, err := a.Store.User(ctx, name)
	if err != nil {
		return Explanation{}, err
	}
	a, names := a.asking()
	e, _, err := a.explained(ctx, user, k.Name, in.ID)
	hidden := errs.New(errs.NotFound, "there is no %s %q, or you may not read it", k.Title, in.ID)
	if errs.Is(err, errs.NotFound) && !s.Admin {
		return Explanation{}, hidden
	}
	if err != nil {
		return Explanation{}, err
	}
	if self && !e.Allowed {
		return Explanation{}, hidden
	}
	// Whoever gets here may read the resource, or manages it.
	said := Explanation{User: user.Username, Kind: in.Kind, ID: in.ID, Name: a.nameOf(ctx, k, in.ID), Permission: e.Level.String(), Reason: string(e.Reason), Considered: []Considered{}, Remark: names.remark()}
	for _, g := range e.Considered {
		said.Considered = append(said.Considered, considered(g, e.Grant).forEyesOf(s, user))
	}
	return said, nil
}

// explained decides what a user may do with a resource. With unsure, it is the one way in which all of this API says what others may do.
func (a *API) explained(ctx context.Context, user directory.User, k kind.Name, id string) (authz.Explanation, authz.Resource, error) {
	e, on, silent, err := a.unsure(ctx, user, k, id)
	return e, on, first(err, silent)
}

// unsure is explained where MLflow may be silent. It is said then too what a user may do, where that depends on no name; where it
// does, what is considered is what is held on the resource itself, and nothing is decided.
func (a *API) unsure(ctx context.Context, user directory.User, k kind.Name, id string) (e authz.Explanation, on authz.Resource, silent, err error) {
	theirs, err := a.Grants.Of(ctx, user.ID)
	if err != nil {
		return e, on, nil, err
	}
	return a.weighed(ctx, user, theirs, k, id)
}

// weighed is unsure for a user who holds this, whatever is stored.
func (a *API) weighed(ctx context.Context, user directory.User, theirs *authz.Grants, k kind.Name, id string) (e authz.Explanation, on authz.Resource, silent, err error) {
	whose := identity.Subject{UserID: user.ID, Username: user.Username, Admin: user.Admin, Active: user.Active}
	on, err = a.resource(ctx, &whose, theirs, k, id)
	switch {
	case err == nil:
		e = a.Rules.Explain(whose.Decider(), theirs, on, kind.Read)
	case !isSilent(err):
		return e, on, nil, err
	default:
		var sure bool
		if e, sure = a.Rules.Unnamed(whose.Decider(), theirs, on); !sure {
			silent = err
			e.Decision = authz.Decision{}
			e.Considered = slices.DeleteFunc(e.Considered, func(g authz.Grant) bool { return g.Pattern != "" || g.Resource != on.ID })
		}
	}
	if whose.Active && !whose.Admin && !a.Rules.Member(whose.Decider(), theirs) { // whose requests do not come into the workspace
		e.Decision, silent = authz.Decision{Reason: authz.ByWorkspace}, nil
	}
	return e, on, silent, nil
}

// forEyesOf leaves out of a pattern of somebody else's what administrators alone read: it may tell of names that the caller does
// not know.
func (c Considered) forEyesOf(s *identity.Subject, of directory.User) Considered {
	if !s.Admin && s.UserID != of.ID && c.Pattern != "" {
		c.ID, c.Pattern, c.Priority = 0, "", nil
	}
	return c
}

// considered shows a grant, of which it may be said that it decides.
func considered(g authz.Grant, decides *authz.Grant) Considered {
	row := Considered{ID: g.ID, Source: g.Source.String(), Group: g.Group, Role: g.Role, Kind: string(g.Kind), Workspace: g.Workspace, Resource: g.Resource,
		Pattern: g.Pattern, Permission: g.Level.String(), Expires: shownEnd(g.Expires), Decides: decides != nil && g == *decides}
	if g.Pattern != "" {
		row.Priority = &g.Priority
	}
	if g.Denies {
		row.Permission = "DENY"
	}
	if g.Part != "" {
		row.Kind = g.Part
	}
	return row
}
