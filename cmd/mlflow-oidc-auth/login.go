package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/client"
)

// profileFlag adds the flag that tells several sign-ins at one server apart.
func profileFlag(c *cobra.Command) *string {
	return c.Flags().String("profile", os.Getenv("MLFLOW_OIDC_PROFILE"), "a name for one of several sign-ins at the same server (MLFLOW_OIDC_PROFILE)")
}

func login() *cobra.Command {
	c := &cobra.Command{Use: "login URL", Short: "Sign in at a gateway from a terminal, for the mlflow client", Args: cobra.ExactArgs(1)}
	profile := profileFlag(c)
	device := c.Flags().Bool("device", false, "sign in with a browser on another machine")
	readOnly := c.Flags().Bool("read-only", false, "ask for a token that changes nothing")
	c.RunE = func(c *cobra.Command, args []string) error {
		at, err := client.Address(args[0])
		if err != nil {
			return err
		}
		file, err := client.DefaultFile(os.Getenv)
		if err != nil {
			return err
		}
		return client.Login{Server: at, Profile: *profile, Device: *device, ReadOnly: *readOnly, File: file, Say: c.ErrOrStderr(),
			Browser: client.OpenBrowser, Now: time.Now, Wait: wait}.Run(c.Context())
	}
	return c
}

func wait(ctx context.Context, pause time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause):
		return nil
	}
}

// ofServer is a command about the sign-in at a server.
func ofServer(use, short string, do func(c *cobra.Command, file client.File, at, profile string) error) *cobra.Command {
	c := &cobra.Command{Use: use + " [URL]", Short: short, Args: cobra.MaximumNArgs(1)}
	profile := profileFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		file, err := client.DefaultFile(os.Getenv)
		if err != nil {
			return err
		}
		named := ""
		if len(args) == 1 {
			named = args[0]
		}
		at, err := file.Choose(named, os.Getenv)
		if err != nil {
			return err
		}
		return do(c, file, at, *profile)
	}
	return c
}

func logout() *cobra.Command {
	return ofServer("logout", "Revoke a sign-in, and forget it", func(c *cobra.Command, file client.File, at, profile string) error {
		return file.Logout(c.Context(), at, profile)
	})
}

func accessToken() *cobra.Command {
	return ofServer("token", "Print an access token of a sign-in, renewed where that is due", func(c *cobra.Command, file client.File, at, profile string) error {
		secret, err := file.Token(c.Context(), at, profile, time.Now())
		if err == nil {
			_, err = fmt.Fprintln(c.OutOrStdout(), secret)
		}
		return err
	})
}
