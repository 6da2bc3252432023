package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// effect gives what has to happen to grants between MLflow's answer and ours; nil when nothing has.
func (c *call) effect() (func(*http.Response) error, error) {
	if c.match.Route.Effect == "" {
		return nil, nil
	}
	var named func(context.Context) error
	if effect := c.match.Route.Effect; effect == policy.DropNamed || effect == policy.MoveNamed {
		var err error
		if named, err = c.namedEffect(); err != nil {
			return nil, err
		}
	}
	if c.match.Route.Effect == policy.GrantNewServer {
		return nil, c.makeServer()
	}
	if c.match.Route.Effect == policy.DropWorkspace {
		var err error
		if named, err = c.dropWorkspace(); err != nil {
			return nil, err
		}
	}
	return func(answer *http.Response) error {
		if answer.StatusCode < 200 || answer.StatusCode > 299 {
			return nil
		}
		// The client may hang up now; what MLflow has done must still be followed by what we do.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(c.r.Context()), 15*time.Second)
		defer cancel()
		defer c.gateway.MLflow.Changed(ctx) // whoever made something sees it listed at once
		switch c.match.Route.Effect {
		case policy.GrantExperiment:
			return c.grantExperiment(ctx, answer)
		case policy.GrantModel:
			return c.grantModel(ctx)
		case policy.DropModel:
			return c.onName(func(name string) error {
				c.gateway.MLflow.ForgetRegistered(ctx, name)
				return c.gateway.Lifecycle.Deleted(ctx, kind.RegisteredModel, name)
			})
		case policy.MoveModel:
			return c.moveModel(ctx)
		case policy.GrantMCPServer:
			return c.onName(func(name string) error { return c.grantServer(ctx, name) })
		case policy.DropMCPServer:
			return c.gateway.Lifecycle.Deleted(ctx, kind.MCPServer, c.targets[0].Value)
		case policy.GrantScorer:
			return c.grantScorer(ctx, answer)
		case policy.DropScorer:
			return c.dropScorer(ctx)
		case policy.GrantNamed:
			return c.grantNamed(ctx, answer)
		case policy.DropNamed, policy.MoveNamed, policy.DropWorkspace:
			return named(ctx)
		case policy.OwnNewJobs:
			return c.ownNewJobs(ctx, answer)
		case policy.OwnQueue:
			return c.ownQueue(ctx, answer)
		case policy.DropQueue:
			return c.gateway.Owners.Disown(ctx, policy.ReviewQueue.String(), c.targets[0].Value)
		case policy.GrantWorkspace:
			return c.grantWorkspace(ctx)
		case policy.ForgetName:
			id, _, err := c.read.Body.Text("experiment_id")
			c.gateway.MLflow.ForgetName(ctx, id)
			return err
		}
		return errs.New(errs.Internal, "effect %q has no rule", c.match.Route.Effect)
	}, nil
}

func (c *call) onName(do func(name string) error) error {
	name, _, err := c.read.Body.Text("name")
	if err != nil {
		return err
	}
	return do(name)
}

// grantExperiment gives the creator MANAGE. If that cannot be stored the experiment is deleted again: nothing is left
// without an owner.
func (c *call) grantExperiment(ctx context.Context, answer *http.Response) error {
	body, err := readAnswer(answer, 1<<20)
	if err != nil {
		return err
	}
	var created struct {
		ID string `json:"experiment_id"`
	}
	if err := json.Unmarshal(body, &created); err != nil || created.ID == "" {
		return errs.Wrap(errs.BadGateway, err, "MLflow's answer names no experiment")
	}
	if err := c.gateway.Lifecycle.Created(ctx, kind.Experiment, created.ID, c.subject.UserID); err != nil {
		undo, _ := json.Marshal(map[string]string{"experiment_id": created.ID})
		return c.undo(ctx, err, http.MethodPost, "/api/2.0/mlflow/experiments/delete", undo)
	}
	return nil
}

func (c *call) grantModel(ctx context.Context) error {
	return c.onName(func(name string) error {
		c.gateway.MLflow.ForgetRegistered(ctx, name)
		err := c.gateway.Lifecycle.Created(ctx, kind.RegisteredModel, name, c.subject.UserID)
		if err == nil {
			return nil
		}
		undo, _ := json.Marshal(map[string]string{"name": name})
		return c.undo(ctx, err, http.MethodDelete, "/api/2.0/mlflow/registered-models/delete", undo)
	})
}

func (c *call) undo(ctx context.Context, cause error, method, path string, body []byte) error {
	if _, err := c.gateway.MLflow.Ask(ctx, method, path, nil, body, 1<<20); err != nil {
		c.gateway.Log.ErrorContext(ctx, "could not undo a creation whose grant could not be stored; an administrator has to assign it",
			"path", path, "body", string(body), "error", err)
	}
	return errs.Wrap(errs.Unavailable, cause, "the permission of the creator could not be stored, and so nothing was created; try again")
}

func (c *call) moveModel(ctx context.Context) error {
	to, _, err := c.read.Body.Text("new_name")
	if err != nil {
		return err
	}
	return c.onName(func(from string) error {
		c.gateway.MLflow.ForgetRegistered(ctx, from, to)
		if from == to {
			return nil
		}
		return c.gateway.Lifecycle.Renamed(ctx, kind.RegisteredModel, from, to)
	})
}
