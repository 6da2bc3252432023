package gateway

import (
	"net/http"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/graphql"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

// operation reads an operation, decides every field of it, and leaves in it what may be asked for.
func (c *call) operation() (*graphql.Operation, error) {
	operation, err := graphql.Read(c.read.Body)
	if err != nil {
		return nil, err
	}
	if name := operation.Restricted(); name != "" && !c.subject.Admin {
		return nil, errs.New(errs.Denied, "only administrators may ask for %s", name)
	}
	targets, err := operation.Targets()
	if err != nil {
		return nil, err
	}
	for _, target := range targets {
		if err := c.decide(target); err != nil {
			return nil, err
		}
	}
	return operation, operation.Narrow(c.decide)
}

// graphql forwards an operation as it was decided.
func (c *call) graphql() error {
	operation, err := c.operation()
	if err != nil {
		return err
	}
	body, err := operation.Body()
	if err != nil {
		return err
	}
	if operation.Filtered() && !c.subject.Admin {
		return c.filterGraphQL(operation, body)
	}
	if c.read.Body, err = httpx.ParseObject(body); err != nil {
		return err
	}
	return c.forward()
}

func (c *call) filterGraphQL(operation *graphql.Operation, body []byte) error {
	c.passage.lap(Deciding)
	raw, err := c.gateway.MLflow.Ask(c.r.Context(), http.MethodPost, "/graphql", nil, body, c.gateway.MaxFiltered)
	if err != nil {
		return err
	}
	model := func(model string) (bool, error) { return c.reads(c.r.Context(), model) }
	named := mentioned{}
	if _, err := operation.Filter(raw, model, named.note); err != nil {
		return err
	}
	if err := c.decideAll(named); err != nil {
		return err
	}
	filtered, err := operation.Filter(raw, model, named.readable)
	if err != nil {
		return err
	}
	return c.answerJSON(filtered)
}
