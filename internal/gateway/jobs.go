package gateway

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// jobParams are the jobs that can be decided, with their parameters (mlflow/server/jobs, MLflow 3.17.2). The ids among them
// are needs of the row. A parameter that is not here, username above all, is for administrators.
var jobParams = map[string]struct{ needed, others []string }{
	"invoke_scorer":          {[]string{"experiment_id", "serialized_scorer", "trace_ids"}, []string{"log_assessments", "scorer_version"}},
	"invoke_genai_evaluate":  {[]string{"run_id", "serialized_scorers", "trace_ids"}, []string{"experiment_id", "scorer_versions"}},
	"invoke_issue_detection": {[]string{"experiment_id", "run_id", "trace_ids", "categories", "model"}, nil},
}

// exactFields refuses other spellings of fields than MLflow's own. These routes are no protobuf: MLflow would take a field
// that is decided here for one that is not there.
func (c *call) exactFields() error { return exact(c.read.Body) }

func exact(object *httpx.Object) error {
	for _, key := range object.Keys() {
		if httpx.Snake(key) != key {
			return errs.New(errs.Invalid, "the field %q is not spelled as MLflow reads it", key)
		}
	}
	return nil
}

// knownJob refuses a job, or parameters of one, that nobody knows how to decide.
func (c *call) knownJob() error {
	name, _, err := c.read.Body.Text("job_name")
	if err != nil {
		return err
	}
	known, ok := jobParams[name]
	if !ok {
		return errs.New(errs.Denied, "only administrators may run the job %q: what it touches cannot be decided", name)
	}
	value, _ := c.read.Body.Get("params")
	params, ok := value.(*httpx.Object)
	if !ok {
		return errs.New(errs.Invalid, "field \"params\" must be an object")
	}
	for _, key := range params.Keys() {
		if !slices.Contains(known.needed, key) && !slices.Contains(known.others, key) {
			return errs.New(errs.Denied, "only administrators may give a job the parameter %q", key)
		}
	}
	for _, key := range known.needed {
		if value, _ := params.Get(key); value == nil {
			return errs.New(errs.Invalid, "the job %s needs the parameter %s", name, key)
		}
	}
	if name != "invoke_issue_detection" {
		return c.runScorers(params)
	}
	model, _, err := params.Text("model")
	if err != nil {
		return err
	}
	return c.useModel(model)
}

// knownScorers decides the scorers that a request has MLflow run: those in it, and those that are registered, which MLflow
// runs in place of them.
func (c *call) knownScorers() error {
	if err := c.runScorers(c.read.Body); err != nil {
		return err
	}
	given, err := definitions(c.read.Body)
	if err != nil {
		return err
	}
	if version, _ := c.read.Body.Get("scorer_version"); version != nil {
		name, _, err := c.read.Body.Text("scorer_name")
		if err != nil {
			return err
		}
		return c.runRegistered(name, version)
	}
	value, _ := c.read.Body.Get("scorer_versions")
	versions, ok := value.([]any)
	if value != nil && (!ok || len(versions) != len(given)) {
		return errs.New(errs.Invalid, "scorer_versions must be a list, as long as serialized_scorers")
	}
	for i, version := range versions {
		if version == nil {
			continue
		}
		scorer, err := httpx.ParseObject([]byte(given[i]))
		if err != nil {
			return err
		}
		name, _, err := scorer.Text("name")
		if err != nil {
			return err
		}
		if err := c.runRegistered(name, version); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) runRegistered(name string, version any) error {
	number, ok := version.(json.Number)
	if !ok || name == "" {
		return errs.New(errs.Invalid, "a registered scorer needs its name, and a number as its version")
	}
	experiment, _, err := c.read.Body.Text("experiment_id")
	if err != nil {
		return err
	}
	target, err := extract.NewTarget(policy.Scorer, "scorer_name", kind.Within(experiment, name), kind.Read)
	if err != nil {
		return err
	}
	if err := c.decide(target); err != nil {
		return err
	}
	text, err := c.gateway.MLflow.Scorer(c.r.Context(), experiment, name, number.String())
	if err != nil {
		return err
	}
	return c.runScorer(text)
}

// definitions gives the scorers that an object has, one or a list.
func definitions(object *httpx.Object) ([]string, error) {
	var all []string
	one, _, err := object.Text("serialized_scorer")
	if err != nil {
		return nil, err
	}
	if one != "" {
		all = append(all, one)
	}
	value, given := object.Get("serialized_scorers")
	list, ok := value.([]any)
	if given && !ok {
		return nil, errs.New(errs.Invalid, "field \"serialized_scorers\" must be a list")
	}
	for _, item := range list {
		text, ok := item.(string)
		if !ok {
			return nil, errs.New(errs.Invalid, "field \"serialized_scorers\" must be a list of texts")
		}
		all = append(all, text)
	}
	if len(all) == 0 {
		return nil, errs.New(errs.Invalid, "the request needs a scorer")
	}
	return all, nil
}

func (c *call) runScorers(object *httpx.Object) error {
	all, err := definitions(object)
	if err != nil {
		return err
	}
	for _, text := range all {
		if err := c.runScorer(text); err != nil {
			return err
		}
	}
	return nil
}

// runScorer decides a scorer that MLflow would run with its own rights.
func (c *call) runScorer(text string) error {
	model, err := scorerModel(text)
	if err != nil || model == "" {
		return err
	}
	return c.useModel(model)
}

// endpointName is what MLflow lets an endpoint be called (mlflow/gateway/utils.py, is_valid_endpoint_name).
var endpointName = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// useModel asks for USE on the endpoint that a model's URI names. Any other model is called with the keys in MLflow's own
// environment, which are nobody's to spend.
func (c *call) useModel(model string) error {
	name, ok := endpointOf(model)
	if !ok || !endpointName.MatchString(name) || !strings.HasPrefix(model, "gateway:/") {
		return errs.New(errs.Denied, "the model must be gateway:/ and an endpoint's name; only administrators may name %q", model)
	}
	return c.useEndpoint(name)
}

// knownEndpoint asks for an endpoint, whose key is its owner's; without one the keys in MLflow's own environment are spent.
func (c *call) knownEndpoint() error {
	name, _, err := c.read.Body.Text("endpoint_name")
	if err == nil && !endpointName.MatchString(name) {
		err = errs.New(errs.Denied, "endpoint_name must name an endpoint of the AI gateway; only administrators may name a provider instead")
	}
	return err
}
