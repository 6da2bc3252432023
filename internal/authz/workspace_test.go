package authz_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// model and experiment are what is decided on; another workspace may have a model of the same name.
var (
	model      = authz.Resource{Kind: kind.RegisteredModel, ID: "m", Name: "m"}
	experiment = authz.Resource{Kind: kind.Experiment, ID: "17", Name: "e"}
)

// within is a grant on the model, or a pattern for it, in a workspace.
func within(workspace string, g authz.Grant) authz.Grant {
	g.Kind, g.Workspace = kind.RegisteredModel, workspace
	if g.Pattern == "" {
		g.Resource = "m"
	}
	return g
}

// ofWorkspace is a grant on a workspace itself.
func ofWorkspace(name string, source authz.Source, level kind.Level) authz.Grant {
	return authz.Grant{Source: source, Kind: kind.Workspace, Resource: name, Level: level}
}

func TestDecideInAWorkspace(t *testing.T) {
	grant := authz.Grant{Source: user, Level: edit}
	pattern := authz.Grant{Source: regex, Pattern: "m", Level: edit}
	for _, c := range []struct {
		name   string
		in     string // the request's workspace
		on     authz.Resource
		rows   []authz.Grant
		unless kind.Level
		want   kind.Level
		reason authz.Reason
	}{
		{"nothing in a workspace, whatever the default", "a", model, nil, manage, none, authz.ByWorkspace},
		{"nothing in the default one", "default", model, nil, read, read, authz.ByDefault},
		{"grant in it", "a", model, []authz.Grant{within("a", grant)}, none, edit, authz.Granted},
		{"grant on the same name in another", "b", model, []authz.Grant{within("a", grant)}, none, none, authz.ByWorkspace},
		{"grant on the same name in the default one", "a", model, []authz.Grant{within("", grant)}, none, none, authz.ByWorkspace},
		{"grant of before, in the default one", "default", model, []authz.Grant{within("", grant)}, none, edit, authz.Granted},
		{"grant in the default one by its name", "default", model, []authz.Grant{within("default", grant)}, none, edit, authz.Granted},
		{"grant in another, in the default one", "default", model, []authz.Grant{within("a", grant)}, none, none, authz.ByDefault},
		{"grant in another, workspaces off", "", model, []authz.Grant{within("a", grant)}, none, none, authz.ByDefault},
		{"pattern in it", "a", model, []authz.Grant{within("a", pattern)}, none, edit, authz.Granted},
		{"pattern in another", "b", model, []authz.Grant{within("a", pattern)}, none, none, authz.ByWorkspace},
		{"pattern for all", "b", model, []authz.Grant{within("*", pattern)}, none, edit, authz.Granted},
		{"pattern of before, in another than the default one", "b", model, []authz.Grant{within("", pattern)}, none, none, authz.ByWorkspace},
		{"pattern of before, in the default one", "default", model, []authz.Grant{within("", pattern)}, none, edit, authz.Granted},
		{"pattern in another, workspaces off", "", model, []authz.Grant{within("a", pattern)}, none, none, authz.ByDefault},
		{"pattern for all, workspaces off", "", model, []authz.Grant{within("*", pattern)}, none, edit, authz.Granted},
		{"an experiment's grant is one everywhere", "b", experiment, []authz.Grant{{Source: user, Kind: kind.Experiment, Resource: "17", Workspace: "a", Level: read}}, none, read, authz.Granted},

		{"the workspace's level", "a", model, []authz.Grant{ofWorkspace("a", user, use)}, manage, use, authz.ByWorkspace},
		{"the workspace's level, of an experiment", "a", experiment, []authz.Grant{ofWorkspace("a", group, manage)}, none, manage, authz.ByWorkspace},
		{"another workspace's level", "b", model, []authz.Grant{ofWorkspace("a", user, manage)}, none, none, authz.ByWorkspace},
		{"a refusal on the workspace", "a", model, []authz.Grant{ofWorkspace("a", user, none), ofWorkspace("a", group, manage)}, manage, none, authz.ByWorkspace},
		{"a refusal on the default one", "default", model, []authz.Grant{ofWorkspace("default", user, none)}, manage, none, authz.ByWorkspace},
		{"a level on the default one", "default", model, []authz.Grant{ofWorkspace("default", user, edit)}, read, edit, authz.ByWorkspace},
		{"a pattern of workspaces", "team-a", model, []authz.Grant{{Source: groupPattern, Kind: kind.Workspace, Pattern: "team-", Level: read}}, none, read, authz.ByWorkspace},
		{"a pattern of workspaces that matches in the middle", "team-a", model, []authz.Grant{{Source: groupPattern, Kind: kind.Workspace, Pattern: "a", Level: read}}, none, none, authz.ByWorkspace},
		{"a grant before the workspace's level", "a", model, []authz.Grant{ofWorkspace("a", user, manage), within("a", authz.Grant{Source: groupPattern, Pattern: ".*", Level: none})}, none, none, authz.Granted},
		{"a grant without the workspace's level", "a", model, []authz.Grant{ofWorkspace("a", user, none), within("a", grant)}, none, edit, authz.Granted},

		{"a workspace itself", "default", authz.Resource{Kind: kind.Workspace, ID: "a", Name: "a"}, []authz.Grant{ofWorkspace("a", user, read)}, none, read, authz.Granted},
		{"a workspace without a grant, whatever the default", "default", authz.Resource{Kind: kind.Workspace, ID: "a", Name: "a"}, nil, manage, none, authz.ByDefault},
		{"the default workspace itself", "a", authz.Resource{Kind: kind.Workspace, ID: "default", Name: "default"}, nil, read, read, authz.ByDefault},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules := authz.Rules{Default: c.unless, Workspaces: c.in != ""}
			grants := authz.Compile(authz.DefaultOrder(), c.rows).In(c.in)
			if d := rules.Decide(person, grants, c.on, read); d.Level != c.want || d.Reason != c.reason || d.Allowed != (c.want >= read) {
				t.Errorf("%+v, want %s by %s", d, c.want, c.reason)
			}
			if d := rules.Decide(authz.Subject{}, grants, c.on, read); d.Allowed || d.Reason != authz.Deactivated {
				t.Errorf("deactivated: %+v", d)
			}
			selected := rules.Select(person, grants, c.on.Kind, read)
			if listed := slices.Contains(selected.IDs, c.on.ID) != selected.All; selected.Exact && c.on.ID != kind.DefaultWorkspace && listed != (c.want >= read) {
				t.Errorf("the selection is %+v, want %s", selected, c.want)
			}
		})
	}
}

