package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/app"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
)

func auditLog(load func(*cobra.Command) (*config.Config, error)) *cobra.Command {
	command := &cobra.Command{Use: "audit", Short: "Search or export what happened, newest first", Args: cobra.NoArgs,
		Long: "Reads the events that are kept in the users database. docs/audit.md has their names. Every filter that is given has to fit."}
	var search app.AuditSearch
	for _, filter := range search.Filters() {
		command.Flags().StringVar(filter.Value, filter.Name, "", filter.Help)
	}
	command.Flags().StringVar(&search.Format, "format", "jsonl", strings.Join(app.AuditFormats(), " or "))
	command.Flags().IntVar(&search.Most, "max-results", 0, "how many at most; 0: all")
	command.RunE = func(c *cobra.Command, _ []string) error {
		settings, err := load(c)
		if err != nil {
			return err
		}
		return search.Run(c.Context(), settings, c.OutOrStdout())
	}
	return command
}
