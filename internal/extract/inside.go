package extract

import (
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// Inside gives the ids at a path of a list that a field of the body holds as JSON in a text, as MLflow's records do. The
// path begins with the field, as in "records[].source.trace_id". MLflow reads the text a second time, and so it must have
// one meaning, as the body has.
func (r *Request) Inside(field, path string, ref policy.Ref) ([]string, error) {
	text, _, err := r.Body.Text(field)
	if err != nil || text == "" {
		return nil, err
	}
	object, err := httpx.ParseObject([]byte(`{"` + field + `":` + text + `}`))
	if err != nil {
		return nil, errs.New(errs.Invalid, "the JSON in the field %q cannot be read: %v", field, err)
	}
	ids, err := collect(object, path)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if err := canonical(ref, path, id); err != nil {
			return nil, err
		}
	}
	return ids, nil
}
