package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/app"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
)

func importing(load func(*cobra.Command) (*config.Config, error)) *cobra.Command {
	root := &cobra.Command{Use: "import", Short: "Take over the users and permissions of a predecessor",
		Long: "Reads a predecessor's database, which stays as it is, and takes over what it holds: all of it or nothing. What was changed\n" +
			"here since an earlier import stays. docs/migration.md says more."}
	for _, one := range []struct{ name, short string }{
		{"plugin", "Take over the database of the Python plugin mlflow-oidc-auth, versions 5 to 11"},
		{"basic-auth", "Take over the database of MLflow's own basic-auth app"},
	} {
		o := &app.ImportOptions{Name: one.name}
		command := &cobra.Command{Use: one.name, Short: one.short, Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
			settings, err := load(c)
			if err != nil {
				return err
			}
			if o.From == "" { // a flag is seen by every user of the machine
				o.From = os.Getenv("IMPORT_DB_URI")
			}
			return app.Import(c.Context(), settings, *o, c.OutOrStdout(), os.Stderr)
		}}
		flags := command.Flags()
		flags.StringVar(&o.From, "from", "", "the address of its database, as SQLAlchemy writes it; one with a password is better in the environment, as IMPORT_DB_URI")
		flags.BoolVar(&o.DryRun, "dry-run", false, "say what would be done, and change nothing")
		flags.BoolVar(&o.Check, "check", false, "compare every decision before and after, and change nothing; ends with 3 where any differs")
		flags.BoolVar(&o.Overwrite, "overwrite", false, "make everything as it is there, also what was changed here since")
		if one.name == "plugin" {
			flags.StringVar(&o.VersionTable, "version-table", "", "where the plugin keeps its revision, where that is not OIDC_ALEMBIC_VERSION_TABLE")
		}
		root.AddCommand(command)
	}
	return root
}
