package policy

import "github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"

var experiments = []Route{
	get("/api/2.0/mlflow/experiments/get", on(Experiment, query("experiment_id"), kind.Read)),
	get("/api/2.0/mlflow/experiments/get-by-name", on(ExperimentName, query("experiment_name"), kind.Read)),
	get("/api/2.0/mlflow/experiments/search").signedIn("the answer holds only what the caller may read").filter(ListExperiments),
	post("/api/2.0/mlflow/experiments/search").signedIn("the answer holds only what the caller may read").filter(ListExperiments),
	post("/api/2.0/mlflow/experiments/create").creates(kind.Experiment).check(ServerArtifacts).effect(GrantExperiment),
	post("/api/2.0/mlflow/experiments/update", on(Experiment, body("experiment_id"), kind.Edit)).check(NewName).effect(ForgetName),
	post("/api/2.0/mlflow/experiments/delete", on(Experiment, body("experiment_id"), kind.Manage)).effect(ForgetName),
	post("/api/2.0/mlflow/experiments/restore", on(Experiment, body("experiment_id"), kind.Manage)).effect(ForgetName),
	post("/api/2.0/mlflow/experiments/set-experiment-tag", on(Experiment, body("experiment_id"), kind.Edit)),
	post("/api/2.0/mlflow/experiments/delete-experiment-tag", on(Experiment, body("experiment_id"), kind.Edit)),
}
