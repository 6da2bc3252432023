package policy

const (
	job     = "a job's parameters can name anything, and behind a proxy MLflow does not know whose job it is"
	optimal = "/api/3.0/mlflow/prompt-optimization/jobs"
)

// jobs run on MLflow's host with its own rights.
var jobs = []Route{
	post("/ajax-api/3.0/jobs/").administrators(job),
	post("/ajax-api/3.0/jobs/search").administrators(job),
	get("/ajax-api/3.0/jobs/{job_id}").administrators(job),
	patch("/ajax-api/3.0/jobs/cancel/{job_id}").administrators(job),
	get("/ajax-api/3.0/mlflow/jobs/{job_id}").administrators(job),
	patch("/ajax-api/3.0/mlflow/jobs/cancel/{job_id}").administrators(job),
	post("/ajax-api/3.0/mlflow/genai/evaluate/invoke").administrators(job),
	post("/ajax-api/3.0/mlflow/issues/invoke").administrators(job),
	post("/ajax-api/3.0/mlflow/scorer/invoke").administrators(job),
	post(optimal).administrators(job),
	get(optimal + "/search").administrators(job),
	post(optimal + "/search").administrators(job),
	get(optimal + "/{job_id}").administrators(job),
	remove(optimal + "/{job_id}").administrators(job).content(NoBody),
	post(optimal + "/{job_id}/cancel").administrators(job),
}
