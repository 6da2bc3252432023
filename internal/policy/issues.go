package policy

import "github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"

const labels = "/api/3.0/mlflow/label-schemas/"

// Issues and label schemas live in one experiment and are governed by it.
var issues = []Route{
	post("/api/3.0/mlflow/issues", on(Experiment, body("experiment_id"), kind.Edit), maybe(Run, body("source_run_id"), kind.Read)),
	post("/api/3.0/mlflow/issues/search", on(Experiment, body("experiment_id"), kind.Read)).because(seen),
	get("/api/3.0/mlflow/issues/{issue_id}", on(Issue, segment("issue_id"), kind.Read)),
	patch("/api/3.0/mlflow/issues/{issue_id}", on(Issue, segment("issue_id"), kind.Edit)),
	post(labels+"create", on(Experiment, body("experiment_id"), kind.Manage)),
	get(labels+"get", on(LabelSchema, query("schema_id"), kind.Read)),
	get(labels+"get-by-name", on(Experiment, query("experiment_id"), kind.Read)),
	get(labels+"list", on(Experiment, query("experiment_id"), kind.Read)),
	patch(labels+"update", on(LabelSchema, body("schema_id"), kind.Manage)),
	remove(labels+"delete", on(LabelSchema, body("schema_id"), kind.Manage)),
}
