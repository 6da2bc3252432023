package authz_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// resources is one resource of each kind, by which the matrix asks. A kind without one fails the test.
var resources = map[kind.Name]authz.Resource{
	kind.Experiment:      {Kind: kind.Experiment, ID: "17", Name: "prod/fraud"},
	kind.RegisteredModel: {Kind: kind.RegisteredModel, ID: "prod/fraud", Name: "prod/fraud"},
	kind.Prompt:          {Kind: kind.Prompt, ID: "prod/fraud", Name: "prod/fraud"},
	kind.Scorer:          {Kind: kind.Scorer, ID: "17/prod/fraud", Name: "prod/fraud", Parent: &authz.Resource{Kind: kind.Experiment, ID: "18", Name: "elsewhere"}},
	kind.GatewayEndpoint: {Kind: kind.GatewayEndpoint, ID: "prod/fraud", Name: "prod/fraud"},
	kind.GatewaySecret:   {Kind: kind.GatewaySecret, ID: "prod/fraud", Name: "prod/fraud"},
	kind.GatewayModel:    {Kind: kind.GatewayModel, ID: "prod/fraud", Name: "prod/fraud"},
	kind.MCPServer:       {Kind: kind.MCPServer, ID: "prod/fraud", Name: "prod/fraud"},
	kind.Workspace:       {Kind: kind.Workspace, ID: "prod/fraud", Name: "prod/fraud"},
}

var (
	person      = authz.Subject{Active: true}
	admin       = authz.Subject{Active: true, Admin: true}
	deactivated = authz.Subject{}
)

// on makes the grants of a case for a resource.
type on func(authz.Resource) []authz.Grant

func exact(source authz.Source, levels ...kind.Level) on {
	return func(r authz.Resource) (rows []authz.Grant) {
		for _, level := range levels {
			rows = append(rows, authz.Grant{Source: source, Kind: r.Kind, Resource: r.ID, Level: level})
		}
		return rows
	}
}

func matching(source authz.Source, pattern string, priority int, level kind.Level) on {
	return func(r authz.Resource) []authz.Grant {
		return []authz.Grant{{Source: source, Kind: r.Kind, Pattern: pattern, Priority: priority, Level: level}}
	}
}

func all(parts ...on) on {
	return func(r authz.Resource) (rows []authz.Grant) {
		for _, part := range parts {
			rows = append(rows, part(r)...)
		}
		return rows
	}
}

func elsewhere(r authz.Resource) []authz.Grant {
	var rows []authz.Grant
	for k := range kind.All() {
		if entry, _ := kind.Of(r.Kind); k.Name != r.Kind && k.Name != entry.Parent {
			rows = append(rows, authz.Grant{Source: authz.UserPattern, Kind: k.Name, Pattern: ".*", Level: kind.Manage})
			if k.Name.Kept() != r.Kind.Kept() {
				rows = append(rows, authz.Grant{Source: authz.User, Kind: k.Name, Resource: r.ID, Level: kind.Manage})
			}
		}
	}
	return append(rows, authz.Grant{Source: authz.User, Kind: r.Kind, Resource: r.ID + "0", Level: kind.Manage},
		authz.Grant{Source: authz.User, Kind: r.Kind, Resource: "", Level: kind.Manage},
		authz.Grant{Source: authz.UserPattern, Kind: r.Kind, Pattern: "other/.*", Level: kind.Manage})
}

const (
	none, read, use, edit, manage    = kind.NoPermissions, kind.Read, kind.Use, kind.Edit, kind.Manage
	user, group, regex, groupPattern = authz.User, authz.Group, authz.UserPattern, authz.GroupPattern
)

