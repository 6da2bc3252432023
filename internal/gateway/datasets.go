package gateway

import (
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// sourceTraces decides the traces from which records say that they come: MLflow stores any id, and its readers follow it.
func (c *call) sourceTraces() error {
	ids, err := c.read.Inside("records", "records[].source.source_data.trace_id", policy.Trace)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := c.decide(extract.Target{Ref: policy.Trace, Value: id, Level: kind.Read}); err != nil {
			return err
		}
	}
	return nil
}
