package gateway

import (
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// ownCompletion lets nobody complete a review in the name of another. MLflow compares names without regard to case, and
// behind a proxy stores whichever the request gives.
func (c *call) ownCompletion() error {
	by, given, err := c.read.Body.Text("completed_by")
	if err == nil && given && !strings.EqualFold(by, c.subject.Username) {
		err = errs.New(errs.Denied, "completed_by must be your own username")
	}
	return err
}
