package terminal

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/token"
)

// The types of token that can be exchanged (RFC 8693 §3). What they are is seen from the tokens themselves.
const (
	typeAccess = "urn:ietf:params:oauth:token-type:access_token"
	typeJWT    = "urn:ietf:params:oauth:token-type:jwt"
	typeID     = "urn:ietf:params:oauth:token-type:id_token"
)

// exchanged is the answer to an exchange (RFC 8693 §2.2.1).
type exchanged struct {
	Access  string `json:"access_token"`
	Kind    string `json:"issued_token_type"`
	Type    string `json:"token_type"`
	Expires int    `json:"expires_in"`
	Scope   string `json:"scope,omitempty"`
}

// exchange gives an access token of ours for a token that would be let in as a bearer (RFC 8693 §2). What comes of it is not wider,
// not longer, and not renewed.
func (s *Server) exchange(w http.ResponseWriter, r *http.Request, fields map[string]string) {
	e, got, err := s.exchangeOf(r, fields)
	if err == nil {
		err = s.Store.Exchange(r.Context(), e)
	}
	if errs.Is(err, errs.Unauthenticated) || errs.Is(err, errs.Denied) || errs.Is(err, errs.NotFound) || errs.Is(err, errs.Conflict) {
		err = refusal{"invalid_request", err.Error()} // RFC 8693 §2.2.2
	}
	about := audit.Event{Name: audit.TokenExchanged}
	if e != nil {
		about.Account, about.UserID, about.Actor = e.Token.CreatedBy, e.Token.UserID, e.Actor.String()
	}
	if err != nil {
		about.Name, about.Reason = audit.ExchangeRefused, err.Error()
		s.Audit.Record(r.Context(), about)
		s.fail(w, r, err)
		return
	}
	about.Token = strconv.FormatInt(e.Token.ID, 10)
	s.Audit.Record(r.Context(), about)
	httpx.WriteJSON(w, http.StatusOK, got)
}

// exchangeOf checks what is asked, and makes the token of it.
func (s *Server) exchangeOf(r *http.Request, fields map[string]string) (*directory.Exchanged, exchanged, error) {
	refused := func(err error) (*directory.Exchanged, exchanged, error) { return nil, exchanged{}, err }
	if err := s.asksForOurs(r, fields); err != nil {
		return refused(err)
	}
	subject, err := s.shown(r, fields, "subject_token")
	if err != nil {
		return refused(err)
	}
	chain, until, err := s.acting(r, fields, subject)
	if err != nil {
		return refused(err)
	}
	narrow, err := narrowed(fields["scope"], subject.Subject.Scope)
	if err != nil {
		return refused(err)
	}
	now := s.Now().UTC().Truncate(time.Second)
	ends := now.Add(s.ExchangeFor)
	if until.Before(ends) {
		ends = until.UTC().Truncate(time.Second)
	}
	if !ends.After(now) {
		return refused(refusal{"invalid_request", "the token has expired"})
	}
	secret, hash := token.NewSecret()
	e := &directory.Exchanged{Actor: chain, Token: directory.Token{UserID: subject.Subject.UserID, Name: "exchanged: " + strings.ToLower(word()), Prefix: token.Prefix(secret),
		Hash: hash, Scope: narrow, CreatedAt: now, CreatedBy: subject.Subject.Username, ExpiresAt: ends}}
	if subject.Exchanged {
		e.Parent = subject.TokenID
	}
	return e, exchanged{Access: secret, Kind: typeAccess, Type: "Bearer", Expires: int(ends.Sub(now).Seconds()), Scope: scopeText(narrow)}, nil
}

// asksForOurs refuses what asks for something else than an access token for this gateway.
func (s *Server) asksForOurs(r *http.Request, fields map[string]string) error {
	base := s.Origin.Base(r)
	switch client, given := fields["client_id"]; {
	case r.Header.Get("Authorization") != "" || fields["client_secret"] != "" || fields["client_assertion"] != "" || given && client != ClientID:
		return refusal{"invalid_client", "no client proves itself here; client_id can be " + ClientID + ", or is left out"}
	}
	if kind, given := fields["requested_token_type"]; given && kind != typeAccess {
		return refusal{"invalid_request", "requested_token_type can be " + typeAccess}
	}
	for _, name := range []string{"resource", "audience"} {
		if to, given := fields[name]; given && strings.TrimSuffix(to, "/") != base && (name != "audience" || to != ClientID) {
			return refusal{"invalid_target", name + " must be " + base + ", or is left out"}
		}
	}
	return nil
}

