package app

import (
	"context"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
)

// warnAgain is how often the log says that permissions are not enforced.
const warnAgain = 10 * time.Minute

// warnUnenforced says in the log that permissions are not enforced, again and again until the context ends, so that nobody forgets.
func (a *App) warnUnenforced(ctx context.Context) {
	if !a.settings.Report.Decisions {
		return
	}
	unknown := "refused"
	if a.settings.Report.Unknown {
		unknown = "forwarded"
	}
	ticker := time.NewTicker(warnAgain)
	defer ticker.Stop()
	for {
		a.log.WarnContext(ctx, "PERMISSIONS ARE NOT ENFORCED: whoever is signed in may do everything. REPORT_ONLY is set, and what would be refused is only logged, as request_would_be_refused; take REPORT_ONLY out to enforce permissions",
			"unknown_routes", unknown)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// ofEverybody are the groups with which nothing is shared that one of them makes: administrators need nothing, and where people may
// sign in by one group alone, everybody is in that.
func ofEverybody(c *config.Config) []string {
	var all []string
	for _, one := range c.Providers {
		all = append(all, one.AdminGroups...)
		if len(one.Groups) == 1 && len(one.GroupPatterns) == 0 {
			all = append(all, one.Groups...)
		}
	}
	return all
}
