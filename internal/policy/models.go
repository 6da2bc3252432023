package policy

import "github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"

var models = []Route{
	get("/api/2.0/mlflow/registered-models/get", on(Model, query("name"), kind.Read)),
	get("/api/2.0/mlflow/registered-models/search").signedIn("the answer holds only what the caller may read").filter(ListModels),
	post("/api/2.0/mlflow/registered-models/create").creates(kind.RegisteredModel).check(KindTag).effect(GrantModel),
	patch("/api/2.0/mlflow/registered-models/update", on(Model, body("name"), kind.Edit)),
	post("/api/2.0/mlflow/registered-models/rename", on(Model, body("name"), kind.Edit)).check(NewName).effect(MoveModel),
	remove("/api/2.0/mlflow/registered-models/delete", on(Model, body("name"), kind.Manage)).effect(DropModel),
	post("/api/2.0/mlflow/registered-models/set-tag", on(Model, body("name"), kind.Edit)).check(PromptTag),
	remove("/api/2.0/mlflow/registered-models/delete-tag", on(Model, body("name"), kind.Edit)).check(PromptTag),
	get("/api/2.0/mlflow/registered-models/get-latest-versions", on(Model, query("name"), kind.Read)),
	post("/api/2.0/mlflow/registered-models/get-latest-versions", on(Model, body("name"), kind.Read)).because("a search with a body; it changes nothing"),
	get("/api/2.0/mlflow/registered-models/alias", on(Model, query("name"), kind.Read)),
	post("/api/2.0/mlflow/registered-models/alias", on(Model, body("name"), kind.Edit)),
	remove("/api/2.0/mlflow/registered-models/alias", on(Model, body("name"), kind.Manage)),
	get("/api/2.0/mlflow/model-versions/get", on(Model, query("name"), kind.Read)),
	get("/api/2.0/mlflow/model-versions/get-download-uri", on(Model, query("name"), kind.Read)),
	get("/api/2.0/mlflow/model-versions/search").signedIn("the answer holds only what the caller may read").filter(ListModelVersions),
	post("/api/2.0/mlflow/model-versions/create", on(Model, body("name"), kind.Edit), on(Source, body("source"), kind.Read),
		maybe(Run, body("run_id"), kind.Read), maybe(LoggedModel, body("model_id"), kind.Read)).check(PromptVersion, KnownSource),
	patch("/api/2.0/mlflow/model-versions/update", on(Model, body("name"), kind.Edit)),
	remove("/api/2.0/mlflow/model-versions/delete", on(Model, body("name"), kind.Manage)),
	post("/api/2.0/mlflow/model-versions/set-tag", on(Model, body("name"), kind.Edit)).check(PromptTag),
	remove("/api/2.0/mlflow/model-versions/delete-tag", on(Model, body("name"), kind.Manage)).check(PromptTag),
	post("/api/2.0/mlflow/model-versions/transition-stage", on(Model, body("name"), kind.Edit)),
	get("/model-versions/get-artifact", on(Model, query("name"), kind.Read)).check(RelativePath).threads(),
}
