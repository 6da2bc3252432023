package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

const mcpServers = "/api/3.0/mlflow/mcp-servers"

// noRouteWord refuses a version, an alias, a key or an id that is a word of the paths: MLflow would take another route than
// the one that was decided (GET …/aliases/endpoints is the endpoints of the server "…/aliases" to it).
func (c *call) noRouteWord() error {
	if extract.RouteWords(c.read.Path.Decoded) != extract.RouteWords(c.match.Route.Path) {
		return errs.New(errs.Invalid, "aliases, endpoints, tags and versions are words of the path, and nothing there may be called so")
	}
	return nil
}

// statusDeleted asks for the level of a deletion where a version is deleted by its status, which nothing takes back.
func (c *call) statusDeleted() error {
	status, _, err := c.read.Body.Text("status")
	if err != nil || status != "deleted" {
		return err
	}
	target := c.targets[0]
	target.Level = kind.Manage
	return c.decide(target)
}

// serverOrNew gives the server; where there is none, it decides its creation instead.
func (c *call) serverOrNew(ctx context.Context, target extract.Target) ([]authz.Resource, error) {
	exists, err := c.serverExists(ctx, target.Value)
	if err != nil {
		return nil, err
	}
	if !exists {
		return nil, c.mayCreate(kind.MCPServer, target.Value)
	}
	return c.resolve(extract.Target{Ref: policy.MCPServer, Value: target.Value})
}

// serverExists asks MLflow, once in a request: what was decided on is what follows.
func (c *call) serverExists(ctx context.Context, name string) (bool, error) {
	target := extract.Target{Ref: policy.MCPServerOrNew, Value: name}
	found, err := c.nameOf(ctx, target)
	if errs.Is(err, errs.NotFound) {
		c.names = map[extract.Target]string{target: ""}
		err = nil
	}
	return found != "", err
}

// makeServer makes the server of a first version, and gives it to the caller, before the version is forwarded. MLflow
// would make both at once, but as well add the version to a server that somebody else has made meanwhile, which the caller
// would then be given. This way the other one wins, and the caller is told. A server whose first version MLflow refuses
// stays, as it does with MLflow's own authentication.
func (c *call) makeServer() error {
	name := c.targets[0].Value
	exists, err := c.serverExists(c.r.Context(), name)
	if err != nil || exists {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.r.Context()), 15*time.Second)
	defer cancel()
	body, err := json.Marshal(map[string]string{"name": name})
	if err != nil {
		return errs.Wrap(errs.Internal, err, "the request to MLflow could not be written")
	}
	if _, err := c.gateway.MLflow.Ask(ctx, http.MethodPost, mcpServers, nil, body, 1<<20); err != nil {
		return err
	}
	return c.grantServer(ctx, name)
}

func (c *call) grantServer(ctx context.Context, name string) error {
	c.gateway.MLflow.Changed(ctx)
	if err := c.gateway.Lifecycle.Created(ctx, kind.MCPServer, name, c.subject.UserID); err != nil {
		return c.undo(ctx, err, http.MethodDelete, mcpServers+"/"+name, nil)
	}
	return nil
}
