package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/importer"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/takeover"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/token"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/upstream"
)

// ImportOptions are what the import command is told.
type ImportOptions struct {
	Name         string // of the predecessor
	From         string // the address of its database
	VersionTable string // where the plugin keeps its revision
	DryRun       bool
	Check        bool
	Overwrite    bool
}

// ErrDiffers says that decisions would be others here than at the predecessor.
var ErrDiffers = errors.New("decisions differ; they are listed above")

// Import takes over the database of a predecessor, or says what that would do.
func Import(ctx context.Context, c *config.Config, o ImportOptions, output, log io.Writer) error {
	if o.From == "" {
		return errors.New("--from is missing, or IMPORT_DB_URI in the environment: the address of the database to take over, such as " + database.Examples)
	}
	from, err := database.Parse(o.From)
	if err != nil {
		return fmt.Errorf("--from cannot be read: %w", err)
	}
	mlflow, err := answering(ctx, c)
	if err != nil {
		return err
	}
	if mlflow != nil {
		defer mlflow.Close()
	}
	settings := importSettings(c, newProviders(c.Providers), mlflow)
	if o.VersionTable != "" {
		settings.VersionTable = o.VersionTable
	}
	if o.Name == importer.BasicAuth {
		if settings.Default, err = basicDefault(os.Getenv("MLFLOW_AUTH_CONFIG_PATH")); err != nil {
			return err
		}
	}
	source, err := importer.Read(ctx, o.Name, from, settings)
	if err != nil {
		return fmt.Errorf("--from names %s: %w", from, err)
	}
	options := importer.Options{From: from, Overwrite: o.Overwrite, By: operator()}
	if !o.DryRun && !o.Check {
		return changing(ctx, c, log, func(ctx context.Context, db *store.DB, events audit.Recorder) error {
			plan, err := source.Import(ctx, db, options)
			if err != nil {
				return fmt.Errorf("nothing was taken over: %w", err)
			}
			recordImport(ctx, events, source.Name, plan)
			return printed(output, source, plan, "")
		})
	}
	return withoutChange(ctx, c, func(db *store.DB) error {
		plan, after, err := source.Plan(ctx, db, options)
		if err != nil {
			return err
		}
		if o.DryRun {
			if err := printed(output, source, plan, "This was a dry run: nothing was changed."); err != nil || !o.Check {
				return err
			}
		}
		more, err := resources(ctx, mlflow, source)
		if err != nil {
			return err
		}
		rules := authz.Rules{Default: c.Default, RestrictCreation: c.RestrictCreation, Workspaces: c.Workspaces.Enabled}
		lines := bufio.NewWriter(output)
		found := source.Compare(after, rules, c.Order, more, func(d importer.Difference) { fmt.Fprintln(lines, d) })
		return compared(lines, found, mlflow != nil)
	})
}

// importSettings are what reading a predecessor's database needs to know.
func importSettings(c *config.Config, providers *providers, mlflow *upstream.MLflow) importer.Settings {
	s := importer.Settings{VersionTable: c.PluginVersions, Workspaces: c.Workspaces.Enabled, Default: c.Default, Guess: token.Matches,
		Provider: func(ctx context.Context, id string) (string, error) {
			if id == "default" { // as the plugin calls that of the single variables
				id = config.Single
			}
			name, err := providers.Name(ctx, id)
			if errs.Is(err, errs.NotFound) {
				return "", nil
			}
			return name, err
		}}
	s.Order = slices.DeleteFunc(slices.Clone(c.Order), func(one authz.Source) bool { return one == authz.Role })
	if mlflow == nil {
		return s
	}
	known := map[kind.Name]map[string]string{}
	s.Names = func(ctx context.Context, k kind.Name, id string) (string, error) {
		if known[k] == nil {
			places, err := inEach(ctx, mlflow)
			if err != nil {
				return "", err
			}
			known[k] = map[string]string{}
			for _, in := range places { // ids mean one thing in all of them
				items, err := mlflow.All(in, k)
				if err != nil && !errs.Is(err, errs.NotFound) {
					return "", err
				}
				for _, item := range items {
					known[k][item.Opaque] = item.Name
				}
			}
		}
		return known[k][id], nil
	}
	return s
}

