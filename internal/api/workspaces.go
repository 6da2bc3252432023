package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// The plugin has the permissions of workspaces under version 3 of the API, starting from the workspace; they are the same ones as
// those under version 2, which have the form of all other kinds.

// SpacePath names a workspace.
type SpacePath struct {
	Workspace string `path:"workspace" maxLength:"63"`
}

// SpaceHolderPath names a principal's permission on a workspace.
type SpaceHolderPath struct {
	SpacePath
	Principal string `path:"principal" maxLength:"255"`
}

type spaceBody struct {
	Username   string `json:"username,omitempty" maxLength:"255"`
	Group      string `json:"group_name,omitempty" maxLength:"255"`
	Permission string `json:"permission"`
	Ending
}

func (b spaceBody) levelBody() levelBody { return levelBody{b.Permission, b.Ending} }

type newSpaceGrant struct {
	SpacePath
	Body spaceBody
}

type spaceChange struct {
	SpaceHolderPath
	Body spaceBody
}

func (b spaceBody) holder(side side) string {
	if side.user {
		return b.Username
	}
	return b.Group
}

const spacesAt = "/permissions/workspaces"

// workspacePermissions registers these. The prefix is of version 3.
func (a *API) workspacePermissions(r *registrar) {
	k, _ := kind.Of(kind.Workspace)
	addPaged(r, "/users/current/workspaces", "The workspaces that one may be in", cut(a.ownWorkspaces))
	for _, side := range sides {
		at := spacesAt + "/{workspace}/" + side.segment
		add(r, http.MethodGet, at, 200, "Which "+side.segment+" hold a permission on a workspace", func(ctx context.Context, s *identity.Subject, in *SpacePath) ([]row, error) {
			return a.spaceHolders(ctx, s, side, in.Workspace)
		})
		add(r, http.MethodPost, at, 201, "Give a permission on a workspace", func(ctx context.Context, s *identity.Subject, in *newSpaceGrant) (row, error) {
			return a.putSpace(ctx, s, k, side, in.Workspace, in.Body.holder(side), in.Body.levelBody(), a.Store.CreateGrant)
		})
		add(r, http.MethodPatch, at+"/{principal}", 200, "Change a permission on a workspace", func(ctx context.Context, s *identity.Subject, in *spaceChange) (row, error) {
			return a.putSpace(ctx, s, k, side, in.Workspace, in.Principal, in.Body.levelBody(), a.Store.UpdateGrant)
		})
		remove(r, at+"/{principal}", "Take a permission on a workspace away", func(ctx context.Context, s *identity.Subject, in *SpaceHolderPath) error {
			if err := a.manages(ctx, s, k, in.Workspace); err != nil {
				return err
			}
			return a.Store.DeleteGrant(ctx, side.of(in.Principal), kind.Workspace, in.Workspace)
		})
		a.workspacePatterns(r, k, side)
	}
}

type ownWorkspace struct {
	Name string `json:"name"`
}

// ownWorkspaces are those that the caller is let into. Everybody is in the default one.
func (a *API) ownWorkspaces(ctx context.Context, s *identity.Subject, _ *Paging) (listing[ownWorkspace], error) {
	mine := listing[ownWorkspace]{name: func(w ownWorkspace) string { return w.Name }}
	grants, err := a.Grants.Of(ctx, s.UserID)
	if err != nil {
		return mine, err
	}
	all, err := a.MLflow.All(ctx, kind.Workspace)
	for _, item := range all {
		on := authz.Resource{Kind: kind.Workspace, ID: item.ID, Name: item.Name}
		if item.Name == kind.DefaultWorkspace || a.Rules.Decide(s.Decider(), grants, on, kind.Read).Allowed {
			mine.rows = append(mine.rows, ownWorkspace{item.Name})
		}
	}
	return mine, err
}

// field is what answers call the holder.
func (s side) field() string {
	if s.user {
		return "username"
	}
	return "group_name"
}

// unnamed is for who names no holder: no schema asks for it, since users and groups share theirs.
func (s side) unnamed() error {
	return huma.Error422UnprocessableEntity(s.field() + " must not be empty")
}

func (a *API) spaceHolders(ctx context.Context, s *identity.Subject, side side, name string) ([]row, error) {
	k, _ := kind.Of(kind.Workspace)
	if err := a.manages(ctx, s, k, name); err != nil {
		return nil, err
	}
	users, groups, err := a.Store.GrantsOn(ctx, kind.Workspace, name)
	if err != nil {
		return nil, err
	}
	rows := []row{}
	if side.user {
		for _, h := range users {
			rows = append(rows, lasting(row{"workspace": name, "username": h.Name, "permission": h.Level.String()}, h.Expires))
		}
		return rows, nil
	}
	rules, err := a.Attacher.Store.RuleOf(ctx, name)
	for _, h := range groups {
		one := lasting(row{"workspace": name, "group_name": h.Name, "permission": h.Level.String(), "rule_id": nil}, h.Expires)
		if rule, ok := rules[h.Name]; ok {
			one["rule_id"] = rule
		}
		rows = append(rows, one)
	}
	return rows, err
}

