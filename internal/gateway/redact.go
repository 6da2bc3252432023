package gateway

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/rewrite"
)

// What the things that one answer names may cost. They are looked up once and remembered, so that an answer that costs more
// can be asked for again and comes.
const (
	lookupsAtOnce = 8
	lookupsWithin = 20 * time.Second
)

// redact takes out of MLflow's answer what it names and the caller may not read.
func (c *call) redact(answer *http.Response) error {
	body, err := readAnswer(answer, c.gateway.MaxFiltered)
	if err != nil {
		return err
	}
	if body, err = c.hide(body); err != nil {
		return err
	}
	setAnswer(answer, body)
	return nil
}

// hide takes out of the JSON of an answer what the row's mentions name and the caller may not read.
func (c *call) hide(raw []byte) ([]byte, error) {
	if c.subject.Admin || len(c.match.Route.Mentions) == 0 {
		return raw, nil
	}
	answer, err := rewrite.ReadAnswer(raw, c.match.Route.Mentions)
	if err != nil || answer == nil {
		return raw, err
	}
	named := mentioned{}
	answer.Hide(named.note)
	if err := c.decideAll(named); err != nil {
		return nil, err
	}
	if !answer.Hide(named.readable) {
		return nil, errs.New(errs.Denied, "the answer is about what you may not read")
	}
	return answer.Encode(raw)
}

// mentioned is what an answer names, and whether the caller may read it.
type mentioned map[extract.Target]bool

func (n mentioned) note(m *policy.Mention, text string) bool {
	if target, err := extract.NewTarget(m.Ref, m.At, text, m.Level); err == nil { // what is no id stays unreadable
		n[target] = false
	}
	return true
}

func (n mentioned) readable(m *policy.Mention, text string) bool {
	return n[extract.Target{Ref: m.Ref, Value: text, Level: m.Level}]
}

// decideAll decides what an answer names, several at once. Most of it lies in the experiments that the request was decided
// on, and is asked for in one call.
func (c *call) decideAll(named mentioned) error {
	ctx, cancel := context.WithTimeout(c.r.Context(), lookupsWithin)
	defer cancel()
	c.rememberAll(ctx, named)
	targets := make([]extract.Target, 0, len(named))
	for target := range named {
		targets = append(targets, target)
	}
	decided, problems := make([]bool, len(targets)), make([]error, lookupsAtOnce)
	var next atomic.Int64
	var workers sync.WaitGroup
	for w := range min(lookupsAtOnce, len(targets)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(targets)) && problems[w] == nil; i = next.Add(1) - 1 {
				if err := ctx.Err(); err != nil {
					problems[w] = errs.Wrap(errs.Unavailable, err, "the answer names more than can be decided at once; ask again, or for fewer rows")
					return
				}
				decided[i], problems[w] = c.mayRead(targets[i])
			}
		})
	}
	workers.Wait()
	for _, err := range problems {
		if err != nil {
			return err
		}
	}
	for i, target := range targets {
		named[target] = decided[i]
	}
	return nil
}

// mayRead decides about something that an answer names. What does not exist, and what cannot be decided, is not readable.
func (c *call) mayRead(target extract.Target) (bool, error) {
	err := c.decide(target)
	if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Denied) || errs.Is(err, errs.Invalid) {
		return false, nil
	}
	return err == nil, err
}

// rememberAll asks for what the ids of each kind belong to, at once.
func (c *call) rememberAll(ctx context.Context, named mentioned) {
	if len(named) < 2 {
		return
	}
	var experiments []string
	for _, target := range c.targets {
		if target.Ref == policy.Experiment {
			experiments = append(experiments, target.Value)
		}
	}
	ids := map[policy.Ref][]string{}
	for target := range named {
		ids[target.Ref] = append(ids[target.Ref], target.Value)
	}
	for ref, some := range ids {
		c.gateway.MLflow.Remember(ctx, ref, experiments, some)
	}
}

// onAnswer gives what has to happen to MLflow's answer before it is sent, nil when nothing has: the effect on grants, and
// then the narrowing.
func (c *call) onAnswer() (func(*http.Response) error, error) {
	effect, err := c.effect()
	if err != nil {
		return nil, err
	}
	if c.strict != nil {
		return then(c.passage.timed(Following, effect), c.passage.timed(Rewriting, c.compared)), nil
	}
	return then(c.passage.timed(Following, effect), c.passage.timed(Rewriting, c.narrowing())), nil
}

// then does one thing to an answer, and then another; either may be nil.
func then(first, next func(*http.Response) error) func(*http.Response) error {
	switch {
	case first == nil:
		return next
	case next == nil:
		return first
	}
	return func(answer *http.Response) error {
		if err := first(answer); err != nil {
			return err
		}
		return next(answer)
	}
}

// narrowing leaves in an answer what the caller may see: by what it names, and by its rows.
func (c *call) narrowing() func(*http.Response) error {
	rows, byRow := rowsOf[c.match.Route.Filter]
	named := len(c.match.Route.Mentions) > 0
	if c.subject.Admin || !byRow && !named {
		return nil
	}
	return func(answer *http.Response) error {
		if answer.StatusCode != http.StatusOK {
			return nil
		}
		if c.r.Method == http.MethodHead { // the length would tell of what is left out
			answer.Header.Del("Content-Length")
			answer.ContentLength = -1
			return nil
		}
		if named {
			if err := c.redact(answer); err != nil {
				return err
			}
		}
		if !byRow {
			return nil
		}
		shown, err := rows.shown(c, c.r.Context())
		if err != nil {
			return err
		}
		return c.keepRows(answer, rows.list, rows.one, shown)
	}
}

// readAnswer reads an answer whole, and leaves it to be read again.
func readAnswer(answer *http.Response, most int64) ([]byte, error) {
	body, err := httpx.ReadLimited(answer.Body, most)
	if err != nil {
		return nil, errs.Wrap(errs.BadGateway, err, "MLflow's answer could not be read; if it is too large (MAX_FILTERED_BODY_BYTES), ask for fewer rows")
	}
	_ = answer.Body.Close()
	setAnswer(answer, body)
	return body, nil
}

func setAnswer(answer *http.Response, body []byte) {
	answer.Body = io.NopCloser(bytes.NewReader(body))
	answer.ContentLength = int64(len(body))
	answer.Header.Set("Content-Length", strconv.Itoa(len(body)))
}
