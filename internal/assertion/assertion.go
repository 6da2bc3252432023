// Package assertion proves who a client is by what it signs (RFC 7523 §2.2, OpenID Connect Core §9, private_key_jwt): the key
// stays here, where a client secret would be sent with each question.
package assertion

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Type is what a request calls an assertion of this kind (RFC 7523 §2.2).
const Type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Life is how long an assertion is good: as long as it takes to get there.
const Life = time.Minute

// minRSA is the fewest bits of a key (RFC 7518 §3.3).
const minRSA = 2048

// Key signs assertions.
type Key struct {
	id        string
	algorithm jose.SignatureAlgorithm
	private   crypto.Signer
	thumb     string // the SHA-256 of the certificate beside the key; "" without one
}

// curves are those of RFC 7518 §3.4.
var curves = map[string]jose.SignatureAlgorithm{"P-256": jose.ES256, "P-384": jose.ES384, "P-521": jose.ES512}

// Parse reads a private key as PEM. Without an algorithm it is RS256, or that of the curve. Without an id it is the key's
// thumbprint (RFC 7638); beside a certificate, which names the key by its own hash, there is none.
func Parse(text []byte, id, algorithm string) (*Key, error) {
	k := &Key{id: id}
	var certificate *x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		var err error
		switch {
		case block.Type == "CERTIFICATE" && certificate == nil: // those of who signed it may follow
			certificate, err = x509.ParseCertificate(block.Bytes)
		case block.Type == "CERTIFICATE", block.Type == "EC PARAMETERS":
		case k.private != nil:
			err = errors.New("it has more than one key")
		default:
			k.private, err = private(block)
		}
		if err != nil {
			return nil, err
		}
	}
	if k.private == nil {
		return nil, errors.New("it has no private key in PEM")
	}
	if err := k.choose(algorithm); err != nil {
		return nil, err
	}
	err := k.name(certificate)
	if err != nil {
		return nil, err
	}
	return k, nil
}

func private(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		if block.Headers["DEK-Info"] != "" {
			return nil, errors.New("its key is encrypted, and nobody is there to type the password")
		}
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("its key is encrypted, and nobody is there to type the password")
	default:
		return nil, errors.New("it holds something else than a private key and its certificate")
	}
	if err != nil {
		return nil, errors.New("its private key cannot be read") // the cause could quote the key
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("its private key signs nothing")
	}
	return signer, nil
}

// choose finds by which algorithm the key signs.
func (k *Key) choose(algorithm string) error {
	var can []jose.SignatureAlgorithm
	switch key := k.private.(type) {
	case *rsa.PrivateKey:
		if key.N.BitLen() < minRSA {
			return fmt.Errorf("its RSA key has %d bits; it needs %d", key.N.BitLen(), minRSA)
		}
		can = []jose.SignatureAlgorithm{jose.RS256, jose.PS256}
	case *ecdsa.PrivateKey:
		if curve, ok := curves[key.Params().Name]; ok {
			can = []jose.SignatureAlgorithm{curve}
		}
	}
	if len(can) == 0 {
		return errors.New("its key must be RSA, or of one of the curves P-256, P-384 and P-521")
	}
	k.algorithm = can[0]
	for _, one := range can {
		if algorithm == string(one) {
			k.algorithm = one
		}
	}
	if algorithm != "" && algorithm != string(k.algorithm) {
		return fmt.Errorf("its key does not sign by %q, but by %v", algorithm, can)
	}
	return nil
}

// name says by what the provider knows the key: by its certificate, as Microsoft Entra ID asks for, or by an id.
func (k *Key) name(certificate *x509.Certificate) error {
	if certificate == nil && k.id != "" {
		return nil
	}
	if certificate == nil {
		public := k.Public()
		sum, err := public.Thumbprint(crypto.SHA256)
		k.id = base64.RawURLEncoding.EncodeToString(sum)
		return err
	}
	public, ok := k.private.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(certificate.PublicKey) {
		return errors.New("its certificate is of another key")
	}
	sum := sha256.Sum256(certificate.Raw)
	k.thumb = base64.RawURLEncoding.EncodeToString(sum[:])
	return nil
}

// Public is what the provider has to know of the key.
func (k *Key) Public() jose.JSONWebKey {
	return jose.JSONWebKey{Key: k.private.Public(), KeyID: k.id, Algorithm: string(k.algorithm), Use: "sig"}
}

// Sign makes an assertion of a client for one audience, which is good once and for a minute.
func (k *Key) Sign(client, audience string, now time.Time) (string, error) {
	options := (&jose.SignerOptions{}).WithType("JWT")
	if k.thumb != "" {
		options = options.WithHeader("x5t#S256", k.thumb)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: k.algorithm, Key: jose.JSONWebKey{Key: k.private, KeyID: k.id}}, options)
	if err != nil {
		return "", fmt.Errorf("signing a client assertion: %w", err)
	}
	random := make([]byte, 24)
	_, _ = rand.Read(random) // never fails (crypto/rand)
	claims, err := json.Marshal(map[string]any{"iss": client, "sub": client, "aud": audience, "jti": base64.RawURLEncoding.EncodeToString(random),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(Life).Unix()})
	if err != nil {
		return "", fmt.Errorf("signing a client assertion: %w", err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return "", fmt.Errorf("signing a client assertion: %w", err)
	}
	return signed.CompactSerialize()
}
