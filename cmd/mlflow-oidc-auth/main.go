// Command mlflow-oidc-auth puts single sign-on and per-resource permissions in front of MLflow.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/app"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/operate"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/release"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := command().ExecuteContext(ctx)
	var differs operate.Differs
	switch {
	case errors.As(err, &differs):
		os.Exit(differs.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, "mlflow-oidc-auth:", err)
		if errors.Is(err, app.ErrDiffers) {
			os.Exit(3)
		}
		os.Exit(1)
	}
}

func command() *cobra.Command {
	root := &cobra.Command{Use: "mlflow-oidc-auth", Short: "Single sign-on and per-resource permissions in front of MLflow",
		Version: release.Version, SilenceUsage: true, SilenceErrors: true}
	given := map[string]*string{}
	for o := range config.All() {
		if o.Secret {
			continue // a flag is seen by every user of the machine
		}
		// pflag takes the first word in backquotes for the name of the value
		given[o.Name] = root.PersistentFlags().String(o.Flag(), "", strings.ReplaceAll(o.Help, "`", ""))
	}
	load := func(c *cobra.Command) (*config.Config, error) {
		flags := map[string]string{}
		for o := range config.All() {
			if value := given[o.Name]; value != nil && c.Flags().Changed(o.Flag()) {
				flags[o.Name] = *value
			}
		}
		return config.Load(os.LookupEnv, ".env", flags)
	}
	root.AddCommand(
		&cobra.Command{Use: "serve [-- arguments of mlflow server]", Short: "Serve, in front of MLFLOW_UPSTREAM or of an MLflow server of its own",
			RunE: func(c *cobra.Command, args []string) error {
				settings, err := load(c)
				if err != nil {
					return err
				}
				return app.Serve(c.Context(), settings, args, os.Stderr)
			}},
		&cobra.Command{Use: "config", Short: "Print the effective settings, secrets masked", Args: cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				settings, err := load(c)
				if err != nil {
					return err
				}
				return settings.Print(c.OutOrStdout())
			}},
		&cobra.Command{Use: "doctor", Short: "Look at all that the gateway needs, and say how to mend what is wrong", Args: cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				settings, err := load(c)
				if err != nil {
					return err
				}
				return app.Doctor(c.Context(), settings, c.OutOrStdout())
			}},
		&cobra.Command{Use: "health", Short: "Ask the gateway that runs here whether it can serve requests; the exit code is 1 where not", Args: cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				settings, err := load(c)
				if err != nil {
					return err
				}
				return app.Healthy(c.Context(), settings, c.OutOrStdout())
			}},
		&cobra.Command{Use: "client-keys", Short: "Print the public keys (JWKS) by which the gateway proves itself to identity providers", Args: cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				settings, err := load(c)
				if err != nil {
					return err
				}
				return app.PrintClientKeys(c.OutOrStdout(), settings)
			}},
		&cobra.Command{Use: "openapi", Short: "Print the OpenAPI document of the REST API", Args: cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error { return app.OpenAPI(c.OutOrStdout()) }},
		routes(), login(), logout(), accessToken(), db(load), breakGlass(load), importing(load), auditLog(load), operate.Manual(),
	)
	root.AddCommand(app.Operate(load)...)
	sayUsage(root)
	return root
}

// sayUsage has a command that gets the wrong arguments say which it takes.
func sayUsage(c *cobra.Command) {
	if takes := c.Args; takes != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := takes(c, args); err != nil {
				return fmt.Errorf("%w; it is: %s", err, c.UseLine())
			}
			return nil
		}
	}
	for _, one := range c.Commands() {
		sayUsage(one)
	}
}

func routes() *cobra.Command {
	formats := map[string]func(io.Writer) error{"table": app.PrintRoutes, "json": app.RoutesJSON, "markdown": app.MarkdownRoutes}
	command := &cobra.Command{Use: "routes", Short: "Print MLflow's routes, and what each needs", Args: cobra.NoArgs}
	format := command.Flags().String("format", "table", "table, json or markdown")
	command.RunE = func(c *cobra.Command, _ []string) error {
		write, ok := formats[*format]
		if !ok {
			return fmt.Errorf("--format is %q; it must be table, json or markdown", *format)
		}
		return write(c.OutOrStdout())
	}
	return command
}
