package app

import (
	"encoding/json"
	"errors"
	"io"

	"github.com/go-jose/go-jose/v4"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
)

// PrintClientKeys writes the public halves of the keys by which the gateway proves itself to identity providers, as a key set
// (RFC 7517) to be registered there. A key that several providers know is written once.
func PrintClientKeys(w io.Writer, c *config.Config) error {
	set, seen := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}, map[string]bool{}
	for _, provider := range c.Providers {
		if provider.Assertion.Key == nil {
			continue
		}
		public := provider.Assertion.Key.Public()
		text, err := public.MarshalJSON()
		if err != nil {
			return err
		}
		if !seen[string(text)] {
			set.Keys = append(set.Keys, public)
		}
		seen[string(text)] = true
	}
	if len(set.Keys) == 0 {
		return errors.New("no provider is asked with a key: set OIDC_CLIENT_KEY_FILE, or client_key_file in OIDC_PROVIDERS_FILE")
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", " ")
	return encoder.Encode(set)
}
