package token

import (
	"context"
	"crypto/sha256"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
)

// Introspector asks the issuer of tokens that are no JWTs whose one is (RFC 7662). errs.Unauthenticated says that it is nobody's.
type Introspector interface {
	Introspect(ctx context.Context, raw string) (directory.Bearer, error)
	// Expects gives the issuers that are asked, without a slash at the end.
	Expects() (issuers []string, audience string)
}

const (
	// answeredFor is how long an answer is believed: a token that is revoked stops working within this time.
	answeredFor = time.Minute
	mostGood    = 20_000
	mostBad     = 10_000 // kept apart, so that tokens that somebody makes up push out no good one

	// mostAsked is how many questions are under way at once, and how long one waits for its turn.
	mostAsked = 16
	turn      = 2 * time.Second

	minOpaque, maxOpaque = 16, 4096 // bytes: what is shorter can be guessed, and is no token
)

// answer is what the issuer said of a token.
type answer struct {
	bearer directory.Bearer
	err    error
	until  time.Time // when it is asked again
}

// asking is one question, which all who bring the same token wait for.
type asking struct {
	done chan struct{}
	answer
}

// answers are what the issuer said lately, and what it is being asked.
type answers struct {
	good, bad *otter.Cache[[32]byte, answer]
	turns     chan struct{}

	mu      sync.Mutex
	running map[[32]byte]*asking
}

func newAnswers() (*answers, error) {
	good, err := otter.New(&otter.Options[[32]byte, answer]{MaximumSize: mostGood})
	if err != nil {
		return nil, err
	}
	bad, err := otter.New(&otter.Options[[32]byte, answer]{MaximumSize: mostBad})
	return &answers{good: good, bad: bad, turns: make(chan struct{}, mostAsked), running: map[[32]byte]*asking{}}, err
}

// known gives what the issuer said of a token, as long as that is believed.
func (s *answers) known(key [32]byte, now time.Time) (answer, bool) {
	for _, kept := range []*otter.Cache[[32]byte, answer]{s.good, s.bad} {
		if said, ok := kept.GetIfPresent(key); ok && now.Before(said.until) {
			return said, true
		}
	}
	return answer{}, false
}

// letters are those of a bearer token (RFC 6750 §2.1).
const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"

// opaqueToken tells whether a credential can be another issuer's opaque token (RFC 6750 §2.1). What is ours, or was to be, is shown
// to nobody; nor is an encrypted JWT (RFC 7516 §3.1), which is for somebody who can read it.
func opaqueToken(raw string) bool {
	if len(raw) < minOpaque || len(raw) > maxOpaque || strings.Count(raw, ".") == 4 && strings.HasPrefix(raw, "eyJ") {
		return false
	}
	if identity.Ours(raw) {
		return false
	}
	plain := strings.TrimRight(raw, "=")
	return plain != "" && strings.Trim(plain, letters) == ""
}

// asked gives what the issuer says of a token that is no JWT. Each that is not known would be a question to the issuer, for whoever
// makes them up; so failures are counted as those of other credentials are, and before anything is asked.
func (a *Authenticator) asked(r *http.Request, raw string, about audit.Event) (directory.Bearer, error) {
	ctx, client := r.Context(), a.Client(r)
	var said answer
	known := false
	var key [32]byte
	if a.Asking != nil {
		issuers, _ := a.Asking.Expects()
		key = sha256.Sum256([]byte(strings.Join(issuers, " ") + "\x00" + raw))
		said, known = a.answers.known(key, a.Now())
		a.found(cacheOpaque, known)
	}
	if known && said.err == nil {
		return said.bearer, nil
	}
	if err := a.Failures.Allowed(ctx, client, ""); err != nil {
		return directory.Bearer{}, a.refused(ctx, err, about)
	}
	switch {
	case a.Asking == nil || !opaqueToken(raw):
		said.err = errBad
	case !known:
		said = a.ask(ctx, key, raw)
	}
	if said.err != nil {
		return directory.Bearer{}, a.unproven(ctx, said.err, client, about)
	}
	return said.bearer, nil
}

// ask asks the issuer, or waits for who does so for the same token.
func (a *Authenticator) ask(ctx context.Context, key [32]byte, raw string) answer {
	s := a.answers
	s.mu.Lock()
	running := s.running[key]
	if running == nil {
		running = &asking{done: make(chan struct{})}
		s.running[key] = running
		go a.question(context.WithoutCancel(ctx), running, key, raw) // for all who wait, also when the first of them leaves
	}
	s.mu.Unlock()
	select {
	case <-running.done:
		return running.answer
	case <-ctx.Done():
		return answer{err: errs.Wrap(errs.Unavailable, ctx.Err(), "the identity provider did not answer in time; try again shortly")}
	}
}

// question asks the issuer when it is its turn, and keeps a word of it about the token: not longer than the token is good, and no
// failure to answer.
func (a *Authenticator) question(ctx context.Context, into *asking, key [32]byte, raw string) {
	s := a.answers
	said := a.inTurn(ctx, raw)
	said.until = a.Now().Add(answeredFor)
	switch {
	case said.err == nil:
		if said.bearer.Until.Before(said.until) {
			said.until = said.bearer.Until
		}
		s.good.Set(key, said)
	case errs.Is(said.err, errs.Unauthenticated), errs.Is(said.err, errs.Denied):
		s.bad.Set(key, said)
	}
	s.mu.Lock()
	into.answer = said
	delete(s.running, key)
	s.mu.Unlock()
	close(into.done)
}

func (a *Authenticator) inTurn(ctx context.Context, raw string) (said answer) {
	wait := time.NewTimer(turn)
	defer wait.Stop()
	select {
	case a.answers.turns <- struct{}{}:
		defer func() { <-a.answers.turns }()
	case <-wait.C:
		return answer{err: errs.New(errs.Unavailable, "the identity provider is asked too much right now; try again shortly")}
	}
	if said.bearer, said.err = a.Asking.Introspect(ctx, raw); said.err == nil {
		said.err = a.said(ctx, said.bearer)
	}
	return said
}
