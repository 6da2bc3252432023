package api

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
)

// critical are the operations by which whoever sits at an administrator's unlocked browser could come back later: they make
// administrators, or credentials that outlive the session.
var critical = map[string]bool{
	"POST /users":                                  true,
	"POST /users/create":                           true,
	"PATCH /users/update-admin":                    true,
	"PATCH /users/update-password":                 true,
	"PATCH /users/ownership":                       true,
	"PATCH /users/access-token":                    true,
	"POST /users/current/tokens":                   true,
	"POST /users/{username}/tokens":                true,
	"POST /users/{username}/identities":            true,
	"PUT /users/{username}/service-account-source": true,
	"POST /roles/assign":                           true,
	"POST /roles/permissions/add":                  true,
	"PATCH /roles/permissions/update":              true,
}

// stepUp refuses a critical operation to an administrator whom the provider has not asked for a while who they are. Tokens
// are no browsers: making one was critical.
func (a *API) stepUp(s *identity.Subject, operation string) error {
	if a.FreshFor == 0 || s.Credential != identity.Session || !s.Admin || !critical[operation] {
		return nil
	}
	if a.Now().Before(s.ShownAt.Add(a.FreshFor)) {
		return nil
	}
	return errs.Wrap(errs.Unauthenticated, errStepUp, "this needs a fresh sign-in: go to %s/login?fresh=1 and try again", a.Origin.Prefix)
}

// errStepUp says that the credential is good, and too old for what was asked.
var errStepUp = errs.New(errs.Unauthenticated, "the sign-in is too old")

// challenges are what a refused credential is answered with: how to come with another, or a fresh one (RFC 9470 §3).
func (a *API) challenges(r *http.Request, err error) []string {
	if errors.Is(err, errStepUp) {
		return []string{`Bearer realm="mlflow", error="insufficient_user_authentication", max_age="` + strconv.Itoa(int(a.FreshFor/time.Second)) + `"`}
	}
	return httpx.Challenges(r)
}
