// Package operate is the command line of operators: what administrators do by the REST API, done on the users database itself, by
// whoever may read the settings on the machine.
package operate

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/declared"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// Options are what the commands are made of.
type Options struct {
	Load     func(*cobra.Command) (*config.Config, error)
	Change   func(ctx context.Context, c *config.Config, log io.Writer, do func(context.Context, *store.DB, audit.Recorder) error) error // opens the users database, and records what is changed
	Sessions func(*config.Config, *store.DB) (session.Store, error)
	Operator func() string // who runs the program
	Now      func() time.Time
}

// Commands are all that operators have.
func Commands(o Options) []*cobra.Command {
	d := &desk{o}
	return []*cobra.Command{d.users(), d.groups(), d.tokens(), d.sessions(), d.grants(), d.policy(), d.explain(), d.who(), d.what(), d.orphans()}
}

type desk struct{ Options }

// job is one run of a command, with the users database open.
type job struct {
	*desk
	c        *cobra.Command
	args     []string
	settings *config.Config
	db       *store.DB
	events   audit.Recorder

	workspaces map[string]bool // those that there are; nil: unknown
}

// run opens what a command needs, and closes it again.
func (d *desk) run(do func(j *job, ctx context.Context) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		settings, err := d.Load(c)
		if err != nil {
			return err
		}
		return d.Change(c.Context(), settings, c.ErrOrStderr(), func(ctx context.Context, db *store.DB, events audit.Recorder) error {
			return do(&job{desk: d, c: c, args: args, settings: settings, db: db, events: events}, ctx)
		})
	}
}

// under is a command that has others.
func under(use, short string, commands ...*cobra.Command) *cobra.Command {
	root := &cobra.Command{Use: use, Short: short}
	root.AddCommand(commands...)
	return root
}

// record notes what was done that the store does not note itself, by whom.
func (j *job) record(ctx context.Context, e audit.Event) {
	e.By = j.Operator()
	j.events.Record(ctx, e)
}

// text gives the value of a flag.
func (j *job) text(flag string) string {
	value, _ := j.c.Flags().GetString(flag)
	return value
}

// is tells whether a flag is given.
func (j *job) is(flag string) bool {
	value, _ := j.c.Flags().GetBool(flag)
	return value
}

// in puts what is asked and changed into the workspace that a flag names.
func (j *job) in(ctx context.Context) (context.Context, error) {
	name := j.text("workspace")
	switch {
	case !j.settings.Workspaces.Enabled && name == "":
		return ctx, nil
	case !j.settings.Workspaces.Enabled:
		return ctx, errs.New(errs.Invalid, "--workspace is of no use: MLFLOW_ENABLE_WORKSPACES is off")
	case name == "":
		return workspace.In(ctx, workspace.Scope{Name: kind.DefaultWorkspace}), nil
	case !workspace.Valid(name):
		return ctx, errs.New(errs.Invalid, "--workspace %q is not the name of a workspace: 2 to 63 of a-z, 0-9 and inner hyphens", name)
	}
	return workspace.In(ctx, workspace.Scope{Name: name, Named: true}), nil
}

// all reads everything that is granted to whom.
func (j *job) all(ctx context.Context) (declared.Policy, error) {
	var all declared.Policy
	err := j.db.Settle(ctx, func(p declared.Policy) ([]declared.Change, error) { all = p; return nil, nil })
	return all, err
}

// settle makes one change of one entry, which to gives in place of the one before: nil to remove it. What it did is
// printed.
func (j *job) settle(ctx context.Context, k declared.Key, to func(before declared.Entry, there bool) (*declared.Value, error)) error {
	return j.settleAll(ctx, []declared.Key{k}, to)
}

// settleAll is settle for several entries, in one transaction.
func (j *job) settleAll(ctx context.Context, keys []declared.Key, to func(before declared.Entry, there bool) (*declared.Value, error)) error {
	var done []declared.Change
	err := j.db.Settle(ctx, func(have declared.Policy) ([]declared.Change, error) {
		done = nil
		for _, k := range keys {
			changes, err := j.changeOf(have, k, to)
			if err != nil {
				return nil, err
			}
			done = append(done, changes...)
		}
		return done, nil
	})
	if err != nil {
		return err
	}
	return j.settled(done)
}

func (j *job) changeOf(have declared.Policy, k declared.Key, to func(before declared.Entry, there bool) (*declared.Value, error)) ([]declared.Change, error) {
	before, there := have[k]
	after, err := to(before, there)
	switch {
	case err != nil:
		return nil, err
	case after == nil && !there:
		return nil, errs.New(errs.NotFound, "there is no %s", k)
	case after == nil:
		return []declared.Change{{Action: declared.Remove, Key: k, Before: before.Value}}, nil
	case !there:
		plan, err := declared.Compare(have, declared.One(k, *after), false, j.Now())
		if err != nil {
			return nil, errs.New(errs.Invalid, "%v", err)
		}
		return plan.Changes, nil
	case before.Value != *after:
		return []declared.Change{{Action: declared.Alter, Key: k, Before: before.Value, After: *after}}, nil
	}
	return nil, nil
}

// settled prints changes that were made.
func (j *job) settled(done []declared.Change) error {
	for _, c := range done {
		if _, err := j.c.OutOrStdout().Write([]byte(clean(c.String()) + "\n")); err != nil {
			return err
		}
	}
	return nil
}

// ended ends the sessions of accounts that are deleted or deactivated. They let nobody in any more, but would again
// when an account is activated.
func (j *job) ended(ctx context.Context, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	sessions, err := j.Sessions(j.settings, j.db)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := j.end(ctx, sessions, session.Query{UserID: id}, session.All); err != nil {
			return errors.Join(err, sessions.Close())
		}
	}
	return sessions.Close()
}

// end ends the sessions that a query names and that are picked, and says how many there were.
func (j *job) end(ctx context.Context, sessions session.Store, q session.Query, picks func(session.Found) bool) (int, error) {
	found, err := sessions.Find(ctx, q)
	count := 0
	for _, one := range found {
		if err != nil || !picks(one) {
			continue
		}
		if err = sessions.Delete(ctx, one.Key); err == nil {
			count++
		}
	}
	if count > 0 {
		j.record(ctx, audit.Event{Name: audit.SessionEnded, UserID: q.UserID, Cause: "administrator", Count: count})
	}
	return count, err
}