func (a *API) putSpace(ctx context.Context, s *identity.Subject, k kind.Kind, side side, name, holder string,
	body levelBody, put changing) (row, error) {
	if err := a.manages(ctx, s, k, name); err != nil {
		return nil, err
	}
	level, err := parseLevel(body.Permission)
	if err == nil && holder == "" {
		err = side.unnamed()
	}
	if err != nil {
		return nil, err
	}
	until, err := a.until(body.Ending)
	if err != nil {
		return nil, err
	}
	one := lasting(row{"workspace": name, side.field(): holder, "permission": level.String()}, body.ExpiresAt.At)
	if !side.user {
		one["rule_id"] = nil
	}
	return one, put(ctx, side.of(holder), kind.Workspace, name, level, until)
}

type spacePatternBody struct {
	Username   string `json:"username,omitempty" maxLength:"255"`
	Group      string `json:"group_name,omitempty" maxLength:"255"`
	Permission string `json:"permission"`
	Regex      string `json:"regex"`
	Priority   int32  `json:"priority"`
	Ending
}

func (b spacePatternBody) holder(side side) string {
	return spaceBody{Username: b.Username, Group: b.Group}.holder(side)
}

type newSpacePattern struct{ Body spacePatternBody }

type changedSpacePattern struct {
	ID   int64 `path:"permission_id"`
	Body spacePatternBody
}

type spacePatternOf struct {
	ID       int64  `path:"permission_id"`
	Username string `query:"username" maxLength:"255" doc:"of a user's pattern"`
	Group    string `query:"group_name" maxLength:"255" doc:"of a group's pattern"`
}

// workspacePatterns are for administrators, as all patterns are.
func (a *API) workspacePatterns(r *registrar, k kind.Kind, side side) {
	at := spacesAt + "/regex/" + side.kind
	add(r, http.MethodGet, at, 200, "The workspace patterns of all "+side.segment, func(ctx context.Context, s *identity.Subject, _ *none) ([]row, error) {
		if err := administrator(s); err != nil {
			return nil, err
		}
		held, err := a.Store.PatternHolders(ctx, kind.Workspace, !side.user)
		rows := []row{}
		for _, h := range held {
			rows = append(rows, spacePattern(side, h.Name, h.Grant))
		}
		return rows, err
	})
	put := func(ctx context.Context, s *identity.Subject, b spacePatternBody, id int64) (row, error) {
		g, until, err := a.pattern(s, k, patternBody{b.Regex, b.Priority, b.Permission, b.Ending})
		if err != nil {
			return nil, err
		}
		if b.holder(side) == "" {
			return nil, side.unnamed()
		}
		p := side.of(b.holder(side))
		if g.ID = id; id != 0 {
			return spacePattern(side, b.holder(side), g), a.Store.UpdatePattern(ctx, p, g, until)
		}
		if until != nil {
			g.Expires = *until
		}
		if err := a.Store.CreatePattern(ctx, p, g); err != nil {
			return nil, err
		}
		all, err := a.Store.Patterns(ctx, p, kind.Workspace)
		for _, one := range all {
			if one.Pattern == g.Pattern {
				g.ID = one.ID
			}
		}
		return spacePattern(side, b.holder(side), g), err
	}
	add(r, http.MethodPost, at, 201, "Make a workspace pattern", func(ctx context.Context, s *identity.Subject, in *newSpacePattern) (row, error) {
		return put(ctx, s, in.Body, 0)
	})
	add(r, http.MethodPatch, at+"/{permission_id}", 200, "Change a workspace pattern", func(ctx context.Context, s *identity.Subject, in *changedSpacePattern) (row, error) {
		return put(ctx, s, in.Body, in.ID)
	})
	remove(r, at+"/{permission_id}", "Delete a workspace pattern", func(ctx context.Context, s *identity.Subject, in *spacePatternOf) error {
		if err := administrator(s); err != nil {
			return err
		}
		holder := spaceBody{Username: in.Username, Group: in.Group}.holder(side)
		if holder == "" {
			return side.unnamed()
		}
		return a.Store.DeletePattern(ctx, side.of(holder), kind.Workspace, in.ID)
	})
}

func spacePattern(side side, holder string, g authz.Grant) row {
	return row{"id": g.ID, "regex": g.Pattern, "priority": g.Priority, "permission": g.Level.String(), side.field(): holder}
}
