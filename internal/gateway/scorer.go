package gateway

import (
	"encoding/json"
	"slices"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

// What a scorer may consist of that MLflow runs for whoever is no administrator (mlflow/genai/scorers/base.py,
// SerializedScorer, MLflow 3.17.2). All else runs code, loads modules, reads traces that nothing here decides, or calls
// addresses of the caller's choice.
var (
	scorerFields = []string{"name", "aggregations", "description", "is_session_level_scorer", "timeout", "mlflow_version",
		"serialization_version", "builtin_scorer_class", "builtin_scorer_pydantic_data", "instructions_judge_pydantic_data"}
	judgeFields   = []string{"instructions", "model", "feedback_value_type", "generate_rationale_first", "inference_params", "model_api"}
	builtinFields = []string{"name", "aggregations", "description", "timeout", "required_columns", "instructions", "guidelines",
		"should_consider_ordering", "should_exact_match", "model", "inference_params", "model_api"}
	countingFields = []string{"name", "aggregations", "description", "timeout", "required_columns", "instructions", "max_length", "min_length", "unit", "pii_types"}
	inference      = []string{"temperature", "top_p", "top_k", "max_tokens", "max_completion_tokens", "seed", "presence_penalty", "frequency_penalty"}

	judging = []string{"RetrievalRelevance", "RetrievalSufficiency", "RetrievalGroundedness", "ToolCallEfficiency", "ToolCallCorrectness",
		"Guidelines", "ExpectationsGuidelines", "RelevanceToQuery", "Safety", "Correctness", "Fluency", "Equivalence", "UserFrustration",
		"ConversationCompleteness", "ConversationalSafety", "ConversationalToolCallEfficiency", "ConversationalRoleAdherence",
		"ConversationalGuidelines", "Completeness", "Summarization"}
	counting = []string{"PIIDetection", "ResponseLength"} // they ask no model
)

// scorerModel gives the model that a scorer asks; "" when it asks none. A scorer that does more than that is refused.
func scorerModel(text string) (string, error) {
	scorer, err := httpx.ParseObject([]byte(text))
	if err != nil {
		return "", errs.New(errs.Invalid, "the JSON of a scorer cannot be read: %v", err)
	}
	if err := only(scorer, scorerFields); err != nil {
		return "", err
	}
	class, _, err := scorer.Text("builtin_scorer_class")
	if err != nil {
		return "", err
	}
	builtin, err := within(scorer, "builtin_scorer_pydantic_data")
	if err != nil {
		return "", err
	}
	judge, err := within(scorer, "instructions_judge_pydantic_data")
	if err != nil {
		return "", err
	}
	asks := class == "" && judge != nil || slices.Contains(judging, class)
	switch {
	case asks && builtin == nil && class == "":
		return modelOf(judge, judgeFields)
	case asks && builtin != nil && judge == nil:
		return modelOf(builtin, builtinFields)
	case slices.Contains(counting, class) && builtin != nil && judge == nil:
		return "", only(builtin, countingFields)
	}
	return "", errs.New(errs.Denied, "only administrators may have MLflow run a scorer of this kind")
}

// only refuses fields beside those that are known; null is as if it were not there.
func only(object *httpx.Object, known []string) error {
	for _, key := range object.Keys() {
		if value, _ := object.Get(httpx.Snake(key)); value != nil && !slices.Contains(known, key) {
			return errs.New(errs.Denied, "only administrators may have MLflow run a scorer with %q", key)
		}
	}
	return nil
}

func modelOf(data *httpx.Object, known []string) (string, error) {
	if err := only(data, known); err != nil {
		return "", err
	}
	params, err := within(data, "inference_params")
	if err != nil {
		return "", err
	}
	if params != nil {
		if err := only(params, inference); err != nil {
			return "", err
		}
		for _, key := range params.Keys() {
			if value, _ := params.Get(key); value != nil {
				if _, ok := value.(json.Number); !ok {
					return "", errs.New(errs.Denied, "the inference parameter %q must be a number", key)
				}
			}
		}
	}
	model, _, err := data.Text("model")
	if err == nil && model == "" {
		err = errs.New(errs.Denied, "a scorer needs a model, gateway:/ and an endpoint's name; only administrators may use MLflow's own")
	}
	return model, err
}
