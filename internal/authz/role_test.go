package authz_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// ofRole is a role's permission on all of a kind.
func ofRole(k kind.Name, level kind.Level) authz.Grant {
	return authz.Grant{Source: authz.Role, Kind: k, Resource: authz.Everything, Level: level, Role: "team"}
}

// onOne is a role's permission on one resource.
func onOne(k kind.Name, id string, level kind.Level) authz.Grant {
	g := ofRole(k, level)
	g.Resource = id
	return g
}

// denies makes a permission into a role's DENY.
func denies(g authz.Grant) authz.Grant {
	g.Level, g.Denies = none, true
	return g
}

// ofPart is a role's permission on a part of a kind.
func ofPart(part string, level kind.Level) authz.Grant {
	k, _ := kind.WithPart(part)
	g := ofRole(k.Name, level)
	g.Part = part
	return g
}

// inRoleOf puts a role's permission into a workspace.
func inRoleOf(workspace string, g authz.Grant) authz.Grant {
	g.Workspace = workspace
	return g
}

func direct(level kind.Level) authz.Grant {
	return authz.Grant{Source: user, Kind: kind.Experiment, Resource: "17", Level: level}
}

var (
	scorer = authz.Resource{Kind: kind.Scorer, ID: "17/s", Name: "s", Parent: &experiment}
	space  = authz.Resource{Kind: kind.Workspace, ID: "a", Name: "a"}
)

