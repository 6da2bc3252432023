// Package filesystem keeps sessions as files in a folder of their own.
package filesystem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
)

// Store is a folder of sessions, one file each.
type Store struct {
	dir    string
	prefix string
	log    *slog.Logger
	now    func() time.Time
	stop   chan struct{}
	done   sync.WaitGroup
}

// sweepEvery is how often files of expired sessions are removed.
const sweepEvery = 10 * time.Minute

// Open opens the folder and makes it when it is not there. A folder into which others can write is refused: they could
// make sessions.
func Open(dir, prefix string, log *slog.Logger, now func() time.Time) (*Store, error) {
	if err := Supported(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of sessions: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the folder of sessions: %w", err)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("the folder of sessions %s can be written by others; run chmod 700 on it, or set SESSION_FILE_DIR to another", dir)
	}
	s := &Store{dir: dir, prefix: plain(prefix), log: log, now: now, stop: make(chan struct{})}
	if err := s.writable(); err != nil {
		return nil, fmt.Errorf("the folder of sessions cannot be written to; give it to this user, or set SESSION_FILE_DIR to another: %w", err)
	}
	s.done.Go(s.sweeping)
	return s, nil
}

func plain(prefix string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, prefix)
}

func (s *Store) file(key session.Key) string {
	return filepath.Join(s.dir, s.prefix+string(key)+".json")
}

// Save writes a record whole or not at all.
func (s *Store) Save(_ context.Context, key session.Key, record session.Record) error {
	return s.write(key, record, os.Rename)
}

// Replace writes a record over the version before. No deletion or other change can come between, also not of another process.
func (s *Store) Replace(ctx context.Context, key session.Key, record session.Record) error {
	return s.write(key, record, func(from, to string) error {
		return s.locked(func() error {
			before, err := s.Load(ctx, key)
			if err != nil {
				return err
			}
			if before.Version != record.Version-1 {
				return session.ErrChanged
			}
			return os.Rename(from, to)
		})
	})
}

// locked does something while nobody else with this folder does such a thing.
func (s *Store) locked(do func() error) error {
	dir, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	defer dir.Close() // which unlocks
	if err := hold(dir); err != nil {
		return fmt.Errorf("locking the folder of sessions: %w", err)
	}
	return do()
}

func (s *Store) write(key session.Key, record session.Record, put func(from, to string) error) error {
	body, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("encoding a session: %w", err)
	}
	temporary, err := os.CreateTemp(s.dir, s.prefix+"*.tmp") // mode 0600
	if err != nil {
		return unavailable(err)
	}
	_, err = temporary.Write(body)
	if err = errors.Join(err, temporary.Sync(), temporary.Close()); err == nil {
		err = put(temporary.Name(), s.file(key))
	}
	if err == nil {
		return nil
	}
	removed := os.Remove(temporary.Name())
	var coded *errs.Error
	if errors.As(err, &coded) && removed == nil {
		return coded
	}
	return unavailable(errors.Join(err, removed))
}

// Find reads every session of the folder: there is no index that could be wrong, and a folder serves one machine.
func (s *Store) Find(ctx context.Context, q session.Query) ([]session.Found, error) {
	var all []session.Found
	err := s.each(ctx, func(f session.Found) bool {
		if q.Names(f.Record) {
			all = append(all, f)
		}
		return true
	})
	return all, err
}

// Each reads every session of the folder.
func (s *Store) Each(ctx context.Context, do func(session.Found) bool) error {
	return s.each(ctx, func(f session.Found) bool { return f.Record.UserID == 0 || do(f) })
}

// each reads every record of the folder, also those that are of nobody.
func (s *Store) each(ctx context.Context, do func(session.Found) bool) error {
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return unavailable(err)
	}
	for _, file := range files {
		key, ours := s.key(file.Name())
		if !ours {
			continue
		}
		record, err := s.Load(ctx, key)
		if err == nil {
			err = ctx.Err()
		}
		switch {
		case errors.Is(err, session.ErrNotFound):
		case err != nil:
			return err
		case !do(session.Found{Key: key, Record: record}):
			return nil
		}
	}
	return nil
}

// key gives whose session a file is, and whether it is one.
func (s *Store) key(name string) (session.Key, bool) {
	rest, prefixed := strings.CutPrefix(name, s.prefix)
	key, ends := strings.CutSuffix(rest, ".json")
	return session.Key(key), prefixed && ends && len(key) == 64
}

// Load reads a record. A file that cannot be understood is no session, and is removed.
func (s *Store) Load(ctx context.Context, key session.Key) (session.Record, error) {
	var record session.Record
	body, err := os.ReadFile(s.file(key))
	if errors.Is(err, fs.ErrNotExist) {
		return record, session.ErrNotFound
	}
	if err != nil {
		return record, unavailable(err)
	}
	if err := json.Unmarshal(body, &record); err != nil {
		s.log.ErrorContext(ctx, "a session's file cannot be read and is removed", "file", s.file(key), "error", err)
		_ = os.Remove(s.file(key)) // the next sweep tries again
		return session.Record{}, session.ErrNotFound
	}
	if !s.now().Before(record.ExpiresAt) {
		return session.Record{}, session.ErrNotFound
	}
	return record, nil
}

// Delete removes a record.
func (s *Store) Delete(_ context.Context, key session.Key) error {
	err := s.locked(func() error { return os.Remove(s.file(key)) })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unavailable(err)
	}
	return nil
}

// Ping tells whether sessions can be written.
func (s *Store) Ping(context.Context) error {
	if err := s.writable(); err != nil {
		return unavailable(err)
	}
	return nil
}

func (s *Store) writable() error {
	probe, err := os.CreateTemp(s.dir, s.prefix+"*.tmp")
	if err != nil {
		return err
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// Close ends the sweeping.
func (s *Store) Close() error {
	close(s.stop)
	s.done.Wait()
	return nil
}

func (s *Store) sweeping() {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		_ = s.sweep() // the next one tries again
		select {
		case <-s.stop:
			return
		case <-ticker.C:
		}
	}
}

// Prune removes expired sessions now.
func (s *Store) Prune(context.Context) error { return s.sweep() }

// sweep removes expired sessions, and leaves every file alone that is not ours.
func (s *Store) sweep() error {
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return unavailable(err)
	}
	for _, file := range files {
		rest, prefixed := strings.CutPrefix(file.Name(), s.prefix)
		if !prefixed {
			continue
		}
		name := filepath.Join(s.dir, file.Name())
		key, ours := s.key(file.Name())
		info, err := os.Stat(name)
		switch {
		case err != nil:
		case ours:
			if _, err := s.Load(context.Background(), key); errors.Is(err, session.ErrNotFound) {
				_ = os.Remove(name) // the next sweep tries again
			}
		case strings.HasSuffix(rest, ".tmp") && time.Since(info.ModTime()) > time.Hour: // by the clock of the files
			_ = os.Remove(name) // left behind by a crash
		}
	}
	return nil
}

func unavailable(err error) error {
	return errs.Wrap(errs.Unavailable, err, "the session store cannot be used right now")
}
