package jwt

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/time/rate"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

const (
	// usableFor is how long keys are used on while the issuer does not answer, so that a pause of it stops no program.
	usableFor = time.Hour
	// retryAfter is how soon an issuer that does not answer is asked again while older keys can be used.
	retryAfter = 15 * time.Second
	// missingFor is how long a key that the issuer does not have is known to be missing.
	missingFor = 30 * time.Second
	// Whoever sends tokens of invented keys makes us ask the issuer no more often than this.
	refetchEvery = 10 * time.Second
	refetchBurst = 3

	maxKeySet  = 512 << 10 // bytes
	maxKeys    = 100
	maxMissing = 1000
	minRSA     = 2048 // bits (RFC 7518 §3.3)
)

// Keys are the keys of an issuer: fetched at first use, anew when they are too old or one is asked for that is not there.
// Nothing that a token says leads to where they are fetched.
type Keys struct {
	KeysOptions
	mu        sync.Mutex
	set       []key
	fetchedAt time.Time // zero: never
	askAgain  time.Time
	missing   map[string]time.Time
	limit     *rate.Limiter
	running   *fetching
}

// KeysOptions say where keys are, and how long they are believed.
type KeysOptions struct {
	Locate func(context.Context) (string, error) // gives the address of the key set
	Bearer func() (string, error)                // gives what the address asks for; nil: nothing
	Client *http.Client
	TTL    time.Duration // a key that the issuer withdraws stops working within this time
	Now    func() time.Time
}

// key is a key that verifies signatures.
type key struct {
	id        string
	algorithm string // "": any that fits it
	public    any
	issuer    any // nil: it names none
}

// fetching is one attempt, which all who need it at the time share.
type fetching struct {
	done chan struct{}
	set  []key
	err  error
}

// NewKeys makes the keys of an issuer; nothing is asked yet.
func NewKeys(o KeysOptions) *Keys {
	return &Keys{KeysOptions: o, missing: map[string]time.Time{}, limit: rate.NewLimiter(rate.Every(refetchEvery), refetchBurst)}
}

// errUnreachable says that the keys are not known now.
func errUnreachable(cause error) error {
	return errs.Wrap(errs.Unavailable, cause, "the identity provider's keys cannot be fetched right now; try again shortly")
}

// of gives the keys that a token of this key id and algorithm may be signed with.
func (k *Keys) of(ctx context.Context, id, algorithm string) ([]key, error) {
	set, err := k.current(ctx)
	if err != nil {
		return nil, err
	}
	if id != "" && !slices.ContainsFunc(set, func(known key) bool { return known.id == id }) {
		if set, err = k.again(ctx, id); err != nil {
			return nil, err
		}
	}
	var fit []key
	for _, known := range set {
		if (id == "" || known.id == id) && known.fits(algorithm) {
			fit = append(fit, known)
		}
	}
	if len(fit) == 0 {
		return nil, bad(nil, "it is signed with a key that its issuer does not have")
	}
	return fit, nil
}

// current gives the keys as they are known, and fetches them when that is nothing, or too old.
func (k *Keys) current(ctx context.Context) ([]key, error) {
	k.mu.Lock()
	now := k.Now()
	usable := !k.fetchedAt.IsZero() && now.Before(k.fetchedAt.Add(usableFor))
	known := k.set
	if usable && now.Before(k.askAgain) {
		k.mu.Unlock()
		return known, nil
	}
	running := k.begin()
	k.mu.Unlock()
	set, err := running.wait(ctx)
	if err != nil && usable {
		return known, nil
	}
	return set, err
}

// Count is how many keys there are that can be used.
func (k *Keys) Count(ctx context.Context) (int, error) {
	set, err := k.current(ctx)
	return len(set), err
}

