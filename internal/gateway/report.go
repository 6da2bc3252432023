package gateway

import (
	"bytes"
	"io"
	"net/http"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/rewrite"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/upstream"
)

// Report says what is only reported, and not refused: for those who put the gateway in front of an MLflow that many use, and
// want to know first whom it would stop.
type Report struct {
	Decisions bool // who may do what; who somebody is, what a credential is narrowed to and what a request may look like is not among that
	Unknown   bool // also routes that are in no row of the table
}

// reportHeader tells everybody who looks at an answer that permissions are not enforced.
const reportHeader = "X-Permissions-Not-Enforced"

// rehearses tells whether what would be refused to a subject is only reported. Deactivated accounts and narrowed credentials
// are held to what they are: they were told so by somebody.
func (g *Gateway) rehearses(s *identity.Subject) bool {
	return g.Report.Decisions && s.Active && s.Scope == nil
}

// eased is the subject as it counts while decisions are only reported: as an administrator, who is held to the form of
// requests alone.
func (g *Gateway) eased(s *identity.Subject) *identity.Subject {
	if s.Admin || !g.rehearses(s) {
		return s
	}
	as := *s
	as.Admin = true
	return &as
}

// overlook takes a refusal for a report of it, where decisions are only reported. From then on the request is an administrator's.
func (c *call) overlook(err error) error {
	if err == nil || c.subject.Admin || c.match.Route.Access == policy.Refused || !errs.Is(err, errs.Denied) && !errs.Is(err, errs.NotFound) || !c.gateway.rehearses(c.subject) {
		return err
	}
	c.reported(err.Error())
	c.subject = c.gateway.eased(c.subject)
	return nil
}

func (c *call) reported(reason string) {
	e := c.refusal(c.subject, reason)
	e.Name = audit.WouldRefuse
	c.passage.decided(Reported)
	c.gateway.Audit.Record(c.r.Context(), e)
}

// rehearse forwards a request whose decisions are only reported, and reports what would have been left out of the answer.
func (c *call) rehearse() error {
	strict := &call{gateway: c.gateway, w: c.w, r: c.r, began: c.began, passage: c.passage, match: c.match, read: c.read, subject: c.subject, grants: c.grants, targets: c.targets}
	c.subject = c.gateway.eased(c.subject)
	switch filter := c.match.Route.Filter; filter {
	case policy.GraphQLFields:
		if operation, err := strict.operation(); err != nil {
			if err := strict.overlook(err); err != nil {
				return err
			}
		} else if operation.Filtered() {
			strict.reported("the answer would be narrowed to what may be read")
		}
		return c.graphql()
	case policy.NarrowExperiments:
		for _, target := range strict.targets {
			if err := strict.decide(extract.Target{Ref: policy.Experiment, Value: target.Value, Level: target.Level}); err != nil {
				strict.reported("the search would leave out " + target.Value)
			}
		}
	default:
		if list, ok := rewrite.Lists[filter]; ok {
			if all := c.gateway.Rules.Select(strict.decider(), strict.grants, list.Kind, kind.Read); !all.Exact || !all.All || len(all.IDs) > 0 {
				strict.reported("the list would be narrowed to what may be read")
			}
		}
	}
	if c.r.Method != http.MethodHead {
		c.strict = strict
	}
	return c.forward()
}

// compared reports what narrowing would have left out of an answer, which stays as it is.
func (c *call) compared(answer *http.Response) error {
	narrowing := c.strict.narrowing()
	if narrowing == nil {
		return nil
	}
	most := c.gateway.MaxFiltered
	whole, err := io.ReadAll(io.LimitReader(answer.Body, most+1))
	if err != nil {
		return errs.Wrap(errs.BadGateway, err, "reading MLflow's answer")
	}
	if int64(len(whole)) > most {
		c.strict.reported("the answer would be too large to be narrowed")
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(whole), answer.Body), answer.Body}
		return nil
	}
	_ = answer.Body.Close()
	narrowed := *answer
	narrowed.Header = answer.Header.Clone()
	setAnswer(&narrowed, whole)
	if err := narrowing(&narrowed); err != nil {
		c.strict.reported(err.Error())
	} else if left, err := io.ReadAll(narrowed.Body); err != nil || !bytes.Equal(left, whole) {
		c.strict.reported("parts of the answer would be left out")
	}
	setAnswer(answer, whole)
	return nil
}

// unknown forwards a request that is in no row of the table, of whoever is signed in.
func (g *Gateway) unknown(w http.ResponseWriter, r *http.Request, path httpx.Path, passage *Passage) {
	subject, err := g.Auth.Authenticate(r)
	passage.lap(Authenticating)
	if err != nil || subject == nil {
		passage.unknown(r.Context(), err)
		g.challenge(w, r, err)
		return
	}
	route := r.Method + " " + path.Decoded
	if err = g.sameSite(r, subject); !g.rehearses(subject) {
		err = notKnown(route)
	}
	event := audit.Event{Name: audit.WouldRefuse, By: subject.Username, UserID: subject.UserID, Actor: subject.Actor, Credential: subject.Credential.String(), Route: route, Reason: "no route"}
	if err != nil {
		event.Name = audit.RequestRefused
		passage.decided(DecisionOf(err))
		g.Audit.Record(r.Context(), event)
		httpx.WriteError(w, r, g.Log, err)
		return
	}
	g.Audit.Record(r.Context(), event)
	w.Header().Set(reportHeader, "true")
	passage.decided(Reported)
	out := g.MLflow.Prepare(r, path, r.URL.Query(), g.Origin.Client(r))
	defer passage.handedOn() // also when the answer is broken off, which is a panic
	g.MLflow.Forward(w, out.WithContext(upstream.Untold(out.Context())), passage.answered(nil))
}
