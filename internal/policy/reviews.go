package policy

import "github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"

const queues = "/api/3.0/mlflow/review-queues/"

// A review queue lives in one experiment and is governed by it, by MLflow's own rules: who has EDIT sees all queues, and who
// has READ those that they are to review; a queue's maker may change it with EDIT, and give it away with MANAGE alone. Behind
// a proxy MLflow does not know who makes a queue, and so that is kept here.
var reviews = []Route{
	post(queues+"create", on(Experiment, body("experiment_id"), kind.Edit)).effect(OwnQueue),
	post(queues+"get-or-create-user", on(Experiment, body("experiment_id"), kind.Edit)),
	get(queues+"get", on(ReviewQueue, query("queue_id"), kind.Edit)).reviewer(kind.Read),
	get(queues+"get-by-name", on(Experiment, query("experiment_id"), kind.Edit)).reviewer(kind.Read),
	get(queues+"list", on(Experiment, query("experiment_id"), kind.Read)).filter(SeenQueues),
	post(queues+"update", on(ReviewQueue, body("queue_id"), kind.Manage)).maker(kind.Edit),
	post(queues+"delete", on(ReviewQueue, body("queue_id"), kind.Manage)).maker(kind.Edit).effect(DropQueue),
	get(queues+"items/list", on(ReviewQueue, query("queue_id"), kind.Edit)).reviewer(kind.Read),
	post(queues+"items/add", on(ReviewQueue, body("queue_id"), kind.Edit)),
	post(queues+"items/remove", on(ReviewQueue, body("queue_id"), kind.Manage)).maker(kind.Edit),
	post(queues+"items/set-status", on(ReviewQueue, body("queue_id"), kind.Edit)).check(OwnReview, OwnCompletion),
}
