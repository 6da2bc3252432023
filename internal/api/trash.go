package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/upstream"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// Cleaner deletes for good what is in MLflow's trash, which MLflow's REST API does not offer.
type Cleaner interface {
	Clean(ctx context.Context, c Cleaning) (Cleaned, error)
}

// Cleaning says what to delete for good. Nil lists stand for all that is in the trash; an empty one for nothing.
type Cleaning struct {
	Runs        []string      `json:"run_ids"`
	Experiments []string      `json:"experiment_ids"`
	OlderThan   time.Duration `json:"-"`
	Workspace   string        `json:"workspace,omitempty"` // "" where workspaces are off
}

// Cleaned says what has been deleted, and what has not and why.
type Cleaned struct {
	Runs              []string           `json:"deleted_runs"`
	Experiments       []string           `json:"deleted_experiments"`
	FailedRuns        []FailedRun        `json:"failed_runs,omitempty"`
	FailedExperiments []FailedExperiment `json:"failed_experiments,omitempty"`
}

// FailedRun is a run that is still there.
type FailedRun struct {
	ID    string `json:"run_id"`
	Error string `json:"error"`
}

// FailedExperiment is an experiment that is still there.
type FailedExperiment struct {
	ID    string `json:"experiment_id"`
	Error string `json:"error"`
}

type cleaned struct {
	Cleaned
	AllRuns        int `json:"total_deleted_runs"`
	AllExperiments int `json:"total_deleted_experiments"`
}

type trashedExperiment struct {
	ID        string            `json:"experiment_id"`
	Name      string            `json:"name"`
	Stage     string            `json:"lifecycle_stage"`
	Artifacts *string           `json:"artifact_location" nullable:"true"`
	Tags      map[string]string `json:"tags"`
	CreatedAt *int64            `json:"creation_time" nullable:"true"`
	UpdatedAt *int64            `json:"last_update_time" nullable:"true"`
}

type trashedRun struct {
	ID         string  `json:"run_id"`
	Experiment string  `json:"experiment_id"`
	Name       *string `json:"run_name" nullable:"true"`
	Status     *string `json:"status" nullable:"true"`
	StartedAt  *int64  `json:"start_time" nullable:"true"`
	EndedAt    *int64  `json:"end_time" nullable:"true"`
	Stage      string  `json:"lifecycle_stage"`
}

type trashedExperiments struct {
	All []trashedExperiment `json:"deleted_experiments"`
}

type trashedRuns struct {
	All []trashedRun `json:"deleted_runs"`
}

type experimentListing struct {
	Paging
	OlderThan string `query:"older_than" maxLength:"64" doc:"those that have been in the trash for so long, such as 7d, 1d2h or 30m"`
}

type runListing struct {
	Paging
	Experiments string `query:"experiment_ids" maxLength:"65536" doc:"those of these experiments alone, with commas between them"`
	OlderThan   string `query:"older_than" maxLength:"64" doc:"cannot be answered: MLflow does not tell when a run was deleted"`
}

type cleanupQuery struct {
	OlderThan   string `query:"older_than" maxLength:"64" doc:"such as 7d, 1d2h or 30m"`
	Runs        string `query:"run_ids" maxLength:"65536" doc:"these runs alone, with commas between them"`
	Experiments string `query:"experiment_ids" maxLength:"65536" doc:"these experiments alone, with their runs"`

	given url.Values
}

// Resolve refuses what could be meant to name something, and would be taken for all (huma.Resolver).
func (q *cleanupQuery) Resolve(ctx huma.Context) []error {
	request := ctx.URL()
	var err error
	if q.given, err = url.ParseQuery(request.RawQuery); err != nil { // what cannot be read would be left out, and its field taken for none
		return []error{errors.New("the query cannot be read")}
	}
	for name, values := range q.given {
		if !slices.Contains([]string{"older_than", "run_ids", "experiment_ids"}, name) {
			return []error{errors.New("the query has an unknown field")}
		}
		if len(values) > 1 {
			return []error{errors.New(name + " is there more than once")}
		}
	}
	return nil
}

// ids are those that a field names; nil where it is not there. One that is there and empty names nothing, and not all.
func (q *cleanupQuery) ids(field, value string) []string {
	if !q.given.Has(field) {
		return nil
	}
	return parts(value)
}

type restoredExperiment struct {
	Experiment struct {
		ID        string `json:"experiment_id"`
		Name      string `json:"name"`
		Stage     string `json:"lifecycle_stage"`
		UpdatedAt *int64 `json:"last_update_time" nullable:"true"`
	} `json:"experiment"`
}

type restoredRun struct {
	Run struct {
		ID         string  `json:"run_id"`
		Experiment string  `json:"experiment_id"`
		Name       *string `json:"run_name" nullable:"true"`
		Status     *string `json:"status" nullable:"true"`
		Stage      string  `json:"lifecycle_stage"`
	} `json:"run"`
}

type runPath struct {
	Run string `path:"run_id" maxLength:"255"`
}

const trashAt = "/oidc/trash"

