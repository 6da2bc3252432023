// Package redis keeps sessions in Redis, where all replicas see them.
package redis

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
)

// Store is a Redis database with a prefix of keys.
type Store struct {
	client redis.UniversalClient
	prefix string
	now    func() time.Time
}

// New makes a store over a client, which Close closes.
func New(client redis.UniversalClient, prefix string, now func() time.Time) *Store {
	return &Store{client, prefix, now}
}

// save writes a record that Redis itself forgets when it expires, and puts it into the index of each that names it. An index
// is forgotten with the last of its records.
var save = redis.NewScript(`
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
for i = 2, #KEYS do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', ARGV[4])
  redis.call('ZADD', KEYS[i], ARGV[5], KEYS[1])
  if redis.call('PTTL', KEYS[i]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[i], ARGV[3]) end
end
return 1`)

// Save writes a record.
func (s *Store) Save(ctx context.Context, key session.Key, record session.Record) error {
	body, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("encoding a session: %w", err)
	}
	now := s.now()
	left := record.ExpiresAt.Sub(now)
	if left < time.Millisecond {
		return s.Delete(ctx, key)
	}
	ends := max(record.EndsAt.Sub(now), left)
	keys := append([]string{s.prefix + string(key)}, s.indexes(record)...)
	return unavailable(save.Run(ctx, s.client, keys, body, left.Milliseconds(), ends.Milliseconds(),
		now.UnixMilli(), now.Add(ends).UnixMilli()).Err())
}

// indexes are the keys of the indexes that a record is in.
func (s *Store) indexes(r session.Record) []string {
	var all []string
	for _, q := range []session.Query{{UserID: r.UserID}, {Provider: r.Provider, AtIssuer: r.AtIssuer}, {Provider: r.Provider, Subject: r.Subject}} {
		if q.Valid() {
			all = append(all, s.index(q))
		}
	}
	if r.UserID != 0 {
		all = append(all, s.everybodys())
	}
	return all
}

// everybodys is the key of the index of all sessions of users.
func (s *Store) everybodys() string { return s.prefix + "index:all" }

// index is the key of the index that is asked for a query; that of the provider's session where the query names one.
func (s *Store) index(q session.Query) string {
	name := fmt.Sprint("user ", q.UserID)
	switch {
	case q.AtIssuer != "":
		name = fmt.Sprintf("session %q %q", q.Provider, q.AtIssuer)
	case q.Subject != "":
		name = fmt.Sprintf("subject %q %q", q.Provider, q.Subject)
	}
	sum := sha256.Sum256([]byte(name))
	return s.prefix + "index:" + hex.EncodeToString(sum[:])
}

// Find gives the records of an index that are there still.
func (s *Store) Find(ctx context.Context, q session.Query) ([]session.Found, error) {
	var all []session.Found
	err := s.each(ctx, s.index(q), func(f session.Found) bool {
		if q.Names(f.Record) {
			all = append(all, f)
		}
		return true
	})
	return all, err
}

// Each gives the records of users that are there still.
func (s *Store) Each(ctx context.Context, do func(session.Found) bool) error {
	return s.each(ctx, s.everybodys(), do)
}

// atOnce is how many records are asked for at once: Redis serves nobody else meanwhile.
const atOnce = 100

func (s *Store) each(ctx context.Context, index string, do func(session.Found) bool) error {
	keys, err := s.client.ZRange(ctx, index, 0, -1).Result()
	if err != nil {
		return unavailable(err)
	}
	for some := range slices.Chunk(keys, atOnce) {
		bodies, err := s.client.MGet(ctx, some...).Result()
		if err != nil {
			return unavailable(err)
		}
		for i, body := range bodies {
			text, there := body.(string)
			var record session.Record
			if there && json.Unmarshal([]byte(text), &record) == nil && s.now().Before(record.ExpiresAt) &&
				!do(session.Found{Key: session.Key(strings.TrimPrefix(some[i], s.prefix)), Record: record}) {
				return nil
			}
		}
	}
	return nil
}

// Replace writes a record over the version before. Redis itself sees to it that nothing comes between (WATCH).
func (s *Store) Replace(ctx context.Context, key session.Key, record session.Record) error {
	body, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("encoding a session: %w", err)
	}
	left := record.ExpiresAt.Sub(s.now())
	if left < time.Millisecond {
		return session.ErrNotFound
	}
	err = s.client.Watch(ctx, func(tx *redis.Tx) error {
		before, err := s.load(ctx, tx, key)
		if err != nil {
			return err
		}
		if before.Version != record.Version-1 {
			return session.ErrChanged
		}
		_, err = tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			return pipe.Set(ctx, s.prefix+string(key), body, left).Err()
		})
		return err
	}, s.prefix+string(key))
	var coded *errs.Error
	switch {
	case errors.Is(err, redis.TxFailedErr): // changed or deleted: whoever asks again learns which
		return session.ErrChanged
	case errors.As(err, &coded):
		return coded
	}
	return unavailable(err)
}

// Load reads a record.
func (s *Store) Load(ctx context.Context, key session.Key) (session.Record, error) {
	return s.load(ctx, s.client, key)
}

func (s *Store) load(ctx context.Context, from redis.Cmdable, key session.Key) (session.Record, error) {
	var record session.Record
	body, err := from.Get(ctx, s.prefix+string(key)).Bytes()
	if errors.Is(err, redis.Nil) {
		return record, session.ErrNotFound
	}
	if err != nil {
		return record, unavailable(err)
	}
	if json.Unmarshal(body, &record) != nil || !s.now().Before(record.ExpiresAt) {
		return session.Record{}, session.ErrNotFound
	}
	return record, nil
}

// Delete removes a record.
func (s *Store) Delete(ctx context.Context, key session.Key) error {
	return unavailable(s.client.Del(ctx, s.prefix+string(key)).Err())
}

// Ping tells whether Redis answers.
func (s *Store) Ping(ctx context.Context) error { return unavailable(s.client.Ping(ctx).Err()) }

// Close closes the client.
func (s *Store) Close() error { return s.client.Close() }

func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return errs.Wrap(errs.Unavailable, err, "the session store cannot be used right now")
}
