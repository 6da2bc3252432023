package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/app"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
)

func db(load func(*cobra.Command) (*config.Config, error)) *cobra.Command {
	root := &cobra.Command{Use: "db", Short: "Look after the users database"}
	run := func(do func(context.Context, *config.Config, io.Writer) error) func(*cobra.Command, []string) error {
		return func(c *cobra.Command, _ []string) error {
			settings, err := load(c)
			if err != nil {
				return err
			}
			return do(c.Context(), settings, c.OutOrStdout())
		}
	}
	withFile := func(do func(context.Context, *config.Config, string, io.Writer) error) func(*cobra.Command, []string) error {
		return func(c *cobra.Command, args []string) error {
			return run(func(ctx context.Context, settings *config.Config, output io.Writer) error {
				return do(ctx, settings, args[0], output)
			})(c, nil)
		}
	}
	root.AddCommand(
		&cobra.Command{Use: "status", Short: "Say how far it is upgraded", Args: cobra.NoArgs, RunE: run(app.DatabaseStatus)},
		&cobra.Command{Use: "upgrade", Short: "Bring its tables up to date, as serve does when it starts", Args: cobra.NoArgs, RunE: run(app.UpgradeDatabase)},
		&cobra.Command{Use: "backup FILE", Short: "Copy it, where it is SQLite's, to a new file; the gateway may run", Args: cobra.ExactArgs(1), RunE: withFile(app.BackupDatabase)},
		&cobra.Command{Use: "restore FILE", Short: "Put such a copy in its place, and keep what was there beside it", Args: cobra.ExactArgs(1), RunE: withFile(app.RestoreDatabase)},
	)
	return root
}