var matrix = []struct {
	name    string
	subject authz.Subject
	grants  on
	order   []authz.Source // nil: the default
	unless  kind.Level     // the default level
	want    kind.Level
	reason  authz.Reason
}{
	{"administrator", admin, exact(user), nil, none, manage, authz.Admin},
	{"administrator with a refusal", admin, exact(user, none), nil, none, manage, authz.Admin},
	{"deactivated", deactivated, exact(user, manage), nil, manage, none, authz.Deactivated},
	{"deactivated administrator", authz.Subject{Admin: true}, exact(user, manage), nil, manage, none, authz.Deactivated},
	{"nobody", authz.Subject{}, exact(user), nil, none, none, authz.Deactivated},
	{"person without grants", person, exact(user), nil, none, none, authz.ByDefault},
	{"person without grants, default READ", person, exact(user), nil, read, read, authz.ByDefault},
	{"person without grants, default USE", person, exact(user), nil, use, use, authz.ByDefault},
	{"person without grants, default EDIT", person, exact(user), nil, edit, edit, authz.ByDefault},
	{"person without grants, default MANAGE", person, exact(user), nil, manage, manage, authz.ByDefault},
	{"grants on other resources and kinds", person, elsewhere, nil, none, none, authz.ByDefault},

	{"user NO_PERMISSIONS", person, exact(user, none), nil, manage, none, authz.Granted},
	{"user READ", person, exact(user, read), nil, none, read, authz.Granted},
	{"user USE", person, exact(user, use), nil, none, use, authz.Granted},
	{"user EDIT", person, exact(user, edit), nil, none, edit, authz.Granted},
	{"user MANAGE", person, exact(user, manage), nil, none, manage, authz.Granted},
	{"user READ below the default", person, exact(user, read), nil, manage, read, authz.Granted},

	{"group READ", person, exact(group, read), nil, none, read, authz.Granted},
	{"groups: the strongest", person, exact(group, read, manage, edit), nil, none, manage, authz.Granted},
	{"groups: a refusal wins, first", person, exact(group, none, manage), nil, manage, none, authz.Granted},
	{"groups: a refusal wins, last", person, exact(group, read, manage, none), nil, manage, none, authz.Granted},

	{"pattern", person, matching(regex, "prod/.*", 1, edit), nil, none, edit, authz.Granted},
	{"pattern of a part from the start", person, matching(regex, "prod", 1, edit), nil, none, edit, authz.Granted},
	{"pattern of a part in the middle", person, matching(regex, "fraud", 1, manage), nil, none, none, authz.ByDefault},
	{"pattern up to the end", person, matching(regex, "prod$", 1, manage), nil, none, none, authz.ByDefault},
	{"alternatives are anchored, all of them", person, matching(regex, "x|fraud", 1, manage), nil, none, none, authz.ByDefault},
	{"patterns: the smallest priority", person, all(matching(regex, ".*", 2, manage), matching(regex, "prod", 1, read)), nil, none, read, authz.Granted},
	{"patterns: negative priority first", person, all(matching(regex, ".*", 0, manage), matching(regex, "prod", -1, none)), nil, none, none, authz.Granted},
	{"patterns: one that does not match has no say", person, all(matching(regex, "test", 1, none), matching(regex, "prod", 2, use)), nil, none, use, authz.Granted},
	{"patterns: equal priority, the strongest", person, all(matching(regex, "prod", 1, read), matching(regex, ".*", 1, edit)), nil, none, edit, authz.Granted},
	{"patterns: equal priority, a refusal wins", person, all(matching(regex, "prod", 1, manage), matching(regex, ".*", 1, none)), nil, manage, none, authz.Granted},
	{"patterns: a refusal of later priority has no say", person, all(matching(regex, "prod", 1, read), matching(regex, ".*", 2, none)), nil, none, read, authz.Granted},
	{"group pattern", person, matching(groupPattern, "prod/.*", 1, use), nil, none, use, authz.Granted},
	{"group patterns: the smallest priority", person, all(matching(groupPattern, ".*", 5, manage), matching(groupPattern, ".*", 3, none)), nil, none, none, authz.Granted},
	{"a stored pattern that does not compile refuses", person, matching(regex, "(", 1, manage), nil, manage, none, authz.Granted},
	{"an earlier pattern than the one that does not compile", person, all(matching(regex, "(", 2, manage), matching(regex, "prod", 1, read)), nil, none, read, authz.Granted},
	{"a stored pattern that is empty refuses", person, matching(groupPattern, "", 1, manage), nil, manage, none, authz.Granted},

	{"user before group", person, all(exact(group, none), exact(user, read)), nil, none, read, authz.Granted},
	{"a user's refusal before group", person, all(exact(group, manage), exact(user, none)), nil, manage, none, authz.Granted},
	{"group before pattern", person, all(matching(regex, ".*", 1, manage), exact(group, read)), nil, none, read, authz.Granted},
	{"pattern before group pattern", person, all(matching(groupPattern, ".*", 0, none), matching(regex, ".*", 9, read)), nil, none, read, authz.Granted},
	{"order group,user", person, all(exact(group, none), exact(user, manage)), []authz.Source{group, user}, manage, none, authz.Granted},
	{"order group-regex first", person, all(exact(user, manage), matching(groupPattern, "prod", 1, read)), []authz.Source{groupPattern, user, group, regex}, none, read, authz.Granted},
	{"a source that is left out is not asked", person, all(exact(user, manage), matching(regex, ".*", 1, manage)), []authz.Source{group, groupPattern}, use, use, authz.ByDefault},
}