func TestRoles(t *testing.T) {
	groupManages := authz.Grant{Source: group, Kind: kind.Experiment, Resource: "17", Level: manage, Group: "g"}
	for _, c := range []struct {
		name   string
		in     string // the request's workspace; "" where they are off
		on     authz.Resource
		rows   []authz.Grant
		unless kind.Level
		want   kind.Level
		reason authz.Reason
	}{
		{"on one", "", experiment, []authz.Grant{onOne(kind.Experiment, "17", edit)}, none, edit, authz.Granted},
		{"on another", "", experiment, []authz.Grant{onOne(kind.Experiment, "170", edit)}, none, none, authz.ByDefault},
		{"on all of the kind", "", experiment, []authz.Grant{ofRole(kind.Experiment, use)}, none, use, authz.Granted},
		{"on all of another kind", "", experiment, []authz.Grant{ofRole(kind.RegisteredModel, manage)}, none, none, authz.ByDefault},
		{"the strongest of several roles", "", experiment, []authz.Grant{onOne(kind.Experiment, "17", read), ofRole(kind.Experiment, edit)}, none, edit, authz.Granted},
		{"below the default", "", experiment, []authz.Grant{ofRole(kind.Experiment, read)}, manage, read, authz.Granted},
		{"after the user's own", "", experiment, []authz.Grant{ofRole(kind.Experiment, manage), direct(read)}, none, read, authz.Granted},
		{"a prompt's name is no model's", "", model, []authz.Grant{onOne(kind.Prompt, "m", manage)}, none, none, authz.ByDefault},
		{"prompts are no models", "", model, []authz.Grant{denies(ofRole(kind.Prompt, none)), ofRole(kind.RegisteredModel, read)}, none, read, authz.Granted},

		{"DENY on one", "", experiment, []authz.Grant{denies(onOne(kind.Experiment, "17", none)), ofRole(kind.Experiment, manage)}, manage, none, authz.Granted},
		{"DENY on all", "", experiment, []authz.Grant{denies(ofRole(kind.Experiment, none)), onOne(kind.Experiment, "17", manage)}, manage, none, authz.Granted},
		{"DENY before the user's own", "", experiment, []authz.Grant{denies(ofRole(kind.Experiment, none)), direct(manage)}, none, none, authz.Granted},
		{"DENY before a group's", "", experiment, []authz.Grant{denies(onOne(kind.Experiment, "17", none)), groupManages}, none, none, authz.Granted},
		{"DENY before who manages the workspace", "", experiment, []authz.Grant{denies(ofRole(kind.Experiment, none)), ofRole(kind.Workspace, manage)}, none, none, authz.Granted},
		{"DENY on the experiment holds for its scorers", "", scorer, []authz.Grant{denies(onOne(kind.Experiment, "17", none)), {Source: user, Kind: kind.Scorer, Resource: "17/s", Level: manage}}, none, none, authz.Granted},
		{"DENY on a scorer leaves its experiment", "", experiment, []authz.Grant{denies(ofRole(kind.Scorer, none)), direct(edit)}, none, edit, authz.Granted},
		{"a scorer by its experiment", "", scorer, []authz.Grant{ofRole(kind.Experiment, edit)}, none, edit, authz.Granted},
		{"a scorer before its experiment", "", scorer, []authz.Grant{ofRole(kind.Experiment, edit), onOne(kind.Scorer, "17/s", read)}, none, read, authz.Granted},

		{"a part gives nothing", "", experiment, []authz.Grant{ofPart("run", manage)}, none, none, authz.ByDefault},
		{"a part holds back a role", "", experiment, []authz.Grant{ofPart("run", read), ofRole(kind.Experiment, manage)}, none, read, authz.Granted},
		{"a part holds back the user's own", "", experiment, []authz.Grant{ofPart("trace", read), direct(manage)}, none, read, authz.Granted},
		{"a part holds back the default", "", experiment, []authz.Grant{ofPart("logged_model", use)}, manage, use, authz.Granted},
		{"a part of several roles, the strongest", "", experiment, []authz.Grant{ofPart("run", read), ofPart("run", edit), direct(manage)}, none, edit, authz.Granted},
		{"several parts, the weakest", "", experiment, []authz.Grant{ofPart("run", edit), ofPart("assessment", use), direct(manage)}, none, use, authz.Granted},
		{"DENY on a part", "", experiment, []authz.Grant{denies(ofPart("review_queue", none)), direct(manage)}, manage, none, authz.Granted},
		{"a part of models holds back no experiments", "", experiment, []authz.Grant{denies(ofPart("registered_model_version", none)), direct(manage)}, none, manage, authz.Granted},
		{"an experiment's part holds back its scorers", "", scorer, []authz.Grant{ofPart("run", read), direct(manage)}, none, read, authz.Granted},
		{"a part of scorers holds back those of who has the experiment", "", scorer, []authz.Grant{ofPart("scorer_version", read), direct(manage)}, none, read, authz.Granted},
		{"a part does not hold back who manages the workspace", "", experiment, []authz.Grant{ofPart("run", read), ofRole(kind.Workspace, manage)}, none, manage, authz.Granted},

		{"who manages the only workspace", "", model, []authz.Grant{ofRole(kind.Workspace, manage)}, none, manage, authz.Granted},
		{"who uses the only workspace", "", model, []authz.Grant{ofRole(kind.Workspace, use)}, none, none, authz.ByDefault},
		{"a role of a workspace, where they are off", "", experiment, []authz.Grant{inRoleOf("a", ofRole(kind.Experiment, manage)), inRoleOf("a", ofRole(kind.Workspace, manage))}, none, none, authz.ByDefault},
		{"DENY of a workspace, where they are off", "", experiment, []authz.Grant{denies(inRoleOf("a", ofRole(kind.Experiment, none))), direct(edit)}, none, edit, authz.Granted},
		{"a role of the default one by its name", "", experiment, []authz.Grant{inRoleOf("default", ofRole(kind.Experiment, edit))}, none, edit, authz.Granted},

		{"in its workspace", "a", experiment, []authz.Grant{inRoleOf("a", ofRole(kind.Experiment, edit))}, none, edit, authz.Granted},
		{"on one in its workspace", "a", experiment, []authz.Grant{inRoleOf("a", onOne(kind.Experiment, "17", edit))}, none, edit, authz.Granted},
		{"on one of the default workspace, in another", "a", model, []authz.Grant{onOne(kind.RegisteredModel, "m", edit)}, none, none, authz.ByWorkspace},
		{"DENY on one in its workspace", "a", experiment, []authz.Grant{denies(inRoleOf("a", onOne(kind.Experiment, "17", none))), direct(manage)}, none, none, authz.Granted},
		{"in another workspace, even of what is one in all", "b", experiment, []authz.Grant{inRoleOf("a", onOne(kind.Experiment, "17", edit))}, none, none, authz.ByWorkspace},
		{"of the default one, in another", "a", experiment, []authz.Grant{inRoleOf("default", ofRole(kind.Experiment, edit))}, none, none, authz.ByWorkspace},
		{"DENY in another workspace", "b", experiment, []authz.Grant{denies(inRoleOf("a", ofRole(kind.Experiment, none))), direct(edit)}, none, edit, authz.Granted},
		{"a part in another workspace", "b", experiment, []authz.Grant{inRoleOf("a", ofPart("run", read)), direct(edit)}, none, edit, authz.Granted},
		{"who manages it", "a", model, []authz.Grant{inRoleOf("a", ofRole(kind.Workspace, manage))}, none, manage, authz.Granted},
		{"who manages another", "b", model, []authz.Grant{inRoleOf("a", ofRole(kind.Workspace, manage))}, none, none, authz.ByWorkspace},
		{"who uses it has nothing of others", "a", model, []authz.Grant{inRoleOf("a", ofRole(kind.Workspace, use))}, manage, none, authz.ByWorkspace},
		{"who uses the default one has what all have", "default", model, []authz.Grant{ofRole(kind.Workspace, use)}, read, read, authz.ByDefault},
		{"the workspace itself, managed", "default", space, []authz.Grant{inRoleOf("a", ofRole(kind.Workspace, manage))}, none, manage, authz.Granted},
		{"the workspace itself, used", "default", space, []authz.Grant{inRoleOf("a", ofRole(kind.Workspace, use))}, none, use, authz.Granted},
		{"the workspace itself, in it by anything", "default", space, []authz.Grant{inRoleOf("a", onOne(kind.Experiment, "17", manage))}, none, read, authz.Granted},
		{"the workspace itself, not in it by a DENY", "default", space, []authz.Grant{denies(inRoleOf("a", ofRole(kind.Experiment, none)))}, none, none, authz.ByDefault},
		{"in it by anything has nothing of others", "a", model, []authz.Grant{inRoleOf("a", onOne(kind.Experiment, "17", manage))}, manage, none, authz.ByWorkspace},
		{"the user's own on the workspace comes first", "a", model, []authz.Grant{inRoleOf("a", ofRole(kind.Experiment, read)), ofWorkspace("a", user, edit)}, none, edit, authz.ByWorkspace},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules := authz.Rules{Default: c.unless, Workspaces: c.in != ""}
			grants := authz.Compile(authz.DefaultOrder(), c.rows).In(c.in)
			for need := none; need <= manage; need++ {
				e := rules.Explain(person, grants, c.on, need)
				d := rules.Decide(person, grants, c.on, need)
				if d.Level != c.want || d.Reason != c.reason || d.Allowed != (c.want >= need && c.want != none) || !cmp.Equal(d, e.Decision) {
					t.Fatalf("%+v, want %s by %s; explained %+v", d, c.want, c.reason, e)
				}
				if d.Grant != nil && d.Reason == authz.Granted && !slices.Contains(e.Considered, *d.Grant) {
					t.Errorf("%+v decided and is not among %+v", *d.Grant, e.Considered)
				}
				if selected := rules.Select(person, grants, c.on.Kind, need); selected.Exact && slices.Contains(selected.IDs, c.on.ID) == selected.All && d.Allowed {
					t.Errorf("the selection is %+v, and %s is allowed", selected, c.on.ID)
				}
			}
			if d := rules.Decide(admin, grants, c.on, manage); !d.Allowed {
				t.Errorf("an administrator is held to roles: %+v", d)
			}
			if d := rules.Decide(authz.Subject{}, grants, c.on, read); d.Allowed {
				t.Errorf("a deactivated account has what roles give: %+v", d)
			}
			if d := rules.Decide(person, authz.Compile([]authz.Source{user, group}, c.rows).In(c.in), c.on, read); d.Grant != nil && d.Grant.Source == authz.Role {
				t.Errorf("roles decide where they are not asked: %+v", d)
			}
		})
	}
}

