package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// Keys seal what the browser or a store keeps for us. Each purpose has a key of its own, so that what was sealed for one
// cannot be opened as another. The first secret seals; all of them open, so that secrets can be rotated.
type Keys struct{ secrets []string }

// NewKeys takes the secrets of SECRET_KEY, newest first.
func NewKeys(secrets []string) (*Keys, error) {
	if len(secrets) == 0 {
		return nil, fmt.Errorf("no secret is given")
	}
	return &Keys{secrets}, nil
}

// Seal encrypts and authenticates (AES-256-GCM under a key derived by HKDF-SHA256, RFC 5869).
func (k *Keys) Seal(purpose string, plain []byte) ([]byte, error) {
	box, err := box(k.secrets[0], purpose)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, box.NonceSize())
	_, _ = rand.Read(nonce) // never fails (crypto/rand)
	return box.Seal(nonce, nonce, plain, nil), nil
}

// Open gives what was sealed for the purpose; anything else is errs.Invalid.
func (k *Keys) Open(purpose string, sealed []byte) ([]byte, error) {
	for _, secret := range k.secrets {
		box, err := box(secret, purpose)
		if err != nil {
			return nil, err
		}
		if len(sealed) < box.NonceSize() {
			break
		}
		if plain, err := box.Open(nil, sealed[:box.NonceSize()], sealed[box.NonceSize():], nil); err == nil {
			return plain, nil
		}
	}
	return nil, errs.New(errs.Invalid, "it was not sealed here")
}

func box(secret, purpose string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "mlflow-oidc-auth "+purpose, 32)
	if err != nil {
		return nil, fmt.Errorf("deriving a key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("deriving a key: %w", err)
	}
	return cipher.NewGCM(block)
}
