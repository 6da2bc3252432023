package jwt

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// signedBy makes a token by the other key, under an id.
func (i *issuer) signedBy(id string) string {
	return sign(i.t, jose.RS256, otherKey(), map[string]any{"kid": id}, i.claims("exp", i.clock().Unix()+86400))
}

func TestWarmKeysAskNobody(t *testing.T) {
	i := newIssuer(t)
	r := i.rules()
	for range 10 {
		if _, err := r.Verify(t.Context(), i.token()); err != nil {
			t.Fatal(err)
		}
	}
	if n := i.asked.Load(); n != 1 {
		t.Errorf("the issuer was asked %d times", n)
	}
	i.advance(5 * time.Minute)
	if _, err := r.Verify(t.Context(), i.token()); err != nil || i.asked.Load() != 2 {
		t.Errorf("after their time: asked %d times, %v", i.asked.Load(), err)
	}
}

func TestRotatedKeyIsFetchedAtOnce(t *testing.T) {
	i := newIssuer(t)
	r := i.rules()
	if _, err := r.Verify(t.Context(), i.token()); err != nil {
		t.Fatal(err)
	}
	i.has(public("k1", rsaKey()), public("k2", otherKey()))
	if _, err := r.Verify(t.Context(), i.signedBy("k2")); err != nil {
		t.Error(err)
	}
}

// The attack: have us ask the issuer for every one of many invented keys.
func TestAttackKeyFlood(t *testing.T) {
	i := newIssuer(t)
	r := i.rules()
	if _, err := r.Verify(t.Context(), i.token()); err != nil {
		t.Fatal(err)
	}
	before := i.asked.Load()
	var all sync.WaitGroup
	for n := range 200 {
		all.Go(func() {
			_, err := r.Verify(t.Context(), i.signedBy(fmt.Sprint("invented", n%100)))
			wantCode(t, err, errs.Unauthenticated)
		})
	}
	all.Wait()
	if n := i.asked.Load() - before; n > refetchBurst {
		t.Errorf("the issuer was asked %d times", n)
	}
	if _, err := r.Verify(t.Context(), i.token()); err != nil {
		t.Errorf("a good token meanwhile: %v", err)
	}
	i.has(public("k2", otherKey()))
	i.advance(refetchEvery)
	if _, err := r.Verify(t.Context(), i.signedBy("k2")); err != nil {
		t.Errorf("a new key after the flood: %v", err)
	}
}

// The attack: one invented key, again and again, for hours.
func TestAttackMissingKeyIsRemembered(t *testing.T) {
	i := newIssuer(t)
	r := i.rules()
	for range 20 {
		_, err := r.Verify(t.Context(), i.signedBy("invented"))
		wantCode(t, err, errs.Unauthenticated)
		i.advance(time.Second)
	}
	if n := i.asked.Load(); n != 2 { // the keys, and once more for the one
		t.Errorf("the issuer was asked %d times", n)
	}
	for n := range 2 * maxMissing {
		r.Keys.missing[fmt.Sprint(n)] = i.clock()
		if len(r.Keys.missing) >= maxMissing {
			break
		}
	}
	i.advance(missingFor)
	_, err := r.Verify(t.Context(), i.signedBy("one more"))
	wantCode(t, err, errs.Unauthenticated)
	if n := len(r.Keys.missing); n > maxMissing {
		t.Errorf("%d missing keys are remembered", n)
	}
}

// The attack: an issuer, or who took it over, answers what fills the memory, or what is no key set.
func TestAttackKeySets(t *testing.T) {
	one := string(encoded(t, public("k1", rsaKey())))
	for name, c := range map[string]struct {
		status int
		body   string
	}{
		"huge":          {http.StatusOK, `{"keys":[` + one + `],"x":"` + strings.Repeat("x", maxKeySet) + `"}`},
		"too many keys": {http.StatusOK, `{"keys":[` + strings.Repeat(one+",", maxKeys) + one + `]}`},
		"no keys":       {http.StatusOK, `{}`},
		"no JSON":       {http.StatusOK, `<html>`},
		"down":          {http.StatusServiceUnavailable, `{"keys":[` + one + `]}`},
		"led elsewhere": {http.StatusFound, ""},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t)
			i.answers(c.status, c.body)
			_, err := i.rules().Verify(t.Context(), i.token())
			wantCode(t, err, errs.Unavailable)
		})
	}
	i := newIssuer(t)
	i.answers(http.StatusOK, `{"keys":[{"kty":"future","kid":"x"},{"kty":"RSA","kid":"k1","n":"!"},7,`+one+`]}`)
	if _, err := i.rules().Verify(t.Context(), i.token()); err != nil {
		t.Errorf("beside keys that cannot be read: %v", err)
	}
}

func TestKeysAreUsedOnWhileTheIssuerPauses(t *testing.T) {
	i := newIssuer(t)
	r := i.rules()
	verify := func() error {
		_, err := r.Verify(t.Context(), i.token())
		return err
	}
	if err := verify(); err != nil {
		t.Fatal(err)
	}
	i.answers(http.StatusServiceUnavailable, "")
	i.advance(5 * time.Minute)
	before := i.asked.Load()
	for range 5 {
		if err := verify(); err != nil {
			t.Error(err)
		}
	}
	if n := i.asked.Load() - before; n != 1 {
		t.Errorf("the issuer was asked %d times", n)
	}
	i.advance(usableFor)
	wantCode(t, verify(), errs.Unavailable)
	i.has(public("k1", rsaKey()))
	if err := verify(); err != nil {
		t.Error(err)
	}
}

func TestDiscover(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		good bool
	}{
		"right":                {`{"issuer":"https://i.example","jwks_uri":"https://i.example/keys"}`, true},
		"another issuer":       {`{"issuer":"https://evil.example","jwks_uri":"https://i.example/keys"}`, false},
		"keys over plain HTTP": {`{"issuer":"https://i.example","jwks_uri":"http://i.example/keys"}`, false},
		"no keys":              {`{"issuer":"https://i.example"}`, false},
		"no JSON":              {`x`, false},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t)
			i.answers(http.StatusOK, c.body)
			if at, err := Discover(t.Context(), http.DefaultClient, i.url, "https://i.example"); (err == nil) != c.good || c.good && at != "https://i.example/keys" {
				t.Errorf("%q, %v", at, err)
			}
		})
	}
}

// What can be read as a key set has public keys alone, and no weak ones.
func FuzzKeys(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB","use":"sig","key_ops":["verify"]}]}`))
	f.Add([]byte(`{"keys":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		set, err := parseKeys(body)
		if err != nil && set != nil || len(set) > maxKeys {
			t.Errorf("%d keys, %v", len(set), err)
		}
		for _, k := range set {
			if !k.strong() || k.fits("HS256") || k.fits("none") {
				t.Errorf("%+v", k)
			}
		}
	})
}
