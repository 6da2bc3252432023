package policy

import "github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"

const (
	optimal = "/api/3.0/mlflow/prompt-optimization/jobs"
	spends  = "the job calls a provider with the keys in MLflow's own environment, on a model that the prompt names"
	started = "only administrators start them"
	named   = "a job names in its parameters what it works on"
)

// jobs run on MLflow's host with its own rights, and so everything that a submission names is decided beforehand. Behind a
// proxy MLflow does not know whose job it is: whoever submits one owns it here, and nobody but administrators sees it else.
var jobs = []Route{
	post("/ajax-api/3.0/jobs/", maybe(Experiment, body("params.experiment_id"), kind.Edit), maybe(Run, body("params.run_id"), kind.Edit),
		maybe(Trace, body("params.trace_ids[]"), kind.Edit)).check(ExactFields, KnownJob).effect(OwnNewJobs).because(named),
	post("/ajax-api/3.0/jobs/search").signedIn(ownRows).filter(OwnJobs),
	get("/ajax-api/3.0/jobs/{job_id}", on(Job, segment("job_id"), kind.Manage)),
	patch("/ajax-api/3.0/jobs/cancel/{job_id}", on(Job, segment("job_id"), kind.Manage)),
	get("/ajax-api/3.0/mlflow/jobs/{job_id}", on(Job, segment("job_id"), kind.Manage)),
	patch("/ajax-api/3.0/mlflow/jobs/cancel/{job_id}", on(Job, segment("job_id"), kind.Manage)),
	post("/ajax-api/3.0/mlflow/genai/evaluate/invoke", on(Experiment, body("experiment_id"), kind.Edit), on(Trace, body("trace_ids[]"), kind.Edit)).
		check(ExactFields, KnownScorers).effect(OwnNewJobs),
	post("/ajax-api/3.0/mlflow/scorer/invoke", on(Experiment, body("experiment_id"), kind.Edit), on(Trace, body("trace_ids[]"), kind.Edit)).
		check(ExactFields, KnownScorers).effect(OwnNewJobs),
	post("/ajax-api/3.0/mlflow/issues/invoke", on(Experiment, body("experiment_id"), kind.Edit), on(Trace, body("trace_ids[]"), kind.Edit),
		maybe(GatewayEndpointName, body("endpoint_name"), kind.Use), maybe(GatewaySecret, body("secret_id"), kind.Use)).
		check(ExactFields, KnownEndpoint).effect(OwnNewJobs),
	post(optimal).administrators(spends),
	get(optimal + "/search").administrators(started),
	post(optimal + "/search").administrators(started),
	get(optimal + "/{job_id}").administrators(started),
	remove(optimal + "/{job_id}").administrators(started).content(NoBody),
	post(optimal + "/{job_id}/cancel").administrators(started),
}
