package directory

import (
	"context"
	"time"
)

// Look reads the change counter once, as Watch does again and again.
func (c *Cache) Look(ctx context.Context) { c.look(ctx) }

// SetClock sets the clock by which grants end.
func (c *Cache) SetClock(now func() time.Time) { c.now = now }
