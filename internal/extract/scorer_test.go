package extract

import (
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// No two scorers are one to the grants, and what is taken for a scorer is the experiment and the name that it came from.
func FuzzScorerID(f *testing.F) {
	f.Add("1", "a/b")
	f.Add("1/a", "b")
	f.Add("01", "")
	f.Fuzz(func(t *testing.T, experiment, name string) {
		key := kind.Within(experiment, name)
		id, rest := kind.Parts(key)
		if ExperimentID(experiment) && (id != experiment || rest != name) {
			t.Errorf("%q in %q became %q in %q", name, experiment, rest, id)
		}
		if ScorerID(key) == nil && (!ExperimentID(id) || rest == "" || len(key) > MaxScorer || kind.Within(id, rest) != key) {
			t.Errorf("%q is taken for a scorer", key)
		}
	})
}
