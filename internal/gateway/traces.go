package gateway

import (
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// traceTags refuses the tags by which MLflow finds a trace's data: with them one trace would show another's, or a file of
// the server (MLflow 3.17.2, measured). Spans carry tags in their attributes too.
func (c *call) traceTags() error {
	keys, err := c.tagKeys()
	if err != nil {
		return err
	}
	for _, key := range keys {
		if reserved(key) {
			return errs.New(errs.Denied, "the tag %s says where a trace's data lies, and may be changed by administrators only", key)
		}
	}
	return nil
}

// reserved tells whether a tag is MLflow's own. Some databases take keys for equal that differ in case or outer spaces.
func reserved(key string) bool {
	key = strings.ToLower(strings.TrimSpace(key))
	if key == "mlflow.artifactlocation" {
		return true
	}
	// what an evaluation notes about the traces of its scorers is for people, and no place
	return strings.HasPrefix(key, "mlflow.trace.") && key != "mlflow.trace.sourcescorer"
}

// tagKeys gives the keys of all tags that a request sets or deletes: one, a list (version 2), a map (version 3), attributes.
func (c *call) tagKeys() ([]string, error) {
	if c.read.Spans != nil {
		return c.read.Spans.Tags, nil
	}
	key, _, err := c.read.Body.Text("key")
	if err != nil {
		return nil, err
	}
	keys := []string{key}
	if list, given := c.read.Body.Get("tags"); given && list != nil {
		tags, err := objects(list, "tags")
		if err != nil {
			return nil, err
		}
		for _, tag := range tags {
			key, _, err := tag.Text("key")
			if err != nil {
				return nil, err
			}
			keys = append(keys, key)
		}
	}
	info, err := within(c.read.Body, "trace", "trace_info", "tags")
	if err != nil || info == nil {
		return keys, err
	}
	return append(keys, info.Keys()...), nil
}

// within gives the object inside objects; nil where there is none.
func within(object *httpx.Object, fields ...string) (*httpx.Object, error) {
	for _, field := range fields {
		value, given := object.Get(field)
		if !given || value == nil {
			return nil, nil
		}
		inner, ok := value.(*httpx.Object)
		if !ok {
			return nil, errs.New(errs.Invalid, "field %q must be an object", field)
		}
		object = inner
	}
	return object, nil
}

// objects gives a value as a list of objects.
func objects(value any, field string) ([]*httpx.Object, error) {
	list, ok := value.([]any)
	if !ok {
		return nil, errs.New(errs.Invalid, "field %q must be a list", field)
	}
	all := make([]*httpx.Object, len(list))
	for i, item := range list {
		if all[i], ok = item.(*httpx.Object); !ok {
			return nil, errs.New(errs.Invalid, "field %q must be a list of objects", field)
		}
	}
	return all, nil
}

// experimentOf gives the experiment that a trace's location names. MLflow knows other places too, which nothing governs here.
func experimentOf(location *httpx.Object) (string, error) {
	refused := errs.New(errs.Invalid, "a trace's location must be an experiment: type MLFLOW_EXPERIMENT and mlflow_experiment")
	if location == nil {
		return "", refused
	}
	for _, key := range location.Keys() {
		if field := httpx.Snake(key); field != "type" && field != "mlflow_experiment" {
			return "", refused
		}
	}
	if text, given, err := location.Text("type"); err != nil || given && text != "MLFLOW_EXPERIMENT" {
		return "", refused
	}
	inner, err := within(location, "mlflow_experiment")
	if err != nil || inner == nil {
		return "", refused
	}
	id, _, err := inner.Text("experiment_id")
	if err != nil || id == "" {
		return "", refused
	}
	return id, nil
}

// traceLocations refuses a search anywhere but in experiments.
func (c *call) traceLocations() error {
	value, _ := c.read.Body.Get("locations")
	locations, err := objects(value, "locations")
	if err != nil {
		return err
	}
	for _, location := range locations {
		if _, err := experimentOf(location); err != nil {
			return err
		}
	}
	return nil
}

// newTrace refuses to make a trace that exists elsewhere: MLflow would move it, with all its spans (3.17.2, measured).
func (c *call) newTrace() error {
	info, err := within(c.read.Body, "trace", "trace_info")
	if err != nil {
		return err
	}
	if info == nil {
		return errs.New(errs.Invalid, "the request needs trace.trace_info")
	}
	location, err := within(info, "trace_location")
	if err != nil {
		return err
	}
	experiment, err := experimentOf(location)
	if err != nil {
		return err
	}
	id, _, err := info.Text("trace_id")
	if err != nil {
		return err
	}
	if err := c.newAssessments(info, id); err != nil {
		return err
	}
	return c.staysIn(id, experiment)
}

// newAssessments refuses assessments with an id: MLflow writes over the one that has it, of whichever trace. So it does with
// the one that an assessment overrides, when that is deleted (mlflow/store/tracking/sqlalchemy_store.py, delete_assessment).
func (c *call) newAssessments(info *httpx.Object, trace string) error {
	value, given := info.Get("assessments")
	if !given || value == nil {
		return nil
	}
	assessments, err := objects(value, "assessments")
	if err != nil {
		return err
	}
	for _, assessment := range assessments {
		id, _, err := assessment.Text("assessment_id")
		if err != nil {
			return err
		}
		of, _, err := assessment.Text("trace_id")
		if err != nil {
			return err
		}
		// MLflow takes back what a deleted assessment overrode, of whichever trace that is.
		overrides, _, err := assessment.Text("overrides")
		if err != nil {
			return err
		}
		if id != "" || overrides != "" || of != "" && of != trace {
			return errs.New(errs.Invalid, "an assessment of a new trace has no assessment_id and no overrides, and the trace's own trace_id or none")
		}
	}
	return nil
}

// newSpans refuses spans for a trace of another experiment: MLflow would write them into it, and over its own (3.17.2, measured).
func (c *call) newSpans() error {
	experiment := c.r.Header.Get("X-Mlflow-Experiment-Id")
	for _, trace := range c.read.Spans.Traces {
		if err := c.staysIn(trace, experiment); err != nil {
			return err
		}
	}
	return nil
}

// staysIn lets a trace be written that is new, or is in the experiment already, so that none ever moves. Its id must be in
// lower case: a database that takes cases for equal would find another trace than was asked for.
func (c *call) staysIn(trace, experiment string) error {
	if !traceID(trace) {
		return errs.New(errs.Invalid, "trace_id %q is not a trace id: up to 50 of a-z, 0-9, - and _", trace)
	}
	owned, err := c.gateway.MLflow.Owned(c.r.Context(), policy.Trace, trace)
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if owned.Experiment != experiment {
		return errs.New(errs.Denied, "the trace id %s is taken", trace)
	}
	return nil
}

func traceID(s string) bool {
	return s != "" && len(s) <= 50 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}
