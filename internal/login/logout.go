package login

import (
	"crypto/subtle"
	"net/http"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// confirmLogout asks first: a link on another site must not sign anybody out.
func (l *Login) confirmLogout(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Sec-Fetch-Site") == "same-origin" || !l.Sessions.Present(r) {
		l.logout(w, r)
		return
	}
	render(w, http.StatusOK, view{Title: "Sign out of MLflow?", Do: "Another page, or an address that was typed, has led here. Nothing has happened yet.", Post: l.address("/logout"), Label: "Sign out",
		Others: []link{{l.address("/"), "Stay signed in"}}})
}

// logout ends the session here first, also when the provider is down, and then at the provider.
func (l *Login) logout(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost && !l.Origin.SameOrigin(r) {
		l.fail(w, r, state{}, errs.New(errs.Denied, "this request came from another site and was refused").Because(errs.Foreign))
		return
	}
	record, err := l.Sessions.End(w, r)
	if err != nil {
		l.fail(w, r, state{}, err)
		return
	}
	if record.UserID != 0 {
		l.Audit.Record(r.Context(), audit.Event{Name: audit.SessionEnded, UserID: record.UserID, Subject: record.Subject, Cause: "owner", Count: 1})
	}
	idToken := ""
	if plain, err := l.Keys.Open(tokenPurpose, record.SealedToken); err == nil {
		idToken = string(plain)
	}
	c, ok := l.Choices.of(record.Provider)
	if ok && record.UserID != 0 {
		state := random()
		if to := c.Logout(r.Context(), idToken, l.Origin.Base(r)+"/login", state); to != "" {
			l.cookie(w, r, l.outName(r), state, int(stateFor.Seconds()))
			http.Redirect(w, r, to, http.StatusSeeOther)
			return
		}
	}
	if record.UserID == 0 && !l.atOnce() {
		http.Redirect(w, r, l.address("/login"), http.StatusSeeOther)
		return
	}
	words := "You are signed out of MLflow."
	if ok && record.UserID != 0 {
		words += " At the identity provider you may still be signed in, so that whoever uses this browser next comes in without a password: sign out there too."
	}
	l.farewell(w, words)
}

// farewell says that one is signed out. It does not lead on: the login page can sign in again at once.
func (l *Login) farewell(w http.ResponseWriter, words string) {
	render(w, http.StatusOK, view{Title: "You are signed out", Do: words, Choices: []link{{l.address("/login"), anew}}})
}

// signedOut tells whether the provider leads back after a sign-out that this browser began (RP-Initiated Logout 1.0 §3): the
// sign-in page would sign in again at once. It is told once.
func (l *Login) signedOut(w http.ResponseWriter, r *http.Request) bool {
	cookie, err := r.Cookie(l.outName(r))
	given := r.URL.Query()["state"]
	if err != nil || len(given) != 1 || cookie.Value == "" || subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(given[0])) != 1 {
		return false
	}
	l.cookie(w, r, cookie.Name, "", -1)
	return true
}

// outName is the name of the cookie that remembers a sign-out at the provider.
func (l *Login) outName(r *http.Request) string { return l.hostOnly(r, "mlflow_oidc_signout") }
