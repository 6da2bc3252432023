package operate

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/attach"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/declared"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// Differs is the end of a plan that has changes: no failure, and an exit code of its own.
type Differs struct{}

// Error says what it is.
func (Differs) Error() string { return "there are changes" }

// ExitCode is what scripts tell it by.
func (Differs) ExitCode() int { return 2 }

func (d *desk) policy() *cobra.Command {
	plan := listing(&cobra.Command{Use: "plan FILE", Short: "Say what apply would change; exit code 2 where that is anything", Args: cobra.ExactArgs(1), RunE: d.run((*job).plan)})
	apply := listing(&cobra.Command{Use: "apply FILE", Short: "Have everything be as a file declares, in one transaction", Args: cobra.ExactArgs(1), RunE: d.run(func(j *job, ctx context.Context) error {
		if j.is("dry-run") {
			return j.plan(ctx)
		}
		return j.apply(ctx)
	})})
	apply.Flags().Bool("dry-run", false, "change nothing, as plan")
	for _, c := range []*cobra.Command{plan, apply} {
		c.Flags().Bool("prune", false, "remove what the file lacks, but for accounts that a provider manages and what rules have given")
		c.Long = c.Short + ".\nThe file is YAML, see docs/policy.md; - is standard input."
	}
	return under("policy", "Policy as code: users, groups, permissions and roles in a file",
		&cobra.Command{Use: "export", Short: "Print everything as such a file, which plan finds to be so", Args: cobra.NoArgs, RunE: d.run((*job).export)}, plan, apply)
}

func (j *job) export(ctx context.Context) error {
	all, err := j.all(ctx)
	if err != nil {
		return err
	}
	text, err := declared.Print(all)
	if err == nil {
		_, err = fmt.Fprintf(j.c.OutOrStdout(), "# who there is and who may do what; docs/policy.md says what is in here\n%s", text)
	}
	return err
}

// read reads the file that is named.
func (j *job) read() (*declared.File, error) {
	name, from := j.args[0], j.c.InOrStdin()
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		from = file
	}
	text, err := io.ReadAll(io.LimitReader(from, declared.MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	file, err := declared.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s:\n%w", name, err)
	}
	return file, nil
}

// compare makes the plan out of what there is.
func (j *job) compare(have declared.Policy, file *declared.File) (declared.Plan, error) {
	plan, err := declared.Compare(have, file, j.is("prune"), j.Now())
	if err == nil {
		err = j.checkRules(plan, file)
	}
	if err != nil {
		err = errs.New(errs.Invalid, "%s:\n%v", j.args[0], err) // it is the file's fault, and not the database's
	}
	return plan, err
}

// checkRules refuses workspace rules that the settings leave no room for, where they are new or changed, and those that name a workspace
// which MLflow does not have.
func (j *job) checkRules(plan declared.Plan, file *declared.File) error {
	var wrong declared.Problems
	for _, c := range plan.Changes {
		if c.What != declared.Rule || c.Action == declared.Remove {
			continue
		}
		level, err := kind.ParseLevel(c.After.Level)
		if err == nil {
			err = attach.Rule{Pattern: c.After.Pattern, Level: level}.Check(j.settings.Workspaces.MostByRule)
		}
		only, one := attach.Only(c.After.Pattern)
		switch {
		case !j.settings.Workspaces.Enabled:
			err = errs.New(errs.Invalid, "the %s is of no use: MLFLOW_ENABLE_WORKSPACES is off", c.Key)
		case err == nil && one && j.workspaces != nil && !j.workspaces[only]:
			err = errs.New(errs.Invalid, "the %s gives a level in the workspace %s, which MLflow does not have: make it first", c.Key, only)
		}
		if err != nil {
			wrong = append(wrong, declared.Problem{Line: file.Line(c.Key), Says: err.Error()})
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return wrong
}

// lookAround notes which workspaces there are, where MLflow can be asked and the file has rules that give levels in them.
func (j *job) lookAround(ctx context.Context, file *declared.File) error {
	mlflow, err := j.mlflow()
	if err != nil || mlflow == nil || !j.settings.Workspaces.Enabled || !file.Has(declared.Rule) {
		return err
	}
	defer mlflow.Close()
	items, err := mlflow.All(workspace.In(ctx, workspace.Scope{Name: kind.DefaultWorkspace}), kind.Workspace)
	if err != nil { // a rule gives nothing in a workspace that is not there
		_, err = fmt.Fprintln(j.c.ErrOrStderr(), "MLflow could not be asked whether the workspaces that rules name exist:", clean(err.Error()))
		return err
	}
	j.workspaces = map[string]bool{}
	for _, item := range items {
		j.workspaces[item.Name] = true
	}
	return nil
}

func (j *job) plan(ctx context.Context) error {
	file, err := j.read()
	if err == nil {
		err = j.lookAround(ctx, file)
	}
	if err != nil {
		return err
	}
	have, err := j.all(ctx)
	if err != nil {
		return err
	}
	plan, err := j.compare(have, file)
	if err != nil {
		return err
	}
	if err := j.planned(plan, "to do"); err != nil || len(plan.Changes) == 0 {
		return err
	}
	return Differs{}
}

func (j *job) apply(ctx context.Context) error {
	file, err := j.read()
	if err == nil {
		err = j.lookAround(ctx, file)
	}
	if err != nil {
		return err
	}
	var plan declared.Plan
	if err := j.db.Settle(ctx, func(have declared.Policy) ([]declared.Change, error) {
		var err error
		plan, err = j.compare(have, file)
		return plan.Changes, err
	}); err != nil {
		return err
	}
	var out []int64
	for _, c := range plan.Changes {
		if c.What == declared.User && c.Action == declared.Alter && c.After.Inactive && !c.Before.Inactive {
			user, err := j.db.User(ctx, c.User)
			if err != nil {
				return err
			}
			out = append(out, user.ID)
		}
	}
	if err := j.ended(ctx, out); err != nil {
		return fmt.Errorf("the file is applied; sessions of those who were deactivated could not be ended, and let nobody in: %w", err)
	}
	return j.planned(plan, "done")
}

// planned prints a plan: its changes by line, what was kept, and how many of each there are.
func (j *job) planned(plan declared.Plan, state string) error {
	w := j.c.OutOrStdout()
	if j.is("json") {
		return printJSON(w, plan)
	}
	counts := map[declared.Action]int{}
	for _, c := range plan.Changes {
		counts[c.Action]++
		if _, err := fmt.Fprintln(w, clean(c.String())); err != nil {
			return err
		}
	}
	for _, k := range plan.Kept {
		if _, err := fmt.Fprintln(w, clean(fmt.Sprintf("  %s stays: it is managed by %s", k.Key, k.By))); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d to add, %d to change, %d to remove: %s\n", counts[declared.Add], counts[declared.Alter], counts[declared.Remove], state)
	return err
}