func TestDecisionMatrix(t *testing.T) {
	effective, allowed, refused := map[kind.Level]bool{}, map[kind.Level]bool{}, map[kind.Level]bool{}
	for k := range kind.All() {
		resource, ok := resources[k.Name]
		if !ok {
			t.Errorf("the matrix has no resource of the kind %s", k.Name)
			continue
		}
		for _, c := range matrix {
			order := c.order
			if order == nil {
				order = authz.DefaultOrder()
			}
			grants, rules := authz.Compile(order, c.grants(resource)), authz.Rules{Default: c.unless}
			effective[c.want] = true
			for i := range kind.Levels() {
				need := kind.Level(i)
				want := c.want >= need && c.want != kind.NoPermissions
				allowed[need], refused[need] = allowed[need] || want, refused[need] || !want
				d := rules.Decide(c.subject, grants, resource, need)
				if d.Allowed != want || d.Level != c.want || d.Reason != c.reason || (d.Grant != nil) != (c.reason == authz.Granted) {
					t.Errorf("%s, %s, needs %s: %+v; want allowed %v by %s of level %s", k.Name, c.name, need, d, want, c.reason, c.want)
				}
				if e := rules.Explain(c.subject, grants, resource, need); !cmp.Equal(d, e.Decision) {
					t.Errorf("%s, %s: explained %+v, decided %+v", k.Name, c.name, e.Decision, d)
				}
			}
		}
	}
	for i, name := range kind.Levels() {
		level := kind.Level(i)
		if !effective[level] || !allowed[level] || !refused[level] {
			t.Errorf("no case covers the level %s: as a grant %v, allowed %v, refused %v", name, effective[level], allowed[level], refused[level])
		}
	}
	for k := range resources {
		if _, ok := kind.Of(k); !ok {
			t.Errorf("the matrix has a resource of %s, which is no kind", k)
		}
	}
}

func TestExplainListsWhatWasConsidered(t *testing.T) {
	r := resources[kind.Experiment]
	g := authz.Compile(authz.DefaultOrder(), all(matching(groupPattern, "prod", 1, read), matching(regex, "test", 1, read), matching(regex, ".*", 1, use),
		exact(group, edit, none), elsewhere)(r))
	e := authz.Rules{}.Explain(person, g, r, read)
	var got []string
	for _, grant := range e.Considered {
		got = append(got, grant.Source.String()+" "+grant.Level.String())
	}
	want := []string{"group NO_PERMISSIONS", "group EDIT", "regex USE", "group-regex READ"}
	if diff := cmp.Diff(want, got); diff != "" || e.Allowed || e.Grant == nil || e.Grant.Source != group {
		t.Errorf("%+v\n%s", e.Decision, diff)
	}
}

func TestDecideCreate(t *testing.T) {
	for name, c := range map[string]struct {
		subject    authz.Subject
		restricted bool
		grants     on
		order      []authz.Source
		unless     kind.Level
		want       bool
	}{
		"anybody":                               {person, false, exact(user), nil, none, true},
		"anybody, whatever patterns say":        {person, false, matching(regex, ".*", 1, none), nil, none, true},
		"administrator":                         {admin, true, matching(regex, ".*", 1, none), nil, none, true},
		"deactivated":                           {deactivated, false, exact(user), nil, manage, false},
		"deactivated administrator":             {authz.Subject{Admin: true}, false, exact(user), nil, manage, false},
		"restricted, nothing said":              {person, true, exact(user), nil, none, false},
		"restricted, default USE":               {person, true, exact(user), nil, use, false},
		"restricted, default EDIT":              {person, true, exact(user), nil, edit, true},
		"restricted, pattern USE":               {person, true, matching(regex, "prod", 1, use), nil, manage, false},
		"restricted, pattern EDIT":              {person, true, matching(regex, "prod", 1, edit), nil, none, true},
		"restricted, group pattern MANAGE":      {person, true, matching(groupPattern, "prod", 1, manage), nil, none, true},
		"restricted, pattern of another name":   {person, true, matching(regex, "test", 1, edit), nil, none, false},
		"restricted, broken pattern":            {person, true, matching(regex, "[", 1, edit), nil, manage, false},
		"an exact grant on the old name is not": {person, true, all(exact(user, manage), exact(group, manage)), nil, none, false},
		"order of the pattern sources":          {person, true, all(matching(regex, ".*", 1, none), matching(groupPattern, ".*", 1, edit)), []authz.Source{groupPattern, regex}, none, true},
	} {
		for _, resource := range resources {
			order := c.order
			if order == nil {
				order = authz.DefaultOrder()
			}
			d := authz.Rules{Default: c.unless, RestrictCreation: c.restricted}.DecideCreate(c.subject, authz.Compile(order, c.grants(resource)), resource)
			if d.Allowed != c.want {
				t.Errorf("%s, %s: %+v, want %v", resource.Kind, name, d, c.want)
			}
		}
	}
}
