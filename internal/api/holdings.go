package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/upstream"
)

// KindRow is what pages and programs need to know of a kind to handle its permissions.
type KindRow struct {
	Name     string   `json:"name" doc:"as explain, who and what have it"`
	Title    string   `json:"title"`
	Segment  string   `json:"segment" doc:"of the paths of its permissions"`
	Patterns string   `json:"patterns_segment" doc:"of the paths of its patterns; empty where there are none"`
	Key      string   `json:"key" doc:"the field of answers that names a resource"`
	ByID     bool     `json:"by_id" doc:"permissions hold an id, and patterns match the name"`
	Parent   string   `json:"parent,omitempty" doc:"the kind within which resources have their names: permissions hold its id, a slash and the name"`
	KeptWith string   `json:"kept_with,omitempty" doc:"the kind with which it shares its names and permissions"`
	Anywhere bool     `json:"everywhere" doc:"what permissions hold means one thing in all workspaces"`
	Parts    []string `json:"parts" doc:"what permissions of roles name apart, although it is governed by this"`
}

// KindTable is the table of kinds, and the levels from the least to the most.
type KindTable struct {
	Kinds  []KindRow `json:"kinds"`
	Levels []string  `json:"levels"`
}

// HoldingsQuery asks what is given to a principal, or on a resource.
type HoldingsQuery struct {
	User   string `query:"user" maxLength:"255" doc:"what this user holds itself"`
	Group  string `query:"group" maxLength:"255" doc:"what this group holds"`
	Kind   string `query:"kind" doc:"of a principal: this kind alone; of a resource: its kind"`
	ID     string `query:"id" maxLength:"512" doc:"who holds something on this resource itself"`
	Search string `query:"search" maxLength:"256" doc:"a part of the resource or the pattern, or of an experiment's name; of a resource's, of the holder's name"`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
	Offset int    `query:"offset" minimum:"0"`
}

// Holding is one permission or pattern as it is stored.
type Holding struct {
	ID         int64  `json:"id"`
	User       string `json:"user,omitempty"`
	Group      string `json:"group,omitempty"`
	Service    bool   `json:"is_service_account,omitempty"`
	Kind       string `json:"kind"`
	Workspace  string `json:"workspace,omitempty"`
	Resource   string `json:"resource,omitempty"`
	Name       string `json:"name,omitempty" doc:"of the resource, where it has an id beside it and MLflow tells"`
	Pattern    string `json:"regex,omitempty"`
	Priority   *int   `json:"priority,omitempty"`
	Permission string `json:"permission"`
	Expires    string `json:"expires_at,omitempty"`
	Rule       string `json:"by_rule,omitempty" doc:"the workspace rule that has given it, and sees to it until somebody changes it by hand"`
}

// Holdings is a page of what is given.
type Holdings struct {
	Holdings []Holding `json:"holdings"`
	Total    int       `json:"total" doc:"how many there are in all pages"`
}

func (a *API) holdings(r *registrar) {
	add(r, http.MethodGet, "/permissions/kinds", 200, "The kinds of resources, and the levels", func(ctx context.Context, _ *identity.Subject, _ *none) (KindTable, error) {
		a.MLflow.ListSoon(ctx, kind.Experiment) // whoever opens the pages looks at that next
		table := KindTable{Levels: kind.Levels()}
		for k := range kind.All() {
			if k.Name == kind.Workspace && !a.Rules.Workspaces {
				continue
			}
			table.Kinds = append(table.Kinds, KindRow{string(k.Name), k.Title, k.Segment, k.Patterns, k.Key, k.ByID, string(k.Parent), string(k.KeptWith), k.Everywhere, append([]string{}, k.Parts...)})
		}
		return table, nil
	})
	add(r, http.MethodGet, "/permissions/holdings", 200, "What is given to a user or a group, or on a resource, as it is stored", a.Holdings)
}

