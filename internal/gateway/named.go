package gateway

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// namedKinds are the kinds whose requests carry ids while grants are held by names.
var namedKinds = map[policy.Ref]kind.Name{
	policy.GatewayEndpoint: kind.GatewayEndpoint, policy.GatewaySecret: kind.GatewaySecret, policy.GatewayModel: kind.GatewayModel,
}

// undoings say how what was just made is deleted again: the answer's object and its id, and where that id is sent.
var undoings = map[kind.Name]struct{ object, id, path string }{
	kind.GatewayEndpoint: {"endpoint", "endpoint_id", "/api/3.0/mlflow/gateway/endpoints/delete"},
	kind.GatewaySecret:   {"secret", "secret_id", "/api/3.0/mlflow/gateway/secrets/delete"},
	kind.GatewayModel:    {"model_definition", "model_definition_id", "/api/3.0/mlflow/gateway/model-definitions/delete"},
}

// named is what the row's first need names, and its name.
func (c *call) named(ctx context.Context) (kind.Name, string, error) {
	target := c.targets[0]
	name, err := c.nameOf(ctx, target)
	if errs.Is(err, errs.NotFound) {
		err = hidden(target)
	}
	return namedKinds[target.Ref], name, err
}

// nameOf asks MLflow for the name of what a target names, once in a request: what was decided on is what follows.
func (c *call) nameOf(ctx context.Context, target extract.Target) (string, error) {
	key := extract.Target{Ref: target.Ref, Value: target.Value}
	if known, ok := c.names[key]; ok {
		return known, nil
	}
	name, err := c.gateway.MLflow.Named(ctx, target.Ref, target.Value)
	if err != nil {
		return "", err
	}
	if c.names == nil {
		c.names = map[extract.Target]string{}
	}
	c.names[key] = name
	return name, nil
}

// grantNamed gives the creator MANAGE on the name. If that cannot be stored, what was made is deleted again.
func (c *call) grantNamed(ctx context.Context, answer *http.Response) error {
	route := c.match.Route
	name, _, err := c.read.Body.Text(created(route))
	if err != nil {
		return err
	}
	cause := c.gateway.Lifecycle.Created(ctx, route.Creates, name, c.subject.UserID)
	if cause == nil {
		return nil
	}
	body, err := readAnswer(answer, 1<<20)
	if err != nil {
		return err
	}
	way := undoings[route.Creates]
	var made map[string]map[string]any
	_ = json.Unmarshal(body, &made) // without an id nothing is undone, and that is logged
	undo, _ := json.Marshal(map[string]any{way.id: made[way.object][way.id]})
	return c.undo(ctx, cause, http.MethodDelete, way.path, undo)
}

// namedEffect gives what follows the deletion or the renaming of what an id names. The name is asked for before, since
// MLflow does not know it afterwards.
func (c *call) namedEffect() (func(ctx context.Context) error, error) {
	k, name, err := c.named(c.r.Context())
	if err != nil {
		return nil, err
	}
	if c.match.Route.Effect == policy.DropNamed {
		return func(ctx context.Context) error { return c.gateway.Lifecycle.Deleted(ctx, k, name) }, nil
	}
	to, _, err := c.read.Body.Text("name")
	target := c.targets[0]
	return func(ctx context.Context) error {
		if to == "" || to == name {
			return nil
		}
		now, err := c.gateway.MLflow.Named(ctx, target.Ref, target.Value)
		if errs.Is(err, errs.NotFound) { // deleted meanwhile, past us
			return c.gateway.Lifecycle.Deleted(ctx, k, name)
		}
		if err != nil || now == name {
			return err
		}
		return c.gateway.Lifecycle.Renamed(ctx, k, name, now)
	}, err
}

// newGatewayName asks for the right to create the name that something is renamed to, which must give the caller no more
// than there was before.
func (c *call) newGatewayName() error {
	to, _, err := c.read.Body.Text("name")
	if err != nil || to == "" {
		return err
	}
	k, name, err := c.named(c.r.Context())
	if err != nil || to == name {
		return err
	}
	if err := c.create(k, "name"); err != nil {
		return err
	}
	return c.givesNothing(authz.Resource{Kind: k, ID: name, Name: name}, to)
}

// readableSecret decides the secret by which a list is narrowed: the answer would tell what uses it.
func (c *call) readableSecret() error {
	values := c.read.Query["secret_id"]
	if len(values) > 1 {
		return errs.New(errs.Invalid, "the query names secret_id more than once")
	}
	if len(values) == 0 || values[0] == "" { // MLflow reads it as not given
		return nil
	}
	return c.decide(extract.Target{Ref: policy.GatewaySecret, Value: values[0], Level: kind.Read})
}

// knownUsage refuses usage tracking into an experiment that MLflow would choose by the endpoint's name, gateway/<name>:
// it takes one that exists already, whosever it is, and makes one that nobody owns.
func (c *call) knownUsage(byDefault bool) error {
	experiment, _, err := c.read.Body.Text("experiment_id")
	if err != nil || experiment != "" {
		return err
	}
	tracking, given := c.read.Body.Get("usage_tracking")
	if tracking == false || (!given || tracking == nil) && !byDefault {
		return nil
	}
	return errs.New(errs.Denied, "usage tracking needs an experiment_id on which you have EDIT; name one, or set usage_tracking to false")
}
