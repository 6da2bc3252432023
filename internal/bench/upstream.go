package bench

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// Experiment and Run are what the stub knows: one run in one experiment.
const (
	Experiment = "1"
	Run        = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
)

const experimentAnswer = `{"experiment": {"experiment_id": "` + Experiment + `", "name": "fraud detection", "artifact_location": ` +
	`"mlflow-artifacts:/1", "lifecycle_stage": "active", "last_update_time": 1764000000000, "creation_time": 1764000000000, ` +
	`"tags": [{"key": "mlflow.note.content", "value": "Weekly training of the card fraud model."}]}}`

const runAnswer = `{"run": {"info": {"run_uuid": "` + Run + `", "experiment_id": "` + Experiment + `", "run_name": "brave-owl-42", ` +
	`"user_id": "ada", "status": "FINISHED", "start_time": 1764000000000, "end_time": 1764000060000, "artifact_uri": ` +
	`"mlflow-artifacts:/1/` + Run + `/artifacts", "lifecycle_stage": "active", "run_id": "` + Run + `"}, "data": {"metrics": ` +
	`[{"key": "loss", "value": 0.1234, "timestamp": 1764000059000, "step": 100}, {"key": "auc", "value": 0.9876, "timestamp": ` +
	`1764000059000, "step": 100}], "params": [{"key": "lr", "value": "0.001"}, {"key": "batch_size", "value": "256"}], "tags": ` +
	`[{"key": "mlflow.user", "value": "ada"}, {"key": "mlflow.source.type", "value": "LOCAL"}, {"key": "mlflow.runName", "value": ` +
	`"brave-owl-42"}]}, "inputs": {}}}`

const artifacts = "/api/2.0/mlflow-artifacts/artifacts/"

// stub answers in MLflow's forms, so fast that what is measured is the way to it.
type stub struct {
	mux      *http.ServeMux
	requests atomic.Int64
	stored   atomic.Int64 // bytes of uploads
}

func newStub() *stub {
	s := &stub{mux: http.NewServeMux()}
	s.mux.HandleFunc("GET /api/2.0/mlflow/experiments/get", fixed(experimentAnswer))
	s.mux.HandleFunc("GET /api/2.0/mlflow/runs/get", fixed(runAnswer))
	s.mux.HandleFunc("GET "+artifacts+"{experiment}/{run}/artifacts/{size}", download)
	s.mux.HandleFunc("PUT "+artifacts+"{experiment}/{run}/artifacts/{size}", s.upload)
	return s
}

// ServeHTTP counts a request and answers it.
func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/version" || r.URL.Path == "/health" { // asked when the gateway likes, by no request
		_, _ = io.WriteString(w, policy.Version)
		return
	}
	s.requests.Add(1)
	s.mux.ServeHTTP(w, r)
}

func fixed(body string) http.HandlerFunc {
	length := strconv.Itoa(len(body))
	return func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", length)
		h.Set("Server", "uvicorn")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "SAMEORIGIN")
		_, _ = io.WriteString(w, body)
	}
}

// download makes as many bytes as the artifact's name says, without a Content-Length, as MLflow sends artifacts.
func download(w http.ResponseWriter, r *http.Request) {
	size, err := strconv.ParseInt(r.PathValue("size"), 10, 64)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = io.Copy(w, io.LimitReader(filler{}, size))
}

func (s *stub) upload(w http.ResponseWriter, r *http.Request) {
	stored, err := io.Copy(io.Discard, r.Body)
	s.stored.Add(stored)
	if err != nil {
		http.Error(w, fmt.Sprintf("the upload broke off: %v", err), http.StatusBadRequest)
		return
	}
	fixed("{}")(w, r)
}

// filler is an endless source of bytes that costs nothing.
type filler struct{}

// Read fills the buffer (io.Reader).
func (filler) Read(p []byte) (int, error) { return len(p), nil }
