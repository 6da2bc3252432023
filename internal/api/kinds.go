package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
)

// resource gives what an id of the API names, with all that a decision for the holder of the grants needs to know of it: of
// which of two kinds it really is where they share their grants, whichever the path calls it.
func (a *API) resource(ctx context.Context, s *identity.Subject, mine *authz.Grants, k kind.Name, id string) (authz.Resource, error) {
	on := authz.Resource{Kind: k, ID: id, Name: id}
	entry, _ := kind.Of(k)
	var err error
	switch {
	case entry.Parent != "":
		outer, name := kind.Parts(id)
		var parent authz.Resource
		parent, err = a.resource(ctx, s, mine, entry.Parent, outer)
		on.Name, on.Parent = name, &parent
	case entry.ByID && (a.Rules.Workspaces || mine.NeedsName(k)): // an experiment of another workspace is not there
		on.Name, err = a.names().ExperimentName(ctx, id)
	case k.Kept() == kind.RegisteredModel && mine.NeedsName(k):
		as := on
		on.Kind, as.Kind = kind.RegisteredModel, kind.Prompt
		if !a.Rules.Alike(s.Decider(), mine, on, as) {
			var is kind.Name
			if is, err = a.names().Registered(ctx, id); err == nil {
				on.Kind = is
			}
		}
	}
	return on, err
}

func (a *API) names() Names {
	if a.Names != nil {
		return a.Names
	}
	return a.MLflow
}

// ofKind leaves out the grants on what is of another kind that shares them. What MLflow does not know stays with the kind
// with which they are kept, so that it can be seen and taken away.
func (a *API) ofKind(ctx context.Context, k kind.Kind, grants []authz.Grant) ([]authz.Grant, error) {
	if k.Name.Kept() != kind.RegisteredModel || len(grants) == 0 {
		return grants, nil
	}
	prompts, err := a.MLflow.Prompts(ctx)
	if err != nil {
		return nil, err
	}
	var kept []authz.Grant
	for _, g := range grants {
		if prompts[g.Resource] == (k.Name == kind.Prompt) {
			kept = append(kept, g)
		}
	}
	return kept, nil
}

// record is a stored permission on a resource that has its name within another.
func record(k kind.Kind, side side, holder int64, g authz.Grant) row {
	outer, name := kind.Parts(g.Resource)
	parent, _ := kind.Of(k.Parent)
	one := lasting(row{parent.Key: outer, k.Key: name, "permission": g.Level.String()}, g.Expires)
	if side.user {
		one["user_id"] = holder
		return one
	}
	one["group_id"], one["kind"] = holder, side.kind
	return one
}

// records lists the stored permissions of a principal: to administrators and to oneself all, to others those on what they
// manage. The plugin lists no effective ones here.
func (a *API) records(ctx context.Context, s *identity.Subject, k kind.Kind, side side, p store.Principal) ([]row, error) {
	id, err := a.Store.PrincipalID(ctx, p)
	if err != nil {
		return nil, err
	}
	grants, err := a.Store.Grants(ctx, p, k.Name)
	if err != nil {
		return nil, err
	}
	rows := []row{}
	for _, g := range grants {
		if !side.user || id != s.UserID {
			if err := a.manages(ctx, s, k, g.Resource); errs.Is(err, errs.Denied) {
				continue
			} else if err != nil {
				return nil, err
			}
		}
		rows = append(rows, record(k, side, id, g))
	}
	return rows, nil
}

type experimentPath struct {
	Experiment string `path:"experiment_id" maxLength:"255"`
}

// innerResources derives the routes that start from a resource within another. The plugin has them under version 3 of the API.
func (a *API) innerResources(r *registrar, k kind.Kind) {
	third := *r
	third.prefix = strings.Replace(r.prefix, "/2.0/", "/3.0/", 1)
	base := "/permissions/" + k.Segment + "/{experiment_id}"
	add(&third, http.MethodGet, base, 200, "Every "+k.Title+" of an experiment whose permissions the caller may change",
		func(ctx context.Context, s *identity.Subject, in *experimentPath) ([]row, error) {
			return a.managedScorers(ctx, s, in.Experiment)
		})
	for _, side := range sides {
		add(&third, http.MethodGet, base+"/{scorer_name}/"+side.segment, 200, "Which "+side.segment+" hold a permission on a "+k.Title,
			func(ctx context.Context, s *identity.Subject, in *InnerResource) ([]holderRow, error) {
				return a.holders(ctx, s, k, side, in.key())
			})
	}
}

func (a *API) managedScorers(ctx context.Context, s *identity.Subject, experiment string) ([]row, error) {
	if !extract.ExperimentID(experiment) {
		return nil, errs.New(errs.Invalid, "%q is not an experiment id: digits without a leading zero", experiment)
	}
	mine, err := a.Grants.Of(ctx, s.UserID)
	if err != nil {
		return nil, err
	}
	rows := []row{}
	all, err := a.MLflow.Scorers(ctx, experiment)
	if errs.Is(err, errs.NotFound) { // as what the caller may not see
		return rows, nil
	}
	if err != nil {
		return nil, err
	}
	for _, one := range all {
		on, err := a.resource(ctx, s, mine, kind.Scorer, kind.Within(experiment, one.Name))
		if errs.Is(err, errs.NotFound) {
			return []row{}, nil
		}
		if err != nil {
			return nil, err
		}
		if a.may(s, mine, on) {
			rows = append(rows, row{"experiment_id": experiment, "name": one.Name, "version": one.Version, "creation_time": one.CreatedAt,
				"scorer_id": one.ID})
		}
	}
	return rows, nil
}
