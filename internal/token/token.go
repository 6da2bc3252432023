// Package token knows programs by their credentials: access tokens as basic password or bearer, and JWTs of the provider as
// bearer.
package token

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/jwt"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
)

// Sessions finds the session of a request.
type Sessions interface {
	Load(r *http.Request) (session.Record, session.Key, error)
}

// People finds people, from memory where it is warm.
type People interface {
	UserByIdentity(ctx context.Context, id directory.Identity) (directory.User, error)
	ByName(ctx context.Context, username string) (directory.User, error)
	ByToken(ctx context.Context, hash [32]byte) (directory.TokenOwner, error)
	PasswordOf(ctx context.Context, username string) (directory.Password, error)
	CarriedOf(ctx context.Context, username, prefix string) (directory.Password, error)
}

// Verifier checks a JWT and says whom its issuer means, and until when it is good.
type Verifier interface {
	Verify(ctx context.Context, raw string) (directory.Bearer, error)
}

// Recorder stores what a JWT says of a person.
type Recorder interface {
	RecordBearer(ctx context.Context, b directory.Bearer) error
}

// Failures bounds what one address, and whoever claims to be one account, may try in vain.
type Failures interface {
	Allowed(ctx context.Context, client, account string) error
	Note(ctx context.Context, client, account string)
}

// Options are what an Authenticator is made of.
type Options struct {
	Sessions Sessions
	People   People
	Verifier Verifier
	Asking   Introspector // nil: a token that is no JWT is none
	Recorder Recorder
	Upgrades Upgrader
	Uses     *Uses
	Failures Failures
	Client   func(*http.Request) string
	Audit    audit.Recorder
	Cached   func(cache string) func(hit bool) // gives what is told of each look-up in a memory; nil: nobody
	Log      *slog.Logger
	Now      func() time.Time
}

// Authenticator says who a request is from, by exactly one credential.
type Authenticator struct {
	Options
	verified *otter.Cache[[32]byte, directory.Bearer]
	answers  *answers
	slow     *slow
	cached   map[string]func(hit bool)
}

// The names of what is kept in memory of credentials.
const (
	cacheJWTs      = "jwts"
	cacheOpaque    = "opaque_tokens"
	cachePasswords = "password_checks"
)

// Caches are all of them.
func Caches() []string { return []string{cacheJWTs, cacheOpaque, cachePasswords} }

// found tells of a look-up in memory.
func (a *Authenticator) found(cache string, hit bool) {
	if tell := a.cached[cache]; tell != nil {
		tell(hit)
	}
}

// maxToken bounds a credential before it is parsed, in bytes.
const maxToken = 16 << 10

// jwtTrusted is how long a verified JWT is believed without checking its signature again: a key that the provider
// withdraws stops working within this time.
const jwtTrusted = time.Minute

// New makes an Authenticator.
func New(o Options) (*Authenticator, error) {
	cache, err := otter.New(&otter.Options[[32]byte, directory.Bearer]{MaximumSize: 20_000, ExpiryCalculator: otter.ExpiryWriting[[32]byte, directory.Bearer](jwtTrusted)})
	if err != nil {
		return nil, err
	}
	answers, err := newAnswers()
	if err != nil {
		return nil, err
	}
	slow, err := newSlow()
	a := &Authenticator{Options: o, verified: cache, answers: answers, slow: slow}
	if o.Cached != nil {
		a.cached = map[string]func(bool){}
		for _, name := range Caches() {
			a.cached[name] = o.Cached(name)
		}
	}
	return a, err
}

// errBad is the one answer to every credential that is wrong, so that none tells whether an account exists.
var errBad = errs.New(errs.Unauthenticated, "the username or token is wrong, or has expired")