func TestCreatingByRoles(t *testing.T) {
	for _, c := range []struct {
		name       string
		in         string
		on         authz.Resource
		restricted bool
		rows       []authz.Grant
		want       bool
	}{
		{"anybody", "", model, false, nil, true},
		{"DENY on the kind", "", model, false, []authz.Grant{denies(ofRole(kind.RegisteredModel, none))}, false},
		{"DENY on the name", "", model, false, []authz.Grant{denies(onOne(kind.RegisteredModel, "m", none))}, false},
		{"DENY on another name", "", model, false, []authz.Grant{denies(onOne(kind.RegisteredModel, "n", none))}, true},
		{"DENY on its parts", "", model, false, []authz.Grant{denies(ofPart("registered_model_version", none))}, false},
		{"in a workspace, by nothing", "a", model, false, nil, false},
		{"in a workspace that one uses", "a", model, false, []authz.Grant{inRoleOf("a", ofRole(kind.Workspace, use))}, true},
		{"in another workspace than one uses", "b", model, false, []authz.Grant{inRoleOf("a", ofRole(kind.Workspace, use))}, false},
		{"in a workspace by a permission on what is there", "a", model, false, []authz.Grant{inRoleOf("a", ofRole(kind.RegisteredModel, manage))}, false},
		{"in a workspace that one uses, DENY", "a", model, false, []authz.Grant{inRoleOf("a", ofRole(kind.Workspace, use)), denies(inRoleOf("a", ofRole(kind.RegisteredModel, none)))}, false},
		{"restricted, a permission on what is there", "", model, true, []authz.Grant{ofRole(kind.RegisteredModel, manage)}, false},
		{"restricted, in a workspace that one uses", "a", model, true, []authz.Grant{inRoleOf("a", ofRole(kind.Workspace, use))}, false},
		{"restricted, in a workspace that one manages", "a", model, true, []authz.Grant{inRoleOf("a", ofRole(kind.Workspace, manage))}, true},
		{"restricted, who manages the only one", "", model, true, []authz.Grant{ofRole(kind.Workspace, manage)}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules := authz.Rules{Workspaces: c.in != "", RestrictCreation: c.restricted}
			if d := rules.DecideCreate(person, authz.Compile(authz.DefaultOrder(), c.rows).In(c.in), c.on); d.Allowed != c.want {
				t.Errorf("%+v, want %v", d, c.want)
			}
		})
	}
}

