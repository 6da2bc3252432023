package token

import (
	"context"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/jwt"
)

// Issuer verifies the tokens of one issuer, or of several that are one provider.
type Issuer interface {
	Verifier
	// Expects gives the issuers, without a slash at the end, and the audience of what Verify can accept.
	Expects() (issuers []string, audience string)
}

// Issuers verifies the tokens of several issuers: each by the one whose name and audience it bears, and by no other's keys.
type Issuers struct {
	known map[string]map[string]Issuer // by issuer, then audience
}

// NewIssuers collects issuers, no two of which may have both names in common.
func NewIssuers(all ...Issuer) *Issuers {
	known := map[string]map[string]Issuer{}
	for _, one := range all {
		issuers, audience := one.Expects()
		for _, issuer := range issuers {
			if known[issuer] == nil {
				known[issuer] = map[string]Issuer{}
			}
			known[issuer][audience] = one
		}
	}
	return &Issuers{known}
}

// Verify has the issuer of a token check it. A token of an issuer that is not known, or for somebody else, costs no question to anybody.
func (i *Issuers) Verify(ctx context.Context, raw string) (directory.Bearer, error) {
	issuer, audiences, err := jwt.Peek(raw)
	if err != nil {
		return directory.Bearer{}, err
	}
	var found Issuer
	for _, audience := range audiences {
		one := i.known[strings.TrimSuffix(issuer, "/")][audience]
		if one == nil || one == found {
			continue
		}
		if found != nil {
			return directory.Bearer{}, errs.New(errs.Unauthenticated, "the token is not valid: it is for several audiences that mean different things here")
		}
		found = one
	}
	if found == nil {
		return directory.Bearer{}, errs.New(errs.Unauthenticated, "the token is not valid: its issuer or audience is not known here")
	}
	return found.Verify(ctx, raw)
}