// A place that was forgotten must not be taken for the default workspace, nor for all of them.
func TestGrantsOfNoWorkspaceGiveNothingByDefault(t *testing.T) {
	rules, grants := authz.Rules{Default: manage, Workspaces: true}, authz.Compile(authz.DefaultOrder(), []authz.Grant{ofWorkspace("default", user, manage)})
	if d := rules.Decide(person, grants, model, read); d.Allowed {
		t.Errorf("%+v", d)
	}
	if d := rules.DecideCreate(person, grants, model); d.Allowed {
		t.Errorf("creating: %+v", d)
	}
	if rules.Member(person, grants) {
		t.Error("a member of nothing")
	}
}

func TestCreateInAWorkspace(t *testing.T) {
	name := within("*", authz.Grant{Source: regex, Pattern: "m", Level: edit})
	for _, c := range []struct {
		name         string
		in           string
		rows         []authz.Grant
		free, narrow bool // allowed where anybody may create, and where creation is restricted
	}{
		{"in the default one", "default", nil, true, false},
		{"in one without a level", "a", nil, false, false},
		{"by a pattern without a level", "a", []authz.Grant{name}, false, false},
		{"with READ", "a", []authz.Grant{ofWorkspace("a", user, read)}, false, false},
		{"with READ and a pattern", "a", []authz.Grant{ofWorkspace("a", user, read), name}, false, false},
		{"with USE", "a", []authz.Grant{ofWorkspace("a", user, use)}, true, false},
		{"with USE and a pattern", "a", []authz.Grant{ofWorkspace("a", user, use), name}, true, true},
		{"with USE on another", "a", []authz.Grant{ofWorkspace("b", user, use)}, false, false},
		{"with EDIT", "a", []authz.Grant{ofWorkspace("a", user, edit)}, true, true},
		{"in the default one with EDIT", "default", []authz.Grant{ofWorkspace("default", user, edit)}, true, true},
		{"in the default one with READ", "default", []authz.Grant{ofWorkspace("default", user, read)}, false, false},
		{"in the default one with a refusal", "default", []authz.Grant{ofWorkspace("default", user, none)}, false, false},
		{"in the default one by a pattern", "default", []authz.Grant{name}, true, true},
	} {
		for restricted, want := range map[bool]bool{false: c.free, true: c.narrow} {
			rules, grants := authz.Rules{Workspaces: true, RestrictCreation: restricted}, authz.Compile(authz.DefaultOrder(), c.rows).In(c.in)
			if d := rules.DecideCreate(person, grants, model); d.Allowed != want {
				t.Errorf("%s, restricted %v: %+v, want %v", c.name, restricted, d, want)
			}
			if rules.DecideCreate(authz.Subject{}, grants, model).Allowed || !rules.DecideCreate(admin, grants, model).Allowed {
				t.Errorf("%s: a deactivated account may, or an administrator may not", c.name)
			}
		}
	}
}

func TestMember(t *testing.T) {
	grants := authz.Compile(authz.DefaultOrder(), []authz.Grant{ofWorkspace("a", user, read), ofWorkspace("b", user, none), ofWorkspace("default", user, none)})
	got := map[string]bool{}
	for _, name := range []string{"default", "a", "b", "c"} {
		got[name] = authz.Rules{Default: manage, Workspaces: true}.Member(person, grants.In(name))
		if authz.Rules.Member(authz.Rules{Workspaces: true}, authz.Subject{}, grants.In(name)) {
			t.Errorf("a deactivated account is in %s", name)
		}
	}
	if diff := cmp.Diff(map[string]bool{"default": true, "a": true, "b": false, "c": false}, got); diff != "" {
		t.Error(diff)
	}
	if !(authz.Rules{}).Member(person, grants) {
		t.Error("nobody is in the only workspace where they are off")
	}
}

// What is granted in one workspace is no grant in another: each of the grants is listed where it counts, once.
func TestEachYieldsTheGrantsOfTheWorkspace(t *testing.T) {
	grants := authz.Compile(authz.DefaultOrder(), []authz.Grant{within("a", authz.Grant{Source: user, Level: read}), within("a", authz.Grant{Source: group, Level: read}),
		{Source: user, Kind: kind.RegisteredModel, Workspace: "b", Resource: "n", Level: read}, {Source: user, Kind: kind.RegisteredModel, Resource: "old", Level: read}})
	got := map[string][]string{}
	for _, name := range []string{"", "default", "a", "b", "c"} {
		grants.In(name).Each(kind.RegisteredModel, func(id string) { got[name] = append(got[name], id) })
	}
	if diff := cmp.Diff(map[string][]string{"": {"old"}, "default": {"old"}, "a": {"m"}, "b": {"n"}}, got); diff != "" {
		t.Error(diff)
	}
}
