// Package gateway is the pipeline of a request to MLflow: canonical path, route, who is it, ids, decision, forward,
// filter, effects. Nothing is forwarded that a route of the table and the decision did not allow.
package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/upstream"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// Authenticator says who a request is from: nil for nobody, an error for a credential that is wrong.
type Authenticator interface {
	Authenticate(r *http.Request) (*identity.Subject, error)
	Still(r *http.Request, s *identity.Subject) (*identity.Subject, error) // what Authenticate said before, if it holds
}

// Grants gives all that is granted to a user, from memory where it is warm.
type Grants interface {
	Of(ctx context.Context, userID int64) (*authz.Grants, error)
}

// Lifecycle carries grants along with the resources that requests make, delete and rename.
type Lifecycle interface {
	Created(ctx context.Context, k kind.Name, resource string, userID int64) error
	Deleted(ctx context.Context, k kind.Name, resource string) error
	Renamed(ctx context.Context, k kind.Name, from, to string) error
	WorkspaceDeleted(ctx context.Context, name string) error
}

// Owners remembers who made what MLflow itself knows no owner of, by the name of its reference (policy.Ref) and its id.
type Owners interface {
	Own(ctx context.Context, kind, id string, userID int64) error
	Disown(ctx context.Context, kind, id string) error
	Owner(ctx context.Context, kind, id string) (int64, error)
	Owned(ctx context.Context, kind string, userID int64) (map[string]bool, error)
}

// Options are what the gateway is made of.
type Options struct {
	MLflow      *upstream.MLflow
	Auth        Authenticator
	Grants      Grants
	Lifecycle   Lifecycle
	Owners      Owners
	Managers    Managers
	Denied      func(http.ResponseWriter, *http.Request, Denial) // the page of a refusal; nil: all refusals are JSON
	Sealer      Sealer
	Rules       authz.Rules
	Origin      *httpx.Origin
	Audit       audit.Recorder
	Log         *slog.Logger
	MaxJSON     int64 // bytes of a JSON body that is read to decide
	MaxFiltered int64 // bytes of an answer that is read to filter

	Report Report

	Watch func(context.Context) *Passage // where the way of a request is noted; nil: nobody watches any

	Script string // the address of the script that the page of MLflow's UI gets; empty: the page stays as it is

	Routes []policy.Route // nil: the route table
	Spaces Spaces
}

// Gateway answers every request that is not for the gateway's own pages and API.
type Gateway struct {
	Options
	matcher *policy.Matcher
	element []byte // that the page of MLflow's UI gets
	turns   turns
	alone   alone
}

// New makes the gateway from the route table.
func New(o Options) (*Gateway, error) {
	if o.Routes == nil {
		o.Routes = policy.Routes()
	}
	matcher, err := policy.NewMatcher(o.Routes)
	if err != nil {
		return nil, err
	}
	return &Gateway{Options: o, matcher: matcher, element: element(o.Script)}, nil
}

// call is one request on its way through the pipeline.
type call struct {
	gateway *Gateway
	w       http.ResponseWriter
	r       *http.Request
	began   time.Time
	passage *Passage // nil: nobody watches
	match   policy.Match
	read    *extract.Request
	subject *identity.Subject
	grants  *authz.Grants
	targets []extract.Target
	names   map[extract.Target]string    // what targets are called, as MLflow has said in this request; "" for what does not exist
	kinds   registry                     // and of which kind names of the model registry are
	scorers map[string]map[string]string // and how the readable scorers of experiments are called, by their ids

	credential *http.Request // the request, with the caller's own credential in its place
	stream     stream
	strict     *call // the request as it would be decided, where decisions are only reported
}

