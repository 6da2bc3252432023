package token_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/takeover"
)

// A token that the Python plugin 11.0.2 has made, with its hash.
const (
	carriedSecret = "mlf_843476b6_UeeBn3KV84ij8sfDlbl3fDzkAm756g1UYfyYkyY9XFY"
	carriedPrefix = "mlf_843476b6"
	carriedHash   = "pbkdf2:sha256:1000$UhkwwMLX6DplmtvZ$e908998b8fd66a9132a095ee5dc00de30a0c29adb660de60c993f357c2a91039"
)

// carried gives users a token named laptop as an import does, for an hour.
func (h *house) carried(names ...string) {
	h.t.Helper()
	there := takeover.New()
	for _, name := range names {
		there.Users[name] = takeover.User{Active: true, ManagedBy: directory.Manual}
		there.Tokens[takeover.Token{User: name, Name: "laptop"}] = takeover.Named{Prefix: carriedPrefix, Hash: carriedHash, CreatedBy: "x",
			Expires: h.clock.Now().Add(time.Hour).Unix()}
	}
	err := h.db.Import(h.t.Context(), store.Import{Source: "plugin"}, func(here takeover.Contents, before takeover.Record, _ []store.Import) (takeover.Plan, error) {
		return takeover.Make(there, here, takeover.Options{Before: before}), nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

func TestTokenOfThePluginBecomesOursAtItsFirstUse(t *testing.T) {
	h := newHouse(t)
	h.carried("ann")
	ann, err := h.db.User(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		h.known(from(address(i), basic("Ann", carriedSecret)), ann, identity.AccessToken)
	}
	if _, err := h.db.CarriedOf(t.Context(), "ann", carriedPrefix); !errs.Is(err, errs.NotFound) {
		t.Errorf("the slow hash is there still: %v", err)
	}
	all, err := h.db.Tokens(t.Context(), ann.ID)
	if err != nil || len(all) != 1 || all[0].Name != "laptop" || all[0].Prefix != carriedPrefix || all[0].CreatedBy != "x" {
		t.Fatalf("%+v, %v", all, err)
	}
	// an import sees that it is the same still, and follows when it is revoked there
	here, _, err := h.db.Contents(t.Context(), "plugin")
	if held := here.Tokens[takeover.Token{User: "ann", Name: "laptop"}]; err != nil || held.Hash != carriedHash {
		t.Errorf("%+v, %v", held, err)
	}
	h.clock.Advance(time.Hour) // it lives no longer than before
	h.refused(from(address(9), basic("ann", carriedSecret)), errs.Unauthenticated)
}

// The attack: sign in by a token that is another's, is revoked, has expired, or was guessed from its beginning, which is no secret; or by
// what stands in the place of its hash.
func TestAttackTokenOfThePlugin(t *testing.T) {
	h := newHouse(t)
	h.carried("ann", "bob")
	ann, err := h.db.User(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	other := directory.User{Username: "zoe", ManagedBy: directory.Manual}
	if _, err := h.db.CreateUser(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	for i, secret := range []string{carriedSecret + "x", strings.TrimSuffix(carriedSecret, "x")[:len(carriedSecret)-1], carriedPrefix, carriedPrefix + "_", carriedPrefix + "_guess", carriedHash, "carried"} {
		h.refused(from(address(i), basic("ann", secret)), errs.Unauthenticated)
		h.refused(from(address(100+i), "Bearer "+secret), errs.Unauthenticated)
		h.clock.Advance(time.Minute) // the limits stay out of the way
	}
	h.refused(from(address(50), basic("zoe", carriedSecret)), errs.Unauthenticated)
	h.refused(from(address(51), basic("nobody", carriedSecret)), errs.Unauthenticated)
	all, err := h.db.Tokens(t.Context(), ann.ID)
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	if err := h.db.DeleteToken(t.Context(), ann.ID, all[0].ID); err != nil {
		t.Fatal(err)
	}
	h.refused(from(address(52), basic("ann", carriedSecret)), errs.Unauthenticated)
	h.clock.Advance(time.Hour)
	h.refused(from(address(53), basic("bob", carriedSecret)), errs.Unauthenticated)
}

func TestAttackGuessedTokenOfThePlugin(t *testing.T) {
	h := newHouse(t)
	h.carried("ann")
	for i := range perMinute {
		h.refused(from(address(i), basic("ann", carriedPrefix+"_guess")), errs.Unauthenticated)
	}
	h.refused(from(address(50), basic("ann", carriedPrefix+"_another")), errs.Limited)
}
