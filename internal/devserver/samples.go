package devserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
)

// caller is one person before the gateway, as a program.
type caller struct {
	url, username, token string
}

// answerError is an answer of the gateway that was not 2xx.
type answerError struct {
	what   string
	status int
	said   string
}

// Error says what was asked and what was answered.
func (e *answerError) Error() string {
	return fmt.Sprintf("%s was answered with %d: %s", e.what, e.status, e.said)
}

// send sends a body as it is and gives the answer's.
func send(ctx context.Context, client *http.Client, method, address string, header http.Header, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header = header
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if answer.StatusCode >= 300 {
		return nil, &answerError{method + " " + request.URL.Path, answer.StatusCode, string(said)}
	}
	return said, nil
}

// ask sends JSON with the person's token and reads the answer's JSON.
func (c caller) ask(ctx context.Context, method, path string, body map[string]any, into any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	header := http.Header{}
	if body == nil {
		raw = nil
	} else {
		header.Set("Content-Type", "application/json")
	}
	said, err := c.upload(ctx, method, path, header, raw)
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(said, into)
}

func (c caller) upload(ctx context.Context, method, path string, header http.Header, body []byte) ([]byte, error) {
	request := http.Request{Header: header}
	request.SetBasicAuth(c.username, c.token)
	return send(ctx, http.DefaultClient, method, c.url+path, header, body)
}

