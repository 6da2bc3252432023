package login

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

// trouble is what a page says about a sign-in that ended without a session: what happened, and what can be done.
type trouble struct {
	title  string
	words  string // what happened; "": what the error says of itself
	do     string // what the person can do
	admin  string // what an administrator can look at
	again  string // the button that tries once more; "": that changes nothing
	others bool   // somebody else may have more luck
}

const (
	tryAgain = "Try again"
	anew     = "Sign in again"
	askAdmin = "Ask an administrator of this server, and give the request below."
)

// troubles are by what ended the sign-in. None shows what the address says, which is whoever's who made it; which groups may sign in; or
// whether there is an account, but to whom the provider vouches for.
var troubles = map[errs.Reason]trouble{
	errs.SignInGone: {title: "This sign-in is over",
		words: "It was finished already, has expired, or was begun in another browser.",
		do:    "You have to start again; where you are signed in already, you can simply go on.", again: anew},
	errs.SignInExpired: {title: "This sign-in took too long",
		words: "It has expired, since it was not finished within ten minutes.", do: "You have to start again; you will still come to the page that you asked for.", again: anew},
	errs.NoCookie: {title: "Your browser sent no cookie",
		words: "Without one nobody can be signed in: it may keep none for this site, or the sign-in was begun in another browser or at another address of this server.",
		do:    "Allow cookies for this site, and start again at the very address in the bar of your browser, with https where it has that.",
		admin: "PUBLIC_URL and OIDC_REDIRECT_URI have to be of the address that people use. With SESSION_COOKIE_SECURE cookies need https; a proxy that ends TLS belongs in TRUSTED_PROXIES and has to send X-Forwarded-Proto.",
		again: anew},
	errs.ProviderDown: {title: "The identity provider cannot be reached",
		words: "It does not answer this server, or not as it should. Who is signed in already can go on.",
		do:    "Wait a moment and try again. If that does not help, tell an administrator of this server.",
		admin: "The audit event of this request, or else the log, says what failed. mlflow-oidc-auth doctor asks the provider step by step.", again: tryAgain},
	errs.ProviderRefused: {title: "The identity provider did not sign you in",
		words: "It was cancelled there, or you may not use this application there.",
		do:    "Try again if you have cancelled it. Else ask whoever looks after the identity provider that you may use MLflow.",
		admin: "What the provider said is in the audit event of this request.", again: tryAgain, others: true},
	errs.CodeRefused: {title: "The identity provider refused the sign-in",
		words: "It refused the sign-in in its last step. It may have been used already, or have taken too long.", do: "You have to start again.",
		admin: "If it always happens: the redirect address that is registered at the provider must be the one of this server to the letter. What the provider said is in the audit event of this request.",
		again: anew},
	errs.Misconfigured: {title: "Signing in is not set up right",
		do: askAdmin,
		admin: "Compare with what is registered at the provider: the client id and its secret or key, the redirect address (/callback of this server), the scopes, the claims of names and groups. " +
			"What the provider said is in the audit event of this request; mlflow-oidc-auth doctor checks all of it.", again: tryAgain},
	errs.Clocks: {title: "The clocks of this server and of the identity provider differ",
		words: "What the provider says would be true at another time alone, and so it cannot be believed: the token is not valid by the clock of this server.",
		do:    "Try again. If it happens again, tell an administrator of this server.",
		admin: "The audit event of this request says by how much. Have both machines take their time by NTP.", again: tryAgain},
	errs.NotAllowed: {title: "You may not use MLflow here",
		words: "The identity provider has signed you in, but you are in none of the groups that may use MLflow here.",
		do:    "Ask an administrator of this server to add you to one, or sign in as somebody else.",
		admin: "OIDC_GROUP_NAME and OIDC_ADMIN_GROUP_NAME say which groups may; the claim OIDC_GROUPS_ATTRIBUTE has those of the person.", others: true},
	errs.Deactivated: {title: "Your account is deactivated",
		do: "Ask an administrator of this server to activate it again.", others: true},
	errs.NameTaken: {title: "Your name belongs to somebody else here",
		words: "The name that the identity provider gives you belongs to another account.",
		do:    "If that account is yours too, an administrator has to link them.",
		admin: "The audit event of this request has the identity; link it on the page of the account, or give the person another name at the provider.", others: true},
	errs.Foreign: {title: "This came from another site",
		words: "A page of another site had your browser ask for this, and it was refused. Nothing was changed.",
		do:    "If you wanted it, do it here.",
		admin: "If it was a page of this server: PUBLIC_URL has to be the address that people use, and a proxy must hand on the Host, or be in TRUSTED_PROXIES."},
}

