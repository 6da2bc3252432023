package extract

import (
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// NewTarget makes a target of an id that is not where a row's needs can say. Every spelling but the canonical one is refused.
func NewTarget(ref policy.Ref, field, value string, level kind.Level) (Target, error) {
	return Target{ref, value, level}, canonical(ref, field, value)
}
