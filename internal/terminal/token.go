package terminal

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/token"
)

// The answers to a program that waits (RFC 8628 §3.5), and to codes and tokens that are not good.
var (
	pending  = refusal{"authorization_pending", "nobody has approved the request yet"}
	slowDown = refusal{"slow_down", "it asks too often; each time makes the pause five seconds longer"}
	expired  = refusal{"expired_token", "the code has expired; start again"}
	denied   = refusal{"access_denied", "the request was denied"}
	badCode  = refusal{"invalid_grant", "the code is wrong, has expired, or was used before"}
	badToken = refusal{"invalid_grant", "the sign-in has ended, or was revoked; sign in again"}
)

const (
	askFor   = 10 * time.Minute // how long a request waits for an answer
	codeFor  = time.Minute      // how long a code of the browser's flow is good
	pause    = 5 * time.Second
	longest  = time.Minute // of pauses
	lastGood = time.Minute // how long the token before is good for requests under way
)

// ask begins the flow for a program without a browser (RFC 8628 §3.1).
func (s *Server) ask(w http.ResponseWriter, r *http.Request) {
	fields, err := form(r)
	var from program
	if err == nil {
		from, err = programOf(fields)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	secret, now := identity.DevicePrefix+word(), s.Now()
	one := directory.Ask{Secret: sum(secret), UserCode: newUserCode(), Name: from.Name, Scope: from.Scope, Place: s.Origin.Client(r),
		State: directory.AskPending, CreatedAt: now, ExpiresAt: now.Add(askFor), Pause: pause}
	if err := s.Store.CreateAsk(r.Context(), one); err != nil {
		s.fail(w, r, err)
		return
	}
	page, shown := s.Origin.Base(r)+"/oauth/device", shownUserCode(one.UserCode)
	httpx.WriteJSON(w, http.StatusOK, map[string]any{"device_code": secret, "user_code": shown, "verification_uri": page,
		"verification_uri_complete": page + "?user_code=" + shown, "expires_in": int(askFor.Seconds()), "interval": int(pause.Seconds())})
}

// issued is what a program gets.
type issued struct {
	Access  string `json:"access_token"`
	Type    string `json:"token_type"`
	Expires int    `json:"expires_in"`
	Refresh string `json:"refresh_token"`
	Scope   string `json:"scope,omitempty"`
	User    string `json:"username,omitempty"` // who approved, so that the person at the terminal sees whether it was they
}

// token answers a program that shows what it has (RFC 6749 §3.2).
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	fields, err := form(r)
	if err == nil && fields["grant_type"] == grantExchange && s.ExchangeFor > 0 {
		s.exchange(w, r, fields)
		return
	}
	if err == nil && fields["client_id"] != ClientID {
		err = refusal{"invalid_client", "client_id must be " + ClientID}
	}
	var got issued
	if err == nil {
		switch fields["grant_type"] {
		case grantDevice:
			got, err = s.redeem(r, fields["device_code"], s.polled)
		case grantCode:
			got, err = s.redeem(r, fields["code"], func(a *directory.Ask) error { return s.proven(a, fields["redirect_uri"], fields["code_verifier"]) })
		case grantRefresh:
			got, err = s.renew(r, fields["refresh_token"])
		default:
			err = refusal{"unsupported_grant_type", "grant_type can be " + strings.Join([]string{grantCode, grantRefresh, grantDevice}, ", ")}
		}
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	httpx.WriteJSON(w, http.StatusOK, got)
}

// redeem gives a token for a code that was approved, once. Whoever shows a code a second time has it from somebody, or
// somebody has it from them: what came of it ends (RFC 6749 §4.1.2).
func (s *Server) redeem(r *http.Request, secret string, ready func(*directory.Ask) error) (issued, error) {
	var got issued
	var made directory.Terminal
	err := s.Store.Redeem(r.Context(), sum(secret), func(a directory.Ask) (done directory.Redemption) {
		if a.State == directory.AskUsed {
			return directory.Redemption{Ask: a, End: true, Answer: badCode}
		}
		done.Answer = ready(&a)
		if done.Answer == nil {
			made, got = s.signIn(a)
			a.State, done.Make = directory.AskUsed, &made
		}
		done.Ask = a
		return done
	})
	if errs.Is(err, errs.NotFound) {
		err = badCode
	}
	if err == nil {
		got.User = made.Token.CreatedBy
		s.Audit.Record(r.Context(), audit.Event{Name: audit.TerminalSignedIn, Account: got.User, UserID: made.Token.UserID})
	}
	return got, err
}

// polled says whether a request for a device is approved, and notes that its program asked.
func (s *Server) polled(a *directory.Ask) error {
	now := s.Now()
	switch {
	case a.Redirect != "":
		return badCode // it is of the other flow
	case !now.Before(a.ExpiresAt):
		return expired
	case a.State == directory.AskDenied:
		return denied
	case !a.PolledAt.IsZero() && now.Sub(a.PolledAt) < a.Pause-time.Second: // the way here takes now longer, now less long
		a.PolledAt, a.Pause = now, min(a.Pause+pause, longest)
		return slowDown
	case a.State == directory.AskPending:
		a.PolledAt = now
		return pending
	}
	return nil
}

// proven says whether a code of the browser's flow is shown by the program that began it. Whatever is wrong, the code is
// used up.
func (s *Server) proven(a *directory.Ask, redirect, verifier string) error {
	challenge := sha256.Sum256([]byte(verifier))
	good := a.Redirect != "" && a.State == directory.AskApproved && s.Now().Before(a.ExpiresAt) && a.Redirect == redirect && len(verifier) >= 43 && len(verifier) <= 128 &&
		subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(challenge[:])), []byte(a.Challenge)) == 1
	if good {
		return nil
	}
	if a.Redirect != "" {
		a.State = directory.AskUsed
	}
	return badCode
}

