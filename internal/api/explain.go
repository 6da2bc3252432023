package api

import (
	"context"
	"net/http"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// explanationQuery names whose permission on what is explained.
type explanationQuery struct {
	User string `query:"user" maxLength:"255" doc:"a username; without it one's own"`
	Kind string `query:"kind" required:"true" doc:"such as experiment or registered_model"`
	ID   string `query:"id" required:"true" maxLength:"255" doc:"what permissions of the kind hold: an experiment's id, else a name"`
}

// explanation is a person's level on a resource, and how it comes about.
type explanation struct {
	User       string          `json:"user"`
	Kind       string          `json:"kind"`
	ID         string          `json:"id"`
	Permission string          `json:"permission" doc:"the level that counts"`
	Reason     string          `json:"reason" doc:"grant, admin, default, workspace or deactivated"`
	Considered []consideredRow `json:"considered" doc:"every grant that speaks of the resource, in the order in which they are asked"`
}

// consideredRow is one grant of an explanation.
type consideredRow struct {
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
	add(r, http.MethodGet, "/permissions/explain", 200, "What somebody may do with a resource, and why", a.explain)
}

// explain decides as a request would be decided, and says how: to administrators, to whoever manages the resource, and to
// oneself what one may at least read. Of the rest nobody learns here whether it exists.
func (a *API) explain(ctx context.Context, s *identity.Subject, in *explanationQuery) (explanation, error) {
	k, ok := kind.Of(kind.Name(in.Kind))
	if !ok || k.Name == kind.Workspace && !a.Rules.Workspaces {
		return explanation{}, errs.New(errs.Invalid, "there is no kind %q", in.Kind)
	}
	name := canonical(in.User)
	if name == "" {
		name = s.Username
	}
	self := name == s.Username
	if !self || s.Admin { // administrators are held to the form of ids
		if err := a.manages(ctx, s, k, in.ID); err != nil {
			return explanation{}, err
		}
	}
	user, err := a.Store.User(ctx, name)
	if err != nil {
		return explanation{}, err
	}
	theirs, err := a.Grants.Of(ctx, user.ID)
	if err != nil {
		return explanation{}, err
	}
	whose := identity.Subject{UserID: user.ID, Username: user.Username, Admin: user.Admin, Active: user.Active}
	on, err := a.resource(ctx, &whose, theirs, k.Name, in.ID)
	hidden := errs.New(errs.NotFound, "there is no %s %q, or you may not read it", k.Title, in.ID)
	if errs.Is(err, errs.NotFound) && !s.Admin {
		return explanation{}, hidden
	}
	if err != nil {
		return explanation{}, err
	}
	e := a.Rules.Explain(whose.Decider(), theirs, on, kind.Read)
	if self && !e.Allowed {
		return explanation{}, hidden
	}
	return explained(user.Username, in, e), nil
}

func explained(username string, in *explanationQuery, e authz.Explanation) explanation {
	said := explanation{User: username, Kind: in.Kind, ID: in.ID, Permission: e.Level.String(), Reason: string(e.Reason), Considered: []consideredRow{}}
	for _, g := range e.Considered {
		row := consideredRow{ID: g.ID, Source: g.Source.String(), Group: g.Group, Role: g.Role, Kind: string(g.Kind), Workspace: g.Workspace, Resource: g.Resource,
			Pattern: g.Pattern, Permission: g.Level.String(), Decides: e.Grant != nil && g == *e.Grant}
		if g.Pattern != "" {
			row.Priority = &g.Priority
		}
		if !g.Expires.IsZero() {
			row.Expires = g.Expires.Format(time.RFC3339)
		}
		if g.Denies {
			row.Permission = "DENY"
		}
		if g.Part != "" {
			row.Kind = g.Part
		}
		said.Considered = append(said.Considered, row)
	}
	return said
}
