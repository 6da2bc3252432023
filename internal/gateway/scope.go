package gateway

import (
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// inScope refuses with a read-only token whatever changes something, before any level is looked at: not every row asks for
// more than READ, and some have rules of their own about who made what they change.
func (c *call) inScope() error {
	scope := c.subject.Scope
	if scope == nil || !scope.ReadOnly || reads(c.match.Route) {
		return nil
	}
	return errs.New(errs.Denied, "your token may read only, and %s may change something", c.match.Route.Pattern())
}

// reads tells whether a row changes nothing: it is a GET, or a question that comes with a body, whose answer is decided.
func reads(route *policy.Route) bool {
	if route.Effect != "" || route.Creates != "" {
		return false
	}
	if route.Method == "GET" {
		return true
	}
	if route.Method != "POST" || len(route.Needs) == 0 && route.Filter == "" {
		return false
	}
	for _, need := range route.Needs {
		if need.Level > kind.Read {
			return false
		}
	}
	return true
}
