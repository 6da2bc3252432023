package upstream

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

// TrashedExperiment is an experiment as MLflow shows it, deleted or not.
type TrashedExperiment struct {
	ID        string  `json:"experiment_id"`
	Name      string  `json:"name"`
	Stage     string  `json:"lifecycle_stage"`
	Artifacts *string `json:"artifact_location"`
	Tags      []pair  `json:"tags"`
	CreatedAt *int64  `json:"creation_time"`
	UpdatedAt *int64  `json:"last_update_time"`
}

// TagValues gives the tags by their keys.
func (e TrashedExperiment) TagValues() map[string]string {
	tags := make(map[string]string, len(e.Tags))
	for _, tag := range e.Tags {
		tags[tag.Key] = tag.Value
	}
	return tags
}

// TrashedRun is a run as MLflow shows it, deleted or not.
type TrashedRun struct {
	ID         string  `json:"run_id"`
	Experiment string  `json:"experiment_id"`
	Name       *string `json:"run_name"`
	Status     *string `json:"status"`
	StartedAt  *int64  `json:"start_time"`
	EndedAt    *int64  `json:"end_time"`
	Stage      string  `json:"lifecycle_stage"`
}

// Deleted is the stage of life of what is in the trash.
const Deleted = "deleted"

const trashPage = 1000 // experiments or runs at a time

// DeletedExperiments lists the experiments in the trash.
func (m *MLflow) DeletedExperiments(ctx context.Context) ([]TrashedExperiment, error) {
	return m.experiments(ctx, "DELETED_ONLY")
}

func (m *MLflow) experiments(ctx context.Context, view string) ([]TrashedExperiment, error) {
	var all []TrashedExperiment
	query := url.Values{"max_results": {strconv.Itoa(trashPage)}, "view_type": {view}}
	for {
		var page struct {
			Experiments []TrashedExperiment `json:"experiments"`
			Next        string              `json:"next_page_token"`
		}
		if err := m.ask(ctx, "/api/2.0/mlflow/experiments/search", query, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Experiments...)
		if page.Next == "" {
			return all, nil
		}
		query.Set("page_token", page.Next)
	}
}

// DeletedRuns lists the runs in the trash: those of some experiments, or of all for nil.
func (m *MLflow) DeletedRuns(ctx context.Context, experiments []string) ([]TrashedRun, error) {
	if experiments == nil {
		all, err := m.experiments(ctx, "ALL")
		if err != nil {
			return nil, err
		}
		for _, e := range all {
			experiments = append(experiments, e.ID)
		}
	}
	var all []TrashedRun
	for len(experiments) > 0 {
		some := experiments[:min(len(experiments), 100)]
		experiments = experiments[len(some):]
		found, err := m.deletedRuns(ctx, some)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func (m *MLflow) deletedRuns(ctx context.Context, experiments []string) ([]TrashedRun, error) {
	type search struct {
		Experiments []string `json:"experiment_ids"`
		View        string   `json:"run_view_type"`
		Most        int      `json:"max_results"`
		Token       string   `json:"page_token,omitempty"`
	}
	var all []TrashedRun
	asked := search{experiments, "DELETED_ONLY", trashPage, ""}
	for {
		var page struct {
			Runs []struct {
				Info TrashedRun `json:"info"`
			} `json:"runs"`
			Next string `json:"next_page_token"`
		}
		if err := m.tell(ctx, http.MethodPost, "/api/2.0/mlflow/runs/search", asked, &page); err != nil {
			return nil, err
		}
		for _, run := range page.Runs {
			all = append(all, run.Info)
		}
		if page.Next == "" {
			return all, nil
		}
		asked.Token = page.Next
	}
}

// AnyExperiment gives an experiment, in the trash or not.
func (m *MLflow) AnyExperiment(ctx context.Context, id string) (TrashedExperiment, error) {
	var answer struct {
		Experiment TrashedExperiment `json:"experiment"`
	}
	err := m.ask(ctx, "/api/2.0/mlflow/experiments/get", url.Values{"experiment_id": {id}}, &answer)
	return answer.Experiment, err
}

// AnyRun gives a run, in the trash or not.
func (m *MLflow) AnyRun(ctx context.Context, id string) (TrashedRun, error) {
	var answer struct {
		Run struct {
			Info TrashedRun `json:"info"`
		} `json:"run"`
	}
	err := m.ask(ctx, "/api/2.0/mlflow/runs/get", url.Values{"run_id": {id}}, &answer)
	return answer.Run.Info, err
}

// RestoreExperiment takes an experiment out of the trash, with its runs.
func (m *MLflow) RestoreExperiment(ctx context.Context, id string) error {
	defer m.Changed(ctx)
	return m.tell(ctx, http.MethodPost, "/api/2.0/mlflow/experiments/restore", map[string]string{"experiment_id": id}, nil)
}

// RestoreRun takes a run out of the trash.
func (m *MLflow) RestoreRun(ctx context.Context, id string) error {
	return m.tell(ctx, http.MethodPost, "/api/2.0/mlflow/runs/restore", map[string]string{"run_id": id}, nil)
}
