package policy

import "github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"

const (
	sets = "/api/3.0/mlflow/datasets/"
	seen = "a search with a body; it changes nothing"
)

// An evaluation dataset is tied to experiments, and all of them govern it; one that is tied to none is the administrators'.
// MLflow itself searches all datasets when a request names no experiment, and so every request must name one.
var datasets = []Route{
	post(sets+"create", on(Experiment, body("experiment_ids[]"), kind.Edit)),
	get(sets+"search", on(Experiment, queryAll("experiment_ids"), kind.Read)),
	post(sets+"search", on(Experiment, body("experiment_ids[]"), kind.Read)).because(seen),
	get(sets+"{dataset_id}", on(Dataset, segment("dataset_id"), kind.Read)),
	remove(sets+"{dataset_id}", on(Dataset, segment("dataset_id"), kind.Manage)).content(NoBody),
	get(sets+"{dataset_id}/experiment-ids", on(Dataset, segment("dataset_id"), kind.Read)),
	post(sets+"{dataset_id}/add-experiments", on(Dataset, segment("dataset_id"), kind.Edit), on(Experiment, body("experiment_ids[]"), kind.Edit)),
	post(sets+"{dataset_id}/remove-experiments", on(Dataset, segment("dataset_id"), kind.Edit), on(Experiment, body("experiment_ids[]"), kind.Edit)),
	get(sets+"{dataset_id}/records", on(Dataset, segment("dataset_id"), kind.Read)),
	post(sets+"{dataset_id}/records", on(Dataset, segment("dataset_id"), kind.Edit)).check(SourceTraces),
	remove(sets+"{dataset_id}/records", on(Dataset, segment("dataset_id"), kind.Edit)),
	patch(sets+"{dataset_id}/tags", on(Dataset, segment("dataset_id"), kind.Edit)),
	remove(sets+"{dataset_id}/tags/{key}", on(Dataset, segment("dataset_id"), kind.Edit)).content(NoBody),
	post("/ajax-api/2.0/mlflow/experiments/search-datasets", on(Experiment, body("experiment_ids[]"), kind.Read)).because(seen),
}
