package api

import (
	"context"
	"net/http"
	"sort"
	"strconv"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
)

// HolderPath names a principal: the user or the group of the path. What is embedded has to be exported for huma to fill it.
type HolderPath struct {
	Principal string `path:"principal" maxLength:"255"`
}

// GrantPath names a principal's permission on one resource.
type GrantPath struct {
	HolderPath
	Resource string `path:"resource" maxLength:"255"`
}

type levelBody struct {
	Permission string `json:"permission" maxLength:"32"`
}

type grantChange struct {
	GrantPath
	Body levelBody
}

// PatternPath names one of a principal's patterns.
type PatternPath struct {
	HolderPath
	ID int64 `path:"id"`
}

type patternBody struct {
	Regex      string `json:"regex" maxLength:"255"`
	Priority   int    `json:"priority"`
	Permission string `json:"permission" maxLength:"32"`
}

type newPattern struct {
	HolderPath
	Body patternBody
}

type patternChange struct {
	PatternPath
	Body patternBody
}

type resourcePath struct {
	Resource string `path:"resource" maxLength:"255"`
}

// side is one of the two sorts of principal; every route of a kind exists for both.
type side struct {
	segment string
	user    bool
	of      func(name string) store.Principal
}

var sides = []side{
	{"users", true, func(name string) store.Principal { return store.Principal{User: name} }},
	{"groups", false, func(name string) store.Principal { return store.Principal{Group: name} }},
}

// permissions derives the routes of every kind of the table.
func (a *API) permissions(r *registrar) {
	for k := range kind.All() {
		a.resources(r, k)
		for _, s := range sides {
			a.grants(r, k, s)
			a.patterns(r, k, s)
		}
	}
}

func (a *API) grants(r *registrar, k kind.Kind, side side) {
	base := "/permissions/" + side.segment + "/{principal}/" + k.Segment
	created := 201
	if side.user {
		created = k.CreatedStatus
	}
	add(r, http.MethodGet, base, 200, "The "+k.Title+" permissions of one of the "+side.segment,
		func(ctx context.Context, s *identity.Subject, in *HolderPath) ([]map[string]any, error) {
			return a.listGrants(ctx, s, k, side, in.Principal)
		})
	change := func(do func(context.Context, store.Principal, kind.Name, string, kind.Level) error, done string) func(context.Context, *identity.Subject, *grantChange) (message, error) {
		return func(ctx context.Context, s *identity.Subject, in *grantChange) (message, error) {
			level, err := kind.ParseLevel(in.Body.Permission)
			if err != nil {
				return message{}, errs.New(errs.Invalid, "%v", err)
			}
			if err := a.manages(ctx, s, k, in.Resource); err != nil {
				return message{}, err
			}
			return a.success(done, k, in.Resource), do(ctx, side.of(in.Principal), k.Name, in.Resource, level)
		}
	}
	add(r, http.MethodPost, base+"/{resource}", created, "Give a permission", change(a.Store.CreateGrant, "created"))
	add(r, http.MethodPatch, base+"/{resource}", 200, "Change a permission", change(a.Store.UpdateGrant, "updated"))
	add(r, http.MethodDelete, base+"/{resource}", 200, "Take a permission away",
		func(ctx context.Context, s *identity.Subject, in *GrantPath) (message, error) {
			if err := a.manages(ctx, s, k, in.Resource); err != nil {
				return message{}, err
			}
			return a.success("deleted", k, in.Resource), a.Store.DeleteGrant(ctx, side.of(in.Principal), k.Name, in.Resource)
		})
	if side.user {
		add(r, http.MethodGet, base+"/{resource}", 200, "One permission", func(ctx context.Context, s *identity.Subject, in *GrantPath) (map[string]any, error) {
			return a.oneGrant(ctx, s, k, in)
		})
	}
}

func (a *API) success(done string, k kind.Kind, resource string) message {
	return message{Status: "success", Message: "Permission on the " + k.Title + " " + resource + " has been " + done}
}

func (a *API) listGrants(ctx context.Context, s *identity.Subject, k kind.Kind, side side, name string) ([]map[string]any, error) {
	if err := seesPrincipal(s, side, name); err != nil {
		return nil, err
	}
	grants, err := a.Store.Grants(ctx, side.of(name), k.Name)
	rows := make([]map[string]any, 0, len(grants))
	for _, g := range grants {
		row := map[string]any{"name": g.Resource, "permission": g.Level.String(), "kind": side.kind()}
		if k.ByID {
			row["id"] = g.Resource
			if title, err := a.MLflow.ExperimentName(ctx, g.Resource); err == nil {
				row["name"] = title
			} else if !errs.Is(err, errs.NotFound) {
				return nil, err
			}
		}
		rows = append(rows, row)
	}
	return rows, err
}