// answering gives the MLflow of the settings, nil where none is named. One that is named and does not answer is an error: less would
// be carried over, and compared.
func answering(ctx context.Context, c *config.Config) (*upstream.MLflow, error) {
	if c.Upstream == "" {
		return nil, nil
	}
	mlflow, err := upstream.New(upstream.Options{Address: c.Upstream, ConnectTimeout: c.ConnectTimeout, Workspaces: c.Workspaces.Enabled,
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	if _, err = mlflow.Version(ctx); err != nil {
		err = fmt.Errorf("MLFLOW_UPSTREAM %s does not answer; start MLflow there, or leave MLFLOW_UPSTREAM out to go without it: %w", c.Upstream, err)
	} else if c.Workspaces.Enabled {
		err = mlflow.HasWorkspaces(ctx)
	}
	if err != nil {
		mlflow.Close()
		return nil, err
	}
	return mlflow, nil
}

// basicDefault is what MLflow's basic-auth gives where nothing is granted, as its own file of settings says.
func basicDefault(path string) (kind.Level, error) {
	if path == "" {
		return kind.Read, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return kind.NoPermissions, fmt.Errorf("reading MLFLOW_AUTH_CONFIG_PATH: %w", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), "=")
		if strings.TrimSpace(name) == "default_permission" {
			level, err := kind.ParseLevel(strings.TrimSpace(value))
			if err != nil {
				return level, fmt.Errorf("default_permission of MLFLOW_AUTH_CONFIG_PATH: %w", err)
			}
			return level, nil
		}
	}
	return kind.Read, lines.Err()
}

// withoutChange opens the users database to look at it. One that is not there, or was not upgraded, stays so.
func withoutChange(ctx context.Context, c *config.Config, do func(db *store.DB) error) error {
	v, err := store.VersionOf(ctx, databaseOptions(c))
	switch {
	case err != nil:
		return inDatabase(c, err)
	case v.Current == v.Newest:
		return withStore(ctx, c, do)
	case v.Current != 0:
		return inDatabase(c, fmt.Errorf("it has version %d of %d, and looking must not change it: run mlflow-oidc-auth db upgrade first", v.Current, v.Newest))
	}
	folder, err := os.MkdirTemp("", "mlflow-oidc-auth-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder) //nolint:errcheck // it is a temporary one
	db, err := store.Open(ctx, folder+"/empty.db")
	if err != nil {
		return err
	}
	return errors.Join(do(db), db.Close())
}

func printed(output io.Writer, source *importer.Source, plan takeover.Plan, end string) error {
	if err := source.WriteReport(output, plan); err != nil {
		return err
	}
	if end == "" {
		end = "Done."
		if !plan.Changes() {
			end = "Nothing has changed since: nothing was done."
		}
	}
	_, err := fmt.Fprintf(output, "\n%s\n", end)
	return err
}

// compared says, behind the differences, how many there are.
func compared(lines *bufio.Writer, c importer.Comparison, complete bool) error {
	if 2*c.Differ > c.Decisions {
		fmt.Fprintln(lines, "most decisions differ: compare DEFAULT_MLFLOW_PERMISSION and PERMISSION_SOURCE_ORDER with the predecessor's first")
	}
	fmt.Fprintf(lines, "%d decisions were compared, %d differ\n", c.Decisions, c.Differ)
	if c.Unnamed > 0 {
		fmt.Fprintf(lines, "%d were not: patterns decide about experiments whose names are not known; set MLFLOW_UPSTREAM to the running MLflow\n", c.Unnamed)
	}
	if !complete {
		fmt.Fprintln(lines, "only what grants name was looked at, since MLFLOW_UPSTREAM names no MLflow")
	}
	if err := lines.Flush(); err != nil {
		return err
	}
	if c.Differ > 0 {
		return ErrDiffers
	}
	return nil
}

// recordImport writes the one event of an import that changed anything.
func recordImport(ctx context.Context, events audit.Recorder, name string, plan takeover.Plan) {
	if !plan.Changes() {
		return
	}
	all, parts := 0, []string{}
	for _, c := range plan.Counts {
		if n := c.New + c.Changed + c.Gone; n > 0 {
			all += n
			parts = append(parts, fmt.Sprintf("%d %s", n, c.What))
		}
	}
	events.Record(ctx, audit.Event{Name: audit.Imported, By: operator(), Cause: name, Count: all, Reason: strings.Join(parts, ", ")})
}
