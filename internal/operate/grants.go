package operate

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/declared"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// grantRow is a grant or a pattern as it is listed.
type grantRow struct {
	User      string `json:"user,omitempty"`
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind"`
	Workspace string `json:"workspace,omitempty"`
	ID        string `json:"id,omitempty"`
	Pattern   string `json:"pattern,omitempty"`
	Priority  *int   `json:"priority,omitempty"`
	Level     string `json:"level"`
	ExpiresAt string `json:"expires_at,omitempty"`
	By        string `json:"by,omitempty"`
}

// holderFlags say who holds what a command is about, and on what.
func holderFlags(c *cobra.Command) *cobra.Command {
	c.Flags().String("user", "", "who holds it")
	c.Flags().String("group", "", "which group holds it")
	c.Flags().String("pattern", "", "a regular expression (RE2) that matches names from their beginning, in place of --id")
	resourceFlags(c)
	c.Flags().Lookup("workspace").Usage += ", and for a pattern every one"
	c.MarkFlagsMutuallyExclusive("user", "group")
	c.MarkFlagsMutuallyExclusive("id", "pattern")
	return c
}

// resourceFlags name a resource.
func resourceFlags(c *cobra.Command) *cobra.Command {
	c.Flags().String("kind", "", "such as experiment or registered_model")
	c.Flags().String("id", "", "an experiment's id, EXPERIMENT/NAME of a scorer, the name of all else")
	workspaceFlag(c)
	var kinds []string
	for k := range kind.All() {
		kinds = append(kinds, string(k.Name))
	}
	_ = c.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions(kinds, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func workspaceFlag(c *cobra.Command) {
	c.Flags().String("workspace", "", "the workspace that names are in; without it the default one")
}

func (d *desk) grants() *cobra.Command {
	give := holderFlags(&cobra.Command{Use: "give", Short: "Give a level on a resource, or on the names that a pattern matches, or change it", Args: cobra.NoArgs, RunE: d.run((*job).give)})
	give.Flags().String("level", "", "NO_PERMISSIONS, READ, USE, EDIT or MANAGE")
	give.Flags().Int("priority", 1, "of a pattern: the smallest is asked first")
	give.Flags().String("until", "", "when it ends, such as 2027-01-31T18:00:00Z; never for no end. Without it what is changed ends as before")
	_ = give.MarkFlagRequired("level")
	_ = give.RegisterFlagCompletionFunc("level", cobra.FixedCompletions(kind.Levels(), cobra.ShellCompDirectiveNoFileComp))
	list := holderFlags(&cobra.Command{Use: "list", Short: "List what is granted, of all or of what flags name", Args: cobra.NoArgs, RunE: d.run((*job).listGrants)})
	return under("grants", "Levels on resources, and on names by patterns", listing(list), give,
		holderFlags(&cobra.Command{Use: "take", Short: "Take a level away again", Args: cobra.NoArgs, RunE: d.run((*job).take)}))
}

// granted is the entry that flags name.
func (j *job) granted() (declared.Key, error) {
	k := declared.Key{What: declared.Grant, User: directory.Canonical(j.text("user")), Group: j.text("group"), Resource: j.text("id")}
	of, ok := kind.Of(kind.Name(j.text("kind")))
	switch {
	case (k.User == "") == (k.Group == ""):
		return k, errs.New(errs.Invalid, "say who holds it, by --user or --group")
	case !ok:
		return k, errs.New(errs.Invalid, "there is no kind %q: say which by --kind", j.text("kind"))
	case k.Resource == "" && j.text("pattern") == "":
		return k, errs.New(errs.Invalid, "say what it is on, by --id or --pattern")
	}
	var err error
	k.Kind = string(of.Name.Kept())
	if pattern := j.text("pattern"); pattern != "" {
		k.What, k.Kind, k.Resource = declared.Pattern, string(of.Name), pattern
	} else {
		err = declared.CheckResource(of, k.Resource)
	}
	if err != nil {
		return k, err
	}
	place := j.text("workspace")
	if !j.settings.Workspaces.Enabled && place != "" {
		return k, errs.New(errs.Invalid, "--workspace is of no use: MLFLOW_ENABLE_WORKSPACES is off")
	}
	if place == "" && k.What == declared.Pattern && of.Name != kind.Workspace && j.settings.Workspaces.Enabled { // as by the REST API
		place = authz.Everywhere
	}
	k.Workspace, err = declared.Place(of, k.What == declared.Pattern, place)
	return k, err
}

func (j *job) give(ctx context.Context) error {
	k, err := j.granted()
	if err != nil {
		return err
	}
	if of, _ := kind.Of(kind.Name(j.text("kind"))); k.What == declared.Pattern {
		if err := declared.CheckPattern(of, k.Resource); err != nil {
			return err
		}
	}
	level, err := kind.ParseLevel(j.text("level"))
	if err != nil {
		return err
	}
	return j.settle(ctx, k, func(before declared.Entry, there bool) (*declared.Value, error) {
		v := before.Value
		v.Level = level.String()
		if k.What == declared.Pattern && (!there || j.c.Flags().Changed("priority")) {
			v.Priority, _ = j.c.Flags().GetInt("priority")
		}
		v.Expires, err = j.until(v.Expires)
		return &v, err
	})
}

// until reads when something ends.
func (j *job) until(before time.Time) (time.Time, error) {
	switch text := j.text("until"); text {
	case "":
		return before, nil
	case "never":
		return time.Time{}, nil
	default:
		at, err := time.Parse(time.RFC3339, text)
		if err != nil || !at.After(j.Now()) {
			return at, errs.New(errs.Invalid, "--until is %q; it must be a time to come, such as 2027-01-31T18:00:00Z, or never", text)
		}
		return at.UTC().Truncate(time.Second), nil
	}
}

func (j *job) take(ctx context.Context) error {
	k, err := j.granted()
	if err != nil {
		return err
	}
	return j.settle(ctx, k, func(declared.Entry, bool) (*declared.Value, error) { return nil, nil })
}

func (j *job) listGrants(ctx context.Context) error {
	all, err := j.all(ctx)
	if err != nil {
		return err
	}
	var rows []grantRow
	for _, k := range all.Keys() {
		if k.What != declared.Grant && k.What != declared.Pattern || !j.wanted(k) {
			continue
		}
		e := all[k]
		row := grantRow{User: k.User, Group: k.Group, Kind: k.Kind, Workspace: k.Workspace, ID: k.Resource, Level: e.Level, ExpiresAt: stamp(e.Expires), By: e.By}
		if k.What == declared.Pattern {
			row.ID, row.Pattern, row.Priority = "", k.Resource, &e.Priority
		}
		rows = append(rows, row)
	}
	return show(j.c, rows, column[grantRow]{"HOLDER", func(g grantRow) string { return declared.Key{User: g.User, Group: g.Group}.Holder() }}, column[grantRow]{"KIND", func(g grantRow) string { return g.Kind }},
		column[grantRow]{"WORKSPACE", func(g grantRow) string { return g.Workspace }}, column[grantRow]{"ON", grantRow.on}, column[grantRow]{"LEVEL", func(g grantRow) string { return g.Level }},
		column[grantRow]{"UNTIL", func(g grantRow) string { return g.ExpiresAt }}, column[grantRow]{"BY", func(g grantRow) string { return g.By }})
}

func (g grantRow) on() string {
	if g.Priority != nil {
		return "names like " + g.Pattern + " (priority " + count(*g.Priority) + ")"
	}
	return g.ID
}

// wanted tells whether flags name an entry; a flag that is not given names all.
func (j *job) wanted(k declared.Key) bool {
	of := kind.Name(j.text("kind"))
	if k.What == declared.Grant {
		of = of.Kept()
	}
	for flag, is := range map[string]string{"group": k.Group, "workspace": k.Workspace} {
		if want := j.text(flag); want != "" && want != is && !(flag == "workspace" && want == kind.DefaultWorkspace && is == "") {
			return false
		}
	}
	switch id, pattern := j.text("id"), j.text("pattern"); {
	case id != "" && (k.What != declared.Grant || k.Resource != id), pattern != "" && (k.What != declared.Pattern || k.Resource != pattern):
		return false
	}
	return (of == "" || string(of) == k.Kind) && (j.text("user") == "" || directory.Canonical(j.text("user")) == k.User)
}
