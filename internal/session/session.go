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
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// Record is what is stored of a session. The browser has only the id, the store only its hash.
type Record struct {
	UserID      int64     `json:"user_id"`
	Provider    string    `json:"provider"`
	Subject     string    `json:"subject"`
	SealedToken []byte    `json:"sealed_token,omitempty"` // the ID token, sealed; the provider's logout asks for it
	CreatedAt   time.Time `json:"created_at"`
	ExpiresAt   time.Time `json:"expires_at"` // moves with use
	EndsAt      time.Time `json:"ends_at"`    // does not
}

// Key is the hash of a session's id, in hexadecimal.
type Key string

// ErrNotFound says that there is no such session, or no longer.
var ErrNotFound = errs.New(errs.Unauthenticated, "the session has ended; sign in again")

// Store keeps records. Load gives ErrNotFound for what is absent or expired, and another error when it cannot know.
// Replace writes a record only over one that is there, else it gives ErrNotFound: a session that another replica ended a
// moment ago must not come back. Delete of what is absent is no error.
type Store interface {
	Save(ctx context.Context, key Key, record Record) error
	Replace(ctx context.Context, key Key, record Record) error
	Load(ctx context.Context, key Key) (Record, error)
	Delete(ctx context.Context, key Key) error
	Ping(ctx context.Context) error
	Close() error
}

// Options configure a Manager.
type Options struct {
	Store      Store
	Log        *slog.Logger
	CookieName string
	Path       string        // below which browsers send the cookie; "" for everywhere
	Permanent  bool          // the cookie outlives the browser
	Lifetime   time.Duration // without use
	MaxAge     time.Duration // in all
	SameSite   http.SameSite
	Secure     func(*http.Request) bool // whether the cookie is for TLS alone
	Now        func() time.Time
}

// Manager starts, finds and ends sessions.
type Manager struct {
	Options
	cache *otter.Cache[Key, Record]
	ended sync.Map // sessions that this process ended a moment ago: a load under way must not bring them back
}

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
	return &Manager{Options: o, cache: cache}, nil
}

// Start begins a session under a new random id of 256 bits, never under one that the request brought, and ends that one.
func (m *Manager) Start(w http.ResponseWriter, r *http.Request, record Record) error {
	if old, err := m.key(r); err == nil && old != "" {
		if err := m.delete(r.Context(), old); err != nil {
			return err
		}
	}
	id := make([]byte, 32)
	_, _ = rand.Read(id) // never fails (crypto/rand)
	value := base64.RawURLEncoding.EncodeToString(id)
	now := m.Now().UTC()
	record.CreatedAt, record.EndsAt = now, now.Add(m.MaxAge)
	record.ExpiresAt = earlier(now.Add(m.Lifetime), record.EndsAt)
	if err := m.Store.Save(r.Context(), hash(value), record); err != nil {
		return err
	}
	m.setCookie(w, r, value)
	return nil
}

// Load finds the session of a request. Without a cookie it gives "" and no error.
func (m *Manager) Load(r *http.Request) (Record, Key, error) {
	key, err := m.key(r)
	if err != nil || key == "" {
		return Record{}, "", err
	}
	now := m.Now()
	record, ok := m.cache.GetIfPresent(key)
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
	if _, ended := m.ended.Load(key); ended || !now.Before(record.ExpiresAt) {
		return Record{}, "", ErrNotFound
	}
	return record, key, nil
}

// slide moves the expiry along with use. That it could not be written is not the caller's problem yet; that the session has
// ended since it was read is.
func (m *Manager) slide(ctx context.Context, key Key, record Record, now time.Time) (Record, error) {
	moved := record
	moved.ExpiresAt = earlier(now.Add(m.Lifetime), record.EndsAt).UTC()
	if moved.ExpiresAt.Sub(record.ExpiresAt) < min(slide, m.Lifetime/10) {
		return record, nil
	}
	err := m.Store.Replace(ctx, key, moved)
	switch {
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
	record, key, err := m.Load(r)
	if err == nil && key != "" {
		err = m.delete(r.Context(), key)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return record, err // the browser keeps its cookie, and can try again
	}
	http.SetCookie(w, &http.Cookie{Name: m.CookieName, Path: m.Path, MaxAge: -1, HttpOnly: true, Secure: m.Secure(r), SameSite: m.SameSite})
	return record, nil
}

func (m *Manager) delete(ctx context.Context, key Key) error {
	m.ended.Store(key, struct{}{})
	time.AfterFunc(remembered, func() { m.ended.Delete(key) })
	m.cache.Invalidate(key)
	return m.Store.Delete(ctx, key)
}

// Present tells whether the request brings a session cookie at all.
func (m *Manager) Present(r *http.Request) bool {
	_, err := r.Cookie(m.CookieName)
	return err == nil
}

// key gives the hash of the id in the request's cookie: "" without one.
func (m *Manager) key(r *http.Request) (Key, error) {
	var value string
	for _, cookie := range r.CookiesNamed(m.CookieName) {
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
	cookie := &http.Cookie{Name: m.CookieName, Value: value, Path: m.Path, HttpOnly: true, Secure: m.Secure(r), SameSite: m.SameSite}
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