// Authenticate says who a request is from: nil for nobody.
func (a *Authenticator) Authenticate(r *http.Request) (*identity.Subject, error) {
	headers := r.Header["Authorization"]
	if len(headers) == 0 {
		record, key, err := a.Sessions.Load(r)
		if err != nil || key == "" {
			return nil, err
		}
		return a.signedIn(r.Context(), record, key)
	}
	if len(headers) > 1 {
		return nil, a.unread(r, errs.New(errs.Invalid, "the request has several Authorization headers"))
	}
	scheme, credential, _ := strings.Cut(headers[0], " ")
	credential = strings.TrimSpace(credential)
	if len(credential) > maxToken {
		return nil, a.unread(r, errBad)
	}
	switch strings.ToLower(scheme) {
	case "basic":
		return a.basic(r, credential)
	case "bearer":
		return a.bearer(r, credential)
	}
	return nil, a.unread(r, errs.New(errs.Unauthenticated, "the Authorization scheme must be Basic or Bearer"))
}

// unread records a credential that has no form of one.
func (a *Authenticator) unread(r *http.Request, err error) error {
	return a.refused(r.Context(), err, audit.Event{Credential: "unreadable"})
}

// errEnded is what a request that streams ends with when its credential is revoked.
var errEnded = errs.New(errs.Unauthenticated, "the credential of this request was revoked")

// Still says who a request is from that began a while ago as a subject, and is not over. That a JWT expires meanwhile does
// not matter: it was good when the request came, and nobody revoked it.
func (a *Authenticator) Still(r *http.Request, before *identity.Subject) (*identity.Subject, error) {
	var now *identity.Subject
	if before.Credential == identity.Bearer {
		user, err := a.People.ByName(r.Context(), before.Username)
		if err != nil && !errs.Is(err, errs.NotFound) {
			return nil, err
		}
		if err == nil && user.Active {
			now = Subject(user, identity.Bearer)
			now.Narrow(before.Scope)
		}
	} else {
		var err error
		if now, err = a.Authenticate(r); err != nil {
			return nil, err
		}
	}
	if now == nil || now.UserID != before.UserID {
		return nil, errEnded
	}
	return now, nil
}

// signedIn says whose a session is: the person whom the provider knows by its subject, if that is the same account still. An
// id alone could name somebody else by now, in a users database that was made anew beside sessions that were kept.
func (a *Authenticator) signedIn(ctx context.Context, record session.Record, key session.Key) (*identity.Subject, error) {
	user, err := a.People.UserByIdentity(ctx, directory.Identity{Provider: record.Provider, Subject: record.Subject})
	if err == nil && user.Service { // it became one after somebody had signed in
		return nil, errs.New(errs.Unauthenticated, "%s is a service account: programs use it by token, and nobody signs in to it with a browser", user.Username)
	}
	if errs.Is(err, errs.NotFound) || (err == nil && (!user.Active || user.ID != record.UserID)) {
		return nil, errs.New(errs.Unauthenticated, "the account does not exist any more, or is deactivated")
	}
	if err != nil {
		return nil, err
	}
	subject := Subject(user, identity.Session)
	subject.Session, subject.ShownAt = string(key), record.ShownAt
	return subject, nil
}

// Subject gives a user as the subject of a request.
func Subject(user directory.User, by identity.Credential) *identity.Subject {
	return &identity.Subject{UserID: user.ID, Username: user.Username, DisplayName: user.DisplayName, Admin: user.Admin,
		Active: user.Active, Service: user.Service, Credential: by}
}

func (a *Authenticator) basic(r *http.Request, credential string) (*identity.Subject, error) {
	decoded, err := base64.StdEncoding.DecodeString(credential)
	username, secret, ok := strings.Cut(string(decoded), ":")
	if err != nil || !ok {
		return nil, a.unread(r, errBad)
	}
	username = strings.ToLower(strings.TrimSpace(username))
	client := a.Client(r)
	owner, err := a.ownerOf(r.Context(), secret)
	if err != nil && !errs.Is(err, errs.NotFound) {
		return nil, err
	}
	if err == nil && a.good(owner) && subtle.ConstantTimeCompare([]byte(owner.User.Username), []byte(username)) == 1 {
		// A right token passes however many wrong ones others sent for the account, or from behind the same address: they
		// must not lock its owner out, and 256 random bits cannot be guessed.
		return a.owns(owner), nil
	}
	known, err := a.password(r.Context(), client, username, secret)
	if err == nil && known.Kept {
		return Subject(known.User, identity.Password), nil
	}
	if err == nil {
		return Subject(known.User, identity.AccessToken), nil
	}
	return nil, a.failed(r.Context(), err, client, presented(username, secret))
}

