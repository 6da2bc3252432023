package extract

import (
	"net/url"
	"strings"
	"unicode"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// Held refuses what permissions on a kind cannot be held on: what is no id or name of one.
func Held(k kind.Kind, resource string) error {
	if k.Name == kind.Experiment && !ExperimentID(resource) {
		return errs.New(errs.Invalid, "%q is not an experiment id: digits without a leading zero", resource)
	}
	if k.Name == kind.Workspace && !workspace.Valid(resource) {
		return errs.New(errs.Invalid, "%q is not the name of a workspace: 2 to 63 of a-z, 0-9 and inner hyphens", resource)
	}
	if k.Parent != "" {
		if err := ScorerID(resource); err != nil {
			return err
		}
	}
	if strings.ContainsFunc(resource, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }) {
		return errs.New(errs.Invalid, "the name of the %s has a character that no name has", k.Title)
	}
	return nil
}

// Quote is Python's urllib.parse.quote with safe="", by which MLflow's API writes the names of scorers.
func Quote(name string) string { return strings.ReplaceAll(url.QueryEscape(name), "+", "%20") }
