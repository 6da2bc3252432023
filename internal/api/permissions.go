package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/upstream"
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

func (p *GrantPath) grant() GrantPath { return *p }

// InnerPath names a principal's permission on one resource that has its name within another.
type InnerPath struct {
	HolderPath
	InnerResource
}

func (p *InnerPath) grant() GrantPath { return GrantPath{p.HolderPath, p.key()} }

// InnerResource names a resource by the one within which it has its name.
type InnerResource struct {
	Experiment string `path:"experiment_id" maxLength:"255"`
	Scorer     string `path:"scorer_name" maxLength:"255"`
}

// key is what grants hold. An id that is none gives what is refused: "1/a" and "b" would be "1" and "a/b".
func (p *InnerResource) key() string {
	if !extract.ExperimentID(p.Experiment) {
		return ""
	}
	return kind.Within(p.Experiment, p.Scorer)
}

// located is a path that names a permission, in whichever segments the kind has for it.
type located interface{ grant() GrantPath }

// change is a request that gives a permission a level.
type change interface {
	located
	wanted() levelBody
}

type levelBody struct {
	Permission string `json:"permission" doc:"NO_PERMISSIONS, READ, USE, EDIT or MANAGE"`
	Ending
}

type grantChange struct {
	GrantPath
	Body levelBody
}

func (c *grantChange) wanted() levelBody { return c.Body }

type innerChange struct {
	InnerPath
	Body levelBody
}

func (c *innerChange) wanted() levelBody { return c.Body }

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
	list := a.groupGrants
	switch {
	case k.Parent != "":
		list = func(ctx context.Context, s *identity.Subject, k kind.Kind, p store.Principal) ([]row, error) {
			return a.records(ctx, s, k, side, p)
		}
	case side.user:
		list = a.effective
	}
	add(r, http.MethodGet, base, 200, "The "+k.Title+" permissions of one of the "+side.segment,
		func(ctx context.Context, s *identity.Subject, in *HolderPath) ([]row, error) {
			return list(ctx, s, k, side.of(in.Principal))
		})
	if k.Parent != "" {
		grantRoutes[InnerPath, *InnerPath, innerChange, *innerChange](a, r, k, side, base+"/{experiment_id}/{scorer_name}")
		return
	}
	grantRoutes[GrantPath, *GrantPath, grantChange, *grantChange](a, r, k, side, base+"/{resource}")
}

// grantRoutes registers what is done with one permission.
func grantRoutes[P any, At interface {
	*P
	located
}, C any, Change interface {
	*C
	change
}](a *API, r *registrar, k kind.Kind, side side, path string) {
	created := http.StatusCreated
	if side.user {
		created = k.CreatedStatus
	}
	give := func(ctx context.Context, s *identity.Subject, in *C, do changing) (kind.Level, error) {
		at := Change(in).grant()
		level, until, err := a.granting(ctx, s, k, at.Resource, Change(in).wanted())
		if err != nil {
			return level, err
		}
		return level, do(ctx, side.of(at.Principal), k.Name, at.Resource, level, until)
	}
	if k.Plain || k.Parent != "" && side.user {
		add(r, http.MethodPost, path, created, "Give a permission", func(ctx context.Context, s *identity.Subject, in *C) (row, error) {
			level, err := give(ctx, s, in, a.Store.CreateGrant)
			if err != nil {
				return nil, err
			}
			at := Change(in).grant()
			return a.shown(ctx, k, side, side.of(at.Principal), authz.Grant{Resource: at.Resource, Level: level, Expires: Change(in).wanted().ExpiresAt.At})
		})
	} else {
		add(r, http.MethodPost, path, created, "Give a permission", func(ctx context.Context, s *identity.Subject, in *C) (message, error) {
			_, err := give(ctx, s, in, a.Store.CreateGrant)
			return changed(k, side, "created"), err
		})
	}
	add(r, http.MethodPatch, path, 200, "Change a permission", func(ctx context.Context, s *identity.Subject, in *C) (message, error) {
		_, err := give(ctx, s, in, a.Store.UpdateGrant)
		return changed(k, side, "changed"), err
	})
	add(r, http.MethodDelete, path, 200, "Take a permission away", func(ctx context.Context, s *identity.Subject, in *P) (message, error) {
		at := At(in).grant()
		if err := a.manages(ctx, s, k, at.Resource); err != nil {
			return message{}, err
		}
		return changed(k, side, "deleted"), a.Store.DeleteGrant(ctx, side.of(at.Principal), k.Name, at.Resource)
	})
	if side.user || k.Plain {
		add(r, http.MethodGet, path, 200, "One permission", func(ctx context.Context, s *identity.Subject, in *P) (row, error) {
			at := At(in).grant()
			return a.oneGrant(ctx, s, k, side, side.of(at.Principal), at.Resource)
		})
	}
}

