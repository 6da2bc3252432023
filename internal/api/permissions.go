package api

import (
	"context"
	"net/http"
	"strings"
	"unicode"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/upstream"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
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
	Permission string `json:"permission" doc:"NO_PERMISSIONS, READ, USE, EDIT or MANAGE"`
}

type grantChange struct {
	GrantPath
	Body levelBody
}

// row is one object of an answer; which fields there are differs between kinds and sides.
type row = map[string]any

// side is one of the two sorts of principal; every route of a kind exists for both.
type side struct {
	segment string
	kind    string // what the plugin's answers call it
	user    bool
	of      func(name string) store.Principal
}

var sides = []side{
	{"users", "user", true, func(name string) store.Principal { return store.Principal{User: canonical(name)} }},
	{"groups", "group", false, func(name string) store.Principal { return store.Principal{Group: name} }},
}

// permissions derives the routes of every kind of the table.
func (a *API) permissions(r *registrar) {
	for k := range kind.All() {
		if k.Name == kind.Workspace && !a.Rules.Workspaces {
			continue
		}
		a.resources(r, k)
		for _, s := range sides {
			a.grants(r, k, s)
			if k.Patterns != "" {
				a.patterns(r, k, s)
			}
		}
	}
}

func (a *API) grants(r *registrar, k kind.Kind, side side) {
	base := "/permissions/" + side.segment + "/{principal}/" + k.Segment
	created := http.StatusCreated
	if side.user {
		created = k.CreatedStatus
	}
	list := a.groupGrants
	if side.user {
		list = a.effective
	}
	add(r, http.MethodGet, base, 200, "The "+k.Title+" permissions of one of the "+side.segment,
		func(ctx context.Context, s *identity.Subject, in *HolderPath) ([]row, error) {
			return list(ctx, s, k, side.of(in.Principal))
		})
	change := func(ctx context.Context, s *identity.Subject, in *grantChange, do func(context.Context, store.Principal, kind.Name, string, kind.Level) error) (kind.Level, error) {
		if err := a.manages(ctx, s, k, in.Resource); err != nil {
			return kind.NoPermissions, err
		}
		level, err := parseLevel(in.Body.Permission)
		if err != nil {
			return level, err
		}
		return level, do(ctx, side.of(in.Principal), k.Name, in.Resource, level)
	}
	if k.Plain {
		add(r, http.MethodPost, base+"/{resource}", created, "Give a permission", func(ctx context.Context, s *identity.Subject, in *grantChange) (row, error) {
			level, err := change(ctx, s, in, a.Store.CreateGrant)
			return plain(side, in.Resource, level), err
		})
	} else {
		add(r, http.MethodPost, base+"/{resource}", created, "Give a permission", func(ctx context.Context, s *identity.Subject, in *grantChange) (message, error) {
			_, err := change(ctx, s, in, a.Store.CreateGrant)
			return changed(k, side, "created"), err
		})
	}
	add(r, http.MethodPatch, base+"/{resource}", 200, "Change a permission", func(ctx context.Context, s *identity.Subject, in *grantChange) (message, error) {
		_, err := change(ctx, s, in, a.Store.UpdateGrant)
		return changed(k, side, "changed"), err
	})
	add(r, http.MethodDelete, base+"/{resource}", 200, "Take a permission away",
		func(ctx context.Context, s *identity.Subject, in *GrantPath) (message, error) {
			if err := a.manages(ctx, s, k, in.Resource); err != nil {
				return message{}, err
			}
			return changed(k, side, "deleted"), a.Store.DeleteGrant(ctx, side.of(in.Principal), k.Name, in.Resource)
		})
	if side.user || k.Plain {
		add(r, http.MethodGet, base+"/{resource}", 200, "One permission", func(ctx context.Context, s *identity.Subject, in *GrantPath) (row, error) {
			return a.oneGrant(ctx, s, k, side, side.of(in.Principal), in.Resource)
		})
	}
}

// plain is a grant as the plugin answers with it where it wraps it in nothing.
func plain(side side, resource string, level kind.Level) row {
	return row{"name": resource, "permission": level.String(), "kind": side.kind}
}

func parseLevel(name string) (kind.Level, error) {
	level, err := kind.ParseLevel(name)
	if err != nil {
		return level, errs.New(errs.Invalid, "permission must be one of %s", strings.Join(kind.Levels(), ", "))
	}
	return level, nil
}

func changed(k kind.Kind, side side, done string) message {
	m := message{Status: "success", Message: "The " + k.Title + " permission of the " + side.kind + " has been " + done}
	if side.user && k.BareMessages {
		m.Status = ""
	}
	return m
}

