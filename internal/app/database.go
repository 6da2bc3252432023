package app

import (
	"context"
	"fmt"
	"io"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
)

// databaseOptions say where the users database is, and how it is used.
func databaseOptions(c *config.Config) store.Options {
	return store.Options{Address: c.Database, Pool: store.Pool(c.Pool), Audit: c.AuditDays > 0}
}

// UpgradeDatabase brings the users database up to date, as serving does when it starts.
func UpgradeDatabase(ctx context.Context, c *config.Config, output io.Writer) error {
	v, err := store.Upgrade(ctx, databaseOptions(c))
	if err != nil {
		return inDatabase(c, err)
	}
	if v.Current == v.Newest {
		_, err = fmt.Fprintf(output, "%s has version %d already\n", c.Database, v.Newest)
	} else {
		_, err = fmt.Fprintf(output, "%s was upgraded from version %d to %d\n", c.Database, v.Current, v.Newest)
	}
	return err
}

// DatabaseStatus says how far the users database is upgraded.
func DatabaseStatus(ctx context.Context, c *config.Config, output io.Writer) error {
	v, err := store.VersionOf(ctx, databaseOptions(c))
	if err != nil {
		return inDatabase(c, err)
	}
	means := "it is up to date"
	switch {
	case v.Current == 0:
		means = "it has no tables yet; db upgrade, or serve, makes them"
	case v.Current < v.Newest:
		means = "db upgrade, or serve, upgrades it"
	case v.Current > v.Newest:
		means = "a newer program upgraded it, and this one cannot use it"
	}
	_, err = fmt.Fprintf(output, "%s has version %d, this program knows versions up to %d: %s\n", c.Database, v.Current, v.Newest, means)
	if err != nil || v.Current > v.Newest {
		return err
	}
	says, err := predecessorStatus(ctx, c, v)
	if err == nil && says != "" {
		_, err = fmt.Fprintln(output, says)
	}
	return err
}

// BackupDatabase copies the users database, where it is a file, to another one.
func BackupDatabase(ctx context.Context, c *config.Config, to string, output io.Writer) error {
	if err := store.Backup(ctx, c.Database, to); err != nil {
		return err
	}
	_, err := fmt.Fprintf(output, "%s was copied to %s\n", c.Database, to)
	return err
}

// RestoreDatabase puts a copy in place of the users database.
func RestoreDatabase(ctx context.Context, c *config.Config, from string, output io.Writer) error {
	kept, err := store.Restore(ctx, c.Database, from)
	if err != nil {
		return err
	}
	if kept != "" {
		kept = "; what was there is in " + kept
	}
	_, err = fmt.Fprintf(output, "%s was restored from %s%s\n", c.Database, from, kept)
	return err
}

func inDatabase(c *config.Config, err error) error {
	return fmt.Errorf("OIDC_USERS_DB_URI names %s: %w", c.Database, err)
}
