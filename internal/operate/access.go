package operate

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/api"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/upstream"
)

const namesNeeded = "Patterns are about names, which MLflow has: the MLflow of MLFLOW_UPSTREAM is asked for them, or --name says it."

func (d *desk) explain() *cobra.Command {
	c := resourceFlags(listing(&cobra.Command{Use: "explain", Short: "Say what somebody may do with a resource, and why", Args: cobra.NoArgs, RunE: d.run((*job).explained),
		Long: "Says what somebody may do with a resource, and why: every permission that speaks of it, in the order in which they are asked.\n" + namesNeeded}))
	c.Flags().String("user", "", "who")
	return required(named(c), "user", "kind", "id")
}

func (d *desk) who() *cobra.Command {
	return required(named(resourceFlags(listing(&cobra.Command{Use: "who", Short: "List who can do what with a resource, and why", Args: cobra.NoArgs, RunE: d.run((*job).listWho),
		Long: "Lists who can do what with a resource, and why; administrators once.\n" + namesNeeded + "\nWhere neither does, what a name decides is unknown."}))), "kind", "id")
}

func (d *desk) what() *cobra.Command {
	c := listing(&cobra.Command{Use: "what", Short: "List what somebody can do, and why", Args: cobra.NoArgs, RunE: d.run((*job).listWhat),
		Long: "Lists what somebody can do with the resources on which something was given, and what is given on more than one.\nPatterns are about names, which MLflow has: the MLflow of MLFLOW_UPSTREAM is asked for them. Where it does not answer, the database\nalone does, and what a name decides is unknown."})
	c.Flags().String("user", "", "who")
	c.Flags().String("kind", "", "of this kind alone")
	workspaceFlag(c)
	return required(c, "user")
}

func named(c *cobra.Command) *cobra.Command {
	c.Flags().String("name", "", "what the experiment of --id is called, where MLflow cannot be asked")
	return c
}

func required(c *cobra.Command, flags ...string) *cobra.Command {
	for _, flag := range flags {
		_ = c.MarkFlagRequired(flag) // the flag is there
	}
	return c
}

// names say what an experiment is called: the name that was given, or what MLflow says.
type names struct {
	given  string
	mlflow *upstream.MLflow // nil: it cannot be asked
}

var errNames = errs.New(errs.Unavailable, "patterns decide about names: set MLFLOW_UPSTREAM to the address of MLflow, so that it can be asked; explain and who take an experiment's by --name too")

// ExperimentName gives an experiment's name (api.Names).
func (n names) ExperimentName(ctx context.Context, id string) (string, error) {
	switch {
	case n.given != "":
		return n.given, nil
	case n.mlflow == nil:
		return "", errNames
	}
	return n.mlflow.ExperimentName(ctx, id)
}

// Registered says which kind of thing has a name in the model registry (api.Names).
func (n names) Registered(ctx context.Context, name string) (kind.Name, error) {
	if n.mlflow == nil {
		return "", errNames
	}
	return n.mlflow.Registered(ctx, name)
}

// mlflow is the way to MLflow itself; nil where the settings name none.
func (j *job) mlflow() (*upstream.MLflow, error) {
	if j.settings.Upstream == "" {
		return nil, nil
	}
	return upstream.New(upstream.Options{Address: j.settings.Upstream, ConnectTimeout: j.settings.ConnectTimeout, Workspaces: j.settings.Workspaces.Enabled,
		Log: slog.New(slog.DiscardHandler)})
}

// ask has the REST API answer an administrator, without a gateway.
func (j *job) ask(ctx context.Context, question func(context.Context, *api.API, *identity.Subject) error) error {
	ctx, err := j.in(ctx)
	if err != nil {
		return err
	}
	mlflow, err := j.mlflow()
	if err != nil {
		return err
	}
	if mlflow != nil {
		defer mlflow.Close()
	}
	cache, err := directory.NewCache(j.db, j.settings.Order)
	if err != nil {
		return err
	}
	c := j.settings
	rules := authz.Rules{Default: c.Default, RestrictCreation: c.RestrictCreation, Workspaces: c.Workspaces.Enabled}
	given := ""
	if j.c.Flags().Lookup("name") != nil {
		given = j.text("name")
	}
	a := api.New(api.Options{Store: j.db, Grants: cache, Rules: rules, Names: names{given, mlflow}, Audit: j.events, Log: slog.New(slog.DiscardHandler), Now: j.Now})
	return question(ctx, a, &identity.Subject{Username: "", Admin: true, Active: true})
}

func (j *job) explained(ctx context.Context) error {
	return j.ask(ctx, func(ctx context.Context, a *api.API, operator *identity.Subject) error {
		user, err := j.named(ctx, j.text("user"))
		if err != nil {
			return err
		}
		e, err := a.Explain(ctx, operator, &api.ExplanationQuery{User: user.Username, Kind: j.text("kind"), ID: j.text("id")})
		if err != nil {
			return err
		}
		if j.is("json") {
			return printJSON(j.c.OutOrStdout(), e)
		}
		if err := j.remark(e.Remark); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(j.c.OutOrStdout(), clean(fmt.Sprintf("%s has %s on the %s %s, by: %s", e.User, e.Permission, e.Kind, e.ID, e.Reason))); err != nil || len(e.Considered) == 0 {
			return err
		}
		return show(j.c, e.Considered, consideredColumns(column[api.Considered]{"DECIDES", func(g api.Considered) string { return yes(g.Decides) }})...)
	})
}

