package login

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
)

// Judge says what would come of what a provider said, as it is shown to the administrator who tries it.
type Judge func(ctx context.Context, provider string, heard directory.Heard) ([]byte, error)

const (
	trialPurpose = "trial of a sign-in"
	trialFor     = 5 * time.Minute // that its outcome can be looked at
	trialPage    = "/oidc/ui/providers"
)

// Begin begins a trial of a sign-in, in the browser of an administrator, and gives the address at the provider where it goes on. It is
// bound to the session: nothing else can finish it, and nobody else sees what comes of it.
func (l *Login) Begin(w http.ResponseWriter, r *http.Request, provider string, by *identity.Subject) (string, error) {
	if by.Credential != identity.Session || by.Session == "" || !by.Admin {
		return "", errs.New(errs.Denied, "a sign-in is tried by an administrator in a browser")
	}
	c, ok := l.Choices.chosen(provider)
	if !ok || provider == "" {
		return "", errs.New(errs.NotFound, "nobody signs in at %q with a browser", provider)
	}
	s := state{Provider: c.ID, State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier(), Until: l.Now().Add(stateFor), Trial: by.Session}
	to, err := c.Start(r.Context(), s.ask(l.redirect(r, c)))
	if err == nil {
		err = l.keep(w, r, s)
	}
	return to, err
}

// tried ends a trial: it makes no session and stores nothing but what the administrator is shown, for a while.
func (l *Login) tried(w http.ResponseWriter, r *http.Request, s state, c Choice) {
	about := audit.Event{Name: audit.SignInTried, Provider: c.ID}
	by, err := l.tester(r, s)
	if err == nil {
		about.By = by
		err = l.first(r.Context(), s)
	}
	if err != nil {
		about.Reason = err.Error()
		l.Audit.Record(r.Context(), about)
		l.notSignedIn(w, r, s, "", err)
		return
	}
	heard := c.Try(r.Context(), r.URL.Query(), s.ask(l.redirect(r, c)))
	about.Subject, about.Account = heard.Login.Identity.Subject, heard.Login.Username
	if heard.Refused != nil {
		about.Reason = heard.Refused.Error()
	}
	l.Audit.Record(r.Context(), about)
	id := random()
	shown, err := l.Judge(r.Context(), c.ID, heard)
	var sealed []byte
	if err == nil {
		sealed, err = l.Keys.Seal(trialPurpose, shown)
	}
	if err == nil {
		err = l.Sessions.Hold(r.Context(), trialOf(s.Trial, id), sealed, l.Now().Add(trialFor))
	}
	if err != nil {
		l.fail(w, r, s, err)
		return
	}
	http.Redirect(w, r, l.address(trialPage+"?trial="+url.QueryEscape(id)), http.StatusSeeOther)
}

// tester gives who tries: whoever began it, in the same session, and an administrator still. Where browsers keep the session's cookie
// back from a redirect that another site began, nobody is known here; only that session is shown the outcome all the same.
func (l *Login) tester(r *http.Request, s state) (string, error) {
	by, err := l.Authenticate(r)
	if err == nil && by == nil && !l.Sessions.Present(r) && l.Sessions.SameSite == http.SameSiteStrictMode {
		return "", nil
	}
	if errs.Is(err, errs.Unauthenticated) {
		by, err = nil, nil
	}
	if err == nil && (by == nil || by.Credential != identity.Session || by.Session != s.Trial || !by.Admin) {
		err = errs.New(errs.Denied, "this was the trial of an administrator who is not signed in here any more; nobody was signed in by it")
	}
	if err != nil {
		return "", err
	}
	return by.Username, nil
}

// first sees to it that the answer to a trial counts once, also for who has kept the cookie.
func (l *Login) first(ctx context.Context, s state) error {
	used, err := l.Sessions.Used(ctx, trialPurpose+" "+s.State)
	if err == nil && used {
		err = errs.New(errs.Invalid, "this trial has ended already; start again")
	}
	if err != nil {
		return err
	}
	return l.Sessions.MarkUsed(ctx, trialPurpose+" "+s.State, s.Until)
}

// Outcome gives what came of a trial to the session that began it, once.
func (l *Login) Outcome(ctx context.Context, by *identity.Subject, id string) ([]byte, error) {
	gone := errs.New(errs.NotFound, "there is no such trial of yours, or you have seen it already; try again")
	if by.Session == "" || !by.Admin || id == "" {
		return nil, gone
	}
	sealed, err := l.Sessions.Claim(ctx, trialOf(by.Session, id))
	if errs.Is(err, errs.Unauthenticated) || errs.Is(err, errs.Conflict) {
		return nil, gone
	}
	if err != nil {
		return nil, err
	}
	shown, err := l.Keys.Open(trialPurpose, sealed)
	if err != nil {
		return nil, gone
	}
	return shown, nil
}

// trialOf names the outcome of a trial by the session that may see it.
func trialOf(session, id string) string { return trialPurpose + " " + session + " " + id }
