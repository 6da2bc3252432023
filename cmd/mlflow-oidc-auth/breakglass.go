package main

import (
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/app"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
)

func breakGlass(load func(*cobra.Command) (*config.Config, error)) *cobra.Command {
	command := &cobra.Command{Use: "break-glass", Short: "Make an administrator for a while, when nobody can sign in", Args: cobra.NoArgs,
		Long: "Prints an access token of an administrator that is good for a while, and records who made it and why. Needs the\nsettings and the users database of the gateway, which may run beside."}
	reason := command.Flags().String("reason", "", "why; it is recorded")
	lasts := command.Flags().Duration("for", time.Hour, "how long the token is good, at most "+app.MostOfEmergency.String())
	end := command.Flags().Bool("end", false, "delete the administrator again")
	command.MarkFlagsMutuallyExclusive("reason", "end")
	command.RunE = func(c *cobra.Command, _ []string) error {
		settings, err := load(c)
		if err != nil {
			return err
		}
		if *end {
			return app.EndBreakGlass(c.Context(), settings, c.OutOrStdout(), os.Stderr)
		}
		return app.BreakGlass(c.Context(), settings, *reason, *lasts, c.OutOrStdout(), os.Stderr)
	}
	return command
}
