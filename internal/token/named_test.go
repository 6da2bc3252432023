package token_test

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/token"
)

// named gives a user one more token, of an hour.
func (h *house) named(user directory.User, name string, scope *authz.Scope) (directory.Token, string) {
	h.t.Helper()
	secret, hash := token.NewSecret()
	made, err := h.db.CreateToken(h.t.Context(), directory.Token{UserID: user.ID, Name: name, Prefix: token.Prefix(secret), Hash: hash, Scope: scope,
		CreatedAt: h.clock.Now(), CreatedBy: user.Username, ExpiresAt: h.clock.Now().Add(time.Hour)})
	if err != nil {
		h.t.Fatal(err)
	}
	return made, secret
}

func TestNamedTokens(t *testing.T) {
	h := newHouse(t)
	ann, first := h.person("ann")
	one, ci := h.named(ann, "ci", nil)
	_, laptop := h.named(ann, "laptop", nil)
	for i, secret := range []string{first, ci, laptop} {
		h.known(from(address(i), basic("ann", secret)), ann, identity.AccessToken)
		h.known(from(address(i), "Bearer "+secret), ann, identity.AccessToken)
		h.refused(from(address(i), basic("bob", secret)), errs.Unauthenticated)
		h.refused(from(address(i), "Bearer "+secret+"x"), errs.Unauthenticated)
	}
	if err := h.db.DeleteToken(t.Context(), ann.ID, one.ID); err != nil {
		t.Fatal(err)
	}
	h.refused(from(address(10), basic("ann", ci)), errs.Unauthenticated)
	h.refused(from(address(10), "Bearer "+ci), errs.Unauthenticated)
	h.known(from(address(11), basic("ann", laptop)), ann, identity.AccessToken)
	if err := h.db.SetActive(t.Context(), "ann", false); err != nil {
		t.Fatal(err)
	}
	h.refused(from(address(12), "Bearer "+laptop), errs.Unauthenticated)
	if err := h.db.SetActive(t.Context(), "ann", true); err != nil {
		t.Fatal(err)
	}
	h.known(from(address(13), "Bearer "+laptop), ann, identity.AccessToken)
	h.clock.Advance(time.Hour)
	h.refused(from(address(14), "Bearer "+laptop), errs.Unauthenticated)
}

func TestEveryTokenIsRevokedAtOnce(t *testing.T) {
	h := newHouse(t)
	ann, first := h.person("ann")
	bob, other := h.person("bob")
	_, ci := h.named(ann, "ci", nil)
	if n, err := h.db.DeleteTokens(t.Context(), ann.ID); n != 2 || err != nil {
		t.Errorf("%d were revoked, %v", n, err)
	}
	for i, secret := range []string{first, ci} {
		h.refused(from(address(i), basic("ann", secret)), errs.Unauthenticated)
	}
	h.known(from(address(9), basic("bob", other)), bob, identity.AccessToken)
}

// The attack: with a narrowed token of an administrator, be one.
func TestAttackNarrowedAdministrator(t *testing.T) {
	h := newHouse(t)
	root, err := h.db.RecordLogin(t.Context(), directory.Login{Identity: directory.Identity{Provider: h.idp.Issuer, Subject: "r"}, Username: "root", Admin: true})
	if err != nil {
		t.Fatal(err)
	}
	scope := &authz.Scope{ReadOnly: true}
	_, secret := h.named(root, "read", scope)
	for i, header := range []string{basic("root", secret), "Bearer " + secret} {
		s, err := h.auth.Authenticate(from(address(i), header))
		if err != nil {
			t.Fatal(err)
		}
		if s.Admin || !cmp.Equal(s.Scope, scope) {
			t.Errorf("the subject is %+v", s)
		}
		if diff := cmp.Diff(authz.Subject{Admin: true, Active: true, Scope: scope}, s.Decider()); diff != "" {
			t.Error(diff)
		}
	}
}

// A service account has no browser: a session from when it was a person is worth nothing.
func TestAttackSessionOfAServiceAccount(t *testing.T) {
	h := newHouse(t)
	ann, secret := h.person("ann")
	w := httptest.NewRecorder()
	if err := h.sessions.Start(w, from(address(1)), session.Record{UserID: ann.ID, Provider: h.idp.Issuer, Subject: "sub-ann"}); err != nil {
		t.Fatal(err)
	}
	r := from(address(1))
	r.AddCookie(w.Result().Cookies()[0])
	h.known(r, ann, identity.Session)
	if err := h.db.SetRoles(t.Context(), "ann", false, true); err != nil {
		t.Fatal(err)
	}
	h.refused(r, errs.Unauthenticated)
	ann.Service = true
	h.known(from(address(2), basic("ann", secret)), ann, identity.AccessToken)
	h.known(from(address(3), "Bearer "+h.idp.Token("sub-ann", nil)), ann, identity.Bearer)
}

