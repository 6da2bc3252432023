// Package redis counts failures in Redis, where all replicas count together.
package redis

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Counter is a prefix of keys in a Redis database. What a name has used up is how long its key lives on: each failure prolongs it
// by the time in which one is given back. Redis's own clock alone counts, so that clocks of replicas may differ.
type Counter struct {
	client redis.UniversalClient
	prefix string
	every  time.Duration // in which one failure is given back
	whole  time.Duration // in which all are
}

// New allows as many failures of a name per minute. Whoever made the client closes it.
func New(client redis.UniversalClient, prefix string, perMinute int) *Counter {
	every := (time.Minute / time.Duration(perMinute)).Truncate(time.Millisecond) // as exactly as Redis keeps time
	return &Counter{client, prefix, every, every * time.Duration(perMinute)}
}

// count prolongs keys, each unless it has no room for one failure more. It is one step for Redis: of those who fail at once
// nobody is overlooked.
var count = redis.NewScript(`
for i = 1, #KEYS do
  local left = math.max(redis.call('PTTL', KEYS[i]), 0) + tonumber(ARGV[1])
  if left <= tonumber(ARGV[2]) then redis.call('SET', KEYS[i], 1, 'PX', left) end
end
return 1`)

// Wait says how long no name may be tried again (limit.Counter).
func (c *Counter) Wait(ctx context.Context, names []string) (time.Duration, error) {
	pipe := c.client.Pipeline()
	lives := make([]*redis.DurationCmd, len(names))
	for i, name := range names {
		lives[i] = pipe.PTTL(ctx, c.prefix+name)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return 0, fmt.Errorf("asking Redis for failures: %w", err)
	}
	var longest time.Duration
	for _, life := range lives {
		longest = max(longest, life.Val()+c.every-c.whole)
	}
	return longest, nil
}

// Count counts a failure of each name (limit.Counter).
func (c *Counter) Count(ctx context.Context, names []string) error {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = c.prefix + name
	}
	if err := count.Run(ctx, c.client, keys, c.every.Milliseconds(), c.whole.Milliseconds()).Err(); err != nil {
		return fmt.Errorf("counting failures in Redis: %w", err)
	}
	return nil
}
