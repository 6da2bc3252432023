// Package session keeps signed-in browsers: server-side records, found by the hash of a random id that the cookie holds.
package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// Record is what is stored of a session. The browser has only the id, the store only its hash.
type Record struct {
	Version  int64  `json:"version,omitempty"` // counts the changes; see Store.Replace
	UserID   int64  `json:"user_id"`
	Provider string `json:"provider"`
	Subject  string `json:"subject"`
	AtIssuer string `json:"sid,omitempty"`    // the provider's own session, by which its logout names this one
	Client   string `json:"client,omitempty"` // the address that signed in

	SealedToken   []byte `json:"sealed_token,omitempty"`   // the ID token, sealed; the provider's logout asks for it
	SealedRefresh []byte `json:"sealed_refresh,omitempty"` // the refresh token, sealed

	IssuedAt     time.Time `json:"issued_at,omitzero"`     // when the provider signed in, by its own clock
	ShownAt      time.Time `json:"shown_at,omitzero"`      // when the person showed the provider who they are; zero: it did not say
	RenewAt      time.Time `json:"renew_at,omitzero"`      // when the provider is asked again
	TrustedUntil time.Time `json:"trusted_until,omitzero"` // when what it said ends; zero: with the session
	ClaimedUntil time.Time `json:"claimed_until,omitzero"` // until then somebody is asking it

	CreatedAt time.Time `json:"created_at"`
	SeenAt    time.Time `json:"seen_at,omitzero"` // to the minute
	ExpiresAt time.Time `json:"expires_at"`       // moves with use
	EndsAt    time.Time `json:"ends_at"`          // does not
}

// Key is the hash of a session's id, in hexadecimal.
type Key string

// ErrNotFound says that there is no such session, or no longer.
var ErrNotFound = errs.New(errs.Unauthenticated, "the session has ended; sign in again")

// ErrChanged says that a record was changed since it was read.
var ErrChanged = errs.New(errs.Conflict, "the session was changed meanwhile; try again")

// Store keeps records. Load gives ErrNotFound for what is absent or expired, and another error when it cannot know.
// Replace compares and sets: it writes a record only over the one of the version before, else it gives ErrChanged, and
// ErrNotFound where there is none: a session that another replica ended a moment ago must not come back, and no change of
// another may be lost. Find gives the records that a query names. Each gives those of all users, in any order, until it is told no. Delete of what is
// absent is no error.
type Store interface {
	Save(ctx context.Context, key Key, record Record) error
	Replace(ctx context.Context, key Key, record Record) error
	Load(ctx context.Context, key Key) (Record, error)
	Find(ctx context.Context, q Query) ([]Found, error)
	Each(ctx context.Context, do func(Found) bool) error
	Delete(ctx context.Context, key Key) error
	Ping(ctx context.Context) error
	Close() error
}

// Options configure a Manager.
type Options struct {
	Store      Store
	Log        *slog.Logger
	CookieName string        // over TLS, and with no path, it gets __Host- before it
	Path       string        // below which browsers send the cookie; "" for everywhere
	Permanent  bool          // the cookie outlives the browser
	Lifetime   time.Duration // without use
	MaxAge     time.Duration // in all
	SameSite   http.SameSite
	Secure     func(*http.Request) bool      // whether the cookie is for TLS alone
	Renewer    Renewer                       // nil: the provider is not asked again
	Cached     func(hit bool)                // is told of each look-up in memory; nil: nobody is
	Replaced   func(context.Context, Record) // is told of a session that another sign-in of its browser ended; may be nil
	Now        func() time.Time
}

// Manager starts, finds and ends sessions.
type Manager struct {
	Options
	hostName string // of the cookie, with HostPrefix
	cache    *otter.Cache[Key, Record]
	ended    sync.Map // why sessions ended that this process ended a moment ago: a load under way must not bring them back

	mu       sync.Mutex
	renewals map[Key]*renewal // those under way
}

// HostPrefix begins the name of a cookie that no other site of the domain can set (RFC 6265bis §4.1.3.2).
const HostPrefix = "__Host-"

const (
	// trusted is how long a record is believed without asking the store: a session that ended on one replica is gone on
	// every other within this time.
	trusted = time.Second
	// slide is how often the moved expiry is written.
	slide = time.Minute
	// remembered is how long an ended session is known as such here: longer than a request may take that found it before.
	remembered = time.Minute
)

// NewManager makes a manager over a store.
func NewManager(o Options) (*Manager, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Path == "" {
		o.Path = "/"
	}
	cache, err := otter.New(&otter.Options[Key, Record]{MaximumSize: 50_000, ExpiryCalculator: otter.ExpiryWriting[Key, Record](trusted)})
	if err != nil {
		return nil, err
	}
	return &Manager{Options: o, hostName: HostPrefix + strings.TrimPrefix(o.CookieName, HostPrefix), cache: cache, renewals: map[Key]*renewal{}}, nil
}

// Start begins a session under a new random id of 256 bits, never under one that the request brought, and ends that one.
func (m *Manager) Start(w http.ResponseWriter, r *http.Request, record Record) error {
	if old, err := m.key(r); err == nil && old != "" {
		if err := m.replace(r.Context(), old); err != nil {
			return err
		}
	}
	id := make([]byte, 32)
	_, _ = rand.Read(id) // never fails (crypto/rand)
	value := base64.RawURLEncoding.EncodeToString(id)
	now := m.Now().UTC()
	record.CreatedAt, record.SeenAt, record.EndsAt = now, now, now.Add(m.MaxAge)
	record.ExpiresAt = earlier(now.Add(m.Lifetime), record.EndsAt)
	if err := m.Store.Save(r.Context(), hash(value), record); err != nil {
		return err
	}
	m.setCookie(w, r, value)
	return nil
}