func consideredColumns(first column[api.Considered]) []column[api.Considered] {
	return []column[api.Considered]{first, {"SOURCE", func(g api.Considered) string { return via(&g) }}, {"KIND", func(g api.Considered) string { return g.Kind }},
		{"ON", func(g api.Considered) string {
			if g.Pattern != "" {
				return "names like " + g.Pattern
			}
			return g.Resource
		}}, {"WORKSPACE", func(g api.Considered) string { return g.Workspace }}, {"LEVEL", func(g api.Considered) string { return g.Permission }}, {"UNTIL", func(g api.Considered) string { return g.Expires }}}
}

// via says in short where a grant comes from.
func via(g *api.Considered) string {
	if g == nil {
		return ""
	}
	return strings.TrimSpace(g.Source + " " + g.Group + g.Role)
}

// pages asks for one page after the other, until there are no more.
func pages(ask func(api.Pages) (*string, error)) error {
	for page := (api.Pages{Most: 1000}); ; {
		next, err := ask(page)
		if err != nil || next == nil {
			return err
		}
		page.Token = *next
	}
}

func (j *job) listWho(ctx context.Context) error {
	return j.ask(ctx, func(ctx context.Context, a *api.API, operator *identity.Subject) error {
		found := api.Who{Access: []api.Access{}}
		err := pages(func(page api.Pages) (*string, error) {
			some, err := a.Who(ctx, operator, &api.WhoQuery{Kind: j.text("kind"), ID: j.text("id"), Pages: page})
			found.Administrators, found.Access = append(found.Administrators, some.Administrators...), append(found.Access, some.Access...)
			found.Remark = cmp.Or(found.Remark, some.Remark)
			return some.Next, err
		})
		if err != nil || j.is("json") {
			return first(err, func() error { return printJSON(j.c.OutOrStdout(), found) })
		}
		if err := j.remark(found.Remark); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(j.c.OutOrStdout(), clean("administrators, who may do everything: "+strings.Join(found.Administrators, ", "))); err != nil {
			return err
		}
		return show(j.c, found.Access, accessColumns(column[api.Access]{"USER", func(one api.Access) string { return one.User }})...)
	})
}

// remark prints what an answer lacks before the answer.
func (j *job) remark(text string) error {
	if text == "" {
		return nil
	}
	_, err := fmt.Fprintln(j.c.OutOrStdout(), clean(text))
	return err
}

func first(err error, then func() error) error {
	if err != nil {
		return err
	}
	return then()
}

// fromWhat says which grant decides, or, where that is unknown, what is held on the resource itself.
func fromWhat(one api.Access) string {
	held := []string{}
	for _, g := range one.Held {
		held = append(held, g.Permission+" of "+via(&g))
	}
	return cmp.Or(via(one.Via), strings.Join(held, ", "))
}

func accessColumns(columns ...column[api.Access]) []column[api.Access] {
	return append(columns, column[api.Access]{"LEVEL", func(one api.Access) string { return one.Permission }}, column[api.Access]{"BY", func(one api.Access) string { return one.Reason }},
		column[api.Access]{"FROM", fromWhat}, column[api.Access]{"UNTIL", func(one api.Access) string {
			if one.Via == nil {
				return ""
			}
			return one.Via.Expires
		}})
}

func (j *job) listWhat(ctx context.Context) error {
	return j.ask(ctx, func(ctx context.Context, a *api.API, operator *identity.Subject) error {
		user, err := j.named(ctx, j.text("user"))
		if err != nil {
			return err
		}
		found := api.What{Access: []api.Access{}, General: []api.Considered{}}
		err = pages(func(page api.Pages) (*string, error) {
			some, err := a.What(ctx, operator, &api.WhatQuery{User: user.Username, Kind: j.text("kind"), Pages: page})
			found.User, found.Administrator = some.User, some.Administrator
			found.Access, found.General = append(found.Access, some.Access...), append(found.General, some.General...)
			found.Remark = cmp.Or(found.Remark, some.Remark)
			return some.Next, err
		})
		if err != nil || j.is("json") {
			return first(err, func() error { return printJSON(j.c.OutOrStdout(), found) })
		}
		if err := j.remark(found.Remark); err != nil {
			return err
		}
		if found.Administrator {
			fmt.Fprintf(j.c.OutOrStdout(), "%s is an administrator, and may do everything\n", clean(found.User))
		}
		err = show(j.c, found.Access, accessColumns(column[api.Access]{"KIND", func(one api.Access) string { return one.Kind }}, column[api.Access]{"ID", func(one api.Access) string { return one.ID }})...)
		if err != nil || len(found.General) == 0 {
			return err
		}
		fmt.Fprintln(j.c.OutOrStdout())
		return show(j.c, found.General, consideredColumns(column[api.Considered]{"ON MORE THAN ONE", func(api.Considered) string { return "" }})...)
	})
}
