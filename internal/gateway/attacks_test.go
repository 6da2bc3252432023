package gateway_test

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// scene is a gateway with two people who have work of their own and no grant on the other's.
type scene struct {
	*world.World
	recorder        *world.Recorder
	admin           *world.Client
	victim, thief   *world.Client
	victims, thiefs world.Work
}

func newScene(t *testing.T) *scene {
	t.Helper()
	recorder := world.NewRecorder(t, mlflowtest.Shared(t))
	s := &scene{World: world.New(t, recorder.URL, nil), recorder: recorder}
	s.admin = s.Person(t, "admin", world.Admins)
	s.victim, s.thief = s.Person(t, "victim", world.Members), s.Person(t, "thief", world.Members)
	s.victims, s.thiefs = s.victim.MakeWork(t), s.thief.MakeWork(t)
	return s
}

// refused sends a request that must not reach MLflow and must be answered with a 4xx in MLflow's form.
func (s *scene) refused(t *testing.T, request *http.Request, c *world.Client) world.Answer {
	t.Helper()
	s.recorder.Calls()
	got := c.Send(t, request)
	if forwarded := s.recorder.Forwarded(); len(forwarded) > 0 {
		t.Errorf("%s %s reached MLflow: %v, answered %d %s", request.Method, request.URL, forwarded, got.Status, got.Body)
	}
	if got.Status < 400 || got.Status >= 500 || got.Code() == "" {
		t.Errorf("%s %s was answered with %d %s, want a 4xx in MLflow's form", request.Method, request.URL, got.Status, got.Body)
	}
	if strings.Contains(string(got.Body), world.Secret) || strings.Contains(string(got.Body), "goroutine") {
		t.Errorf("%s %s: the answer says too much: %s", request.Method, request.URL, got.Body)
	}
	return got
}

