package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/importer"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
)

// takeOver takes over what the Python plugin has in the users database itself, once. Its tables stay as they are.
func (a *App) takeOver(ctx context.Context, providers *providers, events audit.Recorder) error {
	c := a.settings
	done, found, err := pluginTables(ctx, a.Store, c.Database, c.PluginVersions)
	if err != nil || found == nil || done {
		return err
	}
	a.log.Info("the users database holds the tables of the Python plugin, which are taken over now and stay as they are", "revision", found.Revision, "versions", found.Means)
	source, err := importer.Read(ctx, importer.Plugin, c.Database, importSettings(c, providers, nil))
	if err != nil {
		return fmt.Errorf("taking over the tables of the Python plugin: %w", err)
	}
	plan, err := source.Import(ctx, a.Store, importer.Options{From: c.Database, Own: true, By: operator()})
	if errors.Is(err, importer.ErrInUse) {
		a.log.Warn("the tables of the Python plugin are not taken over, since there are users here already: import them with mlflow-oidc-auth import plugin", "from", c.Database.String())
		return nil
	}
	if err != nil {
		return fmt.Errorf("taking over the tables of the Python plugin: %w", err)
	}
	for _, n := range source.Notes {
		a.log.Warn("not taken over from the Python plugin, or not as it was", "what", n.What, "name", n.Name, "why", n.Why)
	}
	for _, one := range plan.Counts {
		if one.New > 0 {
			a.log.Info("taken over from the Python plugin", "what", one.What, "count", one.New)
		}
	}
	recordImport(ctx, events, source.Name, plan)
	return nil
}

// pluginTables tells whether the plugin's tables are in the users database, and whether they were taken over.
func pluginTables(ctx context.Context, db *store.DB, at database.Address, versions string) (done bool, found *importer.Found, err error) {
	there, is, err := importer.Recognise(ctx, at, versions)
	if err != nil || !is {
		return false, nil, err
	}
	imports, err := db.Imports(ctx)
	for _, one := range imports {
		done = done || one.Source == importer.Plugin && (one.Own || one.Address == importer.Address(at))
	}
	return done, &there, err
}

// predecessorStatus says what of a predecessor is in the users database; "" for nothing.
func predecessorStatus(ctx context.Context, c *config.Config, v store.Version) (string, error) {
	found, is, err := importer.Recognise(ctx, c.Database, c.PluginVersions)
	if err != nil || !is {
		return "", err
	}
	says := fmt.Sprintf("it holds the tables of the Python plugin %s (revision %s)", found.Means, found.Revision)
	if v.Current != v.Newest { // no look without an upgrade
		return says + "; serve takes them over when it starts, if that was not done before", nil
	}
	err = withStore(ctx, c, func(db *store.DB) error {
		imports, err := db.Imports(ctx)
		for _, one := range imports {
			if one.Source == importer.Plugin && (one.Own || one.Address == importer.Address(c.Database)) {
				says += ", taken over at " + one.DoneAt.Format("2006-01-02 15:04:05 MST")
				return nil
			}
		}
		says += "; serve takes them over when it starts, where there are no users yet"
		return err
	})
	return says, err
}

// importFindings are the patterns that could not be taken over, and refuse until somebody looks at them.
func (p patient) importFindings(ctx context.Context) []finding {
	var all []finding
	err := p.within(ctx, func(db *store.DB) error {
		aside, err := db.SetAsides(ctx)
		for _, one := range aside {
			whose := "user " + one.Username
			if one.GroupName != "" {
				whose = "group " + one.GroupName
			}
			all = append(all, but("patterns", "change it to one that RE2 knows, or delete it, in the permissions of the "+whose,
				"the %s pattern %q of the %s, which gave %s, is set aside and refuses every name: %s", one.Kind, one.Pattern, whose, one.Level, one.Reason))
		}
		return err
	})
	if err != nil {
		all = append(all, broken("patterns", "start the database, or correct OIDC_USERS_DB_URI", "%v", err))
	}
	return all
}
