package api

import (
	"context"
	"net/http"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
)

type newGroup struct {
	Body struct {
		Name string `json:"group_name"`
	}
}

type memberListing struct {
	Group string `path:"group_name" maxLength:"255"`
	Paging
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
	addPaged(r, "/permissions/groups", "The names of groups", a.listGroups)
	addPaged(r, "/permissions/groups/details", "Groups with the number of their members", a.groupDetails)
	add(r, http.MethodPost, "/permissions/groups", 201, "Make a group, if there is none of the name", a.createGroup)
	addPaged(r, "/permissions/groups/{group_name}/users", "The members of a group", func(ctx context.Context, s *identity.Subject, in *memberListing) ([]member, int, error) {
		if err := administrator(s); err != nil {
			return nil, 0, err
		}
		users, total, err := a.Store.MembersPage(ctx, in.Group, in.stored())
		members := make([]member, 0, len(users))
		for _, u := range users {
			members = append(members, member{u.Username, u.Admin})
		}
		return members, total, err
	})
}

func (a *API) listGroups(ctx context.Context, _ *identity.Subject, in *Paging) ([]string, int, error) {
	return a.Store.GroupNames(ctx, in.stored())
}

func (a *API) groupDetails(ctx context.Context, s *identity.Subject, in *Paging) ([]groupDetails, int, error) {
	if err := administrator(s); err != nil {
		return nil, 0, err
	}
	groups, total, err := a.Store.GroupsPage(ctx, in.stored())
	all := make([]groupDetails, 0, len(groups))
	for _, g := range groups {
		d := groupDetails{Name: g.Name, Members: g.Members}
		if g.ExternalID != "" {
			d.ExternalID = &g.ExternalID
		}
		all = append(all, d)
	}
	return all, total, err
}

func (a *API) createGroup(ctx context.Context, s *identity.Subject, in *newGroup) (message, error) {
	if err := administrator(s); err != nil {
		return message{}, err
	}
	name, err := directory.NewGroupName(in.Body.Name)
	if err != nil {
		return message{}, err
	}
	err = a.Store.CreateGroup(ctx, name)
	if err == nil && a.Attacher != nil {
		a.Attacher.Arrived(ctx, []string{name}, s.Username)
	}
	if errs.Is(err, errs.Conflict) {
		return message{Status: "success", Message: "Group " + name + " exists already", status: http.StatusOK}, nil
	}
	return message{Status: "success", Message: "Group " + name + " has been created"}, err
}
