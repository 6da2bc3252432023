package operate

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/declared"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/upstream"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// orphanRow is a permission on what is not there, or on what cannot be asked for.
type orphanRow struct {
	Holder    string `json:"holder"`
	Kind      string `json:"kind"`
	Workspace string `json:"workspace,omitempty"`
	ID        string `json:"id"`
	Level     string `json:"level"`
	State     string `json:"state"`
	Reason    string `json:"reason,omitempty"`
}

const gone, unknown = "gone", "unknown"

func (d *desk) orphans() *cobra.Command {
	c := listing(&cobra.Command{Use: "orphans", Short: "List the permissions on what MLflow says does not exist any more, and delete them with --delete", Args: cobra.NoArgs, RunE: d.run((*job).listOrphans),
		Long: "Lists the permissions on what MLflow says does not exist any more, and deletes them with --delete. MLflow itself is asked, at\n" +
			"MLFLOW_UPSTREAM. What is in the trash is still there. What cannot be asked for is shown as unknown, and never deleted; nor is what\n" +
			"roles deny."})
	c.Flags().Bool("delete", false, "delete the permissions on what is gone")
	c.Flags().Bool("all-gone", false, "delete also where MLflow knows nothing at all of what permissions are on, as another MLflow would")
	return c
}

// place is where permissions are held.
type place struct {
	kind      kind.Name
	workspace string
	id        string
}

// resourceOf gives the resource that an entry is about; false where it is about none, or refuses it.
func resourceOf(k declared.Key, e declared.Entry) (place, bool) {
	at := place{kind.Name(k.Kind), k.Workspace, k.Resource}
	switch k.What {
	case declared.Grant:
	case declared.Permission:
		if at.id = e.Held; at.id == "*" || e.Level == directory.Deny {
			return at, false
		}
		at.kind = at.kind.Kept()
		if at.workspace == kind.DefaultWorkspace || kind.Everywhere(at.kind) {
			at.workspace = ""
		}
	default:
		return at, false
	}
	_, ok := kind.Of(at.kind)
	return at, ok
}

func (j *job) listOrphans(ctx context.Context) error {
	mlflow, err := j.mlflow()
	if err != nil {
		return err
	}
	if mlflow == nil {
		return errs.New(errs.Invalid, "set MLFLOW_UPSTREAM to the address of MLflow: it is asked what there is")
	}
	defer mlflow.Close()
	a := &asker{mlflow: mlflow, workspaces: j.settings.Workspaces.Enabled, known: map[place]error{}, lists: map[place]map[string]bool{}}
	if err := a.begin(ctx); err != nil {
		return fmt.Errorf("MLflow cannot be asked at %s: %w", j.settings.Upstream, err)
	}
	all, err := j.all(ctx) // before MLflow is asked: what is made anew meanwhile has rows that are not here
	if err != nil {
		return err
	}
	var rows []orphanRow
	lost, found := map[declared.Key]int64{}, 0
	for _, k := range all.Keys() {
		at, ok := resourceOf(k, all[k])
		if !ok {
			continue
		}
		switch err := a.ask(ctx, at); {
		case err == nil:
			found++
		case errors.Is(err, errGone):
			lost[k] = all[k].ID
			rows = append(rows, orphan(k, at, all[k], gone, ""))
		default:
			rows = append(rows, orphan(k, at, all[k], unknown, err.Error()))
		}
	}
	if j.is("delete") && len(lost) > 0 {
		if found == 0 && !j.is("all-gone") {
			return errs.New(errs.Invalid, "MLflow at %s knows nothing at all of what permissions are on: it may be another one. Nothing is deleted; --all-gone does it all the same", j.settings.Upstream)
		}
		return j.deleteOrphans(ctx, lost)
	}
	return show(j.c, rows, column[orphanRow]{"STATE", func(o orphanRow) string { return o.State }}, column[orphanRow]{"HOLDER", func(o orphanRow) string { return o.Holder }},
		column[orphanRow]{"KIND", func(o orphanRow) string { return o.Kind }}, column[orphanRow]{"WORKSPACE", func(o orphanRow) string { return o.Workspace }},
		column[orphanRow]{"ID", func(o orphanRow) string { return o.ID }}, column[orphanRow]{"LEVEL", func(o orphanRow) string { return o.Level }},
		column[orphanRow]{"WHY", func(o orphanRow) string { return o.Reason }})
}

func orphan(k declared.Key, at place, e declared.Entry, state, why string) orphanRow {
	holder := k.Holder()
	if k.Role != "" {
		holder = "role " + k.Role
	}
	return orphanRow{holder, k.Kind, k.Workspace, at.id, e.Level, state, why}
}

