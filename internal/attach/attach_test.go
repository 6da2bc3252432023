package attach_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/attach"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

const team = `team-(?P<ws>[a-z-]+)-ds`

func policy(ceiling kind.Level) attach.Policy {
	return attach.Policy{Ceiling: ceiling, Trusted: func(source string) bool { return source == "ours" }}
}

func rule(id int64, pattern string, level kind.Level) attach.Rule {
	return attach.Rule{ID: id, Name: "r", Pattern: pattern, Level: level, Enabled: true, Enforced: true}
}

// summary is a plan as lines of text.
func summary(lines []attach.Change) []string {
	var all []string
	for _, l := range lines {
		all = append(all, strings.TrimRight(strings.Join([]string{l.Action, l.Group, l.Workspace, l.Level.String(), l.Reason}, " "), " "))
	}
	return all
}

func TestPlan(t *testing.T) {
	acme := attach.Pair{Group: "team-acme-ds", Workspace: "acme"}
	ours := map[string][]string{"team-acme-ds": {"ours"}}
	report, off := rule(1, team, kind.Edit), rule(1, team, kind.Edit)
	report.Enforced, off.Enabled = false, false
	for name, c := range map[string]struct {
		rules  []attach.Rule
		groups map[string][]string
		held   map[attach.Pair]attach.Held
		only   []string
		want   []string
	}{
		"gives":                          {rules: []attach.Rule{rule(1, team, kind.Edit)}, want: []string{"grant team-acme-ds acme EDIT"}},
		"reports alone":                  {rules: []attach.Rule{report}},
		"is off":                         {rules: []attach.Rule{off}, held: map[attach.Pair]attach.Held{acme: {kind.Edit, 1}}, want: []string{"remove team-acme-ds acme EDIT"}},
		"is deleted":                     {held: map[attach.Pair]attach.Held{acme: {kind.Edit, 7}}, want: []string{"remove team-acme-ds acme EDIT"}},
		"keeps":                          {rules: []attach.Rule{rule(1, team, kind.Edit)}, held: map[attach.Pair]attach.Held{acme: {kind.Edit, 1}}, want: []string{"keep team-acme-ds acme EDIT"}},
		"changes":                        {rules: []attach.Rule{rule(1, team, kind.Read)}, held: map[attach.Pair]attach.Held{acme: {kind.Edit, 1}}, want: []string{"update team-acme-ds acme READ"}},
		"leaves people's alone":          {rules: []attach.Rule{rule(1, team, kind.Edit)}, held: map[attach.Pair]attach.Held{acme: {kind.NoPermissions, 0}}, want: []string{"skip team-acme-ds acme EDIT manual grant"}},
		"people's without a rule stays":  {held: map[attach.Pair]attach.Held{acme: {kind.Edit, 0}}},
		"the first wins":                 {rules: []attach.Rule{rule(1, team, kind.Read), rule(2, team, kind.Edit)}, want: []string{"grant team-acme-ds acme READ", "shadowed team-acme-ds acme EDIT rule 1 (r) wins"}},
		"takes over":                     {rules: []attach.Rule{rule(1, team, kind.Read)}, held: map[attach.Pair]attach.Held{acme: {kind.Edit, 2}}, want: []string{"grant team-acme-ds acme READ takes over from rule 2"}},
		"above the ceiling":              {rules: []attach.Rule{rule(1, team, kind.Manage)}, held: map[attach.Pair]attach.Held{acme: {kind.Manage, 1}}, want: []string{"remove team-acme-ds acme MANAGE", "skip team-acme-ds acme MANAGE permission above WORKSPACE_RULES_MAX_PERMISSION"}},
		"no such workspace":              {rules: []attach.Rule{rule(1, team, kind.Edit)}, groups: map[string][]string{"team-none-ds": nil}, want: []string{"skip team-none-ds none EDIT workspace does not exist"}},
		"never the default workspace":    {rules: []attach.Rule{rule(1, team, kind.Edit)}, groups: map[string][]string{"team-default-ds": nil}, want: []string{"skip team-default-ds default EDIT the default workspace is never granted by a rule"}},
		"another group is not looked at": {rules: []attach.Rule{rule(1, team, kind.Edit)}, only: []string{"other"}},
		// attacks: a name that only begins or ends as the pattern has it, and one that a provider which names no groups for all has chosen
		"a part of the name":           {rules: []attach.Rule{rule(1, team, kind.Edit)}, groups: map[string][]string{"xteam-acme-ds": nil, "team-acme-dsx": nil, "team-acme-ds\nx": nil, "x\nteam-acme-ds": nil}},
		"a name of another provider's": {rules: []attach.Rule{rule(1, team, kind.Edit)}, groups: map[string][]string{"team-acme-ds": {"partner"}}},
		"with multiline in it":         {rules: []attach.Rule{rule(1, `(?m)^team-(?P<ws>[a-z-]+)-ds$`, kind.Edit)}, groups: map[string][]string{"x\nteam-acme-ds": nil}},
		"one alternative of two":       {rules: []attach.Rule{rule(1, `other|team-(?P<ws>[a-z-]+)-ds`, kind.Edit)}, groups: map[string][]string{"team-acme-ds-and-more": nil, "other": nil}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.groups == nil {
				c.groups = ours
			}
			lines, err := policy(kind.Edit).Plan(attach.State{Rules: c.rules, Groups: c.groups, Held: c.held, Workspaces: map[string]bool{"acme": true, "default": true}}, c.only)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, summary(lines)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRulesThatCannotBe(t *testing.T) {
	for name, r := range map[string]attach.Rule{
		"no pattern": rule(1, "", kind.Read), "no group": rule(1, "team-.*", kind.Read), "another group": rule(1, "(?P<w>.*)", kind.Read), "two groups": rule(1, "(?P<ws>a)|(?P<ws>b)", kind.Read),
		"not a pattern": rule(1, "(?P<ws>[)", kind.Read), "of Python alone": rule(1, "(?P<ws>a)(?=b)", kind.Read), "leaves what is around it": rule(1, "(?P<ws>a)).*|(?:b", kind.Read),
		"too long": rule(1, "(?P<ws>a)"+strings.Repeat("a", 250), kind.Read), "nothing": rule(1, team, kind.NoPermissions), "more than the most": rule(1, team, kind.Manage),
	} {
		if err := r.Check(kind.Edit); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
	if err := rule(1, team, kind.Edit).Check(kind.Edit); err != nil {
		t.Error(err)
	}
}

// What a pattern matches it matches whole: the workspace is a part of the name, and the rest of it is the pattern's.
func FuzzPlanMatchesWholeNames(f *testing.F) {
	f.Add("team-acme-ds")
	f.Add("team-acme-ds\n")
	f.Fuzz(func(t *testing.T, group string) {
		s := attach.State{Rules: []attach.Rule{rule(1, team, kind.Edit)}, Groups: map[string][]string{group: nil}}
		lines, err := policy(kind.Edit).Plan(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			if group != "team-"+line.Workspace+"-ds" {
				t.Errorf("%q was matched for %q", group, line.Workspace)
			}
		}
	})
}