// byCode are the troubles that have no reason of their own.
var byCode = map[errs.Code]trouble{
	errs.Internal: {title: "Something went wrong", words: "This is a fault of the server. Nothing that you did caused it.",
		do: askAdmin, admin: "The server's log says more.", again: tryAgain},
	errs.Unavailable: {title: "Signing in is not possible right now",
		do: "Wait a moment and try again. If that does not help, tell an administrator of this server.", admin: "The audit event of this request, or else the log, says more.", again: tryAgain},
	errs.Limited: {title: "Too many attempts", do: "Wait a minute, and try again.", again: tryAgain},
	errs.Unauthenticated: {title: "The identity provider's answer was not accepted",
		do: "Try again. If it happens again, tell an administrator of this server.", admin: "The audit event of this request says more.", again: tryAgain},
	errs.NotFound: {title: "There is no such identity provider", words: "The address is wrong, or the provider is not used here any more.", do: "Choose another one."},
}

// other is for what is in neither table.
var other = trouble{title: "You are not signed in", do: askAdmin, again: tryAgain, others: true}

// troubleOf gives what is said of an error.
func troubleOf(err error) trouble {
	t, known := troubles[errs.ReasonOf(err)]
	if !known {
		t, known = byCode[errs.CodeOf(err)]
	}
	if !known {
		t = other
	}
	var coded *errs.Error
	if t.words == "" && errors.As(err, &coded) {
		t.words = sentence(coded.Message)
	}
	return t
}

// sentence makes of an error's message one.
func sentence(message string) string {
	first, size := utf8.DecodeRuneInString(message)
	return string(unicode.ToUpper(first)) + strings.TrimSuffix(message[size:], ".") + "."
}

// notSignedIn says why a sign-in, or a sign-out, ended without what was asked for. A program gets it in MLflow's form.
func (l *Login) notSignedIn(w http.ResponseWriter, r *http.Request, s state, who string, err error) {
	if program(r) {
		httpx.WriteError(w, r, l.Log, err)
		return
	}
	httpx.RetryAfter(w, err)
	t := troubleOf(err)
	v := view{Title: t.title, Message: t.words, Who: who, Do: t.do, Admin: t.admin}
	if s.Trial != "" { // whoever tries a sign-in is not to be signed in by another one
		v.Others = append(v.Others, link{l.address(trialPage), "Back to the identity providers"})
		render(w, httpx.Status(err), v)
		return
	}
	next := l.Origin.Return(s.Next)
	start := l.address("/login?next=" + url.QueryEscape(next))
	c, chosen := l.Choices.chosen(s.Provider)
	if chosen {
		start = l.startAt(c.ID, next)
	}
	if s.Provider != "" {
		v.Via = c.DisplayName
	}
	if !s.Since.IsZero() {
		start += "&fresh=1"
	}
	if t.again != "" {
		v.Choices = append(v.Choices, link{start, t.again})
	}
	if t.others && chosen {
		v.Choices = append(v.Choices, link{start + "&other=1", "Sign in as somebody else"})
		v.Hint = "If you come back as the same person, sign out at the identity provider first."
	}
	if l.Sessions.Present(r) {
		v.Others = append(v.Others, link{next, "Go on to MLflow"})
	}
	v.Others = append(v.Others, link{l.address("/login?next=" + url.QueryEscape(next)), "Back to the sign-in page"})
	render(w, httpx.Status(err), v)
}

// program tells whether a request wants JSON, and no page.
func program(r *http.Request) bool {
	accepts := r.Header.Get("Accept")
	return strings.Contains(accepts, "application/json") && !strings.Contains(accepts, "text/html")
}