// imported gives a user a secret as a predecessor has hashed it, for an hour.
func (h *house) imported(name, hash string) directory.User {
	h.t.Helper()
	user, err := h.db.CreateUser(h.t.Context(), directory.User{Username: name, ManagedBy: "manual"})
	if err == nil {
		err = h.db.SetPassword(h.t.Context(), directory.Password{User: user, Hash: hash, ExpiresAt: h.clock.Now().Add(time.Hour)})
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return user
}

// The hashes are werkzeug's own.
const (
	tokenSecret    = "AbCdEfGhIjKlMnOpQrStUvWx"
	tokenHash      = "pbkdf2:sha256:1000$BTMSk503Uh6rMvyK$a6c6d7d8c8be2ab8583f46171a28bf80febc933e68b771e836e76d0325d10d88"
	passwordSecret = "Zürich ☃ £"
	passwordHash   = "pbkdf2:sha256:1000$ZqyYqf4Ds5Jmec2T$a49c984ed18463293b5690092bbe4edce9a01b897d6908be3e2b3e8f4a28e3e6"
)

func TestImportedTokenIsUpgradedAtItsFirstUse(t *testing.T) {
	h := newHouse(t)
	ann := h.imported("ann", tokenHash)
	h.refused(from(address(1), basic("ann", tokenSecret+"x")), errs.Unauthenticated)
	if _, err := h.db.PasswordOf(t.Context(), "ann"); err != nil {
		t.Fatalf("a wrong secret has upgraded: %v", err)
	}
	for i := range 3 {
		h.known(from(address(2+i), basic("ann", tokenSecret)), ann, identity.AccessToken)
	}
	if _, err := h.db.PasswordOf(t.Context(), "ann"); !errs.Is(err, errs.NotFound) {
		t.Errorf("the slow hash is there still: %v", err)
	}
	h.clock.Advance(time.Hour) // it lives no longer than before
	h.refused(from(address(9), basic("ann", tokenSecret)), errs.Unauthenticated)
}

// A password that somebody has thought of keeps its slow hash: the fast one of a stolen database would be guessed.
func TestImportedPasswordStaysSlow(t *testing.T) {
	h := newHouse(t)
	ann := h.imported("ann", passwordHash)
	h.known(from(address(1), basic("ANN", passwordSecret)), ann, identity.AccessToken)
	h.known(from(address(2), basic("ann", passwordSecret)), ann, identity.AccessToken)
	if p, err := h.db.PasswordOf(t.Context(), "ann"); err != nil || p.Hash != passwordHash {
		t.Errorf("the hash is %q, %v", p.Hash, err)
	}
	if err := h.db.SetActive(t.Context(), "ann", false); err != nil {
		t.Fatal(err)
	}
	h.refused(from(address(3), basic("ann", passwordSecret)), errs.Unauthenticated)
	if err := h.db.SetActive(t.Context(), "ann", true); err != nil {
		t.Fatal(err)
	}
	_, hash := token.NewSecret()
	err := h.db.SetAccessToken(t.Context(), directory.AccessToken{UserID: ann.ID, Hash: hash, ExpiresAt: h.clock.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	h.refused(from(address(4), basic("ann", passwordSecret)), errs.Unauthenticated) // the token has taken its place
}

func TestImportedPasswordExpires(t *testing.T) {
	h := newHouse(t)
	ann := h.imported("ann", passwordHash)
	h.known(from(address(1), basic("ann", passwordSecret)), ann, identity.AccessToken)
	h.clock.Advance(time.Hour)
	h.refused(from(address(2), basic("ann", passwordSecret)), errs.Unauthenticated)
}

// The attack: guess a password that a person has thought of. After some wrong ones the right one does not pass either, but
// to whom it was right before.
func TestAttackGuessedPassword(t *testing.T) {
	h := newHouse(t)
	h.imported("ann", passwordHash)
	bob := h.imported("bob", passwordHash)
	h.known(from("192.0.2.9", basic("bob", passwordSecret)), bob, identity.AccessToken)
	for i := range perMinute {
		h.refused(from(address(i), basic("ann", "guess")), errs.Unauthenticated)
		h.refused(from(address(i), basic("bob", "guess")), errs.Unauthenticated)
	}
	h.refused(from(address(50), basic("ann", "another guess")), errs.Limited)
	h.known(from("192.0.2.9", basic("bob", passwordSecret)), bob, identity.AccessToken)
}

// The attack: sign in as somebody who does not exist, or who has no password, by the password that stands in for theirs.
func TestAttackPasswordOfNobody(t *testing.T) {
	h := newHouse(t)
	h.imported("ann", passwordHash)
	h.person("bob")
	want := answer(h.refused(from(address(1), basic("ann", "wrong")), errs.Unauthenticated))
	for i, name := range []string{"bob", "nobody", ""} {
		if got := answer(h.refused(from(address(2+i), basic(name, passwordSecret)), errs.Unauthenticated)); got != want {
			t.Errorf("%q is told apart: %s", name, got)
		}
	}
	h.refused(from(address(9), "Basic "+base64.StdEncoding.EncodeToString([]byte("ann:"+passwordHash))), errs.Unauthenticated)
}

// written is what was noted of uses.
type written struct{ all []map[int64]time.Time }

func (w *written) TokensUsed(_ context.Context, used map[int64]time.Time) error {
	w.all = append(w.all, used)
	return nil
}

func TestUsesAreWrittenOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &written{}
		u := token.NewUses(w, slog.New(slog.DiscardHandler), time.Now)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); u.Run(ctx) }()
		began := time.Now()
		for range 90 { // a minute and a half
			u.Note(7)
			time.Sleep(time.Second)
		}
		time.Sleep(2 * time.Minute) // in which nothing happens
		u.Note(8)
		stop()
		<-done
		at := func(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }
		if len(w.all) != 3 || len(w.all[0]) != 1 || w.all[0][7].Before(at(58)) || !w.all[1][7].Equal(at(89)) || w.all[2][8].IsZero() {
			t.Errorf("written was %v", w.all)
		}
	})
}