// find reads what a GET finds, and tells whether it found anything.
func (c caller) find(ctx context.Context, path string, query url.Values, into any) (bool, error) {
	err := c.ask(ctx, http.MethodGet, path+"?"+query.Encode(), nil, into)
	var refused *answerError
	if errors.As(err, &refused) && refused.status == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

// introduce waits for the gateway, brings the people in, makes what is missing of the samples, and says how to go on.
func introduce(ctx context.Context, o Options, at string) error {
	fmt.Fprintln(o.Output, "waiting for MLflow, which takes some seconds to start")
	if err := ready(ctx, at); err != nil {
		return err
	}
	callers, err := signInAll(ctx, filepath.Join(o.Dir, "tokens.json"), at)
	if err != nil {
		return err
	}
	for _, team := range teams {
		if err := team.make(ctx, callers[team.owner]); err != nil {
			return err
		}
	}
	if err := share(ctx, callers[people[0].username]); err != nil {
		return err
	}
	member := callers[teams[0].owner]
	id, err := experimentNamed(ctx, member, teams[0].experiment)
	if err != nil {
		return err
	}
	return greet(o, callers[people[0].username], member, id)
}

func ready(ctx context.Context, at string) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		if _, err := send(ctx, http.DefaultClient, http.MethodGet, at+"/health/ready", http.Header{}, nil); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// signInAll gives every person who may sign in a token: the one kept from the last start where it is still good, so that
// what was tried out with it goes on working.
func signInAll(ctx context.Context, path, at string) (map[string]caller, error) {
	kept := map[string]string{}
	if raw, err := os.ReadFile(path); err == nil {
		_ = json.Unmarshal(raw, &kept) // a file that is broken is written anew
	}
	callers := map[string]caller{}
	for _, person := range people {
		if person.refused {
			continue
		}
		c := caller{at, person.username, kept[person.username]}
		if c.token == "" || c.ask(ctx, http.MethodGet, "/api/2.0/mlflow/users/current", nil, nil) != nil {
			var err error
			if c.token, err = signIn(ctx, at, person); err != nil {
				return nil, err
			}
		}
		callers[person.username], kept[person.username] = c, c.token
	}
	raw, err := json.MarshalIndent(kept, "", "  ")
	if err == nil {
		err = os.WriteFile(path, raw, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("keeping the sample people's tokens: %w", err)
	}
	return callers, nil
}

// signIn signs a person in as a browser does, and makes an access token.
func signIn(ctx context.Context, at string, person person) (string, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	browser := &http.Client{Jar: jar}
	status, text, err := devidp.SignIn(ctx, browser, at+"/login/start?next=/auth/status", person.provided().Subject)
	if err != nil || status != http.StatusOK {
		return "", fmt.Errorf("signing in as %s ended with %d: %s: %w", person.username, status, text, err)
	}
	said, err := send(ctx, browser, http.MethodPatch, at+"/api/2.0/mlflow/users/access-token", http.Header{"Sec-Fetch-Site": {"same-origin"}}, nil)
	if err != nil {
		return "", err
	}
	var made struct{ Token string }
	err = json.Unmarshal(said, &made)
	return made.Token, err
}

// make makes a team's experiment with its runs, and its model with a version from the best run.
func (t team) make(ctx context.Context, c caller) error {
	made, err := c.find(ctx, "/api/2.0/mlflow/registered-models/get", url.Values{"name": {t.model}}, nil)
	if err != nil || made {
		return err
	}
	experiment, err := experimentNamed(ctx, c, t.experiment)
	if err != nil {
		return err
	}
	var best, artifacts string
	for i, value := range t.values {
		if best, artifacts, err = t.run(ctx, c, experiment, i, value); err != nil {
			return err
		}
	}
	if err := c.ask(ctx, http.MethodPost, "/api/2.0/mlflow/registered-models/create", map[string]any{"name": t.model}, nil); err != nil {
		return err
	}
	version := map[string]any{"name": t.model, "run_id": best, "source": artifacts + "/model"}
	if err := c.ask(ctx, http.MethodPost, "/api/2.0/mlflow/model-versions/create", version, nil); err != nil {
		return err
	}
	alias := map[string]any{"name": t.model, "alias": "champion", "version": "1"}
	return c.ask(ctx, http.MethodPost, "/api/2.0/mlflow/registered-models/alias", alias, nil)
}

// experimentNamed gives the id of an experiment, which it makes when it is not there.
func experimentNamed(ctx context.Context, c caller, name string) (string, error) {
	type experiment struct {
		ID string `json:"experiment_id"`
	}
	var known struct{ Experiment experiment }
	found, err := c.find(ctx, "/api/2.0/mlflow/experiments/get-by-name", url.Values{"experiment_name": {name}}, &known)
	if err != nil || found {
		return known.Experiment.ID, err
	}
	var made experiment
	err = c.ask(ctx, http.MethodPost, "/api/2.0/mlflow/experiments/create", map[string]any{"name": name}, &made)
	return made.ID, err
}

// run makes a run with a file, and gives its id and where its files are.
func (t team) run(ctx context.Context, c caller, experiment string, number int, value float64) (id, artifacts string, err error) {
	now := time.Now().UnixMilli()
	var made struct {
		Run struct {
			Info struct {
				RunID       string `json:"run_id"`
				ArtifactURI string `json:"artifact_uri"`
			}
		}
	}
	err = c.ask(ctx, http.MethodPost, "/api/2.0/mlflow/runs/create", map[string]any{"experiment_id": experiment,
		"start_time": now, "run_name": fmt.Sprintf("%s-%d", t.model, number+1)}, &made)
	if err != nil {
		return "", "", err
	}
	id, artifacts = made.Run.Info.RunID, made.Run.Info.ArtifactURI
	metrics := []map[string]any{}
	for step := range 20 { // a curve that ends at the value
		at := value * (1 - 0.5/float64(step+1))
		metrics = append(metrics, map[string]any{"key": t.metric, "value": at, "timestamp": now + int64(step), "step": step})
	}
	batch := map[string]any{"run_id": id, "metrics": metrics, "params": []map[string]any{{"key": "learning_rate", "value": fmt.Sprint(0.1 / float64(number+1))}}}
	if err := c.ask(ctx, http.MethodPost, "/api/2.0/mlflow/runs/log-batch", batch, nil); err != nil {
		return "", "", err
	}
	artifact := "/api/2.0/mlflow-artifacts/artifacts/" + strings.TrimPrefix(artifacts, "mlflow-artifacts:/") + "/model/README.txt"
	if _, err := c.upload(ctx, http.MethodPut, artifact, http.Header{}, []byte("sample weights of "+t.model+"\n")); err != nil {
		return "", "", err
	}
	return id, artifacts, c.ask(ctx, http.MethodPost, "/api/2.0/mlflow/runs/update", map[string]any{"run_id": id, "status": "FINISHED", "end_time": now + 20}, nil)
}

// share makes the administrator's experiment that a group may read because of its name.
func share(ctx context.Context, admin caller) error {
	if _, err := experimentNamed(ctx, admin, sharedExperiment); err != nil {
		return err
	}
	err := admin.ask(ctx, http.MethodPost, "/api/2.0/mlflow/permissions/groups/"+sharedWith+"/experiment-patterns",
		map[string]any{"regex": sharedPattern, "priority": 1, "permission": "READ"}, nil)
	var refused *answerError
	if errors.As(err, &refused) && refused.status == http.StatusConflict { // from an earlier start
		return nil
	}
	return err
}