// TestStealThroughReferences names resources of the victim inside requests about the thief's own.
func TestStealThroughReferences(t *testing.T) {
	s := newScene(t)
	v, own := s.victims, s.thiefs
	other := "mlflow-artifacts:/" + v.Artifacts
	for name, attack := range map[string]struct {
		method, path string
		body         map[string]any
	}{
		"version from the victim's run":            {"POST", "model-versions/create", map[string]any{"name": own.Model, "run_id": v.Run, "source": other}},
		"version from the victim's artifacts":      {"POST", "model-versions/create", map[string]any{"name": own.Model, "source": other}},
		"version from them under an own run":       {"POST", "model-versions/create", map[string]any{"name": own.Model, "run_id": own.Run, "source": other}},
		"version from runs:/":                      {"POST", "model-versions/create", map[string]any{"name": own.Model, "source": "runs:/" + v.Run + "/"}},
		"version from runs:// with a host":         {"POST", "model-versions/create", map[string]any{"name": own.Model, "source": "runs://" + v.Run + "/x"}},
		"version from models:/ of the victim":      {"POST", "model-versions/create", map[string]any{"name": own.Model, "source": "models:/" + v.Model + "/1"}},
		"version from an alias of the victim":      {"POST", "model-versions/create", map[string]any{"name": own.Model, "source": "models:/" + v.Model + "@champion"}},
		"version from the victim's logged model":   {"POST", "model-versions/create", map[string]any{"name": own.Model, "source": "models:/" + v.LoggedModel, "model_id": own.LoggedModel}},
		"version that names their logged model":    {"POST", "model-versions/create", map[string]any{"name": own.Model, "run_id": own.Run, "model_id": v.LoggedModel, "source": "mlflow-artifacts:/" + own.Artifacts}},
		"version in the spelling of protobuf":      {"POST", "model-versions/create", map[string]any{"name": own.Model, "runId": v.Run, "source": "mlflow-artifacts:/" + own.Artifacts}},
		"version from anybody's bucket":            {"POST", "model-versions/create", map[string]any{"name": own.Model, "source": "s3://bucket/of/somebody"}},
		"version from dbfs":                        {"POST", "model-versions/create", map[string]any{"name": own.Model, "source": "dbfs:/x"}},
		"version from the server's files":          {"POST", "model-versions/create", map[string]any{"name": own.Model, "source": "file:///etc", "run_id": own.Run}},
		"version from an absolute path":            {"POST", "model-versions/create", map[string]any{"name": own.Model, "source": "/etc", "run_id": own.Run}},
		"version from another artifact server":     {"POST", "model-versions/create", map[string]any{"name": own.Model, "source": "mlflow-artifacts://evil.example/" + own.Artifacts}},
		"version that climbs out":                  {"POST", "model-versions/create", map[string]any{"name": own.Model, "source": "mlflow-artifacts:/" + own.Experiment + "/../" + v.Artifacts}},
		"version that climbs out, encoded":         {"POST", "model-versions/create", map[string]any{"name": own.Model, "source": "mlflow-artifacts:/" + own.Experiment + "/%2e%2e/" + v.Artifacts}},
		"version that climbs out, twice encoded":   {"POST", "model-versions/create", map[string]any{"name": own.Model, "source": "mlflow-artifacts:/" + own.Experiment + "/%252e%252e/" + v.Artifacts}},
		"version from the root of all artifacts":   {"POST", "model-versions/create", map[string]any{"name": own.Model, "source": "mlflow-artifacts:/"}},
		"version with a query in its source":       {"POST", "model-versions/create", map[string]any{"name": own.Model, "source": "mlflow-artifacts:/" + own.Artifacts + "?x=/../" + v.Artifacts}},
		"metric onto the victim's logged model":    {"POST", "runs/log-metric", map[string]any{"run_id": own.Run, "model_id": v.LoggedModel, "key": "k", "value": 1, "timestamp": 1}},
		"batch of metrics onto it":                 {"POST", "runs/log-batch", map[string]any{"run_id": own.Run, "metrics": []any{map[string]any{"key": "k", "value": 1, "timestamp": 1, "step": 1}, map[string]any{"model_id": v.LoggedModel, "key": "k", "value": 1, "timestamp": 1, "step": 1}}}},
		"batch in the spelling of protobuf":        {"POST", "runs/log-batch", map[string]any{"run_id": own.Run, "metrics": []any{map[string]any{"modelId": v.LoggedModel, "key": "k", "value": 1, "timestamp": 1, "step": 1}}}},
		"the victim's model as an input":           {"POST", "runs/log-inputs", map[string]any{"run_id": own.Run, "models": []any{map[string]any{"model_id": v.LoggedModel}}}},
		"the victim's model as an output":          {"POST", "runs/outputs", map[string]any{"run_id": own.Run, "models": []any{map[string]any{"model_id": v.LoggedModel, "step": 1}}}},
		"logged model that claims a victim's run":  {"POST", "logged-models", map[string]any{"experiment_id": own.Experiment, "source_run_id": v.Run}},
		"search of logged models, one is not ours": {"POST", "logged-models/search", map[string]any{"experiment_ids": []any{own.Experiment, v.Experiment}}},
		"run_uuid beside run_id":                   {"POST", "runs/set-tag", map[string]any{"run_id": own.Run, "run_uuid": v.Run, "key": "k", "value": "v"}},
		"run_uuid alone":                           {"POST", "runs/set-tag", map[string]any{"run_uuid": v.Run, "key": "k", "value": "v"}},
		"own model to prompt":                      {"POST", "registered-models/set-tag", map[string]any{"name": own.Model, "key": "mlflow.prompt.is_prompt", "value": "true"}},
		"prompt tag taken away":                    {"DELETE", "registered-models/delete-tag", map[string]any{"name": own.Model, "key": "mlflow.prompt.is_prompt"}},
		"rename of the victim's model":             {"POST", "registered-models/rename", map[string]any{"name": v.Model, "new_name": world.Name("mine")}},
		"experiment in the server's files":         {"POST", "experiments/create", map[string]any{"name": world.Name("e"), "artifact_location": "file:///etc"}},
		"experiment in the victim's tree":          {"POST", "experiments/create", map[string]any{"name": world.Name("e"), "artifact_location": "mlflow-artifacts:/" + v.Experiment}},
		"experiment in it, in protobuf's spelling": {"POST", "experiments/create", map[string]any{"name": world.Name("e"), "artifactLocation": "mlflow-artifacts:/" + v.Experiment}},
		"experiment in a bucket":                   {"POST", "experiments/create", map[string]any{"name": world.Name("e"), "artifact_location": "s3://bucket/x"}},
		"run in the victim's experiment":           {"POST", "runs/create", map[string]any{"experiment_id": v.Experiment}},
		"run in it by a number":                    {"POST", "runs/create", map[string]any{"experiment_id": 1}},
		"artifact path out of a run in a list":     {"GET", "artifacts/list?run_id=" + own.Run + "&path=..%2F..%2F" + v.Run, nil},
		"artifact path, absolute, in a list":       {"GET", "artifacts/list?run_id=" + own.Run + "&path=%2Fetc", nil},
		"artifact path with a scheme in a list":    {"GET", "artifacts/list?run_id=" + own.Run + "&path=file:%2F%2F%2Fetc", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var body any
			if attack.body != nil {
				body = attack.body
			}
			for _, prefix := range []string{"/api/2.0/mlflow/", "/ajax-api/2.0/mlflow/"} {
				s.refused(t, s.thief.Request(t, attack.method, prefix+attack.path, body), s.thief)
			}
		})
	}
}

