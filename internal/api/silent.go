package api

import (
	"context"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// unknown is the reason for what is not decided, as MLflow could not be asked.
const unknown = "unknown"

// isSilent tells whether MLflow could not be asked.
func isSilent(err error) bool { return errs.Is(err, errs.Unavailable) || errs.Is(err, errs.BadGateway) }

// asking are the names for one question about many resources. When MLflow is silent once it is not asked again: each time could
// last until it is given up.
type asking struct {
	Names
	silent error
	told   map[string]string // names of experiments
}

// asking gives the API for one question about many resources.
func (a *API) asking() (*API, *asking) {
	one := *a
	names := &asking{Names: a.names(), told: map[string]string{}}
	one.Names = names
	return &one, names
}

func (n *asking) ask(do func() error) error {
	if n.silent != nil {
		return n.silent
	}
	err := do()
	if isSilent(err) {
		n.silent = err
	}
	return err
}

// ExperimentName gives an experiment's name (Names).
func (n *asking) ExperimentName(ctx context.Context, id string) (name string, err error) {
	if name, known := n.told[id]; known {
		return name, nil
	}
	err = n.ask(func() error { name, err = n.Names.ExperimentName(ctx, id); return err })
	if err == nil {
		n.told[id] = name
	}
	return name, err
}

// Registered says which kind of thing has a name in the model registry (Names).
func (n *asking) Registered(ctx context.Context, name string) (is kind.Name, err error) {
	err = n.ask(func() error { is, err = n.Names.Registered(ctx, name); return err })
	return is, err
}

// remark says what an answer lacks; "" when it is whole.
func (n *asking) remark() string {
	if n.silent == nil {
		return ""
	}
	return "MLflow could not be asked (" + httpx.BodyOf(n.silent).Message + "): patterns could not be held against names, and what they may decide has the reason unknown; " +
		"whether everything still exists, and in which workspace, was not seen"
}
