package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/token"
)

// UserPath names a user. What is embedded has to be exported for huma to fill it.
type UserPath struct {
	Username string `path:"username" maxLength:"255"`
}

type tokenPath struct {
	ID int64 `path:"token_id"`
}

type userTokenPath struct {
	UserPath
	ID int64 `path:"token_id"`
}

type userTokens struct {
	UserPath
	Paging
}

type personalBody struct {
	Name       string     `json:"name" maxLength:"255"`
	Expiration *string    `json:"expiration,omitempty" nullable:"true" doc:"a time in ISO 8601, UTC without an offset; at most a day more than the configured lifetime, which is the default"`
	Scope      *scopeBody `json:"scope,omitempty" doc:"what the token is narrowed to; without it the token may do all that its owner may, but make tokens"`
}

// newPersonal is a token to be made. RawBody is the same as Body, for the fields that Body has no place for.
type newPersonal struct {
	RawBody []byte
	Body    personalBody
}

type newPersonalOf struct {
	UserPath
	RawBody []byte
	Body    personalBody
}

// Personal is a token with a name. It is exported for the OpenAPI document, which leaves out embedded types that are not.
type Personal struct {
	ID        int64      `json:"id"`
	Name      string     `json:"name"`
	Prefix    string     `json:"token_prefix" doc:"how the token begins"`
	CreatedAt string     `json:"created_at"`
	CreatedBy string     `json:"created_by"`
	ExpiresAt string     `json:"expires_at"`
	UsedAt    *string    `json:"last_used_at" nullable:"true" doc:"up to a minute late"`
	Active    bool       `json:"active"`
	Scope     *scopeBody `json:"scope,omitempty"`
	Exchanged bool       `json:"exchanged,omitempty" doc:"it was given for the token of an identity provider or a job"`
	Actor     string     `json:"actor,omitempty" doc:"who acts with it for its owner, the last one first"`
}

type madePersonal struct {
	Personal
	Secret string `json:"token" doc:"the token itself, which is not shown again"`
}

type personals struct {
	Tokens []Personal `json:"tokens"`
}

type deletion struct {
	Deleted int `json:"deleted"`
}

type revocation struct {
	Revoked int64 `json:"revoked"`
}

// personalTokens are a user's tokens with names: one's own, and those of others to who handles them.
func (a *API) personalTokens(r *registrar) {
	const own, others = "/users/current/tokens", "/users/{username}/tokens"
	addPagedIn(r, own, "One's own tokens with names", func(ctx context.Context, s *identity.Subject, _ *Paging) (listing[Personal], func([]Personal) personals, error) {
		return a.listTokens(ctx, s, s.Username)
	})
	add(r, http.MethodPost, own, 201, "Make a token with a name", func(ctx context.Context, s *identity.Subject, in *newPersonal) (madePersonal, error) {
		return a.makeToken(ctx, s, s.Username, in.RawBody, in.Body)
	})
	add(r, http.MethodDelete, own+"/{token_id}", 200, "Revoke one of one's own tokens", func(ctx context.Context, s *identity.Subject, in *tokenPath) (deletion, error) {
		return a.revokeToken(ctx, s, s.Username, in.ID)
	})
	addPagedIn(r, others, "The tokens with names of a user", func(ctx context.Context, s *identity.Subject, in *userTokens) (listing[Personal], func([]Personal) personals, error) {
		return a.listTokens(ctx, s, in.Username)
	})
	add(r, http.MethodPost, others, 201, "Make a token with a name for a user", func(ctx context.Context, s *identity.Subject, in *newPersonalOf) (madePersonal, error) {
		return a.makeToken(ctx, s, in.Username, in.RawBody, in.Body)
	})
	add(r, http.MethodDelete, others, 200, "Revoke every token of a user, also the one without a name", func(ctx context.Context, s *identity.Subject, in *UserPath) (revocation, error) {
		user, err := a.handled(ctx, s, in.Username)
		if err != nil {
			return revocation{}, err
		}
		revoked, err := a.Store.DeleteTokens(ctx, user.ID)
		return revocation{revoked}, a.done(ctx, err, s, audit.Event{Name: audit.TokenRevoked, Account: user.Username, UserID: user.ID})
	})
	add(r, http.MethodDelete, others+"/{token_id}", 200, "Revoke a token of a user", func(ctx context.Context, s *identity.Subject, in *userTokenPath) (deletion, error) {
		return a.revokeToken(ctx, s, in.Username, in.ID)
	})
}

// handled finds the user whose tokens the caller may see and revoke: oneself, a service account of one's own, and as an
// administrator everybody. To others nobody says who exists.
func (a *API) handled(ctx context.Context, s *identity.Subject, username string) (directory.User, error) {
	user, err := a.Store.User(ctx, canonical(username))
	if s.Admin || err == nil && user.ID == s.UserID {
		return user, err
	}
	refused := errs.New(errs.Denied, "only administrators, and owners of service accounts, handle tokens of others")
	if err != nil && !errs.Is(err, errs.NotFound) {
		return user, err
	}
	if err != nil || !user.Service || s.Service || user.Admin && !s.Admin { // its owner may be no administrator any more
		return directory.User{}, refused
	}
	owner, err := a.Store.ServiceOwner(ctx, user.ID)
	if errs.Is(err, errs.NotFound) || err == nil && owner.ID != s.UserID {
		err = refused
	}
	return user, err
}