// granting asks whether the caller may give what is wanted on a resource.
func (a *API) granting(ctx context.Context, s *identity.Subject, k kind.Kind, resource string, wanted levelBody) (kind.Level, *time.Time, error) {
	if err := a.manages(ctx, s, k, resource); err != nil {
		return kind.NoPermissions, nil, err
	}
	level, err := parseLevel(wanted.Permission)
	if err != nil {
		return level, nil, err
	}
	until, err := a.until(wanted.Ending)
	return level, until, err
}

// plain is a grant as the plugin answers with it where it wraps it in nothing.
func plain(side side, g authz.Grant) row {
	return lasting(row{"name": g.Resource, "permission": g.Level.String(), "kind": side.kind}, g.Expires)
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
		source, end := "fallback", time.Time{}
		switch {
		case decision.Reason == authz.ByWorkspace:
			source = "workspace"
		case decision.Grant != nil:
			source, end = decision.Grant.Source.String(), decision.Grant.Expires
		}
		rows = append(rows, lasting(described(k, item, decision.Level, source), end))
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
	if grants, err = a.ofKind(ctx, k, grants); err != nil {
		return nil, err
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
		rows = append(rows, lasting(described(k, item, g.Level, "group"), g.Expires))
	}
	return rows, nil
}

func (a *API) oneGrant(ctx context.Context, s *identity.Subject, k kind.Kind, side side, p store.Principal, resource string) (row, error) {
	if err := a.manages(ctx, s, k, resource); err != nil {
		return nil, err
	}
	grants, err := a.Store.Grants(ctx, p, k.Name)
	if err != nil {
		return nil, err
	}
	for _, g := range grants {
		if g.Resource == resource {
			return a.shown(ctx, k, side, p, g)
		}
	}
	return nil, errs.New(errs.NotFound, "%s holds no permission of its own there", p)
}

// shown is one permission in the form that the plugin has for its kind.
func (a *API) shown(ctx context.Context, k kind.Kind, side side, p store.Principal, g authz.Grant) (row, error) {
	if k.Plain {
		return plain(side, g), nil
	}
	id, err := a.Store.PrincipalID(ctx, p)
	if err != nil {
		return nil, err
	}
	if k.Parent != "" {
		return row{k.Envelope: record(k, side, id, g)}, nil
	}
	one := lasting(row{k.Key: g.Resource, "permission": g.Level.String(), "user_id": id, "group_id": nil}, g.Expires)
	if k.Prompt {
		one["prompt"] = false // also of a prompt: the plugin keeps no such mark with a user's permission
	}
	return row{k.Envelope: one}, nil
}

// manages asks for MANAGE on the resource; who has it not learns nothing of it, not even whether it exists.
func (a *API) manages(ctx context.Context, s *identity.Subject, k kind.Kind, resource string) error {
	if err := extract.Held(k, resource); err != nil {
		return err
	}
	if s.Admin {
		return nil
	}
	grants, err := a.Grants.Of(ctx, s.UserID)
	if err != nil {
		return err
	}
	on, err := a.resource(ctx, s, grants, k.Name, resource)
	if err != nil && !errs.Is(err, errs.NotFound) {
		return err
	}
	if err != nil || !a.may(s, grants, on) {
		return errs.New(errs.Denied, "this needs MANAGE on the %s %q", k.Title, resource)
	}
	return nil
}

// may tells whether the caller has MANAGE on a resource.
func (a *API) may(s *identity.Subject, mine *authz.Grants, on authz.Resource) bool {
	return a.Rules.Decide(s.Decider(), mine, on, kind.Manage).Allowed
}
