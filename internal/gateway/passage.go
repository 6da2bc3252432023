package gateway

import (
	"context"
	"net/http"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// Step is a part of a request's way through the pipeline.
type Step uint8

// The steps, in their order.
const (
	Matching Step = iota
	Authenticating
	Reading
	Deciding
	Waiting
	Asking
	Rewriting
	Following
	Answering
	stepCount
)

var steps = [stepCount]struct{ name, meaning string }{
	Matching:       {"match", "the headers and the path are checked, and the row of the route table is found"},
	Authenticating: {"authenticate", "who it is"},
	Reading:        {"read", "what the request names is read, with the body where that is decided on, as fast as the client sends it"},
	Deciding:       {"decide", "what the caller holds, what MLflow says of what is named, and the decision"},
	Waiting:        {"wait", "its turn has to come: of the downloads of one user, or of those who change names"},
	Asking:         {"upstream", "MLflow, until its answer begins, with the body of the request as fast as the client sends it"},
	Rewriting:      {"rewrite", "what the caller may not see is left out; of a list or search, with asking MLflow for it"},
	Following:      {"effects", "permissions follow what MLflow has done"},
	Answering:      {"answer", "the answer is handed on, as fast as the client takes it"},
}

// String gives the step's name in metrics and traces.
func (s Step) String() string { return steps[s].name }

// Meaning says what is done in the step.
func (s Step) Meaning() string { return steps[s].meaning }

// Steps are all of them.
func Steps() []Step {
	all := make([]Step, stepCount)
	for i := range all {
		all[i] = Step(i)
	}
	return all
}

// Decision is what came of a request.
type Decision uint8

// The decisions. A request that is allowed can fail all the same: its status says that.
const (
	Undecided Decision = iota // the client hung up before, or the gateway failed
	Allowed
	Reported
	Denied
	Unauthenticated
	NotFound
	Invalid
	Limited
	Unavailable
	BadGateway
	decisionCount
)

var decisions = [decisionCount]struct{ name, meaning string }{
	Undecided:       {"undecided", "the gateway failed, or the client hung up before"},
	Allowed:         {"allowed", "forwarded to MLflow, or done; `code` says what came of it"},
	Reported:        {"reported", "forwarded though it would have been refused or narrowed, since `REPORT_ONLY` is set"},
	Denied:          {"denied", "known, but not allowed"},
	Unauthenticated: {"unauthenticated", "without a credential, or with a wrong one; browsers are led to the sign-in page"},
	NotFound:        {"not_found", "it does not exist, or the caller may not see that it does"},
	Invalid:         {"invalid", "malformed, ambiguous, too large, or in conflict with what there is"},
	Limited:         {"limited", "too many attempts"},
	Unavailable:     {"unavailable", "the users database, the session store or the identity provider could not be asked"},
	BadGateway:      {"bad_gateway", "MLflow could not be asked what the decision needs, or what a list is made of"},
}

// String gives the decision's name in metrics, traces and the access log.
func (d Decision) String() string { return decisions[d].name }

// Meaning says when a request is so decided.
func (d Decision) Meaning() string { return decisions[d].meaning }

// Decisions are all of them.
func Decisions() []Decision {
	all := make([]Decision, decisionCount)
	for i := range all {
		all[i] = Decision(i)
	}
	return all
}

var decisionOf = map[errs.Code]Decision{errs.Invalid: Invalid, errs.Unauthenticated: Unauthenticated, errs.Denied: Denied, errs.NotFound: NotFound,
	errs.Conflict: Invalid, errs.TooLarge: Invalid, errs.Limited: Limited, errs.Unavailable: Unavailable, errs.BadGateway: BadGateway}

// DecisionOf gives what a request came to that ended with an error.
func DecisionOf(err error) Decision { return decisionOf[errs.CodeOf(err)] }

// Lap is how long a step took, and when it began the first time, since the request came.
type Lap struct{ Began, Took time.Duration }

// Passage is one request on its way, for whoever watches. A nil one is watched by nobody, and costs nothing.
type Passage struct {
	Route    *policy.Route // nil: it is in no row of the table
	Decision Decision
	Laps     [stepCount]Lap

	began, last time.Time
	held        Lap // what of the step under way was before it had to wait
}

// Begin starts the clock.
func (p *Passage) Begin(now time.Time) { p.began, p.last = now, now }

// lap ends a step: all since the end of the one before is it.
func (p *Passage) lap(s Step) {
	if p == nil {
		return
	}
	now := time.Now()
	l := &p.Laps[s]
	switch {
	case l.Took > 0:
	case p.held.Took > 0:
		l.Began = p.held.Began
	default:
		l.Began = p.last.Sub(p.began)
	}
	l.Took += now.Sub(p.last) + p.held.Took
	p.last, p.held = now, Lap{}
}

// waits has the step under way stand still: its turn has to come first.
func (p *Passage) waits() {
	if p == nil {
		return
	}
	now := time.Now()
	if p.held.Took == 0 {
		p.held.Began = p.last.Sub(p.began)
	}
	p.held.Took += now.Sub(p.last)
	p.last = now
}

// goesOn ends the waiting.
func (p *Passage) goesOn() {
	if p == nil {
		return
	}
	now := time.Now()
	l := &p.Laps[Waiting]
	if l.Took == 0 {
		l.Began = p.last.Sub(p.began)
	}
	l.Took += now.Sub(p.last)
	p.last = now
}

func (p *Passage) decided(d Decision) {
	if p != nil {
		p.Decision = d
	}
}

func (p *Passage) matched(route *policy.Route) {
	if p != nil {
		p.Route = route
	}
}

// refused says that a request ended with an error, after a step.
func (p *Passage) refused(ctx context.Context, s Step, err error) {
	if p != nil {
		p.lap(s)
		p.ended(ctx, err)
	}
}

// ended says what an error makes of a request. Where the client hung up nothing more was decided.
func (p *Passage) ended(ctx context.Context, err error) {
	if !httpx.HungUp(ctx, err) {
		p.Decision = DecisionOf(err)
	}
}

// granted says that a request may be forwarded; not where it is only reported that it would not.
func (p *Passage) granted() {
	if p != nil && p.Decision == Undecided {
		p.Decision = Allowed
	}
}

// failed says that a request of somebody who is known ended with an error, in the step that was under way.
func (p *Passage) failed(ctx context.Context, err error) {
	switch {
	case p == nil:
	case p.Laps[Reading].Took == 0:
		p.refused(ctx, Reading, err)
	case p.Laps[Deciding].Took == 0:
		p.refused(ctx, Deciding, err)
	default:
		p.refused(ctx, Rewriting, err)
	}
}

// unknown says that the caller is nobody who is known, or that this could not be found out.
func (p *Passage) unknown(ctx context.Context, err error) {
	switch {
	case p == nil:
	case err != nil:
		p.ended(ctx, err)
	default:
		p.Decision = Unauthenticated
	}
}

// timed is what is done with an answer, as a step of its own. What comes before is MLflow's time, or the step of what was done before it.
func (p *Passage) timed(s Step, do func(*http.Response) error) func(*http.Response) error {
	if p == nil || do == nil {
		return do
	}
	return func(answer *http.Response) error {
		err := do(answer)
		p.lap(s)
		return err
	}
}

// answered ends the time of MLflow before anything is done with its answer.
func (p *Passage) answered(then func(*http.Response) error) func(*http.Response) error {
	if p == nil {
		return then
	}
	return func(answer *http.Response) error {
		p.lap(Asking)
		if then == nil {
			return nil
		}
		return then(answer)
	}
}

// handedOn ends a request that was forwarded: the answer was sent, or there was none.
func (p *Passage) handedOn() {
	switch {
	case p == nil:
	case p.Laps[Asking].Took == 0:
		p.lap(Asking)
	default:
		p.lap(Answering)
	}
}

// passage gives where the way of a request is noted; nil where nobody watches.
func (g *Gateway) passage(ctx context.Context) *Passage {
	if g.Watch == nil {
		return nil
	}
	return g.Watch(ctx)
}
