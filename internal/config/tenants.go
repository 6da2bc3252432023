package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// TenantPlace is where the name of Microsoft Entra ID's issuer for all tenants has the id of each.
const TenantPlace = "{tenantid}"

var tenantID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// tenants takes the ids of tenants.
func tenants(c *Config, v string) (err error) {
	c.OIDC.Tenants, err = tenantIDs(split(v, ","))
	return err
}

// tenantIDs writes ids of tenants as issuers have them.
func tenantIDs(given []string) ([]string, error) {
	var ids []string
	for _, one := range given {
		id := strings.ToLower(one)
		if !tenantID.MatchString(id) {
			return nil, errors.New("it must be ids of tenants such as 8eaef023-2b34-4da1-9baa-8bc8c9d6a490")
		}
		if slices.Contains(ids, id) {
			return nil, errors.New("it must name each tenant once")
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// takeTenants takes the tenants of an entry.
func (o *OIDC) takeTenants(given []string) (wrong []error) {
	var err error
	if o.Tenants, err = tenantIDs(given); err == nil && given != nil && len(given) == 0 {
		err = errors.New("it names no tenant")
	}
	if err == nil {
		err = o.divide()
	}
	if err != nil {
		wrong = append(wrong, fmt.Errorf("tenants: %w", err))
	}
	return wrong
}

// divide checks that a provider of several tenants can be one.
func (o *OIDC) divide() error {
	if len(o.Tenants) == 0 {
		return nil
	}
	if o.Issuer != "" {
		return errors.New("several tenants have several issuers: the issuer must not be set beside")
	}
	if o.template() == "" {
		return errors.New("the discovery URL must be that of all tenants, https://login.microsoftonline.com/common/v2.0 or …/organizations/v2.0")
	}
	// Each tenant says itself which addresses its people have: none of them is given an account that waits for an address.
	o.Separate = o.Separate || len(o.Tenants) > 1
	return nil
}

// template gives the issuer that the discovery for all tenants names; "" if it is another discovery.
func (o OIDC) template() string {
	u, err := url.Parse(strings.TrimSuffix(strings.TrimSuffix(o.DiscoveryURL, "/.well-known/openid-configuration"), "/"))
	if err != nil || u.RawQuery != "" || u.Path != "/common/v2.0" && u.Path != "/organizations/v2.0" {
		return ""
	}
	return u.Scheme + "://" + u.Host + "/" + TenantPlace + "/v2.0"
}

// Issuers gives all issuers that tokens of a provider can be of, without a slash at the end: one, or one for each tenant.
func (o OIDC) Issuers() []string {
	expected := o.Expected()
	if len(o.Tenants) == 0 {
		return []string{expected}
	}
	var all []string
	for _, id := range o.Tenants {
		all = append(all, strings.Replace(expected, TenantPlace, id, 1))
	}
	return all
}
