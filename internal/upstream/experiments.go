package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

const experimentsSearch = "/api/2.0/mlflow/experiments/search"

// lateMost is how late MLflow may store a change after the time that it has given it, and how far its servers' clocks may differ.
const lateMost = time.Minute

// Experiment is an experiment as a search of MLflow shows it, deleted or not.
type Experiment struct {
	ID      string `json:"experiment_id"`
	Name    string `json:"name"`
	Stage   string `json:"lifecycle_stage"`
	Updated int64  `json:"last_update_time"` // in milliseconds; 0: it was never changed since MLflow has noted that
	Tags    []pair `json:"tags"`
}

// question is a search of experiments.
type question struct {
	View   string   `json:"view_type"`
	Filter string   `json:"filter,omitempty"`
	Order  []string `json:"order_by,omitempty"`
	Most   int      `json:"max_results"`
	Token  string   `json:"page_token,omitempty"`
}

// search asks for all that a question finds, page by page.
func (m *MLflow) search(ctx context.Context, q question, each func([]Experiment)) error {
	for {
		asked, err := json.Marshal(q)
		if err != nil {
			return err
		}
		raw, err := m.call(ctx, http.MethodPost, experimentsSearch, nil, asked, lookupLimit)
		if errors.Is(err, ErrTooLarge) && q.Most > 1 { // their tokens are offsets, so any size goes on
			q.Most /= 2
			continue
		}
		if err != nil {
			return err
		}
		var page struct {
			Experiments []Experiment `json:"experiments"`
			Next        string       `json:"next_page_token"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return errs.Wrap(errs.BadGateway, err, "MLflow's answer could not be read")
		}
		each(page.Experiments)
		if page.Next == "" {
			return nil
		}
		q.Token = page.Next
	}
}

// readExperiments reads the experiments that have changed since, or all. Deleted ones are asked for too: they say that they are, and
// the pages do not move up when one is deleted meanwhile.
func (i *indexes) readExperiments(ctx context.Context, from *snapshot, began time.Time) (*snapshot, error) {
	if from != nil {
		// the newest first: what changes meanwhile moves to pages that were read, and nothing moves to where it is not
		changed, last, err := i.found(ctx, question{View: "ALL", Order: []string{"last_update_time DESC"}, Most: 1000,
			Filter: fmt.Sprintf("last_update_time >= %d", max(0, from.last-lateMost.Milliseconds()))})
		if err == nil {
			return &snapshot{rows: from.with(changed), all: from.all, last: max(last, from.last)}, nil
		}
		if !errs.Is(err, errs.Invalid) { // an MLflow that does not take the question is asked for all
			return nil, err
		}
	}
	all, last, err := i.found(ctx, question{View: "ALL", Order: []string{"experiment_id DESC"}, Most: searches[kind.Experiment].size})
	if err != nil {
		return nil, err
	}
	return &snapshot{rows: (&snapshot{}).with(all), last: last - i.now().Sub(began).Milliseconds()}, nil
}

// found gives what a question finds by ids, and the latest of its times.
func (i *indexes) found(ctx context.Context, q question) (all map[string]Experiment, last int64, err error) {
	all = map[string]Experiment{}
	err = i.mlflow.search(ctx, q, func(some []Experiment) {
		for _, e := range some {
			if before, ok := all[e.ID]; ok && before.Updated > e.Updated {
				continue
			}
			e.Tags = nil
			all[e.ID] = e
			last = max(last, e.Updated)
		}
	})
	return all, last, err
}

// with gives the rows with changes in them.
func (s *snapshot) with(changed map[string]Experiment) []Listed {
	same := true
	rows := make([]Listed, 0, len(s.rows)+len(changed))
	for _, row := range s.rows {
		now, ok := changed[row.ID]
		if !ok {
			rows = append(rows, row)
			continue
		}
		if now.Stage == Deleted || now.Name != row.Name {
			same = false
			continue
		}
		rows = append(rows, row)
		delete(changed, row.ID)
	}
	for id, e := range changed {
		if e.Stage != Deleted {
			rows = append(rows, Listed{Item{ID: id, Name: e.Name}, strings.ToLower(e.Name)})
			same = false
		}
	}
	if same {
		return s.rows
	}
	return sorted(rows)
}

// Experiments gives the experiments that have the ids, deleted ones too, in as few calls as MLflow takes.
func (m *MLflow) Experiments(ctx context.Context, ids []string) (map[string]Experiment, error) {
	all := make(map[string]Experiment, len(ids))
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !digits(id) }) // what else it may be has no place in a filter
	for some := range slices.Chunk(ids, severalIDs) {
		err := m.search(ctx, question{View: "ALL", Filter: "experiment_id IN (" + quoted(some) + ")", Most: severalIDs}, func(found []Experiment) {
			for _, e := range found {
				all[e.ID] = e
			}
		})
		if errs.Is(err, errs.Invalid) { // an older MLflow, which has no such filter
			err = m.oneByOne(ctx, some, all)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (m *MLflow) oneByOne(ctx context.Context, ids []string, into map[string]Experiment) error {
	for _, id := range ids {
		var answer struct {
			Experiment Experiment `json:"experiment"`
		}
		err := m.ask(ctx, "/api/2.0/mlflow/experiments/get", map[string][]string{"experiment_id": {id}}, &answer)
		switch {
		case errs.Is(err, errs.NotFound):
		case err != nil:
			return err
		default:
			into[answer.Experiment.ID] = answer.Experiment
		}
	}
	return nil
}

func digits(id string) bool { return id != "" && strings.Trim(id, "0123456789") == "" }

// Item is the experiment as a list shows it.
func (e Experiment) Item() Item { return found{ExperimentID: e.ID, Name: e.Name, Tags: e.Tags}.item() }

// ExperimentNames gives the names of experiments, in as few calls as MLflow takes; those that are nowhere are not in the answer.
// They are trusted as long as one that was asked for alone.
func (m *MLflow) ExperimentNames(ctx context.Context, ids []string) (map[string]string, error) {
	names := make(map[string]string, len(ids))
	var unknown []string
	for _, id := range ids {
		name, ok := m.names.GetIfPresent(in(ctx, id))
		if m.inNames.found(ok); ok {
			names[id] = name
		} else {
			unknown = append(unknown, id)
		}
	}
	asked, err := m.Experiments(ctx, unknown)
	if err != nil {
		return nil, err
	}
	for _, id := range unknown {
		if e, ok := asked[id]; ok {
			m.names.Set(in(ctx, id), e.Name)
			names[id] = e.Name
		}
	}
	return names, nil
}
