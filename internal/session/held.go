package session

import (
	"context"
	"time"
)

// Hold keeps something for a while, where all replicas find it. Its name leads to no session; what is kept should be sealed.
func (m *Manager) Hold(ctx context.Context, name string, sealed []byte, until time.Time) error {
	return m.Store.Save(ctx, heldAt(name), Record{SealedToken: sealed, CreatedAt: m.Now().UTC(), ExpiresAt: until.UTC(), EndsAt: until.UTC()})
}

// Claim gives what is held under a name, once: whoever else asks, also at the same time, gets ErrNotFound or ErrChanged.
func (m *Manager) Claim(ctx context.Context, name string) ([]byte, error) {
	record, err := m.Store.Load(ctx, heldAt(name))
	if err != nil {
		return nil, err
	}
	sealed := record.SealedToken
	record.Version, record.SealedToken = record.Version+1, nil
	if err := m.Store.Replace(ctx, heldAt(name), record); err != nil { // which one alone can do
		return nil, err
	}
	return sealed, m.Store.Delete(ctx, heldAt(name))
}

// heldAt is where something is held: no cookie's id leads there, since those are hashed as 43 characters.
func heldAt(name string) Key { return hash("held " + name) }
