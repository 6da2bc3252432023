package policy

import "github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"

const online = "with it MLflow runs scorers by itself, on an endpoint that is not the caller's to spend"

var (
	scorerAsked = query("name").within("experiment_id")
	scorerNamed = body("name").within("experiment_id")
)

// A scorer has its name within one experiment, which decides where no grant speaks of the scorer itself. To register one
// runs nothing, but binds it to the endpoint that it names, and whoever runs it later spends that.
var scorers = []Route{
	post("/api/3.0/mlflow/scorers/register", on(Experiment, body("experiment_id"), kind.Edit), on(Scorer, scorerNamed, kind.Edit)).
		check(UsableEndpoints).effect(GrantScorer),
	get("/api/3.0/mlflow/scorers/list", maybe(Experiment, query("experiment_id"), kind.Read), maybe(Experiment, queryAll("experiment_ids"), kind.Read)).
		filter(Scorers).because("it takes one experiment or several; a request that names none, and to MLflow means all, is refused"),
	get("/api/3.0/mlflow/scorers/get", on(Scorer, scorerAsked, kind.Read)).filter(Scorers),
	get("/api/3.0/mlflow/scorers/versions", on(Scorer, scorerAsked, kind.Read)).filter(Scorers),
	remove("/api/3.0/mlflow/scorers/delete", on(Scorer, scorerNamed, kind.Manage)).effect(DropScorer),
	replace("/api/3.0/mlflow/scorers/online-config").administrators(online),
	get("/api/3.0/mlflow/scorers/online-configs").signedIn("the answer holds only what the caller may read").filter(ScorerConfigs),
}