// kind says to the plugin's clients what a listed permission belongs to.
func (s side) kind() string {
	if s.user {
		return "user"
	}
	return "group"
}

// seesPrincipal lets administrators see everybody's permissions, and everybody their own.
func seesPrincipal(s *identity.Subject, side side, name string) error {
	if s.Admin || (side.user && s.Username == name) {
		return nil
	}
	return administrator(s)
}

func (a *API) oneGrant(ctx context.Context, s *identity.Subject, k kind.Kind, in *GrantPath) (map[string]any, error) {
	if s.Username != in.Principal {
		if err := a.manages(ctx, s, k, in.Resource); err != nil {
			return nil, err
		}
	}
	user, err := a.Store.User(ctx, in.Principal)
	if err != nil {
		return nil, err
	}
	grants, err := a.Store.Grants(ctx, store.Principal{User: in.Principal}, k.Name)
	if err != nil {
		return nil, err
	}
	for _, g := range grants {
		if g.Resource == in.Resource {
			return map[string]any{k.Envelope: map[string]any{k.Key: g.Resource, "permission": g.Level.String(), "user_id": user.ID, "group_id": nil}}, nil
		}
	}
	return nil, errs.New(errs.NotFound, "the user %s holds no permission of its own on the %s %s", in.Principal, k.Title, in.Resource)
}

// manages asks for MANAGE on the resource; who may not read it learns nothing of it.
func (a *API) manages(ctx context.Context, s *identity.Subject, k kind.Kind, resource string) error {
	if k.Name == kind.Experiment && !extract.ExperimentID(resource) {
		return errs.New(errs.Invalid, "%q is not an experiment id: digits without a leading zero", resource)
	}
	if s.Admin {
		return nil
	}
	grants, err := a.Grants.Of(ctx, s.UserID)
	if err != nil {
		return err
	}
	on := authz.Resource{Kind: k.Name, ID: resource, Name: resource}
	if k.ByID && grants.NeedsName(k.Name) {
		if on.Name, err = a.MLflow.ExperimentName(ctx, resource); err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
	}
	if !a.Rules.Decide(authz.Subject{Admin: s.Admin, Active: s.Active}, grants, on, kind.Manage).Allowed {
		return errs.New(errs.Denied, "this needs MANAGE on the %s %q", k.Title, resource)
	}
	return nil
}

func (a *API) patterns(r *registrar, k kind.Kind, side side) {
	base := "/permissions/" + side.segment + "/{principal}/" + k.Patterns
	wrapped := side.user && k.PatternEnvelope != ""
	add(r, http.MethodGet, base, 200, "The "+k.Title+" patterns of one of the "+side.segment,
		func(ctx context.Context, s *identity.Subject, in *HolderPath) ([]map[string]any, error) {
			if err := administrator(s); err != nil {
				return nil, err
			}
			patterns, err := a.Store.Patterns(ctx, side.of(in.Principal), k.Name)
			rows := make([]map[string]any, 0, len(patterns))
			for _, p := range patterns {
				rows = append(rows, patternRow(k, side, p))
			}
			return rows, err
		})
	add(r, http.MethodPost, base, 201, "Make a pattern", func(ctx context.Context, s *identity.Subject, in *newPattern) (message, error) {
		g, err := pattern(s, k, 0, in.Body)
		if err != nil {
			return message{}, err
		}
		return a.success("created", k, in.Body.Regex), a.Store.CreatePattern(ctx, side.of(in.Principal), g)
	})
	add(r, http.MethodGet, base+"/{id}", 200, "One pattern", func(ctx context.Context, s *identity.Subject, in *PatternPath) (map[string]any, error) {
		if err := administrator(s); err != nil {
			return nil, err
		}
		return a.onePattern(ctx, k, side, in, wrapped)
	})
	add(r, http.MethodPatch, base+"/{id}", 200, "Change a pattern", func(ctx context.Context, s *identity.Subject, in *patternChange) (map[string]any, error) {
		g, err := pattern(s, k, in.ID, in.Body)
		if err != nil {
			return nil, err
		}
		if err := a.Store.UpdatePattern(ctx, side.of(in.Principal), g); err != nil {
			return nil, err
		}
		if wrapped {
			return a.onePattern(ctx, k, side, &in.PatternPath, true)
		}
		return map[string]any{"status": "success", "message": a.success("updated", k, in.Body.Regex).Message}, nil
	})
	add(r, http.MethodDelete, base+"/{id}", 200, "Delete a pattern", func(ctx context.Context, s *identity.Subject, in *PatternPath) (message, error) {
		if err := administrator(s); err != nil {
			return message{}, err
		}
		return a.success("deleted", k, "pattern "+strconv.FormatInt(in.ID, 10)), a.Store.DeletePattern(ctx, side.of(in.Principal), k.Name, in.ID)
	})
}

