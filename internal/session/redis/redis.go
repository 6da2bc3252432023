// Package redis keeps sessions in Redis, where all replicas see them.
package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// Save writes a record, which Redis itself forgets when it expires.
func (s *Store) Save(ctx context.Context, key session.Key, record session.Record) error {
	body, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("encoding a session: %w", err)
	}
	left := record.ExpiresAt.Sub(s.now())
	if left <= 0 {
		return s.Delete(ctx, key)
	}
	return unavailable(s.client.Set(ctx, s.prefix+string(key), body, left).Err())
}

// Replace writes a record over the one that is there, in one command, so that no deletion can come between.
func (s *Store) Replace(ctx context.Context, key session.Key, record session.Record) error {
	body, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("encoding a session: %w", err)
	}
	left := record.ExpiresAt.Sub(s.now())
	if left <= 0 {
		return session.ErrNotFound
	}
	replaced, err := s.client.SetXX(ctx, s.prefix+string(key), body, left).Result()
	if err == nil && !replaced {
		return session.ErrNotFound
	}
	return unavailable(err)
}

// Load reads a record.
func (s *Store) Load(ctx context.Context, key session.Key) (session.Record, error) {
	var record session.Record
	body, err := s.client.Get(ctx, s.prefix+string(key)).Bytes()
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