// failed counts an attempt that failed, and says so: that there were too many of them, where that is so.
func (a *Authenticator) failed(ctx context.Context, err error, client string, about audit.Event) error {
	if !errs.Is(err, errs.Unauthenticated) && !errs.Is(err, errs.Limited) {
		return err
	}
	if errs.Is(err, errs.Unauthenticated) {
		if refusal := a.Failures.Allowed(ctx, client, about.Account); refusal != nil {
			err = refusal
		}
	}
	a.Failures.Note(ctx, client, about.Account)
	return a.refused(ctx, err, about)
}

// presented is what may be said of a username and secret that were wrong. Of what a person has thought of not even a part of the
// hash: it would tell right guesses from others.
func presented(username, secret string) audit.Event {
	if strings.HasPrefix(secret, secretPrefix) {
		return audit.Event{Account: username, Credential: "access_token", Token: audit.Hint(secret)}
	}
	return audit.Event{Account: username, Credential: "password"}
}

// refused records that a credential was refused, or not looked at.
func (a *Authenticator) refused(ctx context.Context, err error, about audit.Event) error {
	about.Name, about.Reason = audit.CredentialRefused, err.Error()
	if errs.Is(err, errs.Limited) {
		about.Name = audit.RateLimited
	}
	a.Audit.Record(ctx, about)
	return err
}

// good tells whether a token counts now.
func (a *Authenticator) good(owner directory.TokenOwner) bool {
	return owner.User.Active && a.Now().Before(owner.ExpiresAt)
}

// owns gives the owner of a token as the subject of a request, with what the token is narrowed to.
func (a *Authenticator) owns(owner directory.TokenOwner) *identity.Subject {
	if owner.TokenID != 0 {
		a.Uses.Note(owner.TokenID)
	}
	s := Subject(owner.User, identity.AccessToken)
	s.Narrow(owner.Scope)
	if owner.Actor != nil {
		s.Actor = owner.Actor.String()
	}
	return s
}

// ownerOf finds the owner of an access token.
func (a *Authenticator) ownerOf(ctx context.Context, secret string) (directory.TokenOwner, error) {
	if damaged(secret) {
		return directory.TokenOwner{}, errs.New(errs.NotFound, "the checksum of the access token is wrong")
	}
	return a.People.ByToken(ctx, sha256.Sum256([]byte(secret)))
}

// opaque knows the owner of an access token that comes as bearer, without a name beside it.
func (a *Authenticator) opaque(r *http.Request, secret string) (Proof, error) {
	owner, err := a.ownerOf(r.Context(), secret)
	if errs.Is(err, errs.NotFound) || err == nil && !a.good(owner) {
		return Proof{}, a.failed(r.Context(), errBad, a.Client(r), audit.Event{Credential: "access_token", Token: audit.Hint(secret)})
	}
	if err != nil {
		return Proof{}, err
	}
	return Proof{Subject: a.owns(owner), Until: owner.ExpiresAt, TokenID: owner.TokenID, Exchanged: owner.Exchanged, Actor: owner.Actor}, nil
}

// bearer says who sends a credential that names nobody: of a token of ours its owner, and of an issuer's the person or job.
func (a *Authenticator) bearer(r *http.Request, raw string) (*identity.Subject, error) {
	proof, err := a.Prove(r, raw)
	return proof.Subject, err
}

// Proof is whom a bearer token stands for, and until when.
type Proof struct {
	Subject *identity.Subject
	Until   time.Time        // as the token says, without what is allowed for clocks
	Bearer  directory.Bearer // what an issuer's token says
	TokenID int64            // of a token of ours with a name

	Exchanged bool // it is ours, and came of an exchange
	Actor     *directory.Actor
}

