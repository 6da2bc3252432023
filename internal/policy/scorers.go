package policy

import "github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"

const online = "with it MLflow runs scorers by itself, on an endpoint that is not the caller's to spend"

// A scorer lives in one experiment and is governed by it. To register one runs nothing, but binds it to the
// endpoint that it names, and whoever runs it later spends that.
var scorers = []Route{
	post("/api/3.0/mlflow/scorers/register", on(Experiment, body("experiment_id"), kind.Edit)).check(UsableEndpoints),
	get("/api/3.0/mlflow/scorers/list", maybe(Experiment, query("experiment_id"), kind.Read), maybe(Experiment, queryAll("experiment_ids"), kind.Read)).
		because("it takes one experiment or several; a request that names none, and to MLflow means all, is refused"),
	get("/api/3.0/mlflow/scorers/get", on(Experiment, query("experiment_id"), kind.Read)),
	get("/api/3.0/mlflow/scorers/versions", on(Experiment, query("experiment_id"), kind.Read)),
	remove("/api/3.0/mlflow/scorers/delete", on(Experiment, body("experiment_id"), kind.Manage)),
	replace("/api/3.0/mlflow/scorers/online-config").administrators(online),
	get("/api/3.0/mlflow/scorers/online-configs").administrators("MLflow does not tell which experiment a scorer's id belongs to"),
}