// signIn makes a sign-in for whoever approved a request.
func (s *Server) signIn(a directory.Ask) (directory.Terminal, issued) {
	now := s.Now().UTC().Truncate(time.Second)
	key := word()[:22]
	t := directory.Terminal{Key: sum(key), ExpiresAt: now.Add(s.Lifetime), Token: directory.Token{UserID: a.UserID,
		Name: fmt.Sprintf("signed in at a terminal: %s, %s", a.Name, strings.ToLower(newUserCode())), Scope: scope(a.Scope), CreatedAt: now}}
	got := s.issue(&t, key, now)
	got.Scope = a.Scope
	return t, got
}

// issue puts new secrets in a sign-in.
func (s *Server) issue(t *directory.Terminal, key string, now time.Time) issued {
	secret, hash := token.NewSecret()
	refresh := refreshPrefix + key + "." + word()
	t.Refresh = sum(refresh)
	t.Token.Hash, t.Token.Prefix, t.Token.ExpiresAt = hash, token.Prefix(secret), now.Add(s.TokenLifetime)
	if t.Token.ExpiresAt.After(t.ExpiresAt) {
		t.Token.ExpiresAt = t.ExpiresAt
	}
	return issued{Access: secret, Type: "Bearer", Expires: int(t.Token.ExpiresAt.Sub(now).Seconds()), Refresh: refresh}
}

const refreshPrefix = identity.RefreshPrefix

// keyOf gives the part that all refresh tokens of a sign-in begin with.
func keyOf(refresh string) (string, bool) {
	rest, ok := strings.CutPrefix(refresh, refreshPrefix)
	key, _, cut := strings.Cut(rest, ".")
	return key, ok && cut && key != ""
}

// renew gives new secrets for the one refresh token that is good. An older one of the same sign-in was copied, by whoever
// shows it or from them: the sign-in ends (RFC 9700 §4.14.2). The key tells it from one that somebody made up.
func (s *Server) renew(r *http.Request, refresh string) (issued, error) {
	key, ok := keyOf(refresh)
	if !ok {
		return issued{}, badToken
	}
	var got issued
	err := s.Store.Renew(r.Context(), sum(key), func(t directory.Terminal, owner directory.User) directory.Renewal {
		now, shown := s.Now().UTC().Truncate(time.Second), sum(refresh)
		switch {
		case subtle.ConstantTimeCompare(shown[:], t.Refresh[:]) != 1:
			s.Audit.Record(r.Context(), audit.Event{Name: audit.TerminalReused, Account: owner.Username, UserID: owner.ID, Token: strconv.FormatInt(t.Token.ID, 10)})
			return directory.Renewal{End: true, Answer: badToken}
		case !now.Before(t.ExpiresAt):
			return directory.Renewal{End: true, Answer: badToken}
		case !owner.Active || owner.Service:
			return directory.Renewal{Answer: refusal{"invalid_grant", "the account is deactivated, or nobody signs in to it"}}
		}
		t.Last, t.LastUntil = t.Token.Hash, now.Add(lastGood)
		if t.LastUntil.After(t.Token.ExpiresAt) {
			t.LastUntil = t.Token.ExpiresAt
		}
		got = s.issue(&t, key, now)
		return directory.Renewal{Terminal: t}
	})
	if errs.Is(err, errs.NotFound) {
		err = badToken
	}
	return got, err
}

// revoke ends a sign-in, by its token or refresh token (RFC 7009). Who shows another token learns nothing of it.
func (s *Server) revoke(w http.ResponseWriter, r *http.Request) {
	fields, err := form(r)
	if err == nil && fields["client_id"] != ClientID {
		err = refusal{"invalid_client", "client_id must be " + ClientID}
	}
	if err == nil {
		key, _ := keyOf(fields["token"])
		err = s.Store.EndTerminal(r.Context(), sum(key), sum(fields["token"]))
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	httpx.WriteJSON(w, http.StatusOK, struct{}{})
}
