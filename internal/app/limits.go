package app

import (
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/limit"
	redislimit "github.com/mlflow-oidc/mlflow-oidc-auth/internal/limit/redis"
)

// limits bound what may be tried in vain. Logouts have one of their own: who guesses tokens must not keep the provider's out.
type limits struct {
	credentials, logouts *limit.Failures
}

// limits counts in Redis where the sessions are there, so that more replicas do not mean more attempts.
func (a *App) limits() (limits, error) {
	var common redis.UniversalClient
	if a.settings.Session.Type == "redis" {
		var err error
		if common, err = redisClient(a.settings.Redis); err != nil {
			return limits{}, err
		}
		a.closers = append(a.closers, common.Close)
	}
	of := func(name string) (*limit.Failures, error) {
		here, err := limit.NewMemory(a.settings.FailuresMinute, time.Now)
		var replica limit.Counter
		if common != nil {
			replica = redislimit.New(common, a.settings.Session.KeyPrefix+"failures:"+name+":", a.settings.FailuresMinute)
		}
		bound := limit.NewFailures(here, replica, a.log, time.Now)
		if a.watch.metrics != nil {
			bound.Refused = a.watch.metrics.Limited(name)
		}
		return bound, err
	}
	credentials, err := of(limitCredentials)
	if err != nil {
		return limits{}, err
	}
	logouts, err := of(limitLogouts)
	return limits{credentials, logouts}, err
}
