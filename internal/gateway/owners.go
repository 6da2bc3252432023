package gateway

import (
	"bytes"
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

// shown tells which rows of an answer the caller sees.
type shown func(row object) (bool, error)

// rowsOf are the answers of which some rows only are shown: those of a list, or the only one.
var rowsOf = map[policy.Filter]struct {
	list, one string
	shown     func(*call, context.Context) (shown, error)
}{
	policy.OwnJobs: {"jobs", "", func(c *call, ctx context.Context) (shown, error) {
		if !c.subject.Scope.Everything() { // a job can be about anything of its owner's
			return func(object) (bool, error) { return false, nil }, nil
		}
		owned, err := c.gateway.Owners.Owned(ctx, policy.Job.String(), c.subject.UserID)
		return func(row object) (bool, error) { id, _ := row["job_id"].(string); return owned[id], nil }, err
	}},
	policy.SeenQueues: {"review_queues", "", func(c *call, _ context.Context) (shown, error) {
		edits := c.decide(extract.Target{Ref: policy.Experiment, Value: c.targets[0].Value, Level: kind.Edit})
		if edits != nil && !errs.Is(edits, errs.Denied) {
			return nil, edits
		}
		return func(row object) (bool, error) {
			users, _ := row["users"].([]any)
			return edits == nil || c.among(users), nil
		}, nil
	}},
	policy.Scorers:       {"scorers", "scorer", func(c *call, _ context.Context) (shown, error) { return c.keepScorers, nil }},
	policy.ScorerConfigs: {"configs", "", func(c *call, _ context.Context) (shown, error) { return c.keepConfigs, nil }},
}

// keepRows leaves the rows of a list that are shown; an answer with the only row must be shown.
func (c *call) keepRows(answer *http.Response, list, one string, shown shown) error {
	body, err := readAnswer(answer, c.gateway.MaxFiltered)
	if err != nil {
		return err
	}
	var whole map[string]json.RawMessage
	if err := json.Unmarshal(body, &whole); err != nil {
		return errs.Wrap(errs.BadGateway, err, "MLflow's answer could not be read")
	}
	if only := whole[one]; len(only) > 0 {
		if row, ok := readRow(only); ok {
			ok, err = shown(row)
			if ok || err != nil {
				return err
			}
		}
		return hidden(c.targets[0])
	}
	if whole[list], err = keep(whole[list], shown); err != nil {
		return err
	}
	if body, err = json.Marshal(whole); err != nil {
		return errs.Wrap(errs.Internal, err, "the answer could not be written")
	}
	setAnswer(answer, body)
	return nil
}

func keep(list json.RawMessage, shown shown) (json.RawMessage, error) {
	var rows []json.RawMessage
	if len(list) > 0 {
		if err := json.Unmarshal(list, &rows); err != nil {
			return nil, errs.Wrap(errs.BadGateway, err, "MLflow's answer could not be read")
		}
	}
	kept := []json.RawMessage{}
	for _, raw := range rows {
		row, ok := readRow(raw)
		if !ok {
			continue
		}
		ok, err := shown(row)
		if err != nil {
			return nil, err
		}
		if ok {
			kept = append(kept, raw)
		}
	}
	list, err := json.Marshal(kept)
	if err != nil {
		return nil, errs.Wrap(errs.Internal, err, "the answer could not be written")
	}
	return list, nil
}

// readRow reads a row, with its numbers as they are written.
func readRow(raw json.RawMessage) (row object, ok bool) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	return row, decoder.Decode(&row) == nil && row != nil
}
