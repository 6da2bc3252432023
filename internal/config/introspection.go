package config

import "errors"

// introspected finds what keeps a provider from being asked whose a token is.
func (o OIDC) introspected() []error {
	var wrong []error
	if !o.Introspection {
		if o.IntrospectionURL != "" {
			wrong = append(wrong, errors.New("an introspection endpoint is set, and introspection is off"))
		}
		return wrong
	}
	if o.PublicClient { // whoever may ask without being known may also guess (RFC 7662 §2.1, §4)
		wrong = append(wrong, errors.New("introspection needs a client with a secret or a key"))
	}
	if len(o.Tenants) > 0 {
		wrong = append(wrong, errors.New("introspection needs a provider of one issuer, and tenants are named"))
	}
	if o.DiscoveryURL == "" && (o.IntrospectionURL == "" || o.Issuer == "") {
		wrong = append(wrong, errors.New("introspection needs discovery, or both the issuer and the introspection endpoint"))
	}
	return wrong
}