func TestUseOfATokenIsNoted(t *testing.T) {
	h := newHouse(t)
	ann, _ := h.person("ann")
	_, used := h.named(ann, "used", nil)
	h.named(ann, "unused", nil)
	h.known(from(address(1), basic("ann", used)), ann, identity.AccessToken)
	before := h.db.Queries()
	change, err := h.db.Change(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	h.uses.Run(ctx)
	if h.db.Queries() == before {
		t.Error("nothing was written")
	}
	tokens, err := h.db.Tokens(t.Context(), ann.ID)
	if err != nil || len(tokens) != 2 || !tokens[0].UsedAt.IsZero() || !tokens[1].UsedAt.Equal(h.clock.Now()) {
		t.Errorf("%+v, %v", tokens, err)
	}
	if now, err := h.db.Change(t.Context()); now != change || err != nil {
		t.Errorf("the use of a token empties the memory of every replica: %d became %d, %v", change, now, err)
	}
}

// A password of a local account's own has no end, is never stored by a fast hash, however long it is, and survives what ends
// tokens.
func TestKeptPassword(t *testing.T) {
	h := newHouse(t)
	const secret = "a long sentence that its owner thought of"
	hash, err := h.auth.HashPassword(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	ann, err := h.db.CreateLocal(t.Context(), directory.User{Username: "ann", ManagedBy: "manual"}, hash)
	if err != nil {
		t.Fatal(err)
	}
	h.clock.Advance(1000 * time.Hour)
	for i := range 2 {
		h.known(from(address(i), basic("ann", secret)), ann, identity.Password)
	}
	if p, err := h.db.PasswordOf(t.Context(), "ann"); err != nil || p.Hash != hash {
		t.Errorf("the hash became %+v, %v", p, err)
	}
	if other, err := h.auth.HashPassword(t.Context(), secret); err != nil || other == hash {
		t.Errorf("two hashes of one password are the same: %s, %v", other, err)
	}
	h.refused(from(address(3), basic("ann", secret+" ")), errs.Unauthenticated)
	h.refused(from(address(4), "Bearer "+secret), errs.Unauthenticated)
	if err := h.auth.Confirm(from(address(5)), ann, secret); err != nil {
		t.Errorf("the right password is not confirmed: %v", err)
	}
	// The attack: to guess the password through a session, without the limit that guesses at the door have.
	for range 200 {
		if err = h.auth.Confirm(from(address(6)), ann, "a guess"); errs.Is(err, errs.Limited) {
			break
		}
	}
	if !errs.Is(err, errs.Limited) {
		t.Errorf("guesses go on: %v", err)
	}
}
