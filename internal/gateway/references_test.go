package gateway_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// judge is a scorer that asks a model.
func judge(model string) string {
	text, _ := json.Marshal(fields{"name": "judge", "instructions_judge_pydantic_data": fields{"instructions": "Is {{ outputs }} right?", "model": model}})
	return string(text)
}

// A scorer that names an endpoint is bound to it, and whoever runs it spends the endpoint's key. MLflow asks for nothing.
func TestRegisterAScorerOnAForeignEndpoint(t *testing.T) {
	s := newGatewayScene(t)
	register := func(scorer string) fields {
		return fields{"experiment_id": s.own.Experiment, "name": world.Name("judge"), "serialized_scorer": scorer}
	}
	plain := judge("gateway:/" + s.theirs.Endpoint)
	s.mlflow.Do(t, http.MethodPost, "/api/3.0/mlflow/scorers/register", nil, register(plain))
	for name, scorer := range map[string]string{
		"as its model":       plain,
		"with more slashes":  judge("gateway:///" + s.theirs.Endpoint),
		"in other letters":   judge("Gateway:/" + s.theirs.Endpoint),
		"as a builtin one":   `{"name": "safety", "builtin_scorer_class": "Safety", "builtin_scorer_pydantic_data": {"model": "gateway:/` + s.theirs.Endpoint + `"}}`,
		"within an ensemble": `{"name": "all", "ensemble_scorer_data": {"ensemble_fn": "mean", "scorers": [` + judge("gateway:/"+s.own.Endpoint) + `,` + plain + `]}}`,
		"behind an escape":   strings.Replace(plain, "gateway", `\u0067ateway`, 1),
		"behind a second model, of which the last counts": strings.Replace(plain, `"model":`, `"model":"gateway:/`+s.own.Endpoint+`","model":`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			got := s.attacker.Do(t, http.MethodPost, "/api/3.0/mlflow/scorers/register", register(scorer))
			if got.Status < 400 || got.Status >= 500 {
				t.Errorf("answered %d %s", got.Status, got.Body)
			}
		})
	}
	s.give(t, kind.GatewayEndpoint, s.theirs.Endpoint, kind.Read)
	if got := s.attacker.Do(t, http.MethodPost, "/api/3.0/mlflow/scorers/register", register(plain)); got.Status != http.StatusForbidden {
		t.Errorf("with READ alone: %d %s", got.Status, got.Body)
	}
	s.attacker.JSON(t, http.MethodPost, "/api/3.0/mlflow/scorers/register", register(judge("gateway:/"+s.own.Endpoint)))
	s.attacker.JSON(t, http.MethodPost, "/api/3.0/mlflow/scorers/register", register(judge("openai:/gpt-4o")))
}

// Whoever may EDIT a model definition, and not USE its secret, would send the key to another provider.
func TestLeadAKeyToAnotherProviderByItsModelDefinition(t *testing.T) {
	s := newGatewayScene(t)
	s.give(t, kind.GatewayModel, s.theirs.Definition, kind.Edit)
	update := func(field string, value any) world.Answer {
		return s.attacker.Do(t, http.MethodPost, ai+"model-definitions/update", fields{"model_definition_id": s.theirs.DefinitionID, field: value})
	}
	s.mlflow.Do(t, http.MethodPost, ai+"model-definitions/update", nil, fields{"model_definition_id": s.theirs.DefinitionID, "provider": "anthropic"})
	attack := func(want ...int) {
		t.Helper()
		for field, value := range map[string]any{"provider": "groq", "model_name": "o3", "modelName": "o3"} {
			if got := update(field, value); got.Status != want[0] {
				t.Errorf("%s: %d %s, want %d", field, got.Status, got.Body, want[0])
			}
		}
	}
	attack(http.StatusNotFound)
	if got := update("name", world.Name("renamed")); got.Status != http.StatusOK {
		t.Errorf("a renaming, which leads no key anywhere: %d %s", got.Status, got.Body)
	}
	s.give(t, kind.GatewaySecret, s.theirs.Secret, kind.Read)
	attack(http.StatusForbidden)
	if err := s.App.Store.Deleted(t.Context(), kind.GatewaySecret, s.theirs.Secret); err != nil {
		t.Fatal(err)
	}
	s.give(t, kind.GatewaySecret, s.theirs.Secret, kind.Use)
	attack(http.StatusOK)
}

// MLflow binds whichever scorer is named, and tells nowhere whose it is.
func TestBindAForeignScorerToAnOwnEndpoint(t *testing.T) {
	s := newGatewayScene(t)
	made := s.owner.JSON(t, http.MethodPost, "/api/3.0/mlflow/scorers/register",
		fields{"experiment_id": s.theirs.Experiment, "name": world.Name("hidden"), "serialized_scorer": judge("openai:/gpt-4o")})
	bind := fields{"endpoint_id": s.own.EndpointID, "resource_type": "scorer", "resource_id": made["scorer_id"]}
	if got := s.attacker.Do(t, http.MethodPost, ai+"endpoints/bindings/create", bind); got.Status != http.StatusForbidden {
		t.Errorf("answered %d %s", got.Status, got.Body)
	}
	s.mlflow.Do(t, http.MethodPost, ai+"endpoints/bindings/create", nil, bind)
}

// MLflow makes valid again what a deleted assessment overrode, of whichever trace. Only a new trace can bring one that
// overrides another's (MLflow 3.17.2, measured).
func TestReviveAnAssessmentThatTheVictimOverrode(t *testing.T) {
	s := newScene(t)
	mlflow := mlflowtest.Shared(t)
	feedback := func(extra fields) fields {
		body := fields{"assessment_name": "right", "source": fields{"source_type": "HUMAN", "source_id": "x"}, "feedback": fields{"value": true},
			"create_time": "2026-01-01T00:00:00Z", "last_update_time": "2026-01-01T00:00:00Z"}
		for key, value := range extra {
			body[key] = value
		}
		return body
	}
	id := func(said fields) string { return said["assessment"].(fields)["assessment_id"].(string) }
	target := v3 + "traces/" + s.victims.Trace + "/assessments"
	first := id(s.victim.JSON(t, "POST", target, fields{"assessment": feedback(fields{"trace_id": s.victims.Trace})}))
	s.victim.JSON(t, "POST", target, fields{"assessment": feedback(fields{"trace_id": s.victims.Trace, "overrides": first})})
	valid := func() any {
		return mlflow.Do(t, "GET", target+"/"+first, nil, nil)["assessment"].(fields)["valid"]
	}
	if valid() != false {
		t.Fatal("the victim has not overridden it")
	}
	own := world.NewTrace()
	attack := world.StartTrace(own, s.thiefs.Experiment)
	attack["trace"].(fields)["trace_info"].(fields)["assessments"] = []any{feedback(fields{"trace_id": own, "overrides": first})}
	s.refused(t, s.thief.Request(t, "POST", v3+"traces", attack), s.thief)

	said := mlflow.Do(t, "POST", v3+"traces", nil, attack)
	made := said["trace"].(fields)["trace_info"].(fields)["assessments"].([]any)[0].(fields)["assessment_id"].(string)
	s.thief.JSON(t, "DELETE", v3+"traces/"+own+"/assessments/"+made, nil)
	if valid() != true {
		t.Error("MLflow itself does not revive it: it is no attack")
	}
}