// Holdings lists what a principal holds itself, to administrators, and who holds something on a resource itself, to whoever
// manages it.
func (a *API) Holdings(ctx context.Context, s *identity.Subject, in *HoldingsQuery) (Holdings, error) {
	q := store.HoldingsQuery{Holder: store.Principal{User: canonical(in.User), Group: in.Group}, Resource: in.ID, Search: in.Search, Limit: in.Limit, Offset: in.Offset}
	page := Holdings{Holdings: []Holding{}}
	given := 0
	for _, one := range []string{in.User, in.Group, in.ID} {
		if one != "" {
			given++
		}
	}
	if given != 1 {
		return page, errs.New(errs.Invalid, "say whose or on what: one of user, group and id, and with id the kind")
	}
	if in.Kind != "" || in.ID != "" {
		k, err := a.askedKind(in.Kind)
		if err != nil {
			return page, err
		}
		if q.Kind = k.Name; in.ID != "" {
			if err := a.manages(ctx, s, k, in.ID); err != nil {
				return page, err
			}
		}
	}
	if in.ID == "" {
		if err := administrator(s); err != nil {
			return page, err
		}
	}
	a, names := a.asking()
	if in.ID == "" && in.Search != "" && (q.Kind == "" || q.Kind == kind.Experiment) {
		var err error
		if q.Named, err = a.namedSo(ctx, names, q); err != nil {
			return page, err
		}
	}
	found, total, err := a.Store.Holdings(ctx, q)
	if err != nil {
		return page, err
	}
	page.Total = total
	var ids []string
	for _, h := range found {
		if k, _ := kind.Of(h.Grant.Kind); k.ByID && h.Grant.Pattern == "" {
			ids = append(ids, h.Grant.Resource)
		}
	}
	names.remember(ctx, ids)
	for _, h := range found {
		page.Holdings = append(page.Holdings, a.holding(ctx, h))
	}
	return page, nil
}

// namedSo gives those of the experiments that somebody holds something on whose names have the text in them. Where MLflow does not
// tell names, none has: what is held is found by its id all the same.
func (a *API) namedSo(ctx context.Context, names *asking, q store.HoldingsQuery) ([]string, error) {
	held, err := a.Store.Grants(ctx, q.Holder, kind.Experiment)
	if err != nil || len(held) == 0 {
		return nil, err
	}
	var all []upstream.Listed
	if err := names.ask(func() error { all, err = a.MLflow.Listed(ctx, kind.Experiment); return err }); err != nil {
		if isSilent(err) {
			err = nil
		}
		return nil, err
	}
	theirs := make(map[string]bool, len(held))
	for _, g := range held {
		theirs[g.Resource] = true
	}
	wanted := strings.ToLower(q.Search)
	var found []string
	for _, one := range all {
		if theirs[one.ID] && strings.Contains(one.Folded, wanted) {
			found = append(found, one.ID)
		}
	}
	return found, nil
}

// holding shows what is held. A name that MLflow does not tell now is left out: the permission is there all the same.
func (a *API) holding(ctx context.Context, h store.Holding) Holding {
	one := a.unnamed(h)
	if k, _ := kind.Of(h.Grant.Kind); h.Grant.Pattern == "" {
		one.Name = a.nameOf(ctx, k, h.Grant.Resource)
	}
	return one
}

// unnamed shows what is held as the database has it.
func (a *API) unnamed(h store.Holding) Holding {
	g := h.Grant
	k, _ := kind.Of(g.Kind)
	one := Holding{ID: g.ID, User: h.Holder.User, Group: h.Holder.Group, Service: h.Service, Kind: string(g.Kind), Workspace: g.Workspace, Resource: g.Resource,
		Pattern: g.Pattern, Permission: g.Level.String(), Expires: shownEnd(g.Expires), Rule: h.Rule}
	if in := g.Pattern != "" && g.Kind != kind.Workspace || g.Pattern == "" && !k.Everywhere; in && a.Rules.Workspaces && g.Workspace == "" {
		one.Workspace = kind.DefaultWorkspace
	}
	if g.Pattern != "" {
		one.Priority = &g.Priority
	}
	return one
}