// TestStealThroughANameThatBeginsWithAnOwnOne registers a version of the victim's model, whose name a URI's parser would cut
// or decode to the name of a model of the thief's. MLflow does neither (measured: it then served the victim's file).
func TestStealThroughANameThatBeginsWithAnOwnOne(t *testing.T) {
	s := newScene(t)
	for name, rest := range map[string][2]string{ // what follows the same beginning in the victim's name, and in the thief's
		"alias in front of a version": {"@sales", ""},
		"two aliases":                 {"@sales@x", "@sales"},
		"fragment":                    {"#sales", ""},
		"percent-encoding":            {"%20sales", " sales"},
	} {
		t.Run(name, func(t *testing.T) {
			begin := world.Name("model")
			hidden, own := begin+rest[0], begin+rest[1]
			s.victim.JSON(t, "POST", "/api/2.0/mlflow/registered-models/create", map[string]any{"name": hidden})
			s.victim.JSON(t, "POST", "/api/2.0/mlflow/model-versions/create", map[string]any{"name": hidden,
				"source": "mlflow-artifacts:/" + s.victims.Artifacts, "run_id": s.victims.Run})
			s.victim.JSON(t, "POST", "/api/2.0/mlflow/registered-models/alias", map[string]any{"name": hidden, "alias": "x", "version": "1"})
			s.thief.JSON(t, "POST", "/api/2.0/mlflow/registered-models/create", map[string]any{"name": own})
			for _, source := range []string{"models:/" + hidden + "/1", "models:/" + hidden + "@x", "models:///" + hidden + "/1", "MODELS:/" + hidden + "/latest"} {
				s.refused(t, s.thief.Request(t, "POST", "/api/2.0/mlflow/model-versions/create", map[string]any{"name": own, "source": source}), s.thief)
			}
		})
	}
	// the name that MLflow reads is the one that is decided on, and so the thief's own model is no way around nor refused
	own := s.thiefs.Model + "@home"
	s.thief.JSON(t, "POST", "/api/2.0/mlflow/registered-models/create", map[string]any{"name": own})
	s.thief.JSON(t, "POST", "/api/2.0/mlflow/model-versions/create", map[string]any{"name": own, "source": "models:/" + s.thiefs.Model + "/1"})
	s.thief.JSON(t, "POST", "/api/2.0/mlflow/model-versions/create", map[string]any{"name": s.thiefs.Model, "source": "models:/" + own + "/1"})
}