// effective lists what a user may do with each resource, and by which source: all of them to administrators, to oneself those
// that one may see, and to others those that they manage.
func (a *API) effective(ctx context.Context, s *identity.Subject, k kind.Kind, p store.Principal) ([]row, error) {
	id, err := a.Store.PrincipalID(ctx, p)
	if err != nil {
		return nil, err
	}
	theirs, err := a.Grants.Of(ctx, id)
	if err != nil {
		return nil, err
	}
	mine, err := a.Grants.Of(ctx, s.UserID)
	if err != nil {
		return nil, err
	}
	all, err := a.MLflow.All(ctx, k.Name)
	if err != nil {
		return nil, err
	}
	rows := []row{}
	for _, item := range all {
		on := authz.Resource{Kind: k.Name, ID: item.ID, Name: item.Name}
		decision := a.Rules.Decide(authz.Subject{Active: true}, theirs, on, kind.Read)
		seen := decision.Level != kind.NoPermissions
		if id != s.UserID {
			seen = a.may(s, mine, on)
		}
		if !seen && !s.Admin {
			continue
		}
		source := "fallback"
		switch {
		case decision.Reason == authz.ByWorkspace:
			source = "workspace"
		case decision.Grant != nil:
			source = decision.Grant.Source.String()
		}
		rows = append(rows, described(k, item, decision.Level, source))
	}
	return rows, nil
}

func described(k kind.Kind, item upstream.Item, level kind.Level, source string) row {
	r := row{"name": item.Name, "permission": level.String(), "kind": source}
	if k.ByID {
		r["id"] = item.ID
	}
	return r
}

// groupGrants lists the permissions that a group holds on single resources: to administrators all, to others those on what
// they manage.
func (a *API) groupGrants(ctx context.Context, s *identity.Subject, k kind.Kind, p store.Principal) ([]row, error) {
	grants, err := a.Store.Grants(ctx, p, k.Name)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	if k.ByID && len(grants) > 0 {
		all, err := a.MLflow.All(ctx, k.Name)
		if err != nil {
			return nil, err
		}
		for _, item := range all {
			names[item.ID] = item.Name
		}
	}
	rows := []row{}
	for _, g := range grants {
		if err := a.manages(ctx, s, k, g.Resource); errs.Is(err, errs.Denied) {
			continue
		} else if err != nil {
			return nil, err
		}
		item := upstream.Item{ID: g.Resource, Name: g.Resource}
		if name, ok := names[g.Resource]; ok { // a deleted experiment has none to show
			item.Name = name
		}
		rows = append(rows, described(k, item, g.Level, "group"))
	}
	return rows, nil
}

func (a *API) oneGrant(ctx context.Context, s *identity.Subject, k kind.Kind, side side, p store.Principal, resource string) (row, error) {
	if err := a.manages(ctx, s, k, resource); err != nil {
		return nil, err
	}
	id, err := a.Store.PrincipalID(ctx, p)
	if err != nil {
		return nil, err
	}
	grants, err := a.Store.Grants(ctx, p, k.Name)
	if err != nil {
		return nil, err
	}
	for _, g := range grants {
		if g.Resource == resource && k.Plain {
			return plain(side, resource, g.Level), nil
		}
		if g.Resource == resource {
			one := row{k.Key: g.Resource, "permission": g.Level.String(), "user_id": id, "group_id": nil}
			if k.Prompt {
				one["prompt"] = false
			}
			return row{k.Envelope: one}, nil
		}
	}
	return nil, errs.New(errs.NotFound, "%s holds no permission of its own there", p)
}

// manages asks for MANAGE on the resource; who has it not learns nothing of it, not even whether it exists.
func (a *API) manages(ctx context.Context, s *identity.Subject, k kind.Kind, resource string) error {
	if k.Name == kind.Experiment && !extract.ExperimentID(resource) {
		return errs.New(errs.Invalid, "%q is not an experiment id: digits without a leading zero", resource)
	}
	if k.Name == kind.Workspace && !workspace.Valid(resource) {
		return errs.New(errs.Invalid, "%q is not the name of a workspace: 2 to 63 of a-z, 0-9 and inner hyphens", resource)
	}
	if strings.ContainsFunc(resource, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }) {
		return errs.New(errs.Invalid, "the name of the %s has a character that no name has", k.Title)
	}
	if s.Admin {
		return nil
	}
	grants, err := a.Grants.Of(ctx, s.UserID)
	if err != nil {
		return err
	}
	on := authz.Resource{Kind: k.Name, ID: resource, Name: resource}
	if k.ByID && (a.Rules.Workspaces || grants.NeedsName(k.Name)) {
		on.Name, err = a.MLflow.ExperimentName(ctx, resource)
		if err != nil && (a.Rules.Workspaces || !errs.Is(err, errs.NotFound)) { // one of another workspace is not there
			if errs.Is(err, errs.NotFound) {
				err = errs.New(errs.Denied, "this needs MANAGE on the %s %q", k.Title, resource)
			}
			return err
		}
	}
	if !a.may(s, grants, on) {
		return errs.New(errs.Denied, "this needs MANAGE on the %s %q", k.Title, resource)
	}
	return nil
}

// may tells whether the caller has MANAGE on a resource.
func (a *API) may(s *identity.Subject, mine *authz.Grants, on authz.Resource) bool {
	return a.Rules.Decide(authz.Subject{Admin: s.Admin, Active: s.Active}, mine, on, kind.Manage).Allowed
}