// deleteOrphans deletes the rows that were seen, and none that was made since.
func (j *job) deleteOrphans(ctx context.Context, lost map[declared.Key]int64) error {
	var done []declared.Change
	err := j.db.Settle(ctx, func(have declared.Policy) ([]declared.Change, error) {
		done = nil
		for _, k := range have.Keys() {
			if id, ok := lost[k]; ok && id == have[k].ID {
				done = append(done, declared.Change{Action: declared.Remove, Key: k, Before: have[k].Value})
			}
		}
		return done, nil
	})
	if err != nil {
		return err
	}
	return j.settled(done)
}

// errGone is MLflow's word that something does not exist.
var errGone = errors.New("it does not exist")

// asker asks MLflow what there is, each thing once.
type asker struct {
	mlflow     *upstream.MLflow
	workspaces bool
	all        []string // the workspaces that there are
	known      map[place]error
	lists      map[place]map[string]bool // what there is of a kind, in a workspace
}

// begin sees that an MLflow answers, and which workspaces it has.
func (a *asker) begin(ctx context.Context) error {
	ctx = a.in(ctx, kind.DefaultWorkspace)
	if _, err := a.mlflow.All(ctx, kind.Experiment); err != nil || !a.workspaces {
		return err
	}
	if err := a.mlflow.HasWorkspaces(ctx); err != nil {
		return err
	}
	items, err := a.mlflow.All(ctx, kind.Workspace)
	for _, item := range items {
		a.all = append(a.all, item.Name)
	}
	return err
}

func (a *asker) in(ctx context.Context, name string) context.Context {
	if !a.workspaces {
		return ctx
	}
	return workspace.In(ctx, workspace.Scope{Name: name, Named: true})
}

// ask gives nil for what is there, errGone for what MLflow says is not, and another error where that cannot be known.
func (a *asker) ask(ctx context.Context, at place) error {
	if err, ok := a.known[at]; ok {
		return err
	}
	err := a.asked(ctx, at)
	a.known[at] = err
	return err
}

func (a *asker) asked(ctx context.Context, at place) error {
	k, _ := kind.Of(at.kind)
	switch {
	case at.kind == kind.Workspace && !a.workspaces, !a.workspaces && at.workspace != "":
		return errors.New("it is about workspaces, and MLFLOW_ENABLE_WORKSPACES is off")
	case at.kind == kind.Workspace:
		return a.listed(ctx, at)
	case k.Everywhere: // it is in one of them
		return a.anywhere(ctx, at)
	case at.workspace == "":
		ctx = a.in(ctx, kind.DefaultWorkspace)
	default:
		ctx = a.in(ctx, at.workspace)
		if err := a.ask(ctx, place{kind.Workspace, "", at.workspace}); err != nil {
			return err
		}
	}
	if at.kind != kind.RegisteredModel {
		return a.listed(ctx, at)
	}
	_, err := a.mlflow.Registered(ctx, at.id)
	return said(err)
}

// anywhere asks in every workspace.
func (a *asker) anywhere(ctx context.Context, at place) error {
	in := a.all
	if !a.workspaces {
		in = []string{""}
	}
	err := errGone
	for _, name := range in {
		if err = a.experiment(a.in(ctx, name), at); !errors.Is(err, errGone) {
			return err
		}
	}
	return err
}

// experiment asks for an experiment, in the trash or not, or for a scorer of one.
func (a *asker) experiment(ctx context.Context, at place) error {
	id, scorer := at.id, ""
	if at.kind == kind.Scorer {
		id, scorer = kind.Parts(at.id)
	}
	found, err := a.mlflow.AnyExperiment(ctx, id)
	switch {
	case err != nil:
		return said(err)
	case found.Stage == upstream.Deleted && scorer != "":
		return errors.New("its experiment is in the trash")
	case found.ID != id:
		return errors.New("MLflow answers for another experiment")
	case scorer == "":
		return nil
	}
	there, err := a.mlflow.Scorers(ctx, id)
	for _, one := range there {
		if one.Name == scorer {
			return nil
		}
	}
	if err == nil {
		return errGone
	}
	return err // whatever MLflow says of the experiment's scorers, it is no word about this one
}

// said gives errGone for MLflow's own word that something does not exist.
func said(err error) error {
	if upstream.Gone(err) {
		return errGone
	}
	return err
}

// listed looks for something in the list of its kind, which comes whole.
func (a *asker) listed(ctx context.Context, at place) error {
	list := place{at.kind, at.workspace, ""}
	if a.lists[list] == nil {
		if at.kind == kind.Workspace {
			ctx = a.in(ctx, kind.DefaultWorkspace)
		}
		items, err := a.mlflow.All(ctx, at.kind)
		if err != nil {
			return fmt.Errorf("MLflow does not list any %s: %w", at.kind, err)
		}
		a.lists[list] = map[string]bool{}
		for _, item := range items {
			a.lists[list][item.Name] = true
		}
	}
	if a.lists[list][at.id] {
		return nil
	}
	return errGone
}
