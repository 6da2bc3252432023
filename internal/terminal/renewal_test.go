package terminal_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
)

func TestSignInIsRenewedUntilItEnds(t *testing.T) {
	w := newWorld(t)
	first := w.signIn("ann", "scope", "read")
	w.clock.Advance(lifetime - time.Minute/2)
	second := w.refresh(first.text("refresh_token"))
	old, now := first.text("access_token"), second.text("access_token")
	if s := w.whose(now); s == nil || s.Scope == nil || !s.Scope.ReadOnly || old == now || second.text("refresh_token") == first.text("refresh_token") {
		t.Fatalf("%d %s", second.status, second.body)
	}
	if s := w.whose(old); s == nil || !s.Scope.ReadOnly { // a request under way
		t.Error("the token before is not good for a moment longer")
	}
	w.clock.Advance(time.Minute / 2)
	if w.whose(old) != nil {
		t.Error("the token before outlives what it was made for")
	}
	if listed := w.tokens("ann"); len(listed) != 1 || !strings.HasPrefix(now, listed[0].Prefix) {
		t.Errorf("the list has %+v", listed)
	}
	w.clock.Advance(lifetime + 24*time.Hour) // nobody worked for a day
	third := w.refresh(second.text("refresh_token"))
	if w.whose(third.text("access_token")) == nil || w.whose(now) != nil {
		t.Fatalf("%d %s", third.status, third.body)
	}
	fourth := w.refresh(third.text("refresh_token")) // long before its end
	w.clock.Advance(time.Minute)
	if w.whose(third.text("access_token")) != nil {
		t.Error("the token before is good for more than a minute")
	}
	w.clock.Advance(login - 50*time.Hour)
	last := w.refresh(fourth.text("refresh_token"))
	if seconds, _ := last.says()["expires_in"].(float64); seconds <= 0 || seconds >= lifetime.Seconds() {
		t.Errorf("the last token is good for %v s", seconds)
	}
	w.clock.Advance(24 * time.Hour)
	refused(t, w.refresh(last.text("refresh_token")), "invalid_grant")
	if w.signIn("bob"); len(w.tokens("ann")) != 0 {
		t.Error("a sign-in that has ended is still listed")
	}
}

// The attack (RFC 9700 §4.14): use a refresh token that was copied. Whoever comes second ends the sign-in, for both.
func TestAttackRefreshTokenIsUsedAgain(t *testing.T) {
	w := newWorld(t)
	other := w.signIn("ann")
	first := w.signIn("ann").text("refresh_token")
	second := w.refresh(first)
	refused(t, w.refresh(first), "invalid_grant")
	if w.whose(second.text("access_token")) != nil {
		t.Error("the thief's token, or its owner's, is still good")
	}
	refused(t, w.refresh(second.text("refresh_token")), "invalid_grant")
	if w.whose(other.text("access_token")) == nil {
		t.Error("another sign-in ended too")
	}
	answers := make(chan answer) // at once: never two that go on
	again := w.signIn("ann").text("refresh_token")
	for range 4 {
		go func() { answers <- w.refresh(again) }()
	}
	var good []answer
	for range 4 {
		if got := <-answers; got.status == http.StatusOK {
			good = append(good, got)
		}
	}
	if len(good) > 1 || len(good) == 1 && w.refresh(good[0].text("refresh_token")).status == http.StatusOK {
		t.Errorf("a refresh token that was used four times gave %d others, which go on", len(good))
	}
}

// The attack: end the sign-in of somebody with a refresh token that was made up.
func TestAttackMadeUpRefreshTokenEndsNothing(t *testing.T) {
	w := newWorld(t)
	got := w.signIn("ann")
	good := got.text("refresh_token")
	for _, made := range []string{"", "mlr_", "mlr_.", "mlr_x." + strings.Split(good, ".")[1], "." + strings.Split(good, ".")[1], got.text("access_token"), strings.Split(good, ".")[0]} {
		refused(t, w.refresh(made), "invalid_grant")
	}
	if w.refresh(good).status != http.StatusOK {
		t.Error("it has ended")
	}
	if w.whose(good) != nil {
		t.Error("a refresh token is taken for an access token")
	}
}

// The attack: go on after the account was deactivated, made a service account, deleted, or the token revoked in the list.
func TestAttackRenewalAfterTheEnd(t *testing.T) {
	for name, end := range map[string]func(*world, directory.Token) error{
		"revoked in the list": func(w *world, one directory.Token) error { return w.db.DeleteToken(w.t.Context(), one.UserID, one.ID) },
		"all revoked": func(w *world, one directory.Token) error {
			_, err := w.db.DeleteTokens(w.t.Context(), one.UserID)
			return err
		},
		"deactivated":     func(w *world, _ directory.Token) error { return w.db.SetActive(w.t.Context(), "ann", false) },
		"service account": func(w *world, _ directory.Token) error { return w.db.SetRoles(w.t.Context(), "ann", false, true) },
		"deleted":         func(w *world, _ directory.Token) error { return w.db.DeleteUser(w.t.Context(), "ann") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			got := w.signIn("ann")
			device, user := w.ask()
			w.approve("ann", user)
			w.must(end(w, w.tokens("ann")[0]))
			refused(t, w.refresh(got.text("refresh_token")), "invalid_grant")
			late := w.poll(device) // what was approved before, too
			if revoked := strings.Contains(name, "revoked"); (late.status == http.StatusOK) != revoked {
				t.Errorf("a code of before: %d %s", late.status, late.body)
			}
		})
	}
}

// RFC 7009: either token ends the sign-in; another token is not touched, and nobody learns whether it is one.
func TestRevocationEndsTheSignIn(t *testing.T) {
	w := newWorld(t)
	for _, which := range []string{"access_token", "refresh_token"} {
		got := w.signIn("ann")
		if answer := w.post("/oauth/revoke", "token", got.text(which)); answer.status != http.StatusOK {
			t.Errorf("%d %s", answer.status, answer.body)
		}
		if w.whose(got.text("access_token")) != nil || len(w.tokens("ann")) != 0 {
			t.Errorf("the %s revokes nothing", which)
		}
		refused(t, w.refresh(got.text("refresh_token")), "invalid_grant")
	}
	got := w.signIn("ann")
	for _, other := range []string{"", "mlo_made-up", "mlr_made.up"} {
		if answer := w.post("/oauth/revoke", "token", other); answer.status != http.StatusOK || w.whose(got.text("access_token")) == nil {
			t.Errorf("%q: %d %s", other, answer.status, answer.body)
		}
	}
}
