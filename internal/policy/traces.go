package policy

import "github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"

const search = "a search with a body; it changes nothing"

// A trace lives in one experiment and is governed by it, with its spans and assessments.
var traces = []Route{
	get("/api/2.0/mlflow/traces", on(Experiment, queryAll("experiment_ids"), kind.Read)),
	post("/api/2.0/mlflow/traces", on(Experiment, body("experiment_id"), kind.Edit)).check(TraceTags),
	patch("/api/2.0/mlflow/traces/{request_id}", on(Trace, segment("request_id"), kind.Edit)).check(TraceTags),
	get("/api/2.0/mlflow/traces/{request_id}/info", on(Trace, segment("request_id"), kind.Read)),
	patch("/api/2.0/mlflow/traces/{request_id}/tags", on(Trace, segment("request_id"), kind.Edit)).check(TraceTags),
	remove("/api/2.0/mlflow/traces/{request_id}/tags", on(Trace, segment("request_id"), kind.Edit)).check(TraceTags),
	post("/api/2.0/mlflow/traces/delete-traces", on(Experiment, body("experiment_id"), kind.Manage)),
	post("/api/2.0/mlflow/traces/link-to-run", on(Run, body("run_id"), kind.Edit), on(Trace, body("trace_ids[]"), kind.Read)),
	post("/api/2.0/mlflow/traces/link-prompts", on(Trace, body("trace_id"), kind.Edit), maybe(Model, body("prompt_versions[].name"), kind.Read)),
	{Method: "GET", Path: "/ajax-api/2.0/mlflow/get-trace-artifact", Threads: true, Checks: []Check{RelativePath},
		Needs: []Need{on(Trace, query("request_id"), kind.Read)}},

	post("/api/3.0/mlflow/traces", on(Experiment, body("trace.trace_info.trace_location.mlflow_experiment.experiment_id"), kind.Edit)).check(TraceTags, NewTrace),
	post("/api/3.0/mlflow/traces/search", on(Experiment, body("locations[].mlflow_experiment.experiment_id"), kind.Read)).check(TraceLocations).because(search),
	post("/api/3.0/mlflow/traces/metrics", on(Experiment, body("experiment_ids[]"), kind.Read)).because(search),
	post("/api/3.0/mlflow/traces/calculate-filter-correlation", on(Experiment, body("experiment_ids[]"), kind.Read)).because(search),
	post("/api/3.0/mlflow/traces/delete-traces", on(Experiment, body("experiment_id"), kind.Manage)),
	get("/api/3.0/mlflow/traces/get", on(Trace, query("trace_id"), kind.Read)),
	get("/api/3.0/mlflow/traces/batchGet", on(Trace, queryAll("trace_ids"), kind.Read)),
	post("/api/3.0/mlflow/traces/batchGetInfos", on(Trace, body("trace_ids[]"), kind.Read)).because(search),
	get("/api/3.0/mlflow/traces/{trace_id}", on(Trace, segment("trace_id"), kind.Read)),
	patch("/api/3.0/mlflow/traces/{trace_id}/tags", on(Trace, segment("trace_id"), kind.Edit)).check(TraceTags),
	remove("/api/3.0/mlflow/traces/{trace_id}/tags", on(Trace, segment("trace_id"), kind.Edit)).check(TraceTags),
	post("/api/3.0/mlflow/traces/{trace_id}/assessments", on(Trace, segment("trace_id"), kind.Edit)),
	get("/api/3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}", on(Trace, segment("trace_id"), kind.Read)),
	patch("/api/3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}", on(Trace, segment("trace_id"), kind.Edit)),
	remove("/api/3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}", on(Trace, segment("trace_id"), kind.Edit)).content(NoBody),
	{Method: "GET", Path: "/ajax-api/3.0/mlflow/get-trace-artifact", Threads: true, Checks: []Check{RelativePath},
		Needs: []Need{on(Trace, query("request_id"), kind.Read)}},

	{Method: "POST", Path: "/v1/traces", Content: OTLP, Checks: []Check{TraceTags, NewSpans},
		Needs: []Need{on(Experiment, header("x-mlflow-experiment-id"), kind.Edit), maybe(Run, header("x-mlflow-run-id"), kind.Edit)}},
}
