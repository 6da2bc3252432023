package policy

import "github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"

// MLflow writes to whichever logged model a metric, input or output names, also in another experiment; so each is decided.
var runs = []Route{
	get("/api/2.0/mlflow/runs/get", on(Run, query("run_id", "run_uuid"), kind.Read)),
	post("/api/2.0/mlflow/runs/create", on(Experiment, body("experiment_id"), kind.Edit)),
	post("/api/2.0/mlflow/runs/update", on(Run, body("run_id", "run_uuid"), kind.Edit)),
	post("/api/2.0/mlflow/runs/delete", on(Run, body("run_id"), kind.Manage)),
	post("/api/2.0/mlflow/runs/restore", on(Run, body("run_id"), kind.Manage)),
	post("/api/2.0/mlflow/runs/search", maybe(Experiment, body("experiment_ids[]"), kind.NoPermissions)).
		signedIn("experiment_ids is narrowed to what the caller may read").filter(NarrowExperiments),
	post("/api/2.0/mlflow/runs/log-metric", on(Run, body("run_id", "run_uuid"), kind.Edit), maybe(LoggedModel, body("model_id"), kind.Edit)),
	post("/api/2.0/mlflow/runs/log-parameter", on(Run, body("run_id", "run_uuid"), kind.Edit)),
	post("/api/2.0/mlflow/runs/set-tag", on(Run, body("run_id", "run_uuid"), kind.Edit)),
	post("/api/2.0/mlflow/runs/delete-tag", on(Run, body("run_id"), kind.Edit)),
	post("/api/2.0/mlflow/runs/log-batch", on(Run, body("run_id"), kind.Edit), maybe(LoggedModel, body("metrics[].model_id"), kind.Edit)),
	post("/api/2.0/mlflow/runs/log-inputs", on(Run, body("run_id"), kind.Edit), maybe(LoggedModel, body("models[].model_id"), kind.Edit)),
	post("/api/2.0/mlflow/runs/outputs", on(Run, body("run_id"), kind.Edit), maybe(LoggedModel, body("models[].model_id"), kind.Edit)),
	post("/api/2.0/mlflow/runs/log-model", on(Run, body("run_id"), kind.Edit)),
	post("/ajax-api/2.0/mlflow/runs/create-promptlab-run", on(Experiment, body("experiment_id"), kind.Edit)),
	get("/api/2.0/mlflow/metrics/get-history", on(Run, query("run_id", "run_uuid"), kind.Read)),
	{Method: "GET", Path: "/ajax-api/2.0/mlflow/metrics/get-history-bulk", Needs: []Need{on(Run, queryAll("run_id"), kind.Read)}},
	get("/api/2.0/mlflow/metrics/get-history-bulk-interval", on(Run, queryAll("run_ids"), kind.Read)),
}

// A logged model lives in one experiment and is governed by it.
var loggedModels = []Route{
	post("/api/2.0/mlflow/logged-models", on(Experiment, body("experiment_id"), kind.Edit), maybe(Run, body("source_run_id"), kind.Read)),
	post("/api/2.0/mlflow/logged-models/search", on(Experiment, body("experiment_ids[]"), kind.Read)).
		because("every experiment that is named must be readable: its page token cannot be narrowed"),
	get("/api/2.0/mlflow/logged-models/{model_id}", on(LoggedModel, segment("model_id"), kind.Read)),
	patch("/api/2.0/mlflow/logged-models/{model_id}", on(LoggedModel, segment("model_id"), kind.Edit)),
	remove("/api/2.0/mlflow/logged-models/{model_id}", on(LoggedModel, segment("model_id"), kind.Manage)).content(NoBody),
	post("/api/2.0/mlflow/logged-models/{model_id}/params", on(LoggedModel, segment("model_id"), kind.Edit)),
	patch("/api/2.0/mlflow/logged-models/{model_id}/tags", on(LoggedModel, segment("model_id"), kind.Edit)),
	remove("/api/2.0/mlflow/logged-models/{model_id}/tags/{tag_key}", on(LoggedModel, segment("model_id"), kind.Manage)).content(NoBody),
	get("/api/2.0/mlflow/logged-models/{model_id}/artifacts/directories", on(LoggedModel, segment("model_id"), kind.Read)).check(RelativePath),
	{Method: "GET", Path: "/ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files",
		Needs: []Need{on(LoggedModel, segment("model_id"), kind.Read)}, Checks: []Check{RelativePath}, Threads: true},
}