// TestReadTheVictimsArtifacts asks for the secret file by every spelling of its path that MLflow 3.17.2 understands, and some more.
func TestReadTheVictimsArtifacts(t *testing.T) {
	s := newScene(t)
	v, own := s.victims, s.thiefs
	digits := ""
	for _, d := range v.Experiment {
		digits += "%25" + "3" + string(d)
	}
	rest := "/" + v.Run + "/artifacts/secret.txt"
	for _, path := range []string{
		v.Experiment + rest, "./" + v.Experiment + rest, "%2e/" + v.Experiment + rest, digits + rest, strings.ReplaceAll(digits, "%25", "%2525") + rest,
		v.Experiment + "//" + v.Run + "/artifacts/secret.txt", "%20" + v.Experiment + rest, "0" + v.Experiment + rest, "+" + v.Experiment + rest, v.Experiment + "%2F" + rest[1:],
		own.Experiment + "/../" + v.Experiment + rest, own.Experiment + "/%2e%2e/" + v.Experiment + rest, own.Experiment + "/..%2f" + v.Experiment + rest,
		own.Experiment + "/%252e%252e/" + v.Experiment + rest, own.Experiment + "/%25252e%25252e/" + v.Experiment + rest, own.Experiment + "/..%5c" + v.Experiment + rest,
		own.Experiment + ";/../" + v.Experiment + rest, "%2e%2e/artifacts/" + v.Experiment + rest, "..", "%2e%2e", ".", "%2e", "", "/", "/etc/passwd", "%2Fetc%2Fpasswd", "file:%2F%2F%2Fetc%2Fpasswd",
		"%EF%BC%91" + rest, v.Experiment + "%00" + rest, v.Experiment + rest + "%00",
	} {
		for _, prefix := range []string{"/api/2.0/mlflow-artifacts/artifacts/", "/ajax-api/2.0/mlflow-artifacts/artifacts/"} {
			for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
				request := s.thief.Request(t, method, prefix+path, nil)
				if method == "HEAD" { // its answer has no body to look at
					s.recorder.Calls()
					if got := s.thief.Send(t, request); got.Status < 400 || got.Header.Get("Content-Length") == "18" {
						t.Errorf("HEAD %s was answered with %d %v", path, got.Status, got.Header)
					}
					continue
				}
				s.refused(t, request, s.thief)
			}
			s.refused(t, s.thief.Request(t, "GET", strings.TrimSuffix(prefix, "/")+"?path="+path, nil), s.thief)
		}
		for _, call := range []string{"create", "complete", "abort"} {
			s.refused(t, s.thief.Request(t, "POST", "/api/2.0/mlflow-artifacts/mpu/"+call+"/"+path, map[string]any{"path": "x", "num_parts": 1}), s.thief)
		}
	}
	for _, path := range []string{"/api/2.0/mlflow-artifacts/artifacts", "/api/2.0/mlflow-artifacts/artifacts?path=", "/api/2.0/mlflow-artifacts/artifacts?path=.", "/api/2.0/mlflow-artifacts/artifacts?path=./"} {
		s.refused(t, s.thief.Request(t, "GET", path, nil), s.thief)
	}
	for _, target := range []string{
		"/get-artifact?run_uuid=" + v.Run + "&path=secret.txt", "/get-artifact?run_id=" + v.Run + "&path=secret.txt",
		"/get-artifact?run_id=" + own.Run + "&run_uuid=" + v.Run + "&path=secret.txt", "/get-artifact?run_id=" + own.Run + "&run_id=" + v.Run + "&path=secret.txt",
		"/get-artifact?run_id=" + own.Run + "&path=..%2F..%2F" + v.Run + "%2Fartifacts%2Fsecret.txt", "/get-artifact?run_id=" + own.Run + "&path=%252e%252e%2Fsecret.txt",
		"/model-versions/get-artifact?name=" + v.Model + "&version=1&path=secret.txt",
		"/model-versions/get-artifact?name=" + own.Model + "&name=" + v.Model + "&version=1&path=secret.txt",
		"/ajax-api/2.0/mlflow/logged-models/" + v.LoggedModel + "/artifacts/files?artifact_file_path=secret.txt",
		"/ajax-api/2.0/mlflow/logged-models/" + own.LoggedModel + "/artifacts/files?artifact_file_path=..%2F..%2F..%2F" + v.Artifacts + "%2Fsecret.txt",
		"/ajax-api/2.0/mlflow/metrics/get-history-bulk?run_id=" + own.Run + "&run_id=" + v.Run + "&metric_key=k",
		"/api/2.0/mlflow/metrics/get-history-bulk-interval?run_ids=" + own.Run + "&run_ids=" + v.Run + "&metric_key=k",
	} {
		s.refused(t, s.thief.Request(t, "GET", target, nil), s.thief)
	}
	// the same by who may: the attacks above fail because of who asks, and the file is there
	for _, target := range []string{"/api/2.0/mlflow-artifacts/artifacts/" + v.Artifacts + "/secret.txt", "/get-artifact?run_uuid=" + v.Run + "&path=secret.txt",
		"/model-versions/get-artifact?name=" + v.Model + "&version=1&path=secret.txt"} {
		if got := s.victim.Do(t, "GET", target, nil); got.Status != http.StatusOK || string(got.Body) != world.Secret {
			t.Errorf("the owner asks for %s: %d %s", target, got.Status, got.Body)
		}
	}
}

// TestOtherSpellingsOfAnExperiment sends what MLflow's int() reads as the victim's experiment.
func TestOtherSpellingsOfAnExperiment(t *testing.T) {
	s := newScene(t)
	id := s.victims.Experiment
	wide := ""
	for _, d := range id {
		wide += string(d - '0' + '０')
	}
	for _, spelling := range []string{id, " " + id, id + " ", "0" + id, "+" + id, id[:1] + "_" + id[1:], wide, id + "\n", id + ".0", "\u00a0" + id, id + "\u0000"} {
		s.refused(t, s.thief.Request(t, "GET", "/api/2.0/mlflow/experiments/get?experiment_id="+url.QueryEscape(spelling), nil), s.thief)
		s.refused(t, s.thief.Request(t, "POST", "/api/2.0/mlflow/experiments/update", map[string]any{"experiment_id": spelling, "new_name": "mine"}), s.thief)
		if spelling == id {
			continue
		}
		// not even to its owner: one resource has one name
		s.refused(t, s.victim.Request(t, "GET", "/api/2.0/mlflow/experiments/get?experiment_id="+url.QueryEscape(spelling), nil), s.victim)
		got := s.thief.Do(t, "POST", "/api/2.0/mlflow/runs/search", map[string]any{"experiment_ids": []string{s.thiefs.Experiment, spelling}})
		if got.Status != http.StatusBadRequest {
			t.Errorf("runs/search over %q was answered with %d %s", spelling, got.Status, got.Body)
		}
	}
	found := s.thief.JSON(t, "POST", "/api/2.0/mlflow/runs/search", map[string]any{"experimentIds": []string{s.thiefs.Experiment, id}})
	if runs := found["runs"].([]any); len(runs) != 1 {
		t.Errorf("runs/search in the spelling of protobuf gives %d runs, want the one of one's own", len(runs))
	}
}

