package app

import (
	"context"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/api"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/supervise"
)

// cleaner empties the trash of the MLflow of full mode (api.Cleaner).
type cleaner struct{ server *supervise.Server }

// Clean deletes for good.
func (c cleaner) Clean(ctx context.Context, wanted api.Cleaning) (api.Cleaned, error) {
	var done api.Cleaned
	err := c.server.Clean(ctx, struct {
		api.Cleaning
		Age int64 `json:"older_than_ms"`
	}{wanted, wanted.OlderThan.Milliseconds()}, &done)
	if err != nil {
		return done, errs.Wrap(errs.Unavailable, err, "the trash could not be cleaned; the server's log says more")
	}
	return done, nil
}