// supplied finds the user for whom the caller may make tokens. Whoever stole a token must not make others with it that
// outlive its end; and a program that could make its own would need nobody any more.
func (a *API) supplied(ctx context.Context, s *identity.Subject, username string) (directory.User, error) {
	if s.Credential == identity.AccessToken {
		return directory.User{}, errs.New(errs.Denied, "an access token does not make access tokens; sign in for that")
	}
	if s.Service {
		return directory.User{}, errs.New(errs.Denied, "the tokens of a service account are made by its owner or an administrator")
	}
	user, err := a.handled(ctx, s, username)
	if err == nil && user.Admin && !s.Admin { // whoever makes an administrator's tokens is one
		err = errs.New(errs.Denied, "only administrators make tokens for an administrator")
	}
	return user, err
}

func (a *API) listTokens(ctx context.Context, s *identity.Subject, username string) (listing[Personal], func([]Personal) personals, error) {
	all := listing[Personal]{name: func(p Personal) string { return p.Name }}
	within := func(rows []Personal) personals { return personals{rows} }
	user, err := a.handled(ctx, s, username)
	if err != nil {
		return all, within, err
	}
	tokens, err := a.Store.Tokens(ctx, user.ID)
	for _, t := range tokens {
		all.rows = append(all.rows, a.listed(t, user))
	}
	return all, within, err
}

func (a *API) listed(t directory.Token, user directory.User) Personal {
	p := Personal{ID: t.ID, Name: t.Name, Prefix: t.Prefix, CreatedAt: stamp(t.CreatedAt), CreatedBy: t.CreatedBy, ExpiresAt: stamp(t.ExpiresAt),
		Active: user.Active && a.Now().Before(t.ExpiresAt), Scope: scopeShown(t.Scope), Exchanged: t.Exchanged, Actor: t.Actor.String()}
	if !t.UsedAt.IsZero() {
		used := stamp(t.UsedAt)
		p.UsedAt = &used
	}
	return p
}

func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05-07:00") }

func (a *API) makeToken(ctx context.Context, s *identity.Subject, username string, raw []byte, body personalBody) (madePersonal, error) {
	user, err := a.supplied(ctx, s, username)
	if err != nil {
		return madePersonal{}, err
	}
	if err := knownFields(raw, "name", "expiration", "scope"); err != nil {
		return madePersonal{}, err
	}
	name := strings.TrimSpace(body.Name)
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return unicode.Is(unicode.C, r) }) {
		return madePersonal{}, errs.New(errs.Invalid, "name must not be empty, nor contain characters that cannot be seen")
	}
	scope, err := a.scope(body.Scope)
	if err != nil {
		return madePersonal{}, err
	}
	expiration := ""
	if body.Expiration != nil {
		expiration = *body.Expiration
	}
	expires, err := a.expiry(expiration)
	if err != nil {
		return madePersonal{}, err
	}
	secret, hash := token.NewSecret()
	made, err := a.Store.CreateToken(ctx, directory.Token{UserID: user.ID, Name: name, Prefix: token.Prefix(secret), Hash: hash, Scope: scope,
		CreatedAt: a.Now().UTC().Truncate(time.Second), CreatedBy: s.Username, ExpiresAt: expires})
	if a.done(ctx, err, s, audit.Event{Name: audit.TokenMade, Account: user.Username, UserID: user.ID, Token: strconv.FormatInt(made.ID, 10), After: tokenState(made)}) != nil {
		return madePersonal{}, err
	}
	return madePersonal{a.listed(made, user), secret}, nil
}

// tokenState is what may be recorded of a token.
func tokenState(t directory.Token) audit.State {
	state := audit.State{"token_name": t.Name, "expires_at": stamp(t.ExpiresAt)}
	if t.Scope != nil {
		text, _ := json.Marshal(t.Scope) // it came as JSON
		state["scope"] = string(text)
	}
	return state
}

// knownFields refuses a body with others than known fields. Elsewhere these mean nothing; here one could be a misspelt
// scope, and the token would be without.
func knownFields(raw []byte, known ...string) error {
	body, err := httpx.ParseObject(raw)
	if err != nil {
		return err
	}
	for _, key := range body.Keys() {
		if !slices.Contains(known, key) {
			return errs.New(errs.Invalid, "the field %q is not known; a token has %s", key, strings.Join(known, ", "))
		}
	}
	return nil
}

func (a *API) revokeToken(ctx context.Context, s *identity.Subject, username string, id int64) (deletion, error) {
	user, err := a.handled(ctx, s, username)
	if err != nil {
		return deletion{}, err
	}
	event := audit.Event{Name: audit.TokenRevoked, Account: user.Username, UserID: user.ID, Token: strconv.FormatInt(id, 10)}
	known, err := a.Store.Tokens(ctx, user.ID)
	if at := slices.IndexFunc(known, func(t directory.Token) bool { return t.ID == id }); at >= 0 {
		event.Before = tokenState(known[at])
	}
	if err == nil {
		err = a.Store.DeleteToken(ctx, user.ID, id)
	}
	return deletion{1}, a.done(ctx, err, s, event)
}
