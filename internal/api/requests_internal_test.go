package api

import (
	"context"
	"strconv"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
)

type oneHolder struct{ grants *authz.Grants }

func (h oneHolder) Of(context.Context, int64) (*authz.Grants, error) { return h.grants, nil }

func (h oneHolder) Compile(context.Context, []authz.Grant) *authz.Grants { return h.grants }

// countedNames knows the experiments below a hundred.
type countedNames struct{ asked int }

func (n *countedNames) ExperimentName(_ context.Context, id string) (string, error) {
	n.asked++
	if len(id) > 2 {
		return "", errs.New(errs.NotFound, "no")
	}
	return "mine/" + id, nil
}

func (n *countedNames) Registered(context.Context, string) (kind.Name, error) {
	return kind.RegisteredModel, nil
}

// The attack: ask for what does not exist, so that each look at the requests has MLflow be asked for the name of all of it.
func TestAttackRequestsHaveMLflowBeAsked(t *testing.T) {
	var open []store.OpenRequest
	for i := range 1000 {
		open = append(open, store.OpenRequest{ID: int64(i + 1), Kind: kind.Experiment, Resource: strconv.Itoa(i)})
	}
	exact := authz.Grant{Source: authz.User, Kind: kind.Experiment, Resource: "999", Level: kind.Manage}
	pattern := authz.Grant{Source: authz.UserPattern, Kind: kind.Experiment, Pattern: "mine/.*", Level: kind.Manage}
	for _, c := range []struct {
		name                  string
		holds                 []authz.Grant
		admin                 bool
		asked, looked, manage int
	}{
		{"by a pattern", []authz.Grant{exact, pattern}, false, mostNamed, mostNamed, 100},
		{"by its id", []authz.Grant{exact}, false, 0, 1000, 1},
		{"an administrator", nil, true, 0, 1000, 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			names := &countedNames{}
			a := New(Options{Grants: oneHolder{authz.Compile(authz.DefaultOrder(), c.holds)}, Names: names})
			ids, looked, err := a.managedOf(t.Context(), &identity.Subject{UserID: 1, Active: true, Admin: c.admin}, open)
			if err != nil || names.asked != c.asked || looked != c.looked || len(ids) != c.manage {
				t.Errorf("asked %d, looked at %d, manages %d, %v", names.asked, looked, len(ids), err)
			}
		})
	}
}
