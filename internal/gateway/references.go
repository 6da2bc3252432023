package gateway

import (
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// usableSecret asks for USE on the secret of a model definition that is led elsewhere: with another provider or model the
// key goes to whom its owner did not mean, or is spent on what it was not meant for.
func (c *call) usableSecret() error {
	if other, _, err := c.read.Body.Text("secret_id"); err != nil || other != "" { // a need of the row, and then the key in use
		return err
	}
	for _, field := range []string{"provider", "model_name"} {
		value, _, err := c.read.Body.Text(field)
		if err != nil {
			return err
		}
		if value == "" { // MLflow leaves it as it is
			continue
		}
		id, err := c.gateway.MLflow.SecretOf(c.r.Context(), c.targets[0].Value)
		if err != nil || id == "" {
			return err
		}
		return c.decide(extract.Target{Ref: policy.GatewaySecret, Value: id, Level: kind.Use})
	}
	return nil
}

// usableEndpoints decides every endpoint that a scorer to be registered names, however deep in it.
func (c *call) usableEndpoints() error {
	text, _, err := c.read.Body.Text("serialized_scorer")
	if err != nil || text == "" {
		return err
	}
	scorer, err := httpx.ParseObject([]byte(text))
	if err != nil {
		return errs.New(errs.Invalid, "the JSON in the field \"serialized_scorer\" cannot be read: %v", err)
	}
	for _, name := range endpointsIn(scorer) {
		if err := c.useEndpoint(name); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) useEndpoint(name string) error {
	if !endpointName.MatchString(name) {
		return errs.New(errs.Invalid, "%q is not the name of an endpoint", name)
	}
	target, err := extract.NewTarget(policy.GatewayEndpointName, "model", name, kind.Use)
	if err != nil {
		return err
	}
	return c.decide(target)
}

// endpointsIn gives the names of all endpoints that a value names as a model.
func endpointsIn(value any) []string {
	var names []string
	switch v := value.(type) {
	case *httpx.Object:
		for _, key := range v.Keys() {
			inner, _ := v.Get(httpx.Snake(key))
			names = append(names, endpointsIn(inner)...)
		}
	case []any:
		for _, item := range v {
			names = append(names, endpointsIn(item)...)
		}
	case string:
		if name, ok := endpointOf(v); ok {
			names = append(names, name)
		}
	}
	return names
}

// endpointOf gives the name in a model's URI of the form gateway:/name, by MLflow's own reading of it
// (mlflow/metrics/genai/model_utils.py, _parse_model_uri).
func endpointOf(model string) (string, bool) {
	provider, name, ok := strings.Cut(model, ":/")
	return strings.TrimLeft(name, "/"), ok && strings.EqualFold(strings.TrimSpace(provider), "gateway")
}
