package policy

import "github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"

const queues = "/api/3.0/mlflow/review-queues/"

// A review queue lives in one experiment and is governed by it. MLflow itself shows a queue to those who are to review alone,
// and lets its maker change it; but behind a proxy it does not know who asks, and so reading takes EDIT and changing MANAGE.
var reviews = []Route{
	post(queues+"create", on(Experiment, body("experiment_id"), kind.Edit)),
	post(queues+"get-or-create-user", on(Experiment, body("experiment_id"), kind.Edit)),
	get(queues+"get", on(ReviewQueue, query("queue_id"), kind.Edit)),
	get(queues+"get-by-name", on(Experiment, query("experiment_id"), kind.Edit)),
	get(queues+"list", on(Experiment, query("experiment_id"), kind.Edit)),
	post(queues+"update", on(ReviewQueue, body("queue_id"), kind.Manage)),
	post(queues+"delete", on(ReviewQueue, body("queue_id"), kind.Manage)),
	get(queues+"items/list", on(ReviewQueue, query("queue_id"), kind.Edit)),
	post(queues+"items/add", on(ReviewQueue, body("queue_id"), kind.Edit)),
	post(queues+"items/remove", on(ReviewQueue, body("queue_id"), kind.Manage)),
	post(queues+"items/set-status", on(ReviewQueue, body("queue_id"), kind.Edit)).check(OwnCompletion),
}
