package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
)

type newGroup struct {
	Body struct {
		Name string `json:"group_name" minLength:"1" maxLength:"255"`
	}
}

type groupPath struct {
	Group string `path:"group_name" maxLength:"255"`
}

type groupDetails struct {
	Name       string  `json:"group_name"`
	ExternalID *string `json:"external_id"`
	Members    int     `json:"member_count"`
}

type member struct {
	Username string `json:"username"`
	Admin    bool   `json:"is_admin"`
}

func (a *API) groups(r *registrar) {
	add(r, http.MethodGet, "/permissions/groups", 200, "The names of groups", func(ctx context.Context, _ *identity.Subject, in *Paging) ([]string, error) {
		groups, err := a.Store.Groups(ctx, in.page())
		names := make([]string, 0, len(groups))
		for _, g := range groups {
			names = append(names, g.Name)
		}
		return names, err
	})
	add(r, http.MethodGet, "/permissions/groups/details", 200, "Groups with the number of their members", a.groupDetails)
	add(r, http.MethodPost, "/permissions/groups", 200, "Make a group", func(ctx context.Context, s *identity.Subject, in *newGroup) (message, error) {
		if err := administrator(s); err != nil {
			return message{}, err
		}
		name := strings.TrimSpace(in.Body.Name)
		if name == "" {
			return message{}, errs.New(errs.Invalid, "group_name must not be empty")
		}
		return message{Status: "success", Message: "Group " + name + " has been created"}, a.Store.CreateGroup(ctx, name)
	})
	add(r, http.MethodGet, "/permissions/groups/{group_name}/users", 200, "The members of a group", func(ctx context.Context, s *identity.Subject, in *groupPath) ([]member, error) {
		if err := administrator(s); err != nil {
			return nil, err
		}
		users, err := a.Store.GroupMembers(ctx, in.Group)
		members := make([]member, 0, len(users))
		for _, u := range users {
			members = append(members, member{u.Username, u.Admin})
		}
		return members, err
	})
}

func (a *API) groupDetails(ctx context.Context, s *identity.Subject, in *Paging) ([]groupDetails, error) {
	if err := administrator(s); err != nil {
		return nil, err
	}
	groups, err := a.Store.Groups(ctx, in.page())
	details := make([]groupDetails, 0, len(groups))
	for _, g := range groups {
		d := groupDetails{Name: g.Name, Members: g.Members}
		if g.ExternalID != "" {
			d.ExternalID = &g.ExternalID
		}
		details = append(details, d)
	}
	return details, err
}
