package api

import (
	"context"
	"net/http"

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
			managed, err := a.managed(ctx, s, k)
			rows, total := page(managed.rows, managed.name, in.paging())
			return rows, total, err
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
func (a *API) managed(ctx context.Context, s *identity.Subject, k kind.Kind) (listing[row], error) {
	managed := listing[row]{name: func(r row) string { name, _ := r["name"].(string); return name }}
	grants, err := a.Grants.Of(ctx, s.UserID)
	if err != nil {
		return managed, err
	}
	all, err := a.MLflow.All(ctx, k.Name)
	if err != nil {
		return managed, err
	}
	for _, item := range all {
		if !a.may(s, grants, authz.Resource{Kind: k.Name, ID: item.ID, Name: item.Name}) {
			continue
		}
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
		managed.rows = append(managed.rows, one)
	}
	return managed, nil
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
