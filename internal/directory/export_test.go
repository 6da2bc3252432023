package directory

import "context"

// Look reads the change counter once, as Watch does again and again.
func (c *Cache) Look(ctx context.Context) { c.look(ctx) }
