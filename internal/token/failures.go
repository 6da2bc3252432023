package token

import (
	"crypto/sha256"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// Failures counts failed attempts per address and per account, and refuses more for a while. Success costs nothing.
type Failures struct {
	limits *otter.Cache[string, *rate.Limiter]
	every  rate.Limit
	burst  int
	now    func() time.Time
}

// NewFailures allows as many failures per minute, for each address and for each account.
func NewFailures(perMinute int, now func() time.Time) (*Failures, error) {
	limits, err := otter.New(&otter.Options[string, *rate.Limiter]{MaximumSize: 100_000,
		ExpiryCalculator: otter.ExpiryAccessing[string, *rate.Limiter](10 * time.Minute)})
	return &Failures{limits, rate.Limit(float64(perMinute) / 60), perMinute, now}, err
}

// Allowed says whether another attempt may be made; errs.Limited when not.
func (f *Failures) Allowed(client, account string) error {
	for _, key := range keys(client, account) {
		if limit, ok := f.limits.GetIfPresent(key); ok && limit.TokensAt(f.now()) < 1 {
			return errs.New(errs.Limited, "too many failed attempts; try again in a minute")
		}
	}
	return nil
}

// Note counts a failed attempt.
func (f *Failures) Note(client, account string) {
	for _, key := range keys(client, account) {
		limit, ok := f.limits.GetIfPresent(key)
		if !ok {
			limit, _ = f.limits.SetIfAbsent(key, rate.NewLimiter(f.every, f.burst))
		}
		limit.AllowN(f.now(), 1)
	}
}

// keys are what is counted. The account is what somebody claims, of any length, and kept as a hash, so that memory is bounded.
func keys(client, account string) []string {
	if account == "" {
		return []string{"address " + client}
	}
	sum := sha256.Sum256([]byte(account))
	return []string{"address " + client, "account " + string(sum[:])}
}