// shown checks a token of the form, as one that lets in. A token that somebody made for a purpose makes no other one; one that came of an exchange may.
func (s *Server) shown(r *http.Request, fields map[string]string, name string) (token.Proof, error) {
	raw, kind := fields[name], fields[name+"_type"]
	if raw == "" || !slices.Contains([]string{typeAccess, typeJWT, typeID}, kind) {
		return token.Proof{}, refusal{"invalid_request", name + " is needed, and " + name + "_type of it: the access token, ID token or JWT of a provider"}
	}
	if kind != typeAccess && strings.Count(raw, ".") != 2 {
		return token.Proof{}, refusal{"invalid_request", name + " is no JWT, and " + name + "_type says that it is one"}
	}
	proof, err := s.Prove(r, raw)
	if err != nil {
		return token.Proof{}, err
	}
	if proof.Bearer.Until.IsZero() && !proof.Exchanged {
		return token.Proof{}, refusal{"invalid_request", "an access token of this gateway is not exchanged; it makes no other token"}
	}
	if !proof.Bearer.Until.IsZero() {
		if proof.Actor, err = directory.ActorOf(proof.Bearer.Act, proof.Bearer.Identity.Provider); err != nil {
			return token.Proof{}, refusal{"invalid_request", err.Error()}
		}
	}
	return proof, nil
}

// acting gives who acts with the new token, and until when, by the tokens of both.
func (s *Server) acting(r *http.Request, fields map[string]string, subject token.Proof) (*directory.Actor, time.Time, error) {
	_, typed := fields["actor_token_type"]
	if _, given := fields["actor_token"]; !given {
		if typed || subject.Bearer.MayAct != nil {
			return nil, time.Time{}, refusal{"invalid_request", "actor_token is missing"}
		}
		return subject.Actor, subject.Until, nil
	}
	actor, err := s.shown(r, fields, "actor_token")
	if err != nil {
		return nil, time.Time{}, err
	}
	if actor.Actor != nil {
		return nil, time.Time{}, refusal{"invalid_request", "whoever acts for another one does so with a token of its own"}
	}
	id := actor.Bearer.Identity
	if may := subject.Bearer.MayAct; may != nil && !mayAct(may, id, subject.Bearer.Identity.Provider) {
		return nil, time.Time{}, refusal{"invalid_request", "subject_token says that another one may act"}
	}
	chain := &directory.Actor{Account: actor.Subject.Username, Issuer: id.Provider, Subject: id.Subject, Before: subject.Actor}
	if chain.Length() > directory.MaxActors {
		return nil, time.Time{}, refusal{"invalid_request", fmt.Sprintf("more than %d act, one for the other", directory.MaxActors)}
	}
	return chain, earlier(subject.Until, actor.Until), nil
}

// mayAct tells whether a token's claim of who may act means an identity (RFC 8693 §4.4).
func mayAct(claim any, id directory.Identity, issuer string) bool {
	meant, err := directory.ActorOf(claim, issuer)
	return err == nil && meant != nil && meant.Before == nil && meant.Issuer == id.Provider && meant.Subject == id.Subject
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// narrowed gives the scope that is asked for; none asks for what the token has that is exchanged.
func narrowed(asked string, has *authz.Scope) (*authz.Scope, error) {
	if asked == "" {
		return has, nil
	}
	scope, err := parseScope(asked)
	if err != nil {
		return nil, refusal{"invalid_scope", err.Error()}
	}
	if !scope.Within(has) {
		return nil, refusal{"invalid_scope", "scope is wider than that of subject_token"}
	}
	return scope, nil
}

// parseScope reads a scope as OAuth writes it (RFC 6749 §3.3): read, the names of kinds, and single resources as kind:id or, in a
// workspace, kind@workspace:id, with all but letters and digits of an id as in an address.
func parseScope(text string) (*authz.Scope, error) {
	scope := &authz.Scope{}
	for part := range strings.SplitSeq(text, " ") {
		name, id, single := strings.Cut(part, ":")
		name, space, _ := strings.Cut(name, "@")
		switch plain, err := url.PathUnescape(id); {
		case err != nil || strings.Contains(id, "+") || part == "" || single && id == "" || !single && strings.Contains(part, "@"):
			return nil, errs.New(errs.Invalid, "%q is no scope", part)
		case single:
			scope.Resources = append(scope.Resources, authz.Scoped{Kind: kind.Name(name), Workspace: space, ID: plain})
		case part == readOnly:
			scope.ReadOnly = true
		default:
			scope.Kinds = append(scope.Kinds, kind.Name(part))
		}
	}
	return scope, scope.Check()
}

// scopeText writes a scope as parseScope reads it.
func scopeText(s *authz.Scope) string {
	if s == nil {
		return ""
	}
	var all []string
	if s.ReadOnly {
		all = append(all, readOnly)
	}
	for _, k := range s.Kinds {
		all = append(all, string(k))
	}
	for _, one := range s.Resources {
		name := string(one.Kind)
		if one.Workspace != "" {
			name += "@" + one.Workspace
		}
		all = append(all, name+":"+strings.ReplaceAll(url.PathEscape(one.ID), "+", "%2B"))
	}
	return strings.Join(all, " ")
}
