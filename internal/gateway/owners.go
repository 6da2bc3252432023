package gateway

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// ownJob decides a job: it is whose who submitted it. One that nobody is known to have submitted is the administrators'.
func (c *call) ownJob(target extract.Target) error {
	owner, err := c.gateway.Owners.Owner(c.r.Context(), target.Ref.String(), target.Value)
	if errs.Is(err, errs.NotFound) || err == nil && owner != c.subject.UserID {
		return hidden(target)
	}
	return err
}

// ownNewJobs notes whose the jobs are that MLflow's answer names: one, or several. If that cannot be stored they are
// cancelled again, where they have not ended yet.
func (c *call) ownNewJobs(ctx context.Context, answer *http.Response) error {
	body, err := readAnswer(answer, 4<<20)
	if err != nil {
		return err
	}
	type job struct {
		ID string `json:"job_id"`
	}
	var said struct {
		job
		Jobs []job `json:"jobs"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return errs.Wrap(errs.BadGateway, err, "MLflow's answer names no job")
	}
	var failed error
	for _, one := range append(said.Jobs, said.job) {
		if one.ID == "" {
			continue
		}
		if cause := c.gateway.Owners.Own(ctx, policy.Job.String(), one.ID, c.subject.UserID); cause != nil {
			failed = c.undo(ctx, cause, http.MethodPatch, "/ajax-api/3.0/jobs/cancel/"+one.ID, nil)
		}
	}
	return failed
}

type object = map[string]any

// rowsOf are the lists of which an answer shows some rows only.
var rowsOf = map[policy.Filter]struct {
	list  string
	shown func(*call, context.Context) (func(row object) bool, error)
}{
	policy.OwnJobs: {"jobs", func(c *call, ctx context.Context) (func(object) bool, error) {
		owned, err := c.gateway.Owners.Owned(ctx, policy.Job.String(), c.subject.UserID)
		return func(row object) bool { id, _ := row["job_id"].(string); return owned[id] }, err
	}},
	policy.SeenQueues: {"review_queues", func(c *call, _ context.Context) (func(object) bool, error) {
		edits := c.decide(extract.Target{Ref: policy.Experiment, Value: c.targets[0].Value, Level: kind.Edit})
		if edits != nil && !errs.Is(edits, errs.Denied) {
			return nil, edits
		}
		return func(row object) bool {
			users, _ := row["users"].([]any)
			return edits == nil || c.among(users)
		}, nil
	}},
}

// onRows adds to what has to happen to MLflow's answer that it shows only the rows that are the caller's to see.
func (c *call) onRows(before func(*http.Response) error) func(*http.Response) error {
	rows, ok := rowsOf[c.match.Route.Filter]
	if !ok || c.subject.Admin {
		return before
	}
	return func(answer *http.Response) error {
		if before != nil {
			if err := before(answer); err != nil {
				return err
			}
		}
		if answer.StatusCode != http.StatusOK {
			return nil
		}
		if c.r.Method == http.MethodHead { // the length would tell of what is left out
			answer.Header.Del("Content-Length")
			answer.ContentLength = -1
			return nil
		}
		shown, err := rows.shown(c, c.r.Context())
		if err != nil {
			return err
		}
		return keepRows(answer, c.gateway.MaxFiltered, rows.list, shown)
	}
}

func keepRows(answer *http.Response, most int64, list string, shown func(object) bool) error {
	body, err := readAnswer(answer, most)
	if err != nil {
		return err
	}
	var whole map[string]json.RawMessage
	var rows []json.RawMessage
	if err := json.Unmarshal(body, &whole); err != nil {
		return errs.Wrap(errs.BadGateway, err, "MLflow's answer could not be read")
	}
	if len(whole[list]) > 0 {
		if err := json.Unmarshal(whole[list], &rows); err != nil {
			return errs.Wrap(errs.BadGateway, err, "MLflow's answer could not be read")
		}
	}
	kept := []json.RawMessage{}
	for _, raw := range rows {
		var row object
		if err := json.Unmarshal(raw, &row); err == nil && shown(row) {
			kept = append(kept, raw)
		}
	}
	if whole[list], err = json.Marshal(kept); err == nil {
		body, err = json.Marshal(whole)
	}
	if err != nil {
		return errs.Wrap(errs.Internal, err, "the answer could not be written")
	}
	setAnswer(answer, body)
	return nil
}