// ServeHTTP decides a request and forwards it.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	passage := g.passage(r.Context())
	if problem := httpx.CheckHeaders(r); problem != "" {
		g.Audit.Record(r.Context(), audit.Event{Name: audit.RequestRefused, Route: r.Method + " " + r.URL.Path, Reason: problem})
		passage.decided(Invalid)
		httpx.WriteError(w, r, g.Log, errs.New(errs.Invalid, "%s", problem))
		return
	}
	path, err := httpx.CanonicalPath(r)
	if err != nil {
		g.Audit.Record(r.Context(), audit.Event{Name: audit.RequestRefused, Route: r.Method + " " + r.URL.Path, Reason: err.Error()})
		passage.decided(DecisionOf(err))
		httpx.WriteError(w, r, g.Log, err)
		return
	}
	match, ok := g.matcher.Match(r.Method, path.Decoded)
	passage.lap(Matching)
	if !ok && g.Report.Unknown {
		g.unknown(w, r, path, passage)
		return
	}
	if !ok {
		passage.decided(Denied)
		g.Audit.Record(r.Context(), audit.Event{Name: audit.RequestRefused, Route: r.Method + " " + path.Decoded, Reason: "no route"})
		g.refuse(w, r, notKnown(r.Method+" "+path.Decoded), nothingToAskFor)
		return
	}
	passage.matched(match.Route)
	credential, err := callers(r, match.Route)
	if err != nil {
		passage.refused(r.Context(), Authenticating, err)
		httpx.WriteError(w, r, g.Log, err)
		return
	}
	subject, err := g.Auth.Authenticate(credential)
	passage.lap(Authenticating)
	if err != nil || subject == nil {
		passage.unknown(r.Context(), err)
		g.challenge(w, r, err)
		return
	}
	if g.Report.Decisions {
		w.Header().Set(reportHeader, "true")
	}
	if match.Route.Effect != "" { // the store records who has grants change
		r = r.WithContext(audit.By(r.Context(), audit.Author{By: subject.Username, Actor: subject.Actor, Cause: string(match.Route.Effect)}))
	}
	c := &call{gateway: g, w: w, r: r, began: time.Now(), passage: passage, match: match, subject: subject, credential: credential}
	err = c.place()
	if err == nil {
		err = c.serve(path)
	}
	if err != nil {
		passage.failed(r.Context(), err)
		if errs.Is(err, errs.Denied) || errs.Is(err, errs.NotFound) {
			g.Audit.Record(r.Context(), c.refusal(subject, err.Error()))
		}
		g.refuse(w, c.r, err, func() Denial { return c.denial(err) })
	}
}

// refusal is what is recorded of a request that is refused.
func (c *call) refusal(subject *identity.Subject, reason string) audit.Event {
	e := audit.Event{Name: audit.RequestRefused, By: subject.Username, UserID: subject.UserID, Actor: subject.Actor, Credential: subject.Credential.String(),
		Workspace: workspace.Stored(c.r.Context()), Route: c.match.Route.Pattern(), Reason: reason}
	if len(c.targets) > 0 {
		e.Kind, e.Resource = c.targets[0].Ref.String(), c.targets[0].Value
	}
	return e
}

// challenge answers a request without a valid credential: a browser is led to the login page and back, a program gets 401.
func (g *Gateway) challenge(w http.ResponseWriter, r *http.Request, err error) {
	if (err == nil || errs.Is(err, errs.Unauthenticated)) && httpx.Navigation(r) {
		http.Redirect(w, r, g.Origin.Prefix+"/login?next="+url.QueryEscape(g.Origin.Prefix+r.URL.RequestURI()), http.StatusSeeOther)
		return
	}
	if err == nil {
		err = errs.New(errs.Unauthenticated, "sign in with a browser, or send your username and access token "+
			"(MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD) or a bearer token (MLFLOW_TRACKING_TOKEN)")
	}
	if errs.Is(err, errs.Unauthenticated) {
		w.Header()["WWW-Authenticate"] = httpx.Challenges(r)
	}
	httpx.WriteError(w, r, g.Log, err)
}

func (c *call) serve(path httpx.Path) error {
	if err := c.gateway.sameSite(c.r, c.subject); err != nil {
		return err
	}
	read, err := extract.Read(c.r, path, &c.match, c.gateway.MaxJSON)
	if err != nil {
		return err
	}
	c.read = read
	c.passage.lap(Reading)
	// What had to come to decide has come. What streams, in or out, may take longer than a request may take to come; and the
	// server would take the end of that time for the client hanging up.
	if err := http.NewResponseController(c.w).SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return errs.Wrap(errs.Invalid, err, "the connection was lost")
	}
	if c.grants, err = c.gateway.Grants.Of(c.r.Context(), c.subject.UserID); err != nil {
		return err
	}
	if err := c.overlook(c.member()); err != nil {
		return err
	}
	if c.targets, err = c.read.Targets(&c.match); err != nil {
		return err
	}
	done, err := c.aloneWithNames()
	if err != nil {
		return err
	}
	defer done()
	if err := c.permitted(); err != nil {
		if err := c.overlook(err); err != nil {
			return err
		}
		if err := c.permitted(); err != nil { // what administrators are held to
			return err
		}
	}
	c.passage.granted()
	if !c.subject.Admin && c.gateway.rehearses(c.subject) {
		return c.rehearse()
	}
	filter := c.match.Route.Filter
	_, byRow := rowsOf[filter]
	switch {
	case filter == "", filter.Answered(), byRow: // on the way back
		return c.forward()
	case filter == policy.NarrowExperiments:
		return c.narrow()
	case filter == policy.GraphQLFields:
		return c.graphql()
	default:
		return c.list()
	}
}

