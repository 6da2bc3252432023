package gateway

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

type object = map[string]any

// redaction is what an answer may hold of what the caller may not read: the rows of a list that comes in one piece, and
// what lies within each row or within the answer's only object.
type redaction struct {
	kind   kind.Name
	level  kind.Level
	rows   string // the answer's list
	name   string // a row's field with the name
	one    string // the answer's only object
	within func(c *call, row object)
}

var redactions = map[policy.Filter]redaction{
	policy.GatewaySecrets:   {kind.GatewaySecret, kind.Read, "secrets", "secret_name", "", nil},
	policy.GatewayModels:    {kind.GatewayModel, kind.Read, "model_definitions", "name", "model_definition", (*call).hideSecret},
	policy.GatewayEndpoints: {kind.GatewayEndpoint, kind.Read, "endpoints", "name", "endpoint", (*call).hideMappings},
	policy.GatewayInvokable: {kind.GatewayEndpoint, kind.Use, "data", "id", "", nil},
	policy.GatewayMapping: {one: "mapping", within: func(c *call, mapping object) {
		if definition, ok := mapping["model_definition"].(object); ok {
			c.hideSecret(definition)
		}
	}},
}

// redact narrows MLflow's answer to what the caller may read.
func (c *call) redact(answer *http.Response, how redaction) error {
	if c.subject.Admin || answer.StatusCode != http.StatusOK {
		return nil
	}
	if c.r.Method == http.MethodHead { // the length would tell of what is left out
		answer.Header.Del("Content-Length")
		answer.ContentLength = -1
		return nil
	}
	body, err := readAnswer(answer, c.gateway.MaxFiltered)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var whole object
	if err := decoder.Decode(&whole); err != nil {
		return errs.Wrap(errs.BadGateway, err, "MLflow's answer could not be read")
	}
	if one, ok := whole[how.one].(object); ok {
		how.inside(c, one)
	}
	if rows, ok := whole[how.rows].([]any); ok {
		whole[how.rows] = how.keep(c, rows)
	}
	if body, err = json.Marshal(whole); err != nil {
		return errs.Wrap(errs.Internal, err, "the answer could not be written")
	}
	setAnswer(answer, body)
	return nil
}

func (how redaction) inside(c *call, row object) {
	if how.within != nil {
		how.within(c, row)
	}
}

func (how redaction) keep(c *call, rows []any) []any {
	kept := []any{}
	for _, item := range rows {
		row, _ := item.(object)
		if c.has(how.kind, row[how.name], how.level) {
			how.inside(c, row)
			kept = append(kept, row)
		}
	}
	return kept
}

// has decides about something that an answer names. What has no name is nobody's.
func (c *call) has(k kind.Name, name any, level kind.Level) bool {
	text, _ := name.(string)
	on := authz.Resource{Kind: k, ID: text, Name: text}
	return text != "" && c.gateway.Rules.Decide(c.decider(), c.grants, on, level).Allowed
}

// hideSecret takes the secret out of a model definition.
func (c *call) hideSecret(definition object) {
	if !c.has(kind.GatewaySecret, definition["secret_name"], kind.Read) {
		delete(definition, "secret_id")
		delete(definition, "secret_name")
	}
}

// hideMappings takes the model definitions out of an endpoint that the caller may not read.
func (c *call) hideMappings(endpoint object) {
	mappings, ok := endpoint["model_mappings"].([]any)
	if !ok {
		delete(endpoint, "model_mappings")
		return
	}
	kept := []any{}
	for _, item := range mappings {
		mapping, _ := item.(object)
		definition, _ := mapping["model_definition"].(object)
		if c.has(kind.GatewayModel, definition["name"], kind.Read) {
			c.hideSecret(definition)
			kept = append(kept, mapping)
		}
	}
	endpoint["model_mappings"] = kept
}

// onAnswer gives what has to happen to MLflow's answer before it is sent, nil when nothing has: the effect on grants, and
// then the redaction.
func (c *call) onAnswer() (func(*http.Response) error, error) {
	effect, err := c.effect()
	if err != nil {
		return nil, err
	}
	how, ok := redactions[c.match.Route.Filter]
	if !ok {
		return effect, nil
	}
	return func(answer *http.Response) error {
		if effect != nil {
			if err := effect(answer); err != nil {
				return err
			}
		}
		return c.redact(answer, how)
	}, nil
}

// readAnswer reads an answer whole, and leaves it to be read again.
func readAnswer(answer *http.Response, most int64) ([]byte, error) {
	body, err := httpx.ReadLimited(answer.Body, most)
	if err != nil {
		return nil, errs.Wrap(errs.BadGateway, err, "MLflow's answer could not be read")
	}
	_ = answer.Body.Close()
	setAnswer(answer, body)
	return body, nil
}

func setAnswer(answer *http.Response, body []byte) {
	answer.Body = io.NopCloser(bytes.NewReader(body))
	answer.ContentLength = int64(len(body))
	answer.Header.Set("Content-Length", strconv.Itoa(len(body)))
}