// replace ends the session in place of which another one begins.
func (m *Manager) replace(ctx context.Context, key Key) error {
	record, err := m.Store.Load(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil {
		err = m.delete(ctx, key)
	}
	if err == nil && m.Replaced != nil {
		m.Replaced(ctx, record)
	}
	return err
}

// Load finds the session of a request, and has it renewed when that is due. Without a cookie it gives "" and no error.
func (m *Manager) Load(r *http.Request) (Record, Key, error) {
	record, key, err := m.find(r)
	if err == nil && key != "" {
		record, err = m.confirmed(r.Context(), key, record)
	}
	if err != nil {
		return Record{}, "", err
	}
	return record, key, nil
}

// find finds the session of a request, whatever the provider would say of it by now.
func (m *Manager) find(r *http.Request) (Record, Key, error) {
	key, err := m.key(r)
	if err != nil || key == "" {
		return Record{}, "", err
	}
	if reason, ended := m.ended.Load(key); ended {
		return Record{}, "", reason.(error)
	}
	now := m.Now()
	record, ok := m.cache.GetIfPresent(key)
	if m.Cached != nil {
		m.Cached(ok)
	}
	if !ok {
		if record, err = m.Store.Load(r.Context(), key); err != nil {
			return Record{}, "", err
		}
		if !now.Before(record.ExpiresAt) || !now.Before(record.EndsAt) {
			return Record{}, "", ErrNotFound
		}
		if record, err = m.slide(r.Context(), key, record, now); err != nil {
			return Record{}, "", err
		}
		m.cache.Set(key, record)
	}
	if reason, ended := m.ended.Load(key); ended {
		return Record{}, "", reason.(error)
	}
	if !now.Before(record.ExpiresAt) {
		return Record{}, "", ErrNotFound
	}
	return record, key, nil
}

// slide moves the expiry along with use. That it could not be written is not the caller's problem yet; that the session has
// ended since it was read is.
func (m *Manager) slide(ctx context.Context, key Key, record Record, now time.Time) (Record, error) {
	if now.Sub(record.SeenAt) < min(slide, m.Lifetime/10) {
		return record, nil
	}
	moved := record
	moved.Version++
	moved.SeenAt, moved.ExpiresAt = now.UTC(), earlier(now.Add(m.Lifetime), record.EndsAt).UTC()
	err := m.Store.Replace(ctx, key, moved)
	switch {
	case errors.Is(err, ErrChanged): // another request did it, or renewed the session
		return m.Store.Load(ctx, key)
	case errors.Is(err, ErrNotFound):
		return Record{}, err
	case err != nil:
		m.Log.WarnContext(ctx, "a session's expiry could not be moved", "error", err)
		return record, nil
	}
	return moved, nil
}

// End ends the session of a request, in the store before the cookie, and gives what it was.
func (m *Manager) End(w http.ResponseWriter, r *http.Request) (Record, error) {
	record, key, err := m.find(r)
	if err == nil && key != "" {
		err = m.delete(r.Context(), key)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return record, err // the browser keeps its cookie, and can try again
	}
	http.SetCookie(w, &http.Cookie{Name: m.name(r), Path: m.Path, MaxAge: -1, HttpOnly: true, Secure: m.Secure(r), SameSite: m.SameSite})
	return record, nil
}

func (m *Manager) delete(ctx context.Context, key Key) error { return m.end(ctx, key, ErrNotFound) }

// end ends a session, here before in the store. The reason is what its requests are told for a while; it is an ErrNotFound.
func (m *Manager) end(ctx context.Context, key Key, reason error) error {
	m.ended.Store(key, reason)
	time.AfterFunc(remembered, func() { m.ended.Delete(key) })
	m.cache.Invalidate(key)
	return m.Store.Delete(ctx, key)
}

// name is the name of the cookie.
func (m *Manager) name(r *http.Request) string {
	if m.Path == "/" && m.Secure(r) {
		return m.hostName
	}
	return m.CookieName
}

// Present tells whether the request brings a session cookie at all.
func (m *Manager) Present(r *http.Request) bool {
	_, err := r.Cookie(m.name(r))
	return err == nil
}

// key gives the hash of the id in the request's cookie: "" without one.
func (m *Manager) key(r *http.Request) (Key, error) {
	var value string
	for _, cookie := range r.CookiesNamed(m.name(r)) {
		if value != "" && cookie.Value != value {
			return "", errs.New(errs.Invalid, "the request has two different session cookies; delete this site's cookies and sign in again")
		}
		value = cookie.Value
	}
	if value == "" {
		return "", nil
	}
	if id, err := base64.RawURLEncoding.DecodeString(value); err != nil || len(id) != 32 {
		return "", ErrNotFound
	}
	return hash(value), nil
}

func (m *Manager) setCookie(w http.ResponseWriter, r *http.Request, value string) {
	cookie := &http.Cookie{Name: m.name(r), Value: value, Path: m.Path, HttpOnly: true, Secure: m.Secure(r), SameSite: m.SameSite}
	if m.Permanent {
		cookie.MaxAge = int(m.MaxAge.Seconds())
	}
	http.SetCookie(w, cookie)
}

func hash(value string) Key {
	sum := sha256.Sum256([]byte(value))
	return Key(hex.EncodeToString(sum[:]))
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
