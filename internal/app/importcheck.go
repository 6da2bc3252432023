package app

import (
	"context"
	"fmt"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/importer"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/upstream"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// inEach gives a context in each workspace of MLflow's; one in none where workspaces are off.
func inEach(ctx context.Context, mlflow *upstream.MLflow) ([]context.Context, error) {
	ctx = workspace.In(ctx, workspace.Scope{Name: kind.DefaultWorkspace}) // where they can be listed; the list of off ones is empty
	items, err := mlflow.All(ctx, kind.Workspace)
	if err != nil {
		return nil, fmt.Errorf("listing the workspaces of MLflow: %w", err)
	}
	if len(items) == 0 {
		return []context.Context{workspace.In(ctx, workspace.Scope{})}, nil
	}
	var all []context.Context
	for _, item := range items {
		all = append(all, workspace.In(ctx, workspace.Scope{Name: item.Name}))
	}
	return all, nil
}

// resources are those of MLflow that decisions are compared on, of all workspaces: experiments, models and prompts, about which everybody has
// a decision, and those of the other kinds where the predecessor says anything of the kind. Older ones know nothing of the AI gateway, and let
// everybody do everything there.
func resources(ctx context.Context, mlflow *upstream.MLflow, source *importer.Source) ([]importer.Resource, error) {
	if mlflow == nil {
		return nil, nil
	}
	places, err := inEach(ctx, mlflow)
	if err != nil {
		return nil, err
	}
	var all []importer.Resource
	for _, in := range places {
		for k := range kind.All() {
			if k.Name == kind.Workspace {
				continue
			}
			some, err := ofKind(in, mlflow, source, k.Name)
			if err != nil {
				return nil, fmt.Errorf("listing what is in MLflow: %w", err)
			}
			all = append(all, some...)
		}
	}
	if source.Holds(kind.Workspace) {
		for _, in := range places {
			if name := workspace.Of(in).Name; name != "" {
				all = append(all, importer.Resource{Kind: kind.Workspace, ID: name, Name: name})
			}
		}
	}
	return all, nil
}

// ofKind are the resources of a kind in the workspace of the context.
func ofKind(ctx context.Context, mlflow *upstream.MLflow, source *importer.Source, k kind.Name) ([]importer.Resource, error) {
	always := k == kind.Experiment || k.Kept() == kind.RegisteredModel
	if !always && !source.Holds(k) {
		return nil, nil
	}
	if k == kind.Scorer {
		return scorers(ctx, mlflow)
	}
	items, err := mlflow.All(ctx, k)
	if errs.Is(err, errs.NotFound) && !always {
		return nil, nil // an MLflow that has no such things
	}
	var all []importer.Resource
	for _, item := range items {
		if k == kind.Prompt && item.Kind != kind.Prompt {
			continue
		}
		all = append(all, importer.Resource{Kind: k, Workspace: workspace.Stored(ctx), ID: item.ID, Name: item.Name})
	}
	return all, err
}

// scorers are those of all experiments in the workspace of the context.
func scorers(ctx context.Context, mlflow *upstream.MLflow) ([]importer.Resource, error) {
	experiments, err := mlflow.All(ctx, kind.Experiment)
	var all []importer.Resource
	for _, e := range experiments {
		in := importer.Resource{Kind: kind.Experiment, Workspace: workspace.Stored(ctx), ID: e.ID, Name: e.Name}
		found, err := mlflow.Scorers(ctx, e.ID)
		if errs.Is(err, errs.NotFound) { // it was deleted meanwhile, or MLflow has no scorers
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, s := range found {
			all = append(all, importer.Resource{Kind: kind.Scorer, Workspace: in.Workspace, ID: kind.Within(e.ID, s.Name), Name: s.Name, Experiment: &in})
		}
	}
	return all, err
}