// again fetches the keys for one that is not among them, unless that was done a moment ago.
func (k *Keys) again(ctx context.Context, id string) ([]key, error) {
	k.mu.Lock()
	now := k.Now()
	if until, known := k.missing[id]; known && now.Before(until) {
		k.mu.Unlock()
		return nil, nil
	}
	if k.running == nil && !k.limit.AllowN(now, 1) {
		k.mu.Unlock()
		return nil, nil
	}
	running := k.begin()
	k.mu.Unlock()
	set, err := running.wait(ctx)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(set, func(known key) bool { return known.id == id }) {
		k.mu.Lock()
		if len(k.missing) >= maxMissing {
			clear(k.missing)
		}
		k.missing[id] = now.Add(missingFor)
		k.mu.Unlock()
	}
	return set, nil
}

// begin starts fetching, or joins who does so. The lock is held.
func (k *Keys) begin() *fetching {
	if k.running == nil {
		k.running = &fetching{done: make(chan struct{})}
		go k.refetch(k.running)
	}
	return k.running
}

func (f *fetching) wait(ctx context.Context) ([]key, error) {
	select {
	case <-f.done:
		if f.err != nil {
			return nil, errUnreachable(f.err)
		}
		return f.set, nil
	case <-ctx.Done():
		return nil, errUnreachable(ctx.Err())
	}
}

// refetch asks the issuer. It does so for all who wait, and hence not in the context of the first of them.
func (k *Keys) refetch(into *fetching) {
	set, err := k.fetch(context.Background())
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		k.set, k.fetchedAt, k.askAgain = set, k.Now(), k.Now().Add(k.TTL)
	} else {
		k.askAgain = k.Now().Add(retryAfter)
	}
	into.set, into.err, k.running = set, err, nil
	close(into.done)
}

func (k *Keys) fetch(ctx context.Context) ([]key, error) {
	address, err := k.Locate(ctx)
	if err != nil {
		return nil, err
	}
	bearer := ""
	if k.Bearer != nil {
		if bearer, err = k.Bearer(); err != nil {
			return nil, err
		}
	}
	body, err := fetch(ctx, k.Client, address, bearer, maxKeySet)
	if err != nil {
		return nil, err
	}
	return parseKeys(body)
}

// parseKeys reads a key set (RFC 7517). Keys of kinds that are not known are left out (§5), and so are those that are for
// something else, secret, or weak.
func parseKeys(body []byte) ([]key, error) {
	var document struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &document); err != nil {
		return nil, fmt.Errorf("reading the key set: %w", err)
	}
	if document.Keys == nil {
		return nil, errors.New("the key set has no keys")
	}
	if len(document.Keys) > maxKeys {
		return nil, fmt.Errorf("the key set has more than %d keys", maxKeys)
	}
	set := []key{}
	for _, raw := range document.Keys {
		var given jose.JSONWebKey
		var use struct {
			Operations []string `json:"key_ops"`
			Issuer     any      `json:"issuer"` // not in RFC 7517: of Microsoft, where tenants share a set
		}
		if json.Unmarshal(raw, &given) != nil || json.Unmarshal(raw, &use) != nil {
			continue
		}
		verifies := (given.Use == "" || given.Use == "sig") && (use.Operations == nil || slices.Contains(use.Operations, "verify"))
		if one := (key{given.KeyID, given.Algorithm, given.Key, use.Issuer}); verifies && one.strong() {
			set = append(set, one)
		}
	}
	return set, nil
}

// strong tells whether a key is a public one that nobody can compute the private one of.
func (k key) strong() bool {
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		return public.N.BitLen() >= minRSA
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}

// fits tells whether a token of this algorithm can be signed with the key: a key is for one kind of algorithm
// (RFC 8725 §3.1), and for one alone when the issuer says so.
func (k key) fits(algorithm string) bool {
	if k.algorithm != "" && k.algorithm != algorithm {
		return false
	}
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")
	case *ecdsa.PublicKey:
		return curves[algorithm] == public.Params().Name
	case ed25519.PublicKey:
		return algorithm == "EdDSA"
	}
	return false
}

// curves are those of RFC 7518 §3.4.
var curves = map[string]string{"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
