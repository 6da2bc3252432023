package app

import (
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/limit"
	redislimit "github.com/mlflow-oidc/mlflow-oidc-auth/internal/limit/redis"
)

// limits bound what may be tried in vain. Logouts have one of their own: who guesses tokens must not keep the provider's out.
type limits struct {
	credentials, logouts *limit.Failures
}

// limits counts in Redis where the sessions are there, so that more replicas do not mean more attempts.
func (a *App) limits() (limits, error) {
	credentials, err := limit.NewMemory(a.settings.FailuresMinute, time.Now)
	if err != nil {
		return limits{}, err
	}
	logouts, err := limit.NewMemory(a.settings.FailuresMinute, time.Now)
	if err != nil {
		return limits{}, err
	}
	if a.settings.Session.Type != "redis" {
		return limits{limit.NewFailures(credentials, nil, a.log, time.Now), limit.NewFailures(logouts, nil, a.log, time.Now)}, nil
	}
	client, err := redisClient(a.settings.Redis)
	if err != nil {
		return limits{}, err
	}
	a.closers = append(a.closers, client.Close)
	in := func(name string) *redislimit.Counter {
		return redislimit.New(client, a.settings.Session.KeyPrefix+"failures:"+name+":", a.settings.FailuresMinute)
	}
	return limits{limit.NewFailures(credentials, in("credentials"), a.log, time.Now), limit.NewFailures(logouts, in("logouts"), a.log, time.Now)}, nil
}
