package policy

import "github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"

const tree = "/api/2.0/mlflow-artifacts/"

var artifacts = []Route{
	get("/api/2.0/mlflow/artifacts/list", on(Run, query("run_id", "run_uuid"), kind.Read)).check(RelativePath),
	post("/api/2.0/mlflow/artifacts/presigned-download-url", on(Run, body("run_id"), kind.Read)).check(RelativePath).
		because("it only makes an address to read from"),
	post("/api/2.0/mlflow/artifacts/presigned-upload-url", maybe(Run, body("run_id"), kind.Edit), maybe(LoggedModel, body("model_id"), kind.Edit)).
		check(RelativePath).because("it takes a run or a logged model; MLflow refuses both at once"),
	get("/get-artifact", on(Run, query("run_id", "run_uuid"), kind.Read)).check(RelativePath).threads(),
	Route{Method: "POST", Path: "/ajax-api/2.0/mlflow/upload-artifact", Content: Stream, Most: 10 << 20, // MLflow's own limit
		Needs: []Need{on(Run, query("run_uuid", "run_id"), kind.Edit)}}.check(RelativePath),
	get(tree+"artifacts", on(ArtifactTree, query("path"), kind.Read)),
	get(tree+"artifacts/{artifact_path*}", on(ArtifactTree, segment("artifact_path"), kind.Read)).twice(),
	Route{Method: "PUT", Path: tree + "artifacts/{artifact_path*}", Content: Stream,
		Needs: []Need{on(ArtifactTree, segment("artifact_path"), kind.Edit)}}.twice(),
	remove(tree+"artifacts/{artifact_path*}", on(ArtifactTree, segment("artifact_path"), kind.Manage)).content(NoBody),
	get(tree+"presigned/{artifact_path*}", on(ArtifactTree, segment("artifact_path"), kind.Read)),
	post(tree+"mpu/create/{artifact_path*}", on(ArtifactTree, segment("artifact_path"), kind.Edit)).check(RelativePath),
	post(tree+"mpu/complete/{artifact_path*}", on(ArtifactTree, segment("artifact_path"), kind.Edit)).check(RelativePath),
	post(tree+"mpu/abort/{artifact_path*}", on(ArtifactTree, segment("artifact_path"), kind.Edit)).check(RelativePath),
}

const bundle = "the files of MLflow's UI, the same for everybody"

var static = []Route{
	get("/").signedIn(bundle).page(),
	get("/static-files/{path*}").signedIn(bundle),
	get("/build/{filename*}").signedIn(bundle),
	get("/version").signedIn("the version of the server"),
}