// sameSite refuses what a page of another site has a browser do with somebody's session.
func (g *Gateway) sameSite(r *http.Request, subject *identity.Subject) error {
	if !safe(r.Method) && subject.Credential == identity.Session && !g.Origin.SameOrigin(r) {
		return errs.New(errs.Denied, "this request came from another site and was refused")
	}
	return nil
}

// notKnown refuses what is in no row of the table.
func notKnown(route string) error {
	return errs.New(errs.Denied, "%s is not known to this gateway, and so not allowed", route)
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// prepare makes the request that MLflow gets out of what was decided on.
func (c *call) prepare() *http.Request {
	out := c.gateway.MLflow.Prepare(c.r, c.read.Path, c.read.Query, c.gateway.Origin.Client(c.r))
	out.Method = c.match.Route.Method // of HEAD MLflow would read the body in place of the query (_get_request_message), and answer for all there is
	if c.match.Route.Joins {
		out = out.WithContext(upstream.Untold(out.Context()))
	}
	if key := providers(c.r, c.match.Route); key != "" {
		out.Header.Set("Authorization", key)
	}
	switch c.match.Route.Content {
	case policy.JSON:
		encoded := c.read.Body.Encode()
		out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(encoded)), int64(len(encoded))
		out.TransferEncoding = nil
		out.Header.Set("Content-Type", "application/json")
		out.Header.Del("Content-Length")
	case policy.OTLP:
		out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(c.read.Spans.Body)), int64(len(c.read.Spans.Body))
		out.TransferEncoding = nil
		out.Header.Del("Content-Encoding")
		out.Header.Del("Content-Length")
	case policy.NoBody:
		out.Body, out.ContentLength, out.TransferEncoding = http.NoBody, 0, nil
		out.Header.Del("Content-Length")
		out.Header.Del("Content-Type")
		out.Header.Del("Content-Encoding")
	}
	return out
}

// effectWithin is how long MLflow may take for a request with an effect, whether the client waits for it or not.
const effectWithin = time.Minute

func (c *call) forward() error {
	if most := c.match.Route.Most; most > 0 { // MLflow reads all of it into memory before it looks at the length (measured)
		if c.r.ContentLength > most {
			return errs.New(errs.TooLarge, "the body is larger than the limit of %d bytes", most)
		}
		c.r.Body = http.MaxBytesReader(httpx.Servers(c.w), c.r.Body, most)
	}
	if c.match.Route.Threads {
		c.passage.waits()
		done, err := c.gateway.turns.take(c.r.Context(), c.subject.UserID)
		c.passage.goesOn()
		if err != nil {
			return err
		}
		defer done()
	}
	out := c.prepare()
	effect, err := c.onAnswer()
	if err != nil {
		return err
	}
	if effect != nil {
		out.Header.Set("Accept-Encoding", "identity") // the effect reads the answer
	}
	if c.extends() {
		whole(out)
		effect = then(effect, c.passage.timed(Rewriting, c.gateway.extend))
	}
	if c.r.Method == http.MethodHead {
		effect = then(effect, withoutBody)
	}
	if c.match.Route.Effect != "" {
		// MLflow goes on when the client hangs up, and what it then has done must still be followed by the effect.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(out.Context()), effectWithin)
		defer cancel()
		out = out.WithContext(ctx)
	}
	w, effect := c.follow(out, effect)
	c.passage.lap(Deciding)
	defer c.passage.handedOn() // also when the answer is broken off, which is a panic
	c.gateway.MLflow.Forward(w, out, c.passage.answered(effect))
	return nil
}

// withoutBody leaves an answer's body unread, for HEAD.
func withoutBody(answer *http.Response) error {
	err := answer.Body.Close()
	answer.Body = http.NoBody
	return err
}

// answerJSON answers with JSON that was put together here.
func (c *call) answerJSON(body []byte) error {
	c.passage.lap(Rewriting)
	defer c.passage.lap(Answering)
	c.w.Header().Set("Content-Type", "application/json")
	c.w.Header().Set("X-Content-Type-Options", "nosniff")
	c.w.WriteHeader(http.StatusOK)
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(body)
	}
	return nil
}

func (c *call) decider() authz.Subject { return c.subject.Decider() }

func title(k kind.Name) string {
	if found, ok := kind.Of(k); ok {
		return found.Title
	}
	return strings.ReplaceAll(string(k), "_", " ")
}
