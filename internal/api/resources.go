package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/upstream"
)

type resourcePath struct {
	Resource string `path:"resource" maxLength:"255"`
}

type holderRow struct {
	Name       string `json:"name"`
	Permission string `json:"permission"`
	Kind       string `json:"kind"`
	Expires    string `json:"expires_at,omitempty"`
}

// resources derives the routes that start from the resource.
func (a *API) resources(r *registrar, k kind.Kind) {
	if k.Parent != "" {
		a.innerResources(r, k)
		return
	}
	base := "/permissions/" + k.Segment
	for _, side := range sides {
		add(r, http.MethodGet, base+"/{resource}/"+side.segment, 200, "Which "+side.segment+" hold a permission on a "+k.Title,
			func(ctx context.Context, s *identity.Subject, in *resourcePath) ([]holderRow, error) {
				return a.holders(ctx, s, k, side, in.Resource)
			})
	}
	addPaged(r, base, "Every "+k.Title+" whose permissions the caller may change",
		func(ctx context.Context, s *identity.Subject, in *Paging) ([]row, int, error) {
			return a.managed(ctx, s, k, in.paging())
		})
}

func (a *API) holders(ctx context.Context, s *identity.Subject, k kind.Kind, side side, resource string) ([]holderRow, error) {
	if err := a.manages(ctx, s, k, resource); err != nil {
		return nil, err
	}
	users, groups, err := a.Store.GrantsOn(ctx, k.Name, resource)
	holders := groups
	if side.user {
		holders = users
	}
	rows := make([]holderRow, 0, len(holders))
	for _, h := range holders {
		row := holderRow{h.Name, h.Level.String(), side.kind, shownEnd(h.Expires)}
		if h.Service {
			row.Kind = "service-account"
		}
		rows = append(rows, row)
	}
	return rows, err
}

// managed lists the resources of a kind on which the caller has MANAGE, out of all that MLflow knows.
func (a *API) managed(ctx context.Context, s *identity.Subject, k kind.Kind, p Paging) ([]row, int, error) {
	grants, err := a.Grants.Of(ctx, s.UserID)
	if err != nil {
		return nil, 0, err
	}
	manages := func(item upstream.Item) bool {
		return a.may(s, grants, authz.Resource{Kind: k.Name, ID: item.ID, Name: item.Name})
	}
	if p.Limit > 0 {
		return a.managedPage(ctx, k, p, manages)
	}
	all, err := a.MLflow.All(ctx, k.Name)
	if err != nil {
		return nil, 0, err
	}
	items, total := page(slices.DeleteFunc(all, func(item upstream.Item) bool { return !manages(item) }), func(item upstream.Item) string { return item.Name }, p)
	return managedRows(k, items), total, nil
}

// managedPage lists one page. What there is to search and to count is what MLflow had a moment ago; the rows of the page are what it has
// now, and each is decided again, as its name may have changed.
func (a *API) managedPage(ctx context.Context, k kind.Kind, p Paging, manages func(upstream.Item) bool) ([]row, int, error) {
	all, err := a.MLflow.Listed(ctx, k.Name)
	if err != nil {
		return nil, 0, err
	}
	wanted := strings.ToLower(p.Search)
	total := 0
	var items []upstream.Item
	for i := range all {
		if !strings.Contains(all[i].Folded, wanted) || !manages(all[i].Item) {
			continue
		}
		if total++; total > p.Offset && len(items) < p.Limit {
			items = append(items, all[i].Item)
		}
	}
	if k.ByID {
		if items, err = a.now(ctx, items); err != nil {
			return nil, 0, err
		}
		items = slices.DeleteFunc(items, func(item upstream.Item) bool { return !manages(item) })
	}
	return managedRows(k, items), total, nil
}

// now gives what experiments are now; those that were deleted are left out.
func (a *API) now(ctx context.Context, items []upstream.Item) ([]upstream.Item, error) {
	ids := make([]string, len(items))
	for i, item := range items {
		ids[i] = item.ID
	}
	known, err := a.MLflow.Experiments(ctx, ids)
	if err != nil {
		return nil, err
	}
	kept := items[:0]
	for _, item := range items {
		if now, ok := known[item.ID]; ok && now.Stage != upstream.Deleted {
			kept = append(kept, now.Item())
		}
	}
	return kept, nil
}

func managedRows(k kind.Kind, items []upstream.Item) []row {
	rows := make([]row, 0, len(items))
	for _, item := range items {
		one := row{"name": item.Name, "tags": item.Tags}
		switch {
		case item.Server != nil:
			one = row{"name": item.Name, "display_name": item.Server.DisplayName, "description": item.Server.Description,
				"status": item.Server.Status, "latest_version": item.Server.Latest, "workspace": item.Server.Workspace}
		case k.ByID:
			one["id"] = item.ID
		case k.Plain:
			one = plainRow(k.Name, item)
		default:
			one["description"], one["aliases"] = item.Description, item.Aliases
		}
		rows = append(rows, one)
	}
	return rows
}

// plainRow is what the plugin lists of a thing of the AI gateway. What it says of an endpoint beside the name is empty.
func plainRow(k kind.Name, item upstream.Item) row {
	switch k {
	case kind.GatewayEndpoint:
		return row{"name": item.Name, "type": "", "description": "", "route_type": "", "auth_type": ""}
	case kind.GatewaySecret:
		return row{"key": item.Name, "name": item.Name}
	case kind.GatewayModel:
		return row{"name": item.Name, "source": item.Provider}
	}
	return row{"name": item.Name}
}
