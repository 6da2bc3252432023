package oidc

import (
	"errors"
	"net/http"
	"testing"

	"golang.org/x/oauth2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// Anybody can make up a code. What a provider says of one it has not given must not look like settings that are wrong.
func TestWhyACodeGivesNoTokens(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		code   string
		want   errs.Reason
	}{
		"unknown code":           {400, "invalid_grant", errs.CodeRefused},
		"code that is malformed": {400, "invalid_request", errs.CodeRefused},
		"wrong secret":           {401, "invalid_client", errs.Misconfigured},
		"not for this client":    {400, "unauthorized_client", errs.Misconfigured},
		"no words":               {404, "", errs.CodeRefused},
		"failure":                {502, "", errs.ProviderDown},
	} {
		err := notExchanged(&oauth2.RetrieveError{Response: &http.Response{StatusCode: c.status}, ErrorCode: c.code})
		if got := errs.ReasonOf(err); got != c.want || errors.Is(err, errs.ErrHearsay) {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
	if got := errs.ReasonOf(notExchanged(errors.New("no connection"))); got != errs.ProviderDown {
		t.Errorf("no connection: got %s", got)
	}
}
