package gateway_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// mutation is a row with one slip in it. The probe is the one of the rule that is missing, where it is a rule.
type mutation struct {
	name  string
	route policy.Route
	probe probe
}

// mutations are all slips of a row that a hand could make, and that would leave something open or undone.
func mutations(t *testing.T, route policy.Route) []mutation {
	t.Helper()
	var all []mutation
	add := func(name string, change func(*policy.Route), p probe) {
		mutated := route
		mutated.Needs, mutated.Checks = slices.Clone(route.Needs), slices.Clone(route.Checks)
		change(&mutated)
		all = append(all, mutation{name, mutated, p})
	}
	switch route.Access {
	case policy.Refused:
		add("open to administrators", func(r *policy.Route) { r.Access = policy.Administrators }, nil)
		add("open to everybody signed in", func(r *policy.Route) { r.Access = policy.SignedIn }, nil)
		return all // nothing else of it is ever looked at
	case policy.Administrators:
		add("open to everybody signed in", func(r *policy.Route) { r.Access = policy.SignedIn }, nil)
		add("refused", func(r *policy.Route) { r.Access = policy.Refused }, nil)
	case policy.PerResource:
		add("open to everybody signed in", func(r *policy.Route) { r.Access, r.Needs = policy.SignedIn, nil }, nil)
		if choice(route) {
			add("open to who names nothing", func(r *policy.Route) { r.Access = policy.SignedIn }, nil)
		}
	}
	for i, need := range route.Needs {
		if route.Access != policy.Administrators {
			add(need.String()+": missing", func(r *policy.Route) { r.Needs = slices.Delete(r.Needs, i, i+1) }, nil)
		}
		if need.Ref == policy.Job || route.Access == policy.Administrators {
			continue // a job is its owner's at any level, and administrators are not asked for one
		}
		if need.Level > kind.NoPermissions {
			add(need.String()+": one level less", func(r *policy.Route) { r.Needs[i].Level-- }, nil)
		}
		if need.Level > kind.NoPermissions && need.Level < kind.Manage {
			add(need.String()+": one level more", func(r *policy.Route) { r.Needs[i].Level++ }, nil)
		}
		if !need.Optional && need.At.In != policy.Path { // a path always has it
			add(need.String()+": optional", func(r *policy.Route) { r.Needs[i].Optional = true }, nil)
		}
		for j, field := range need.At.Fields {
			if len(need.At.Fields) > 1 {
				add(need.String()+": not at "+field, func(r *policy.Route) {
					r.Needs[i].At.Fields = slices.Delete(slices.Clone(need.At.Fields), j, j+1)
				}, nil)
			}
		}
	}
	for i, check := range route.Checks {
		add("no check that "+string(check), func(r *policy.Route) { r.Checks = slices.Delete(r.Checks, i, i+1) }, checkProbes[check])
	}
	if route.Maker > kind.NoPermissions {
		add("makers have no more than others", func(r *policy.Route) { r.Maker = kind.NoPermissions }, nil)
		add("makers need one level less", func(r *policy.Route) { r.Maker-- }, nil)
	}
	if route.Reviewer > kind.NoPermissions {
		add("reviewers have no more than others", func(r *policy.Route) { r.Reviewer = kind.NoPermissions }, nil)
	}
	if route.Filter != "" && elsewhere[string(route.Filter)] == "" {
		add("no filter of "+string(route.Filter), func(r *policy.Route) { r.Filter, r.Mentions = "", nil }, filterProbes[route.Filter])
	}
	if route.Effect != "" && elsewhere[string(route.Effect)] == "" {
		add("no effect, that "+string(route.Effect), func(r *policy.Route) { r.Effect = "" }, effectProbes[route.Effect])
	}
	if route.Creates != "" {
		add("creates nothing", func(r *policy.Route) { r.Creates = "" }, nil)
	}
	if route.Under != "" {
		add("creates under another field", func(r *policy.Route) { r.Under = "" }, nil)
	}
	if route.Content != policy.Stream {
		add("a body that is not read", func(r *policy.Route) { r.Content = policy.Stream }, nil)
	}
	if route.Most > 0 {
		add("no limit", func(r *policy.Route) { r.Most = 0 }, nil)
	}
	return all
}

// harmless says why a mutation changes nothing that could be seen; "" when it has to be.
func harmless(route policy.Route, m mutation) string {
	if route.Creates == kind.GatewayModel && route.Filter == policy.GatewayModels && m.route.Filter == "" {
		return "who may USE a secret may read its name"
	}
	if slices.Contains(route.Checks, policy.KnownJob) && !slices.Contains(m.route.Checks, policy.ExactFields) {
		return "what a job takes is compared one by one"
	}
	if slices.Contains(route.Checks, policy.KnownJob) && m.route.Access == policy.SignedIn && len(m.route.Needs) > 0 {
		return "a job that names nothing is none that can be decided"
	}
	if slices.Contains(route.Checks, policy.KindTag) && !slices.Contains(m.route.Checks, policy.KindTag) {
		return "what is made is decided by its tags in any case"
	}
	if route.Filter == policy.Scorers && m.route.Filter == "" && slices.ContainsFunc(route.Needs, func(n policy.Need) bool { return n.Ref == policy.Scorer }) {
		return "MLflow tells scorers apart by case where its database does, as here"
	}
	for i, need := range route.Needs {
		if around(route, need) && len(m.route.Needs) == len(route.Needs) && m.route.Needs[i].Optional {
			return "without the experiment no scorer is named"
		}
	}
	return ""
}

// TestEveryMutationOfTheTableIsNoticed builds a gateway of each slip of each row, and sends it the cells of the matrix, the
// foreign ids and the probes of the row. One that ends all of them as it should is a slip that nothing would notice.
func TestEveryMutationOfTheTableIsNoticed(t *testing.T) {
	c := newCast(t)
	count := 0
	for _, route := range untwinned() { // a twin is made of the same row
		t.Run(route.Pattern(), func(t *testing.T) {
			cells := slices.Concat(c.foreignCells(t, route), c.cells(t, route))
			for _, m := range mutations(t, route) {
				count++
				why, noticed := harmless(route, m), c.noticed(t, route, m, cells)
				switch {
				case why == "" && noticed == "":
					t.Errorf("survived: %s", m.name)
				case why != "" && noticed != "":
					t.Errorf("%s: is said to be harmless, since %s, but: %s", m.name, why, noticed)
				}
			}
		})
	}
	t.Logf("%d mutations", count)
}

// noticed gives the first thing that a mutated row does otherwise than the row should; "" when there is none.
func (c *cast) noticed(t *testing.T, route policy.Route, m mutation, cells []cell) string {
	t.Helper()
	open, restricted := c.gatewayOf(t, m.route, false), c.gatewayOf(t, m.route, true)
	if m.probe != nil {
		if problem := m.probe(t, c, route, open); problem != "" {
			return problem
		}
	}
	c.recorder.Refuse()
	for _, a := range cells {
		handler := map[bool]http.Handler{true: restricted, false: open}[a.restricted]
		if problem := c.run(t, a, handler); problem != "" {
			return strings.TrimSpace(a.name + ": " + problem)
		}
	}
	for name, p := range probesOf(t, route) {
		if problem := p(t, c, route, open); problem != "" {
			return name + ": " + problem
		}
	}
	return ""
}
