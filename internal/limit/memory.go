package limit

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"
)

// Memory counts in this process alone.
type Memory struct {
	limits *otter.Cache[string, *rate.Limiter]
	every  rate.Limit
	burst  int
	now    func() time.Time
}

// NewMemory allows as many failures of a name per minute.
func NewMemory(perMinute int, now func() time.Time) (*Memory, error) {
	limits, err := otter.New(&otter.Options[string, *rate.Limiter]{MaximumSize: 100_000,
		ExpiryCalculator: otter.ExpiryAccessing[string, *rate.Limiter](10 * time.Minute)})
	return &Memory{limits, rate.Limit(float64(perMinute) / 60), perMinute, now}, err
}

// Wait says how long no name may be tried again (Counter).
func (m *Memory) Wait(_ context.Context, names []string) (time.Duration, error) {
	var longest time.Duration
	for _, name := range names {
		limit, ok := m.limits.GetIfPresent(name)
		if !ok {
			continue
		}
		if missing := 1 - limit.TokensAt(m.now()); missing > 0 {
			longest = max(longest, time.Duration(missing/float64(m.every)*float64(time.Second)))
		}
	}
	return longest, nil
}

// Count counts a failure of each name (Counter).
func (m *Memory) Count(_ context.Context, names []string) error {
	for _, name := range names {
		limit, ok := m.limits.GetIfPresent(name)
		if !ok {
			limit, _ = m.limits.SetIfAbsent(name, rate.NewLimiter(m.every, m.burst))
		}
		limit.AllowN(m.now(), 1)
	}
	return nil
}

// Size is how many names are known.
func (m *Memory) Size() int {
	m.limits.CleanUp()
	return m.limits.EstimatedSize()
}
