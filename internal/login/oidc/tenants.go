package oidc

import (
	"fmt"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/jwt"
)

// errTemplate refuses a discovery for the people of all tenants there are, where the settings do not say which may come.
var errTemplate = errs.New(errs.Unavailable, "the identity provider's address is that of all its tenants; an administrator has to name one tenant in "+
	"OIDC_DISCOVERY_URL, or those whose people may come in OIDC_TENANTS").Because(errs.Misconfigured)

// divide makes of what is known of all tenants what is known of those whose people may come. A discovery that is not for all
// tenants is refused.
func (p *Provider) divide(f *found) error {
	template := p.settings.Expected()
	if f.issuer != template {
		return fmt.Errorf("the discovery document is of the issuer %q, not of %q", f.issuer, template)
	}
	f.issuer, f.provider, f.tenants = "", "", map[string]jwt.Tenant{}
	for i, issuer := range p.settings.Issuers() {
		f.tenants[issuer] = jwt.Tenant{ID: p.settings.Tenants[i], Issuer: template}
	}
	return nil
}

// issuing gives what is known of the issuer of a token, whose name is all that is read of it.
func (f *found) issuing(raw string) (*found, error) {
	if f.tenants == nil {
		return f, nil
	}
	issuer, _, err := jwt.Peek(raw)
	if err != nil {
		return nil, err
	}
	return f.tenantOf(issuer)
}

// tenantOf gives what is known of one tenant, by its issuer to the letter.
func (f *found) tenantOf(issuer string) (*found, error) {
	tenant, known := f.tenants[issuer]
	if !known {
		return nil, bad("it is of another issuer")
	}
	one := *f
	one.issuer, one.provider, one.tenant, one.tenants = issuer, issuer, tenant, nil
	return &one, nil
}

// mayBe tells whether an answer that calls itself so can be the provider's.
func (f *found) mayBe(issuer string) bool {
	if f.tenants != nil {
		_, known := f.tenants[issuer]
		return known
	}
	return f.issuer == "" || f.issuer == issuer
}