// Prove checks a bearer token as a request's own is checked, wherever it came. Attempts that fail are counted.
func (a *Authenticator) Prove(r *http.Request, raw string) (Proof, error) {
	if strings.HasPrefix(raw, secretPrefix) {
		return a.opaque(r, raw)
	}
	known, about, err := a.ofIssuer(r, raw)
	if err != nil {
		return Proof{}, err
	}
	about.Provider, about.Subject = known.Identity.Provider, known.Identity.Subject
	if !a.Now().Before(known.Until) {
		return Proof{}, a.refused(r.Context(), errBad, about)
	}
	user, err := a.bearerOf(r.Context(), known)
	if errs.Is(err, errs.NotFound) || (err == nil && !user.Active) {
		err = errs.New(errs.Unauthenticated, "no account is known for this token; sign in once with a browser, or have a service account bound to its subject")
		return Proof{}, a.refused(r.Context(), err, about)
	}
	if err != nil {
		return Proof{}, err
	}
	return Proof{Subject: Subject(user, identity.Bearer), Until: known.Until.Add(-jwt.Leeway), Bearer: known}, nil
}

// ofIssuer gives what an issuer's token says, and what may be said of it: a JWT by its signature, and any other by the issuer's word.
func (a *Authenticator) ofIssuer(r *http.Request, raw string) (directory.Bearer, audit.Event, error) {
	about := audit.Event{Credential: "jwt"}
	if strings.Count(raw, ".") != 2 { // not a signed JWT (RFC 7519 §3.1)
		about.Credential = "opaque_token"
		known, err := a.asked(r, raw, about)
		return known, about, err
	}
	hash := sha256.Sum256([]byte(raw))
	known, ok := a.verified.GetIfPresent(hash)
	if a.found(cacheJWTs, ok); ok {
		return known, about, nil
	}
	client := a.Client(r)
	if err := a.Failures.Allowed(r.Context(), client, ""); err != nil { // a signature costs more than a look-up
		return directory.Bearer{}, about, a.refused(r.Context(), err, about)
	}
	known, err := a.Verifier.Verify(r.Context(), raw)
	if err == nil {
		err = a.said(r.Context(), known)
	}
	if err != nil {
		return directory.Bearer{}, about, a.unproven(r.Context(), err, client, about)
	}
	a.verified.Set(hash, known)
	return known, about, nil
}

// said stores what a token says of its person.
func (a *Authenticator) said(ctx context.Context, known directory.Bearer) error {
	if known.Says == nil {
		return nil
	}
	return a.Recorder.RecordBearer(ctx, known)
}

// unproven counts a token that its issuer does not stand by, or whose person may not come.
func (a *Authenticator) unproven(ctx context.Context, err error, client string, about audit.Event) error {
	if errs.Is(err, errs.Unauthenticated) || errs.Is(err, errs.Denied) {
		a.Failures.Note(ctx, client, "")
		return a.refused(ctx, err, about)
	}
	return err
}

// bearerOf gives the account of a verified token: that of the person, or the service account of a workload.
func (a *Authenticator) bearerOf(ctx context.Context, b directory.Bearer) (directory.User, error) {
	if b.Account == "" {
		return a.People.UserByIdentity(ctx, b.Identity)
	}
	user, err := a.People.ByName(ctx, b.Account)
	if err == nil && !user.Service {
		return directory.User{}, errs.New(errs.Unauthenticated, "the account of this token is no service account")
	}
	return user, err
}

// NewSecret makes an access token of 256 random bits and a checksum, and the hash that is stored of it.
func NewSecret() (secret string, hash [32]byte) {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails (crypto/rand)
	secret = secretPrefix + base64.RawURLEncoding.EncodeToString(random)
	secret += checksum(secret)
	return secret, sha256.Sum256([]byte(secret))
}

// checksum ends an access token, so that who finds something like one, as a scanner of secrets or we ourselves, can tell
// without asking the database that it is none.
func checksum(secret string) string {
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(secret))))
}

const (
	randomLength   = 43 // of 32 bytes in base64
	checksumLength = 6  // of 4
)

// damaged tells whether a secret looks like an access token and is none: somebody mistyped or made up one.
func damaged(secret string) bool {
	end := len(secret) - checksumLength
	return strings.HasPrefix(secret, secretPrefix) && end == len(secretPrefix)+randomLength && secret[end:] != checksum(secret[:end])
}

// secretPrefix is how every access token begins, so that people and scanners of secrets know one.
const secretPrefix = identity.AccessPrefix

// Prefix is the part of a secret that listings show, so that its owner knows it again. It leaves 208 bits to guess.
func Prefix(secret string) string { return secret[:len(secretPrefix)+8] }
