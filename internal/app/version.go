package app

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// patience is how long it takes until MLflow is asked for its version again, when it did not answer.
const patience = 2 * time.Second

// watchVersion asks MLflow for its version as soon as it answers, and each time that it has come back, until the context ends.
func (a *App) watchVersion(ctx context.Context) {
	known := ""
	for {
		version, err := a.MLflow.Version(ctx)
		again := time.After(patience)
		if err == nil {
			again = nil
			if version != known {
				a.noteVersion(version)
			}
			known = version
		}
		select {
		case <-ctx.Done():
			return
		case <-again:
		case <-a.MLflow.Returned():
		}
	}
}

func (a *App) noteVersion(version string) {
	if concern := concern(version); concern != "" {
		a.log.Warn(concern, "mlflow", fmt.Sprintf("%.40q", version), "table", policy.Version, "oldest", policy.Oldest)
		return
	}
	a.log.Info("MLflow answers", "version", version)
}

// concern says what an administrator should know about running before this version of MLflow; "" for nothing.
func concern(version string) string {
	told, ok := numbers(version)
	newest, _ := numbers(policy.Version)
	oldest, _ := numbers(policy.Oldest)
	switch {
	case !ok:
		return "MLflow tells a version that cannot be read; what the table of routes does not hold stays closed until the gateway is updated"
	case slices.Compare(told, newest) > 0:
		return "MLflow is newer than the table of routes; what it adds stays closed until the gateway is updated"
	case slices.Compare(told, oldest) < 0:
		return "MLflow is older than all whose routes were compared with the table; it may lack what the gateway asks it for"
	}
	return ""
}

var release = regexp.MustCompile(`^([0-9]{1,6})\.([0-9]{1,6})\.([0-9]{1,6})(?:\.?(?:dev|rc|a|b|post)[0-9]*)?$`)

// numbers reads a version of three numbers. What comes before a release counts as the release.
func numbers(version string) ([]int, bool) {
	parts := release.FindStringSubmatch(version)
	if parts == nil {
		return nil, false
	}
	all := make([]int, 3)
	for i, part := range parts[1:] {
		all[i], _ = strconv.Atoi(part) // the pattern lets digits through alone
	}
	return all, true
}
