package gateway

import (
	"context"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// permitted tells whether the request may be forwarded.
func (c *call) permitted() error {
	if err := c.authorize(); err != nil {
		return err
	}
	return c.check()
}

// authorize decides every target of the request, not only the first.
func (c *call) authorize() error {
	route := c.match.Route
	if route.Access == policy.Refused {
		return errs.New(errs.Denied, "%s is not for clients of this gateway: %s", route.Pattern(), route.Why)
	}
	if route.Access == policy.Administrators && !c.subject.Admin {
		return errs.New(errs.Denied, "only administrators may do this, and not with a token that is narrowed")
	}
	if err := c.inScope(); err != nil {
		return err
	}
	if !c.subject.Active {
		return errs.New(errs.Denied, "this account is deactivated")
	}
	if route.Access == policy.PerResource && len(c.targets) == 0 && !c.subject.Admin {
		return errs.New(errs.Denied, "the request names nothing that could be decided")
	}
	for _, target := range c.targets {
		if target.Level == kind.NoPermissions { // only collected for a filter
			continue
		}
		if err := c.decide(target); err != nil && !c.excused(target, err) {
			return err
		}
	}
	if route.Creates == "" {
		return nil
	}
	if err := c.creatable(); err != nil {
		return err
	}
	k := route.Creates
	if k == kind.RegisteredModel && !c.subject.Admin {
		var err error
		if k, err = c.taggedKind(); err != nil {
			return err
		}
	}
	return c.create(k, created(route))
}

// created is the body's field with the name of what a route makes.
func created(route *policy.Route) string {
	if route.Under != "" {
		return route.Under
	}
	return "name"
}

func (c *call) create(k kind.Name, field string) error {
	name, _, err := c.read.Body.Text(field)
	if err != nil {
		return err
	}
	if err := extract.NameOf(k, field, name); err != nil {
		return err
	}
	return c.mayCreate(k, name)
}

// mayCreate decides the creation of something under a name.
func (c *call) mayCreate(k kind.Name, name string) error {
	d := c.gateway.Rules.DecideCreate(c.decider(), c.grants, authz.Resource{Kind: k, ID: name, Name: name})
	if d.Reason == authz.ByScope {
		return errs.New(errs.Denied, "your token does not reach so far as to create a %s", title(k))
	}
	if !d.Allowed {
		return errs.New(errs.Denied, "you may not create the %s %q: creating needs EDIT on the name", title(k), name)
	}
	return nil
}

// decide resolves a target to the resource that governs it, and decides that. What the caller may not even read answers
// exactly as what does not exist.
func (c *call) decide(target extract.Target) error {
	if c.subject.Admin && target.Ref != policy.ArtifactTree {
		return nil // MLflow says itself what does not exist
	}
	if target.Ref == policy.Job {
		if !c.subject.Scope.Everything() {
			return hidden(target)
		}
		return c.ownJob(target)
	}
	resources, err := c.resolve(target)
	if errs.Is(err, errs.NotFound) {
		return hidden(target)
	}
	if err != nil {
		return err
	}
	for _, resource := range resources {
		decision := c.gateway.Rules.Decide(c.decider(), c.grants, resource, target.Level)
		switch {
		case decision.Allowed:
		case decision.Level < kind.Read:
			return hidden(target)
		case decision.Reason == authz.ByScope:
			return errs.New(errs.Denied, "this needs %s on the %s %q; your token gives %s", target.Level, title(resource.Kind), resource.ID, decision.Level)
		default:
			return &lacking{errs.New(errs.Denied, "this needs %s on the %s %q; you have %s", target.Level, title(resource.Kind), resource.ID, decision.Level),
				resource, target.Level, decision.Level}
		}
	}
	return nil
}

// resolve finds the resources that govern a target: all of them have to allow it. None at all means that another rule of
// the row decides.
func (c *call) resolve(target extract.Target) ([]authz.Resource, error) {
	ctx, mlflow := c.r.Context(), c.gateway.MLflow
	switch target.Ref {
	case policy.Experiment:
		return c.experiments(ctx, target.Value)
	case policy.ExperimentName:
		id, err := mlflow.ExperimentByName(ctx, target.Value)
		return []authz.Resource{{Kind: kind.Experiment, ID: id, Name: target.Value}}, err
	case policy.Run, policy.LoggedModel, policy.Trace, policy.Issue, policy.LabelSchema, policy.ReviewQueue:
		owned, err := mlflow.Owned(ctx, target.Ref, target.Value)
		if err != nil {
			return nil, err
		}
		return c.experiments(ctx, owned.Experiment)
	case policy.Dataset:
		ids, err := mlflow.DatasetExperiments(ctx, target.Value)
		if err == nil && len(ids) == 0 { // tied to nothing, and so nobody's
			err = errs.New(errs.NotFound, "%s", target.Ref.Missing(target.Value))
		}
		if err != nil {
			return nil, err
		}
		return c.experiments(ctx, ids...)
	case policy.Model:
		on, err := c.registered(ctx, target.Value)
		return []authz.Resource{on}, err
	case policy.Scorer:
		on, err := c.scorer(ctx, target.Value)
		return []authz.Resource{on}, err
	case policy.MCPServer:
		return []authz.Resource{{Kind: kind.MCPServer, ID: target.Value, Name: target.Value}}, nil
	case policy.MCPServerOrNew:
		return c.serverOrNew(ctx, target)
	case policy.GatewayEndpointName:
		return []authz.Resource{{Kind: kind.GatewayEndpoint, ID: target.Value, Name: target.Value}}, nil
	case policy.GatewaySecretName:
		return []authz.Resource{{Kind: kind.GatewaySecret, ID: target.Value, Name: target.Value}}, nil
	case policy.GatewayModelName:
		return []authz.Resource{{Kind: kind.GatewayModel, ID: target.Value, Name: target.Value}}, nil
	case policy.GatewayEndpoint, policy.GatewaySecret, policy.GatewayModel:
		name, err := c.nameOf(ctx, target)
		return []authz.Resource{{Kind: namedKinds[target.Ref], ID: name, Name: name}}, err
	case policy.ArtifactTree:
		id, err := c.tree(target.Value)
		if err != nil {
			return nil, err
		}
		return c.experiments(ctx, id)
	case policy.Workspace:
		return spaceOf(target.Value), nil
	case policy.Source:
		return c.source(target.Value)
	}
	return nil, errs.New(errs.Internal, "a target names nothing known: %d", target.Ref)
}

// experiments gives experiments as resources; their names are asked for where the caller holds patterns, and in a workspace:
// an experiment of another one is not there.
func (c *call) experiments(ctx context.Context, ids ...string) ([]authz.Resource, error) {
	resources := make([]authz.Resource, len(ids))
	for i, id := range ids {
		resources[i] = authz.Resource{Kind: kind.Experiment, ID: id}
		if c.subject.Admin || !c.gateway.Rules.Workspaces && !c.grants.NeedsName(kind.Experiment) {
			continue
		}
		var err error
		if resources[i].Name, err = c.gateway.MLflow.ExperimentName(ctx, id); err != nil {
			return nil, err
		}
	}
	return resources, nil
}

// hidden is what MLflow answers for what does not exist, so that what may not be read cannot be told from it.
func hidden(target extract.Target) error {
	if missing := target.Ref.Missing(target.Value); missing != "" {
		return errs.New(errs.NotFound, "%s", missing)
	}
	return &unread{errs.New(errs.Denied, "you may not read %s", target.Value), target}
}

// rule is what a check of the table asks for.
type rule struct {
	holds func(*call) error
	all   bool // administrators are held to it too
}

// rules are the checks. Administrators are held to the form of paths, to what keeps a trace in its experiment, and to the
// name under which they act.
var rules = map[policy.Check]rule{
	policy.RelativePath:  {(*call).relativePaths, true},
	policy.NewTrace:      {(*call).newTrace, true},
	policy.NewSpans:      {(*call).newSpans, true},
	policy.OwnCompletion: {(*call).ownCompletion, true},
	policy.NoRouteWord:   {(*call).noRouteWord, true},

	policy.ServerArtifacts: {(*call).serverArtifacts, false},
	policy.PromptTag:       {(*call).promptTag, false},
	policy.KnownSource:     {(*call).knownSource, false},
	policy.NewName:         {(*call).newName, false},
	policy.TraceTags:       {(*call).traceTags, false},
	policy.TraceLocations:  {(*call).traceLocations, false},
	policy.SourceTraces:    {(*call).sourceTraces, false},
	policy.NewGatewayName:  {(*call).newGatewayName, false},
	policy.StatusDeleted:   {(*call).statusDeleted, false},
	policy.ReadableSecret:  {(*call).readableSecret, false},
	policy.ExactFields:     {(*call).exactFields, false},
	policy.KnownJob:        {(*call).knownJob, false},
	policy.KnownScorers:    {(*call).knownScorers, false},
	policy.KnownEndpoint:   {(*call).knownEndpoint, false},
	policy.OwnReview:       {(*call).ownReview, false},
	policy.UsableSecret:    {(*call).usableSecret, false},
	policy.UsableEndpoints: {(*call).usableEndpoints, false},
	policy.PromptVersion:   {func(c *call) error { _, err := c.promptVersion(); return err }, false},
	policy.KindTag:         {func(c *call) error { _, err := c.taggedKind(); return err }, false},
	policy.KnownUsage:      {func(c *call) error { return c.knownUsage(true) }, false},
	policy.NoNewUsage:      {func(c *call) error { return c.knownUsage(false) }, false},
}

// check applies the row's rules about fields.
func (c *call) check() error {
	for _, check := range c.match.Route.Checks {
		rule, ok := rules[check]
		switch {
		case !ok:
			return errs.New(errs.Internal, "check %q has no rule", check)
		case c.subject.Admin && !rule.all:
			continue
		}
		if err := rule.holds(c); err != nil {
			return err
		}
	}
	return nil
}

var pathFields = []string{"path", "artifact_directory_path", "artifact_file_path"}

func (c *call) relativePaths() error {
	for _, field := range pathFields {
		for _, value := range c.read.Query[field] {
			if err := httpx.RelativePath(value); err != nil {
				return err
			}
		}
		if c.read.Body == nil {
			continue
		}
		value, _, err := c.read.Body.Text(field)
		if err != nil {
			return err
		}
		if err := httpx.RelativePath(value); err != nil {
			return err
		}
	}
	return nil
}

// serverArtifacts refuses an artifact root of the caller's choice: MLflow takes file:///etc as well as another
// experiment's folder (MLflow 3.17.2, measured).
func (c *call) serverArtifacts() error {
	location, _, err := c.read.Body.Text("artifact_location")
	if err == nil && location != "" {
		err = errs.New(errs.Denied, "artifact_location may be chosen by administrators only; leave it out and the server chooses")
	}
	return err
}

// newName decides a renaming. The name must be one that the caller may create, and a pattern that matches it must not give
// the caller more than there was before: who may EDIT would have MANAGE by a name of their choice.
func (c *call) newName() error {
	name, given, err := c.read.Body.Text("new_name")
	if err != nil || !given {
		return err
	}
	for _, target := range c.targets {
		resources, err := c.resolve(target)
		if err != nil {
			return err
		}
		for _, resource := range resources {
			if resource.Kind.Kept() == kind.RegisteredModel { // its patterns match the new name, whether or not they match the old one
				if resource.Kind, err = c.kindOf(c.r.Context(), resource.ID); err != nil {
					return err
				}
			}
			if err := c.create(resource.Kind, "new_name"); err != nil {
				return err
			}
			if err := c.givesNothing(resource, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// givesNothing refuses a new name under which the caller would have more than before. Exact grants move along with what is
// renamed, and so only the name that patterns match changes.
func (c *call) givesNothing(resource authz.Resource, name string) error {
	before := c.gateway.Rules.Decide(c.decider(), c.grants, resource, kind.Read).Level
	resource.Name = name
	if after := c.gateway.Rules.Decide(c.decider(), c.grants, resource, kind.Read).Level; after > before {
		return errs.New(errs.Denied, "under the name %q you would have %s on the %s instead of %s", name, after, title(resource.Kind), before)
	}
	return nil
}
