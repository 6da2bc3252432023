package directory

import (
	"context"
	"crypto/sha256"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// Source is the database behind the cache.
type Source interface {
	UserByToken(ctx context.Context, hash [32]byte) (TokenOwner, error)
	PasswordOf(ctx context.Context, username string) (Password, error)
	CarriedOf(ctx context.Context, username, prefix string) (Password, error)
	UserByIdentity(ctx context.Context, id Identity) (User, error)
	User(ctx context.Context, username string) (User, error)
	GrantsOf(ctx context.Context, userID int64) ([]authz.Grant, error)
	Change(ctx context.Context) (int64, error)
}

// watchEvery is how often the change counter is read; fresh is how old its last reading may be before memory is not
// trusted any more. Together they make a change on another replica effective within a second.
const (
	watchEvery = 400 * time.Millisecond
	fresh      = time.Second
)

// Cache keeps people and their compiled grants in memory, so that a warm request needs no SQL. Every change of this
// process empties it at once, and every change of another one within a second; when it cannot know, it asks the database.
type Cache struct {
	source     Source
	order      []authz.Source
	generation atomic.Int64
	seen       atomic.Int64 // the counter's last value
	changes    atomic.Int64 // how far it has moved since its first reading
	began      time.Time
	now        func() time.Time
	cached     map[string]func(hit bool) // is told of look-ups, by cache; nil: nobody is
	readAt     atomic.Int64              // when it was read, in nanoseconds since the beginning: a wall clock can be set back

	grants     *otter.Cache[int64, entry[*authz.Grants]]
	tokens     *otter.Cache[[32]byte, entry[TokenOwner]]
	identities *otter.Cache[Identity, entry[User]]
	names      *otter.Cache[string, entry[User]]
	passwords  *otter.Cache[[32]byte, entry[Password]] // by a hash of the name, which somebody claims, at any length
}

// The names of what is kept in memory.
const (
	cacheGrants     = "grants"
	cacheTokens     = "tokens"
	cacheIdentities = "identities"
	cacheAccounts   = "accounts"
	cachePasswords  = "passwords"
)

// Caches are all of them.
func Caches() []string {
	return []string{cacheGrants, cacheTokens, cacheIdentities, cacheAccounts, cachePasswords}
}

// Tell has somebody told of each look-up in memory, before the first one.
func (c *Cache) Tell(of func(cache string) func(hit bool)) {
	c.cached = map[string]func(bool){}
	for _, name := range Caches() {
		c.cached[name] = of(name)
	}
}

type entry[T any] struct {
	generation int64
	value      T
}

// NewCache makes a cache over a database. Watch has to run beside it.
func NewCache(source Source, order []authz.Source) (*Cache, error) {
	c := &Cache{source: source, order: order, began: time.Now(), now: time.Now}
	c.readAt.Store(-int64(fresh)) // not yet
	var err error
	if c.grants, err = otter.New(&otter.Options[int64, entry[*authz.Grants]]{MaximumSize: 20_000}); err != nil {
		return nil, err
	}
	if c.tokens, err = otter.New(&otter.Options[[32]byte, entry[TokenOwner]]{MaximumSize: 50_000}); err != nil {
		return nil, err
	}
	if c.names, err = otter.New(&otter.Options[string, entry[User]]{MaximumSize: 20_000}); err != nil {
		return nil, err
	}
	if c.passwords, err = otter.New(&otter.Options[[32]byte, entry[Password]]{MaximumSize: 20_000}); err != nil {
		return nil, err
	}
	c.identities, err = otter.New(&otter.Options[Identity, entry[User]]{MaximumSize: 50_000})
	return c, err
}

// Invalidate makes every later request ask the database once.
func (c *Cache) Invalidate() { c.generation.Add(1) }

// Watch reads the change counter until the context ends.
func (c *Cache) Watch(ctx context.Context) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		c.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// look reads the change counter once. What was read is as old as the beginning of the reading.
func (c *Cache) look(ctx context.Context) {
	started := time.Since(c.began)
	ctx, cancel := context.WithTimeout(ctx, fresh) // what comes later is of no use, and the next reading has another connection
	defer cancel()
	value, err := c.source.Change(ctx)
	if err != nil {
		return
	}
	// A change of this process has emptied memory already, and does so once more here: that this reading holds no other replica's change beside
	// it, nobody knows.
	if before := c.seen.Swap(value); before != value {
		c.Invalidate()
		if c.readAt.Load() >= 0 {
			c.changes.Add(max(value-before, 1)) // a database that was put back counts from there
		}
	}
	c.readAt.Store(int64(started))
}

func (c *Cache) fresh() bool { return c.Age() < fresh }

// Age is how old the last reading of the change counter is.
func (c *Cache) Age() time.Duration { return time.Since(c.began) - time.Duration(c.readAt.Load()) }

// Changes counts what has changed, here or on another replica, since the first reading.
func (c *Cache) Changes() int64 { return c.changes.Load() }

// cached gives a value from memory if nothing can have changed since it was read, else from the database.
func cached[K comparable, T any](c *Cache, name string, in *otter.Cache[K, entry[T]], key K, load func() (T, error)) (T, error) {
	generation := c.generation.Load()
	known, ok := in.GetIfPresent(key)
	ok = ok && known.generation == generation && c.fresh()
	if c.cached != nil {
		c.cached[name](ok)
	}
	if ok {
		return known.value, nil
	}
	value, err := load()
	if err == nil {
		in.Set(key, entry[T]{generation, value})
	}
	return value, err
}

// UserByIdentity finds the user that a provider knows by a subject.
func (c *Cache) UserByIdentity(ctx context.Context, id Identity) (User, error) {
	return cached(c, cacheIdentities, c.identities, id, func() (User, error) { return c.source.UserByIdentity(ctx, id) })
}

// ByName finds a user by name.
func (c *Cache) ByName(ctx context.Context, username string) (User, error) {
	return cached(c, cacheAccounts, c.names, username, func() (User, error) { return c.source.User(ctx, username) })
}

// ByToken finds whose access token has the hash.
func (c *Cache) ByToken(ctx context.Context, hash [32]byte) (TokenOwner, error) {
	return cached(c, cacheTokens, c.tokens, hash, func() (TokenOwner, error) { return c.source.UserByToken(ctx, hash) })
}

// PasswordOf finds the hash of a user's secret that came from a predecessor.
func (c *Cache) PasswordOf(ctx context.Context, username string) (Password, error) {
	return cached(c, cachePasswords, c.passwords, sha256.Sum256([]byte(username)), func() (Password, error) { return c.source.PasswordOf(ctx, username) })
}

// CarriedOf finds a user's token with a name that came from a predecessor. It is asked for once: at its first use such a token becomes
// one of ours.
func (c *Cache) CarriedOf(ctx context.Context, username, prefix string) (Password, error) {
	return c.source.CarriedOf(ctx, username, prefix)
}

// Compile gives grants as decisions use them, as they count in the context's workspace.
func (c *Cache) Compile(ctx context.Context, rows []authz.Grant) *authz.Grants {
	return authz.Compile(c.order, rows).In(workspace.Of(ctx).Name)
}

// Of gives all that is granted to a user, compiled, as it counts in the context's workspace.
func (c *Cache) Of(ctx context.Context, userID int64) (*authz.Grants, error) {
	load := func() (*authz.Grants, error) {
		rows, err := c.source.GrantsOf(ctx, userID)
		if err != nil {
			return nil, err
		}
		return authz.Compile(c.order, rows), nil
	}
	all, err := cached(c, cacheGrants, c.grants, userID, load)
	if err == nil && !all.Until().IsZero() && !c.now().Before(all.Until()) { // the database leaves out what has ended
		c.grants.Invalidate(userID)
		all, err = cached(c, cacheGrants, c.grants, userID, load)
	}
	if err != nil {
		return nil, err
	}
	return all.In(workspace.Of(ctx).Name), nil
}
