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
	gone   map[string]bool   // experiments that are nowhere
}

// severalNames are names that can be asked for at once; those that are nowhere are not in the answer.
type severalNames interface {
	ExperimentNames(ctx context.Context, ids []string) (map[string]string, error)
}

// asking gives the API for one question about many resources.
func (a *API) asking() (*API, *asking) {
	one := *a
	names := &asking{Names: a.names(), told: map[string]string{}, gone: map[string]bool{}}
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
	if n.gone[id] {
		return "", errs.New(errs.NotFound, "No Experiment with id=%s exists", id)
	}
	err = n.ask(func() error { name, err = n.Names.ExperimentName(ctx, id); return err })
	if err == nil {
		n.told[id] = name
	}
	return name, err
}

// remember asks for the names of several experiments at once, so that there is no question for each.
func (n *asking) remember(ctx context.Context, ids []string) {
	several, ok := n.Names.(severalNames)
	if !ok || len(ids) < 2 {
		return
	}
	_ = n.ask(func() error { // what is not told is asked for again, one by one
		names, err := several.ExperimentNames(ctx, ids)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if name, there := names[id]; there {
				n.told[id] = name
			} else {
				n.gone[id] = true
			}
		}
		return nil
	})
}

// Registered says which kind of thing has a name in the model registry (Names).
func (n *asking) Registered(ctx context.Context, name string) (is kind.Name, err error) {
	err = n.ask(func() error { is, err = n.Names.Registered(ctx, name); return err })
	return is, err
}

// nameOf gives the name of what has an id beside it; "" where MLflow does not tell, or there is none beside it.
func (a *API) nameOf(ctx context.Context, k kind.Kind, id string) string {
	if !k.ByID {
		return ""
	}
	name, err := a.names().ExperimentName(ctx, id)
	if err != nil {
		return ""
	}
	return name
}

// remark says what an answer lacks; "" when it is whole.
func (n *asking) remark() string {
	if n.silent == nil {
		return ""
	}
	return "MLflow could not be asked (" + httpx.BodyOf(n.silent).Message + "): patterns could not be held against names, and what they may decide has the reason unknown; " +
		"whether everything still exists, and in which workspace, was not seen"
}