// trash is what has been deleted and can be had back. It is for administrators.
func (a *API) trash(r *registrar) {
	addPagedIn(r, trashAt+"/experiments", "Experiments in the trash", a.listTrashedExperiments)
	addPagedIn(r, trashAt+"/runs", "Runs in the trash", a.listTrashedRuns)
	add(r, http.MethodPost, trashAt+"/experiments/{experiment_id}/restore", 200, "Take an experiment out of the trash", a.restoreExperiment)
	add(r, http.MethodPost, trashAt+"/runs/{run_id}/restore", 200, "Take a run out of the trash", a.restoreRun)
	add(r, http.MethodPost, trashAt+"/cleanup", 200, "Delete for good what is in the trash", func(ctx context.Context, s *identity.Subject, in *cleanupQuery) (cleaned, error) {
		done, err := a.cleanTrash(ctx, s, in)
		return done, a.spokenOf(ctx, err)
	})
}

// spoken is a problem with the field by which the plugin's trash names it.
type spoken struct {
	Problem
	Text string `json:"error"`
}

// spokenOf gives an error the form of the plugin's trash.
func (a *API) spokenOf(ctx context.Context, err error) error {
	var p *Problem
	if !errors.As(a.problem(ctx, err), &p) || errs.Is(err, errs.Denied) {
		return err
	}
	return &spoken{*p, p.Message}
}

func (a *API) listTrashedExperiments(ctx context.Context, s *identity.Subject, in *experimentListing) (listing[trashedExperiment], func([]trashedExperiment) trashedExperiments, error) {
	all := listing[trashedExperiment]{name: func(e trashedExperiment) string { return e.Name }}
	within := func(rows []trashedExperiment) trashedExperiments { return trashedExperiments{rows} }
	if err := administrator(s); err != nil {
		return all, within, err
	}
	least, err := age(in.OlderThan)
	if err != nil {
		return all, within, a.spokenOf(ctx, err)
	}
	found, err := a.MLflow.DeletedExperiments(ctx)
	for _, e := range found {
		if e.UpdatedAt != nil && *e.UpdatedAt > a.Now().Add(-least).UnixMilli() && least > 0 { // its deletion was the last change
			continue
		}
		all.rows = append(all.rows, trashedExperiment{e.ID, e.Name, e.Stage, e.Artifacts, e.TagValues(), e.CreatedAt, e.UpdatedAt})
	}
	return all, within, err
}

func (a *API) listTrashedRuns(ctx context.Context, s *identity.Subject, in *runListing) (listing[trashedRun], func([]trashedRun) trashedRuns, error) {
	all := listing[trashedRun]{name: func(r trashedRun) string {
		if r.Name == nil {
			return ""
		}
		return *r.Name
	}}
	within := func(rows []trashedRun) trashedRuns { return trashedRuns{rows} }
	if err := administrator(s); err != nil {
		return all, within, err
	}
	if in.OlderThan != "" {
		return all, within, a.spokenOf(ctx, errs.New(errs.Invalid, "MLflow does not tell when a run was deleted: older_than can be given to the clean-up alone"))
	}
	var of []string
	if in.Experiments != "" {
		if of = parts(in.Experiments); slices.ContainsFunc(of, func(id string) bool { return !extract.ExperimentID(id) }) {
			return all, within, a.spokenOf(ctx, errs.New(errs.Invalid, "experiment_ids must be ids of experiments, with commas between them"))
		}
	}
	found, err := a.MLflow.DeletedRuns(ctx, of)
	for _, r := range found {
		all.rows = append(all.rows, trashedRun{r.ID, r.Experiment, r.Name, r.Status, r.StartedAt, r.EndedAt, r.Stage})
	}
	return all, within, err
}

func (a *API) restoreExperiment(ctx context.Context, s *identity.Subject, in *experimentPath) (restoredExperiment, error) {
	var answer restoredExperiment
	if err := administrator(s); err != nil {
		return answer, err
	}
	if !extract.ExperimentID(in.Experiment) {
		return answer, a.spokenOf(ctx, errs.New(errs.NotFound, "there is no experiment %q", in.Experiment))
	}
	e, err := a.MLflow.AnyExperiment(ctx, in.Experiment)
	if err == nil && e.Stage != upstream.Deleted {
		err = errs.New(errs.Invalid, "the experiment is not in the trash")
	}
	if err == nil {
		err = a.MLflow.RestoreExperiment(ctx, in.Experiment)
	}
	if err == nil {
		e, err = a.MLflow.AnyExperiment(ctx, in.Experiment)
	}
	answer.Experiment.ID, answer.Experiment.Name, answer.Experiment.Stage, answer.Experiment.UpdatedAt = e.ID, e.Name, e.Stage, e.UpdatedAt
	return answer, a.spokenOf(ctx, a.done(ctx, err, s, restoredEvent(trashAt+"/experiments/", "experiment", in.Experiment)))
}