// The attack: to administer the roles of a workspace without holding MANAGE on it.
func TestWhoManagesAWorkspace(t *testing.T) {
	byGroup := ofWorkspace("a", group, manage)
	for _, c := range []struct {
		name      string
		subject   authz.Subject
		off       bool
		rows      []authz.Grant
		unless    kind.Level
		workspace string
		want      bool
	}{
		{"administrator", admin, false, nil, none, "a", true},
		{"administrator with a narrowed token", authz.Subject{Admin: true, Active: true, Scope: &authz.Scope{ReadOnly: true}}, false, nil, none, "a", false},
		{"by a role", person, false, []authz.Grant{inRoleOf("a", ofRole(kind.Workspace, manage))}, none, "a", true},
		{"by a role, another", person, false, []authz.Grant{inRoleOf("a", ofRole(kind.Workspace, manage))}, none, "b", false},
		{"by a role that uses it", person, false, []authz.Grant{inRoleOf("a", ofRole(kind.Workspace, use))}, none, "a", false},
		{"by MANAGE on all that is in it", person, false, []authz.Grant{inRoleOf("a", ofRole(kind.Experiment, manage))}, none, "a", false},
		{"by a group", person, false, []authz.Grant{byGroup}, none, "a", true},
		{"by a group, workspaces off", person, true, []authz.Grant{byGroup}, none, "a", false},
		{"by a grant of before, workspaces off", person, true, []authz.Grant{ofWorkspace("default", user, manage)}, none, "default", false},
		{"by a role, workspaces off", person, true, []authz.Grant{ofRole(kind.Workspace, manage)}, none, "default", true},
		{"by a role of another, workspaces off", person, true, []authz.Grant{inRoleOf("a", ofRole(kind.Workspace, manage))}, none, "a", false},
		{"by the default of everybody", person, false, nil, manage, "default", false},
		{"by the default of everybody, workspaces off", person, true, nil, manage, "default", false},
		{"deactivated", deactivated, false, []authz.Grant{inRoleOf("a", ofRole(kind.Workspace, manage))}, none, "a", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules := authz.Rules{Default: c.unless, Workspaces: !c.off}
			if got := rules.Manages(c.subject, authz.Compile(authz.DefaultOrder(), c.rows), c.workspace); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// Whatever else is granted: one more DENY never gives anything, one on the resource takes everything, and no order of the
// rows changes a decision.
func TestPropertiesOfRoles(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for range 3_000 {
		data := make([]byte, 8+random.IntN(60))
		for i := range data {
			data[i] = byte(random.IntN(256))
		}
		w := decode(data)
		if !slices.Contains(w.order, authz.Role) {
			w.order = append(w.order, authz.Role)
		}
		w.subject.Admin = false
		r := authz.Resource{Kind: kind.Experiment, ID: "1", Name: "a"}
		level := func() kind.Level {
			return w.rules.Decide(w.subject, authz.Compile(w.order, w.rows), r, read).Level
		}
		before := level()
		rows := w.rows
		w.rows = slices.Clone(rows)
		random.Shuffle(len(w.rows), func(i, j int) { w.rows[i], w.rows[j] = w.rows[j], w.rows[i] })
		if after := level(); after != before {
			t.Fatalf("%+v: in another order %s became %s", w, before, after)
		}
		for _, denial := range []authz.Grant{denies(ofRole(kind.RegisteredModel, none)), denies(onOne(kind.Experiment, "2", none)), ofPart("run", kind.Level(1+random.IntN(4)))} {
			w.rows = append(slices.Clone(rows), denial)
			if after := level(); after > before && !slices.ContainsFunc(rows, func(g authz.Grant) bool { return g.Part != "" }) {
				t.Fatalf("%+v: %+v made %s of %s", w, denial, after, before)
			}
		}
		for _, denial := range []authz.Grant{denies(ofRole(kind.Experiment, none)), denies(onOne(kind.Experiment, "1", none)), denies(ofPart("trace", none))} {
			w.rows = append(slices.Clone(rows), denial)
			if after := level(); after != none {
				t.Fatalf("%+v: with %+v it is %s", w, denial, after)
			}
		}
		w.rows = rows
		_, gives, _ := w.role(r)
		w.rows = append(slices.Clone(rows), ofRole(kind.Experiment, kind.Level(1+random.IntN(4))))
		if gives != none && w.order[0] == authz.Role {
			if after := level(); after < before {
				t.Fatalf("%+v: one more permission made %s of %s", w, after, before)
			}
		}
	}
}
