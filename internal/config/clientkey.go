package config

import (
	"errors"
	"fmt"
	"os"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/assertion"
)

// Whom what the client's key signs is for.
const (
	ForIssuer   = "issuer"
	ForEndpoint = "endpoint"
)

// Assertion says how the client proves itself by a key.
type Assertion struct {
	Key       *assertion.Key // nil: it does not
	ID        string
	Algorithm string
	Audience  string // ForIssuer or ForEndpoint

	pem []byte
}

// maxKey bounds a file with a key, in bytes.
const maxKey = 1 << 20

// keyFile reads the file; what is in it is looked at when all of the settings are known.
func keyFile(c *Config, v string) (err error) {
	c.OIDC.Assertion.pem, err = readKey(v)
	return err
}

func readKey(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxKey {
		return nil, errors.New("it is too large")
	}
	text, err := os.ReadFile(path)
	if err == nil && len(text) == 0 {
		err = errors.New("it is empty")
	}
	return text, err
}

func assertionAudience(c *Config, v string) error {
	c.OIDC.Assertion.Audience = v
	return oneOf(v, ForIssuer, ForEndpoint)
}

// prove reads the key, where there is one. The names are those of the settings of other ways, of which there may be none then.
func (o *OIDC) prove(secret, public string) []error {
	a := &o.Assertion
	if a.pem == nil {
		return nil
	}
	var wrong []error
	if o.ClientSecret != "" {
		wrong = append(wrong, fmt.Errorf("%s is set too; a client proves itself in one way", secret))
	}
	if o.PublicClient {
		wrong = append(wrong, fmt.Errorf("%s is true, and such a client proves nothing", public))
	}
	if len(o.Tenants) > 0 && a.Audience == ForIssuer {
		wrong = append(wrong, errors.New("a provider of several tenants has no one issuer: what the key signs is for the endpoint"))
	}
	var err error
	if a.Key, err = assertion.Parse(a.pem, a.ID, a.Algorithm); err != nil {
		wrong = append(wrong, err)
	}
	a.pem = nil
	return wrong
}

// described refuses what is said of a key that is not there.
func (a Assertion) described() error {
	if a.Key == nil && a.pem == nil && (a.ID != "" || a.Algorithm != "" || a.Audience == ForEndpoint) {
		return errors.New("it is not set, and what is said of the key has no effect")
	}
	return nil
}

// takeKey takes over what an entry says of its client's key.
func (o *OIDC) takeKey(p entry) []error {
	o.Assertion = Assertion{ID: p.ClientKeyID, Algorithm: p.ClientKeyAlgorithm, Audience: or(p.AssertionAudience, ForIssuer)}
	if err := oneOf(o.Assertion.Audience, ForIssuer, ForEndpoint); err != nil {
		return []error{fmt.Errorf("client_assertion_audience is %q: %w", p.AssertionAudience, err)}
	}
	var err error
	if o.Assertion.pem, err = readKey(p.ClientKeyFile); err != nil {
		return []error{fmt.Errorf("client_key_file: %w", err)}
	}
	if err := o.Assertion.described(); err != nil {
		return []error{fmt.Errorf("client_key_file: %w", err)}
	}
	wrong := o.prove("client_secret", "public_client")
	for i, err := range wrong {
		wrong[i] = fmt.Errorf("client_key_file: %w", err)
	}
	return wrong
}