func pattern(s *identity.Subject, k kind.Kind, id int64, body patternBody) (authz.Grant, error) {
	if err := administrator(s); err != nil {
		return authz.Grant{}, err
	}
	level, err := kind.ParseLevel(body.Permission)
	if err != nil {
		return authz.Grant{}, errs.New(errs.Invalid, "%v", err)
	}
	return authz.Grant{ID: id, Kind: k.Name, Pattern: body.Regex, Priority: body.Priority, Level: level}, nil
}

func patternRow(k kind.Kind, side side, p authz.Grant) map[string]any {
	row := map[string]any{"id": p.ID, "regex": p.Pattern, "priority": p.Priority, "permission": p.Level.String(), "workspace": nil}
	if side.user && k.PatternIDText {
		row["id"] = strconv.FormatInt(p.ID, 10)
	}
	return row
}

func (a *API) onePattern(ctx context.Context, k kind.Kind, side side, in *PatternPath, wrapped bool) (map[string]any, error) {
	patterns, err := a.Store.Patterns(ctx, side.of(in.Principal), k.Name)
	if err != nil {
		return nil, err
	}
	for _, p := range patterns {
		if p.ID != in.ID {
			continue
		}
		if row := patternRow(k, side, p); !wrapped {
			return row, nil
		} else {
			return map[string]any{k.PatternEnvelope: row}, nil
		}
	}
	return nil, errs.New(errs.NotFound, "there is no such pattern")
}

type holderRow struct {
	Name       string `json:"name"`
	Permission string `json:"permission"`
	Kind       string `json:"kind"`
}

func (a *API) resources(r *registrar, k kind.Kind) {
	base := "/permissions/" + k.Segment
	for _, side := range sides {
		add(r, http.MethodGet, base+"/{resource}/"+side.segment, 200, "Which "+side.segment+" hold a permission on a "+k.Title,
			func(ctx context.Context, s *identity.Subject, in *resourcePath) ([]holderRow, error) {
				if err := a.manages(ctx, s, k, in.Resource); err != nil {
					return nil, err
				}
				users, groups, err := a.Store.GrantsOn(ctx, k.Name, in.Resource)
				holders := groups
				if side.user {
					holders = users
				}
				rows := make([]holderRow, 0, len(holders))
				for _, h := range holders {
					row := holderRow{h.Name, h.Level.String(), side.kind()}
					if h.Service {
						row.Kind = "service-account"
					}
					rows = append(rows, row)
				}
				return rows, err
			})
	}
	add(r, http.MethodGet, base, 200, "Every "+k.Title+" whose permissions the caller may change",
		func(ctx context.Context, s *identity.Subject, in *Paging) ([]map[string]any, error) {
			return a.managed(ctx, s, k, in)
		})
}

// managed lists the resources of a kind on which the caller has MANAGE, out of all that MLflow knows.
func (a *API) managed(ctx context.Context, s *identity.Subject, k kind.Kind, in *Paging) ([]map[string]any, error) {
	grants, err := a.Grants.Of(ctx, s.UserID)
	if err != nil {
		return nil, err
	}
	all, err := a.MLflow.All(ctx, k.Name)
	if err != nil {
		return nil, err
	}
	rows := []map[string]any{}
	for _, item := range all {
		on := authz.Resource{Kind: k.Name, ID: item.ID, Name: item.Name}
		if !item.Matches(in.Search) || !a.Rules.Decide(authz.Subject{Admin: s.Admin, Active: s.Active}, grants, on, kind.Manage).Allowed {
			continue
		}
		row := map[string]any{"name": item.Name, "tags": item.Tags}
		if k.ByID {
			row["id"] = item.ID
		} else {
			row["description"], row["aliases"] = item.Description, item.Aliases
		}
		rows = append(rows, row)
	}
	sort.Slice(rows, func(i, j int) bool { return rows[i]["name"].(string) < rows[j]["name"].(string) })
	rows = rows[min(in.Offset, len(rows)):]
	if in.Limit > 0 {
		rows = rows[:min(in.Limit, len(rows))]
	}
	return rows, nil
}