func (a *API) restoreRun(ctx context.Context, s *identity.Subject, in *runPath) (restoredRun, error) {
	var answer restoredRun
	if err := administrator(s); err != nil {
		return answer, err
	}
	r, err := a.MLflow.AnyRun(ctx, in.Run)
	if err == nil && r.Stage != upstream.Deleted {
		err = errs.New(errs.Invalid, "the run is not in the trash")
	}
	if err == nil {
		err = a.MLflow.RestoreRun(ctx, in.Run)
	}
	if err == nil {
		r, err = a.MLflow.AnyRun(ctx, in.Run)
	}
	answer.Run.ID, answer.Run.Experiment, answer.Run.Name, answer.Run.Status, answer.Run.Stage = r.ID, r.Experiment, r.Name, r.Status, r.Stage
	return answer, a.spokenOf(ctx, a.done(ctx, err, s, restoredEvent(trashAt+"/runs/", "run", in.Run)))
}

func restoredEvent(at, kind, id string) audit.Event {
	return audit.Event{Name: audit.TrashRestored, Route: at + id, Kind: kind, Resource: id,
		Before: audit.State{"lifecycle_stage": "deleted"}, After: audit.State{"lifecycle_stage": "active"}}
}

// cleanTrash deletes for good. What had permissions loses them, so that whoever gets the id next does not inherit them.
func (a *API) cleanTrash(ctx context.Context, s *identity.Subject, in *cleanupQuery) (cleaned, error) {
	if err := administrator(s); err != nil {
		return cleaned{}, err
	}
	wanted := Cleaning{Runs: in.ids("run_ids", in.Runs), Experiments: in.ids("experiment_ids", in.Experiments), Workspace: workspace.Of(ctx).Name}
	var err error
	if wanted.OlderThan, err = age(in.OlderThan); err != nil {
		return cleaned{}, err
	}
	switch { // to name either is to want nothing else
	case wanted.Runs != nil && wanted.Experiments == nil:
		wanted.Experiments = []string{}
	case wanted.Experiments != nil && wanted.Runs == nil:
		wanted.Runs = []string{}
	}
	for _, id := range wanted.Experiments {
		if err := a.trashed(ctx, id); err != nil {
			return cleaned{}, err
		}
	}
	if a.Cleaner == nil {
		return cleaned{}, errs.New(errs.Invalid, "MLflow's REST API deletes nothing for good, and this gateway has not started MLflow itself; beside the MLflow server, "+
			"and with its own --backend-store-uri and --artifacts-destination, run: %s", collector(in))
	}
	done, err := a.Cleaner.Clean(ctx, wanted)
	for _, id := range done.Experiments {
		if lost := a.Store.ExperimentGone(ctx, id); lost != nil {
			err = errors.Join(err, lost)
		}
	}
	answer := cleaned{done, len(done.Runs), len(done.Experiments)}
	if answer.Runs == nil {
		answer.Runs = []string{}
	}
	if answer.Experiments == nil {
		answer.Experiments = []string{}
	}
	return answer, a.done(ctx, err, s, audit.Event{Name: audit.TrashCleaned, Count: answer.AllRuns + answer.AllExperiments})
}

// collector is the command by which MLflow itself deletes what a clean-up names, and nothing beside it.
func collector(in *cleanupQuery) string {
	command := "mlflow gc"
	for _, option := range []struct{ field, value string }{{"older_than", in.OlderThan}, {"run_ids", strings.Join(parts(in.Runs), ",")}, {"experiment_ids", strings.Join(parts(in.Experiments), ",")}} {
		if in.given.Has(option.field) { // an empty list of ids is none, where no list is all
			command += " --" + strings.ReplaceAll(option.field, "_", "-") + " '" + strings.ReplaceAll(option.value, "'", `'\''`) + "'"
		}
	}
	return command
}

// trashed refuses an experiment that is not in the trash.
func (a *API) trashed(ctx context.Context, id string) error {
	if !extract.ExperimentID(id) {
		return errs.New(errs.NotFound, "there is no experiment %q", id)
	}
	e, err := a.MLflow.AnyExperiment(ctx, id)
	if err == nil && e.Stage != upstream.Deleted {
		err = errs.New(errs.Invalid, "the experiment %s is not in the trash", id)
	}
	return err
}

// parts are the texts of a list with commas between them, each once.
func parts(list string) []string {
	all := []string{}
	for part := range strings.SplitSeq(list, ",") {
		if part = strings.TrimSpace(part); part != "" && !slices.Contains(all, part) {
			all = append(all, part)
		}
	}
	return all
}

// ages is MLflow's own form of an age.
var ages = regexp.MustCompile(`^(?:([0-9.]+)d)?(?:([0-9.]+)h)?(?:([0-9.]+)m)?(?:([0-9.]+)s)?$`)

// age reads an age such as 1d2h; none is 0.
func age(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	wrong := errs.New(errs.Invalid, "older_than must be an age such as 7d, 1d2h or 30m")
	found := ages.FindStringSubmatch(text)
	if found == nil {
		return 0, wrong
	}
	total := 0.0
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if found[i+1] == "" {
			continue
		}
		n, err := strconv.ParseFloat(found[i+1], 64)
		if err != nil {
			return 0, wrong
		}
		total += n * float64(unit)
	}
	if total > float64(200*365*24*time.Hour) { // what a duration holds, and no more than MLflow's times
		return 0, wrong
	}
	return time.Duration(total), nil
}