// TestConfuseTheDecoder sends requests whose meaning a second reader could see otherwise. None may reach MLflow.
func TestConfuseTheDecoder(t *testing.T) {
	s := newScene(t)
	own, v := s.thiefs.Experiment, s.victims.Experiment
	update := "/api/2.0/mlflow/experiments/update"
	for name, body := range map[string]string{
		"broken":               `{"experiment_id": "` + own + `", `,
		"empty":                ``,
		"array":                `[{"experiment_id": "` + own + `"}]`,
		"text":                 `"{\"experiment_id\": \"` + v + `\"}"`,
		"null":                 `null`,
		"duplicate key":        `{"experiment_id": "` + own + `", "experiment_id": "` + v + `"}`,
		"duplicate by escape":  `{"experiment_id": "` + own + `", "\u0065xperiment_id": "` + v + `"}`,
		"two spellings":        `{"experiment_id": "` + own + `", "experimentId": "` + v + `"}`,
		"number":               `{"experiment_id": ` + own + `}`,
		"list":                 `{"experiment_id": ["` + own + `"]}`,
		"object":               `{"experiment_id": {"a": "` + own + `"}}`,
		"trailing":             `{"experiment_id": "` + own + `"} {"experiment_id": "` + v + `"}`,
		"byte order mark":      "\ufeff" + `{"experiment_id": "` + own + `"}`,
		"UTF-16":               "\xff\xfe{\x00\"\x00",
		"not UTF-8":            `{"experiment_id": "` + own + `", "new_name": "` + "\xff" + `"}`,
		"NaN":                  `{"experiment_id": "` + own + `", "x": NaN}`,
		"deep":                 `{"experiment_id": "` + own + `", "x": ` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`,
		"missing id":           `{"new_name": "x"}`,
		"null id":              `{"experiment_id": null, "new_name": "x"}`,
		"empty id":             `{"experiment_id": "", "new_name": "x"}`,
		"case of another kind": `{"Experiment_ID": "` + own + `", "new_name": "x"}`,
	} {
		t.Run(name, func(t *testing.T) { s.refused(t, s.thief.Request(t, "POST", update, body), s.thief) })
	}
	t.Run("20 MB", func(t *testing.T) {
		large := `{"experiment_id": "` + own + `", "new_name": "` + strings.Repeat("x", 20<<20) + `"}`
		if got := s.refused(t, s.thief.Request(t, "POST", update, large), s.thief); got.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("answered %d %s", got.Status, got.Body)
		}
	})
	good := map[string]any{"experiment_id": own, "new_name": world.Name("renamed")}
	for name, change := range map[string]func(*http.Request){
		"query beside the body":    func(r *http.Request) { r.URL.RawQuery = "experiment_id=" + v },
		"no content type":          func(r *http.Request) { r.Header.Del("Content-Type") },
		"text":                     func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
		"form":                     func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") },
		"two content types":        func(r *http.Request) { r.Header["Content-Type"] = []string{"application/json", "text/plain"} },
		"gzip":                     func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") },
		"method override":          func(r *http.Request) { r.Header.Set("X-HTTP-Method-Override", "DELETE") },
		"method in lower case":     func(r *http.Request) { r.Method = "post" },
		"another method":           func(r *http.Request) { r.Method = "PATCH" },
		"upgrade":                  func(r *http.Request) { r.Header.Set("Upgrade", "websocket"); r.Header.Set("Connection", "Upgrade") },
		"workspace":                func(r *http.Request) { r.Header.Set("X-MLFLOW-WORKSPACE", "other") },
		"two Authorization":        func(r *http.Request) { r.Header.Add("Authorization", "Basic eDp5") },
		"trailing slash":           func(r *http.Request) { r.URL.Opaque += "/" },
		"doubled slash":            func(r *http.Request) { r.URL.Opaque = "/api//2.0/mlflow/experiments/update" },
		"leading doubled slash":    func(r *http.Request) { r.URL.Opaque = "//" + r.URL.Host + "//api/2.0/mlflow/experiments/update" },
		"encoded slash":            func(r *http.Request) { r.URL.Opaque = "/api/2.0/mlflow%2fexperiments/update" },
		"encoded dots":             func(r *http.Request) { r.URL.Opaque = "/api/2.0/mlflow/x/%2e%2e/experiments/update" },
		"dots":                     func(r *http.Request) { r.URL.Opaque = "/api/2.0/mlflow/x/../experiments/update" },
		"parameter":                func(r *http.Request) { r.URL.Opaque = "/api/2.0/mlflow/experiments;x=1/update" },
		"NUL":                      func(r *http.Request) { r.URL.Opaque = "/api/2.0/mlflow/experiments%00/update" },
		"other case":               func(r *http.Request) { r.URL.Opaque = "/API/2.0/mlflow/experiments/update" },
		"twice encoded":            func(r *http.Request) { r.URL.Opaque = "/api/2.0/mlflow/%2565xperiments/update" },
		"malformed twin of MLflow": func(r *http.Request) { r.URL.Opaque = "/api/2.0mlflow/experiments/search-datasets" },
		"an unknown path":          func(r *http.Request) { r.URL.Opaque = "/api/2.0/mlflow/unknown" },
		"GraphQL":                  func(r *http.Request) { r.URL.Opaque = "/graphql" },
	} {
		t.Run(name, func(t *testing.T) {
			request := s.thief.Request(t, "POST", update, good)
			change(request)
			s.refused(t, request, s.thief)
		})
	}
	t.Run("GET with a body", func(t *testing.T) { // MLflow executes the body when the query is empty
		s.refused(t, s.thief.Request(t, "GET", "/api/2.0/mlflow/experiments/get", map[string]any{"experiment_id": v}), s.thief)
		s.refused(t, s.thief.Request(t, "GET", "/api/2.0/mlflow/experiments/get?experiment_id="+own, map[string]any{"experiment_id": v}), s.thief)
		if got := s.thief.Do(t, "HEAD", "/api/2.0/mlflow/experiments/get?experiment_id="+v, nil); got.Status != http.StatusNotFound {
			t.Errorf("HEAD was answered with %d", got.Status)
		}
	})
	t.Run("GET in the spelling of protobuf", func(t *testing.T) { // MLflow ignores it there
		s.refused(t, s.thief.Request(t, "GET", "/api/2.0/mlflow/experiments/get?experimentId="+own, nil), s.thief)
	})
	t.Run("encoded letters", func(t *testing.T) { // one meaning: it is decided on and forwarded as what it says
		got := s.thief.Do(t, "GET", "/api/2.0/mlflow/%65xperiments/get?experiment_id="+v, nil)
		if got.Status != http.StatusNotFound {
			t.Errorf("answered %d %s", got.Status, got.Body)
		}
	})
}

// TestWhatMayNotBeReadLooksLikeWhatDoesNotExist compares the answers, with the ids taken out.
func TestWhatMayNotBeReadLooksLikeWhatDoesNotExist(t *testing.T) {
	s := newScene(t)
	missing := world.Work{Experiment: "987654321", ExperimentName: "no such experiment", Run: "00000000000000000000000000000000",
		LoggedModel: "m-00000000000000000000000000000000", Model: "no-such-model"}
	for _, target := range []string{"/api/2.0/mlflow/experiments/get?experiment_id=EXPERIMENT", "/api/2.0/mlflow/experiments/get-by-name?experiment_name=NAME",
		"/api/2.0/mlflow/runs/get?run_id=RUN", "/api/2.0/mlflow/artifacts/list?run_id=RUN", "/api/2.0/mlflow/logged-models/LOGGED", "/api/2.0/mlflow/registered-models/get?name=MODEL"} {
		fill := func(w world.Work) *strings.Replacer {
			return strings.NewReplacer("EXPERIMENT", w.Experiment, "NAME", url.QueryEscape(w.ExperimentName), "RUN", w.Run, "LOGGED", w.LoggedModel, "MODEL", w.Model)
		}
		blank := func(a world.Answer, w world.Work) string {
			return strings.NewReplacer(w.ExperimentName, "X", w.Run, "X", w.LoggedModel, "X", w.Model, "X", "="+w.Experiment+" ", "=X ").Replace(string(a.Body))
		}
		hidden := s.thief.Do(t, "GET", fill(s.victims).Replace(target), nil)
		absent := s.thief.Do(t, "GET", fill(missing).Replace(target), nil)
		if hidden.Status != absent.Status || blank(hidden, s.victims) != blank(absent, missing) {
			t.Errorf("%s\nmay not be read: %d %s\ndoes not exist: %d %s", target, hidden.Status, hidden.Body, absent.Status, absent.Body)
		}
		real := s.admin.Do(t, "GET", fill(missing).Replace(target), nil)
		if real.Status != absent.Status || real.Code() != absent.Code() {
			t.Errorf("%s: MLflow itself answers %d %s, the gateway %d %s", target, real.Status, real.Body, absent.Status, absent.Body)
		}
	}
}

// TestHeadersDoNotSayWhoOneIs sends headers that servers behind proxies believe.
func TestHeadersDoNotSayWhoOneIs(t *testing.T) {
	s := newScene(t)
	for _, name := range []string{"X-Forwarded-User", "X-Remote-User", "Remote-User", "X-Auth-Request-User", "X-User", "X-Email", "X-Forwarded-Email", "X_Forwarded_User", "X-MLflow-Authorization"} {
		request := s.Nobody(t).Request(t, "GET", "/api/2.0/mlflow/experiments/get?experiment_id="+s.victims.Experiment, nil)
		request.Header[name] = []string{s.victim.Username}
		if got := s.refused(t, request, s.Nobody(t)); got.Status != http.StatusUnauthorized {
			t.Errorf("%s: answered %d", name, got.Status)
		}
	}
}

// TestPublicHostAndOrigin works under the gateway's own name, which MLflow's checks of Host and Origin would refuse.
func TestPublicHostAndOrigin(t *testing.T) {
	w := world.New(t, mlflowtest.Shared(t).Address, map[string]string{"PUBLIC_URL": "https://mlflow.example.com"})
	w.IDP.RedirectURIs = append(w.IDP.RedirectURIs, "https://mlflow.example.com/callback")
	ann := w.Nobody(t)
	ann.Username = "ann"
	user, err := w.App.Store.CreateUser(t.Context(), person("ann"))
	if err != nil {
		t.Fatal(err)
	}
	ann.Token = accessToken(t, w, user.ID)
	request := ann.Request(t, "POST", "/api/2.0/mlflow/experiments/create", map[string]any{"name": world.Name("public")})
	request.Host = "mlflow.example.com"
	request.Header.Set("Origin", "https://mlflow.example.com")
	if got := ann.Send(t, request); got.Status != http.StatusOK || got.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("answered %d %s %v", got.Status, got.Body, got.Header)
	}
}

// TestCrossSiteRequests rides on a session cookie from a page of another site.
func TestCrossSiteRequests(t *testing.T) {
	s := newScene(t)
	ann := s.Browser(t, "ann", world.Members)
	create := func(change func(http.Header)) *http.Request {
		request := ann.Request(t, "POST", "/api/2.0/mlflow/experiments/create", map[string]any{"name": world.Name("cross")})
		request.Header.Del("Origin")
		change(request.Header)
		return request
	}
	for name, change := range map[string]func(http.Header){
		"another origin":         func(h http.Header) { h.Set("Origin", "http://evil.example") },
		"null origin":            func(h http.Header) { h.Set("Origin", "null") },
		"no origin":              func(http.Header) {},
		"another port":           func(h http.Header) { h.Set("Origin", "http://127.0.0.1:1") },
		"cross-site":             func(h http.Header) { h.Set("Sec-Fetch-Site", "cross-site") },
		"same-site":              func(h http.Header) { h.Set("Sec-Fetch-Site", "same-site"); h.Set("Origin", s.URL) },
		"typed in":               func(h http.Header) { h.Set("Sec-Fetch-Site", "none") },
		"fetch metadata against": func(h http.Header) { h.Set("Sec-Fetch-Site", "same-origin"); h.Set("Origin", "http://evil.example") },
	} {
		t.Run(name, func(t *testing.T) { s.refused(t, create(change), ann) })
	}
	if got := ann.Send(t, create(func(h http.Header) { h.Set("Origin", s.URL) })); got.Status != http.StatusOK {
		t.Errorf("a page of the gateway itself: %d %s", got.Status, got.Body)
	}
	if got := ann.Send(t, create(func(h http.Header) { h.Set("Sec-Fetch-Site", "same-origin") })); got.Status != http.StatusOK {
		t.Errorf("a page of the gateway itself, by fetch metadata: %d %s", got.Status, got.Body)
	}
}

// TestNamesAreRecycled makes a model again under a name that someone else once had grants on.
func TestNamesAreRecycled(t *testing.T) {
	s := newScene(t)
	name := s.victims.Model
	grantee := store.Principal{User: s.thief.Username}
	if err := s.App.Store.CreateGrant(t.Context(), grantee, kind.RegisteredModel, name, kind.Edit, nil); err != nil {
		t.Fatal(err)
	}
	reads := func(c *world.Client, model string) bool {
		return c.Do(t, "GET", "/api/2.0/mlflow/registered-models/get?name="+model, nil).Status == http.StatusOK
	}
	renamed := world.Name("renamed")
	s.victim.JSON(t, "POST", "/api/2.0/mlflow/registered-models/rename", map[string]any{"name": name, "new_name": renamed})
	if !reads(s.victim, renamed) || !reads(s.thief, renamed) {
		t.Error("the grants did not move with the model")
	}
	s.thief.JSON(t, "POST", "/api/2.0/mlflow/registered-models/create", map[string]any{"name": name})
	if reads(s.victim, name) {
		t.Error("who had the name before reads the model that has it now")
	}
	s.victim.JSON(t, "DELETE", "/api/2.0/mlflow/registered-models/delete", map[string]any{"name": renamed})
	s.admin.JSON(t, "POST", "/api/2.0/mlflow/registered-models/create", map[string]any{"name": renamed})
	if reads(s.victim, renamed) || reads(s.thief, renamed) {
		t.Error("grants outlived the model that was deleted")
	}
	// taking a name by renaming onto it is no way either
	taken := s.thief.Do(t, "POST", "/api/2.0/mlflow/registered-models/rename", map[string]any{"name": name, "new_name": renamed})
	if taken.Status < 400 || !slices.Contains([]string{"RESOURCE_ALREADY_EXISTS", "PERMISSION_DENIED"}, taken.Code()) {
		t.Errorf("renaming onto another's model: %d %s", taken.Status, taken.Body)
	}
	if reads(s.thief, renamed) {
		t.Error("a refused renaming moved grants")
	}
}

// TestFillMLflowsMemory uploads through the route whose body MLflow reads into memory before it looks at the length.
func TestFillMLflowsMemory(t *testing.T) {
	s := newScene(t)
	const most = 10 << 20
	upload := func(bytes int64, announced bool) world.Answer {
		request := s.thief.Request(t, "POST", "/ajax-api/2.0/mlflow/upload-artifact?run_uuid="+s.thiefs.Run+"&path=big.bin", "")
		request.Header.Set("Content-Type", "application/octet-stream")
		request.Body, request.ContentLength = io.NopCloser(io.LimitReader(zeros{}, bytes)), -1
		if announced {
			request.ContentLength = bytes
		}
		return s.thief.Send(t, request)
	}
	for _, announced := range []bool{true, false} {
		want := map[bool]int{true: http.StatusOK, false: http.StatusBadRequest}[announced] // MLflow reads no body of unknown length
		if got := upload(most, announced); got.Status != want {
			t.Errorf("as much as MLflow takes, announced %v: %d %s", announced, got.Status, got.Body)
		}
		s.recorder.Calls()
		if got := upload(most+1, announced); got.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("one byte more, announced %v: %d %s", announced, got.Status, got.Body)
		}
		if forwarded := s.recorder.Forwarded(); announced && len(forwarded) > 0 {
			t.Errorf("what is announced as too large reached MLflow: %v", forwarded)
		}
	}
}

type zeros struct{}

// Read gives zeros without end (io.Reader).
func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestRenameIntoAPattern renames what one may EDIT to a name on which one's own pattern gives MANAGE.
func TestRenameIntoAPattern(t *testing.T) {
	s := newScene(t)
	to := store.Principal{User: s.thief.Username}
	prefix := world.Name("thiefs")
	for _, k := range []kind.Name{kind.Experiment, kind.RegisteredModel} {
		own := authz.Grant{Kind: k, Pattern: prefix, Priority: 1, Level: kind.Manage}
		shared := authz.Grant{Kind: k, Pattern: ".*", Priority: 9, Level: kind.Edit}
		for _, g := range []authz.Grant{own, shared} {
			if err := s.App.Store.CreatePattern(t.Context(), to, g); err != nil {
				t.Fatal(err)
			}
		}
	}
	for path, body := range map[string]map[string]any{
		"experiments/update":       {"experiment_id": s.victims.Experiment},
		"registered-models/rename": {"name": s.victims.Model},
	} {
		body["new_name"] = prefix + "-mine"
		if got := s.refused(t, s.thief.Request(t, "POST", "/api/2.0/mlflow/"+path, body), s.thief); got.Status != http.StatusForbidden {
			t.Errorf("%s: answered %d %s", path, got.Status, got.Body)
		}
		body["new_name"] = world.Name("harmless")
		s.thief.JSON(t, "POST", "/api/2.0/mlflow/"+path, body)
	}
}
