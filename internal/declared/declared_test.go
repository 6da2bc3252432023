package declared

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var now = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

const whole = `# everything that a file can have
version: 1
users:
  - {username: Ann@example.com, display_name: Ann, admin: true}
  - username: bob@example.com
    active: false
  - username: ci
    service: true
    owner: Ann@example.com
groups:
  - name: team
    members: [ann@example.com, ci]
  - name: true
grants:
  - {user: ann@example.com, kind: experiment, resource: 17, level: MANAGE}
  - {group: team, kind: prompt, resource: "p q", level: READ, workspace: team-a, expires_at: 2027-06-01T12:00:00+02:00}
  - {user: ci, kind: scorer, resource: 17/quality, level: USE}
  - {group: team, kind: workspace, resource: team-a, level: USE}
patterns:
  - {group: team, kind: registered_model, pattern: "vision-.*", priority: 1, level: EDIT, workspace: "*"}
  - {user: ci, kind: experiment, pattern: .*, priority: -3, level: NO_PERMISSIONS}
roles:
  - name: Reviewers
    description: "who look at\nmodels"
    permissions:
      - {type: experiment, resource: "*", level: READ}
      - {type: scorer, resource: "17/is it good?", level: EDIT}
      - {type: gateway_secret, resource: openai, mlflow_id: s-1, level: DENY}
    assignments:
      - user: bob@example.com
      - {user: ci, expires_at: 2028-01-01T00:00:00Z}
  - workspace: team-a
    owner: ci
    permissions:
      - {type: run, resource: "*", level: READ}
workspace_rules:
  - {name: teams, pattern: "team-(?P<ws>.+)", level: EDIT, mode: enforce}
  - {name: all readers, pattern: "(?P<ws>[a-z]+)-readers", level: READ, enabled: false}
`

func parsed(t *testing.T, text string) *File {
	t.Helper()
	file, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// policy is what there is after a file was applied to nothing.
func policy(t *testing.T, file *File) Policy {
	t.Helper()
	plan, err := Compare(Policy{}, file, false, now)
	if err != nil {
		t.Fatal(err)
	}
	all := Policy{}
	for _, c := range plan.Changes {
		all[c.Key] = Entry{Value: c.After, By: "manual"}
	}
	return all
}

func printed(t *testing.T, p Policy) string {
	t.Helper()
	text, err := Print(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestWhatIsPrintedDeclaresTheSame(t *testing.T) {
	file := parsed(t, whole)
	if len(file.Entries) != 23 {
		t.Errorf("there are %d entries", len(file.Entries))
	}
	for k, want := range map[Key]Value{
		{What: User, User: "ann@example.com"}:                                      {DisplayName: "Ann", Admin: true},
		{What: Owner, User: "ci"}:                                                  {Owner: "ann@example.com"},
		{What: Rule, Rule: "teams"}:                                                {Pattern: "team-(?P<ws>.+)", Level: "EDIT", Enforced: true, Turn: 1},
		{What: Rule, Rule: "all readers"}:                                          {Pattern: "(?P<ws>[a-z]+)-readers", Level: "READ", Disabled: true, Turn: 2},
		{What: Group, Group: "true"}:                                               {},
		{What: Grant, User: "ann@example.com", Kind: "experiment", Resource: "17"}: {Level: "MANAGE"},
		{What: Grant, Group: "team", Kind: "registered_model", Workspace: "team-a", Resource: "p q"}:                  {Level: "READ", Expires: time.Date(2027, 6, 1, 10, 0, 0, 0, time.UTC)},
		{What: Permission, Workspace: "default", Role: "Reviewers", Kind: "scorer", Resource: "17/is%20it%20good%3F"}: {Level: "EDIT", Held: "17/is it good?"},
		{What: Permission, Workspace: "default", Role: "Reviewers", Kind: "gateway_secret", Resource: "s-1"}:          {Level: "DENY", Held: "openai"},
		{What: Permission, Workspace: "team-a", User: "ci", Kind: "run", Resource: "*"}:                               {Level: "READ", Held: "*"},
		{What: Pattern, Group: "team", Kind: "registered_model", Workspace: "*", Resource: "vision-.*"}:               {Level: "EDIT", Priority: 1},
		{What: Assignment, Workspace: "default", Role: "Reviewers", User: "ci"}:                                       {Expires: now.AddDate(1, 0, 0)},
	} {
		if got, there := file.Entries[k]; !there || got != want {
			t.Errorf("%s is %+v (%v), want %+v", k, got, there, want)
		}
	}
	have := policy(t, file)
	text := printed(t, have)
	for _, prune := range []bool{false, true} {
		plan, err := Compare(have, parsed(t, text), prune, now)
		if err != nil || len(plan.Changes)+len(plan.Kept) > 0 {
			t.Errorf("prune %v: %v, %v of\n%s", prune, plan, err, text)
		}
	}
	if again := printed(t, policy(t, parsed(t, text))); again != text {
		t.Error(cmp.Diff(text, again))
	}
}

func TestEverythingThatIsWrongIsSaidAtOnceByLine(t *testing.T) {
	_, err := Parse([]byte(`version: 2
users:
  - {username: ann, admin: yes, adminn: true}
  - {username: ANN}
grants:
  - {user: ann, group: team, kind: experiment, resource: 1, level: READ}
  - {user: ann, kind: experimint, resource: 1, level: READ}
  - {user: ann, kind: experiment, resource: "01", level: OWNER}
  - {user: ann, kind: experiment, resource: 1, level: READ, workspace: team-a}
  - {user: ann, kind: registered_model, resource: m, level: READ}
  - {user: ann, kind: prompt, resource: m, level: EDIT, workspace: default}
  - {user: ann, kind: mcp_server, resource: m, level: READ, expires_at: tomorrow}
patterns:
  - {user: ann, kind: experiment, pattern: "a(b", priority: 1, level: READ}
  - {user: ann, kind: experiment, pattern: "(?=b)", level: READ}
  - {user: ann, kind: mcp_server, pattern: b, priority: x, level: READ}
roles:
  - {name: __user_1__, workspace: "*"}
  - {name: r, permissions: [{type: experiment, resource: "*", level: NO_PERMISSIONS}, {type: run, resource: r1, level: READ}]}
  - {name: s, permissions: [{type: gateway_secret, resource: s, level: READ}]}
  - {name: t, description: [no]}
  - {owner: ann, assignments: [{user: bob}]}
groups: {name: team}
workspace_rules:
  - {name: r, pattern: team, level: READ}
  - {name: r, pattern: "(?P<ws>.*)", level: NO_PERMISSIONS, mode: always}
`))
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatal(err)
	}
	want := map[int][]string{1: {"version must be 1"}, 3: {"admin must be true or false", `no field "adminn"`}, 4: {"user ann is on line 3 already"}, 6: {"exactly one of user and group"},
		7: {`no kind "experimint"`}, 8: {"not an experiment id", `"OWNER"`}, 9: {"leave workspace out"}, 11: {"is on line 10 already"}, 12: {`expires_at is "tomorrow"`},
		14: {"error parsing regexp"}, 15: {"invalid or unsupported Perl syntax", "priority is missing"}, 16: {"no patterns of the kind mcp_server", "priority must be a whole number"},
		18: {"reserved", `"*" is not the name of a workspace`}, 19: {"Invalid permission 'NO_PERMISSIONS'", `resource must be "*"`}, 20: {"mlflow_id"},
		25: {"one group (?P<ws>"}, 26: {`mode is "always"`},
		21: {"description must be a text"}, 22: {"no assignments"}, 23: {"groups must be a list"}}
	for line, all := range want {
		for _, words := range all {
			if !strings.Contains(about(problems, line), words) {
				t.Errorf("line %d: %q is not said in %q", line, words, about(problems, line))
			}
		}
	}
	for _, p := range problems {
		if want[p.Line] == nil {
			t.Errorf("line %d: %s", p.Line, p.Says)
		}
	}
}

func about(all Problems, line int) string {
	var said []string
	for _, p := range all {
		if p.Line == line {
			said = append(said, p.Says)
		}
	}
	return strings.Join(said, "; ")
}

// The attack: a small file that becomes a large one, or means another thing than it shows.
func TestAttackFilesThatMeanMoreThanTheyShow(t *testing.T) {
	bomb := "version: 1\na: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'j'; c++ {
		p := string(c - 1)
		bomb += string(c) + ": &" + string(c) + " [" + strings.TrimSuffix(strings.Repeat("*"+p+",", 9), ",") + "]\n"
	}
	for name, text := range map[string]string{
		"aliases that multiply":  bomb,
		"an anchor":              "version: 1\nusers: &u []\n",
		"a merge":                "version: 1\nx: &x {username: ann}\nusers: [{<<: *x, admin: true}]\n",
		"a tag":                  "version: 1\nusers: [{username: !!binary YW5u}]\n",
		"a second document":      "version: 1\n---\nversion: 1\nusers: [{username: eve, admin: true}]\n",
		"a field twice":          "version: 1\nusers: [{username: eve, admin: false, admin: true}]\n",
		"a part twice":           "version: 1\nusers: []\nusers: [{username: eve, admin: true}]\n",
		"more than is read":      "version: 1\n#" + strings.Repeat("x", MaxFile),
		"nothing":                "",
		"null":                   "~",
		"no version":             "users: []\n",
		"an invisible character": "version: 1\nusers: [{username: \"eve\\u0000\"}]\n",
		"depth":                  "version: 1\nusers: " + strings.Repeat("[", 20_000),
	} {
		if file, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s: it declares %v", name, file.Entries)
		}
	}
}

func TestCompare(t *testing.T) {
	user := func(name string, v Value, by string) func(Policy) {
		return func(p Policy) { p[Key{What: User, User: name}] = Entry{Value: v, By: by} }
	}
	owned := func(by string) func(Policy) {
		return func(p Policy) { p[Key{What: Owner, User: "ci"}] = Entry{Value: Value{Owner: by}} }
	}
	grant := Key{What: Grant, User: "ann", Kind: "experiment", Resource: "1"}
	theRule := func(p Policy) {
		p[Key{What: Rule, Rule: "r"}] = Entry{Value: Value{Pattern: "x-(?P<ws>.+)", Level: "READ", Enforced: true, Turn: 1}}
	}
	for name, tc := range map[string]struct {
		have  []func(Policy)
		file  string
		prune bool
		want  string
	}{
		"a new account":               {nil, "users: [{username: ann}]", false, `+ user ann: called "ann"`},
		"the same":                    {[]func(Policy){user("ann", Value{DisplayName: "Ann"}, "manual")}, "users: [{username: ann}]", true, ""},
		"what lacks stays":            {[]func(Policy){user("ann", Value{DisplayName: "Ann"}, "manual")}, "", false, ""},
		"what lacks goes":             {[]func(Policy){user("ann", Value{DisplayName: "Ann"}, "manual")}, "", true, `- user ann: called "Ann"`},
		"a provider's stays":          {[]func(Policy){user("ann", Value{DisplayName: "Ann"}, "oidc")}, "", true, "kept user ann by oidc"},
		"a provider's is deactivated": {[]func(Policy){user("ann", Value{DisplayName: "Ann", Admin: true}, "oidc"), user("bob", Value{Admin: true}, "manual")}, "users: [{username: ann, active: false}]", false, `~ user ann: administrator, called "Ann" → administrator, deactivated, called "Ann"`},
		"a provider says who administers": {[]func(Policy){user("ann", Value{}, "oidc")}, "users: [{username: ann, admin: true}]", false,
			"line 2: user ann is managed by oidc, which says what it is called and whether it administers: leave display_name, admin and service out"},
		"the last administrator": {[]func(Policy){user("ann", Value{Admin: true}, "manual")}, "", true, "this would leave no active administrator, and nobody could make another one"},
		"the last administrator, demoted": {[]func(Policy){user("ann", Value{Admin: true}, "manual")}, "users: [{username: ann}]", false,
			"this would leave no active administrator, and nobody could make another one"},
		"the last administrator, deactivated": {[]func(Policy){user("ann", Value{Admin: true}, "manual")}, "users: [{username: ann, admin: true, active: false}]", false,
			"this would leave no active administrator, and nobody could make another one"},
		"the next administrator":     {[]func(Policy){user("ann", Value{Admin: true, DisplayName: "a"}, "manual")}, "users: [{username: bob, admin: true}]", true, "+ user bob: administrator, called \"bob\"\n- user ann: administrator, called \"a\""},
		"of nobody":                  {nil, "grants: [{user: ann, kind: experiment, resource: 1, level: READ}]", false, "line 2: there is no user ann: make it first, or declare it in the file too"},
		"of whom it takes away":      {[]func(Policy){user("ann", Value{}, "manual")}, "grants: [{user: ann, kind: experiment, resource: 1, level: READ}]", true, "line 2: there is no user ann: make it first, or declare it in the file too"},
		"of a word":                  {nil, "users: [{username: current}]", false, `line 2: the username "current" is a word of the API, and nobody can have it`},
		"a name of a provider's":     {[]func(Policy){user("a:b", Value{}, "oidc")}, "users: [{username: a:b}]", false, ""},
		"a new group with blanks":    {nil, `groups: [{name: " x"}]`, false, "line 2: the name of a new group must not have blanks around it"},
		"an owner":                   {[]func(Policy){user("ann", Value{DisplayName: "ann"}, "oidc")}, "users: [{username: ci, service: true, owner: ann}]", false, "+ user ci: service account, called \"ci\"\n+ owner of service account ci: ann"},
		"an owner whom nobody knows": {nil, "users: [{username: ci, service: true, owner: ghost}]", false, "line 2: there is no user ghost: make it first, or declare it in the file too"},
		"an owner of a person": {[]func(Policy){user("ann", Value{}, "oidc")}, "users: [{username: bob, owner: ann}]", false,
			"line 2: user bob is a person, whom nobody owns: an owner is one of a service account"},
		"a program that owns": {nil, "users: [{username: ci, service: true, owner: cd}, {username: cd, service: true}]", false,
			"line 2: user cd cannot own a service account: an owner is a person, and active"},
		"an owner of an administrator": {[]func(Policy){user("ann", Value{}, "oidc")}, "users: [{username: ci, service: true, admin: true, owner: ann}]", false,
			"line 2: user ann is no administrator, and cannot own one"},
		"an owner that it leaves by becoming an administrator": {[]func(Policy){user("ann", Value{Admin: true}, "oidc"), user("ci", Value{DisplayName: "ci", Service: true}, "manual"), owned("ann")},
			"users: [{username: ci, service: true, admin: true, owner: ann}]", false, "~ user ci: service account, called \"ci\" → administrator, service account, called \"ci\"\n+ owner of service account ci: ann"},
		"an owner who administers no more": {[]func(Policy){user("bob", Value{Admin: true}, "oidc"), user("ann", Value{DisplayName: "ann", Admin: true}, "manual"), user("ci", Value{DisplayName: "ci", Service: true, Admin: true}, "manual"), owned("ann")},
			"users: [{username: ci, service: true, admin: true, owner: ann}, {username: ann}]", false, "line 2: user ann is no administrator, and cannot own one"},
		"an owner who administers no more, of what the file does not name": {[]func(Policy){user("bob", Value{Admin: true}, "oidc"), user("ann", Value{DisplayName: "ann", Admin: true}, "manual"), user("ci", Value{DisplayName: "ci", Service: true, Admin: true}, "manual"), owned("ann")},
			"users: [{username: ann}]", false, "~ user ann: administrator, called \"ann\" → called \"ann\"\n- owner of service account ci: ann"},
		"an owner who was deactivated": {[]func(Policy){user("ann", Value{DisplayName: "ann", Inactive: true}, "manual"), user("ci", Value{DisplayName: "ci", Service: true}, "manual"), owned("ann")},
			"users: [{username: ci, service: true, owner: ann}]", false, ""},
		"another owner":    {[]func(Policy){user("ann", Value{}, "oidc"), user("bob", Value{}, "oidc"), user("ci", Value{DisplayName: "ci", Service: true}, "manual"), owned("ann")}, "users: [{username: ci, service: true, owner: bob}]", false, "~ owner of service account ci: ann → bob"},
		"an owner no more": {[]func(Policy){user("ann", Value{}, "oidc"), user("ci", Value{DisplayName: "ci", Service: true}, "manual"), owned("ann")}, "users: [{username: ci, service: true}, {username: ann}]", true, "- owner of service account ci: ann"},
		"a rule":           {nil, "workspace_rules: [{name: r, pattern: 't-(?P<ws>.*)', level: USE, mode: enforce}]", false, "+ workspace rule r: USE by \"t-(?P<ws>.*)\", enforced"},
		"a rule before one that is there": {[]func(Policy){func(p Policy) {
			p[Key{What: Rule, Rule: "old"}] = Entry{Value: Value{Pattern: "t-(?P<ws>.*)", Level: "USE", Turn: 1}}
		}},
			"workspace_rules: [{name: r, pattern: 'u-(?P<ws>.*)', level: USE}, {name: old, pattern: 't-(?P<ws>.*)', level: USE}]", false,
			"line 2: the workspace rule old is asked before the rule r, and has to come before it: a rule that is made later is asked later"},
		"over": {[]func(Policy){user("ann", Value{}, "manual")}, "users: [{username: ann}]\ngrants: [{user: ann, kind: experiment, resource: 1, level: READ, expires_at: 2026-12-31T00:00:00Z}]", true, ""},
		"longer": {[]func(Policy){user("ann", Value{}, "manual"), func(p Policy) { p[grant] = Entry{Value: Value{Level: "READ", Expires: now.Add(time.Hour)}} }},
			"users: [{username: ann}]\ngrants: [{user: ann, kind: experiment, resource: 1, level: READ, expires_at: 2027-12-31T00:00:00Z}]", true,
			"~ grant of user ann on experiment 1: READ, until 2027-01-01T01:00:00Z → READ, until 2027-12-31T00:00:00Z"},
		"over, and longer here": {[]func(Policy){user("ann", Value{}, "manual"), func(p Policy) { p[grant] = Entry{Value: Value{Level: "READ"}} }},
			"users: [{username: ann}]\ngrants: [{user: ann, kind: experiment, resource: 1, level: READ, expires_at: 2026-12-31T00:00:00Z}]", true,
			"- grant of user ann on experiment 1: READ"},
		"over, of nobody": {nil, "grants: [{user: ann, kind: experiment, resource: 1, level: READ, expires_at: 2026-12-31T00:00:00Z}]", false, ""},
		"whom a rule gives something": {[]func(Policy){user("ann", Value{}, "manual"), func(p Policy) { p[grant] = Entry{Value: Value{Level: "READ"}, By: "a workspace rule"} }},
			"", true, "kept grant of user ann on experiment 1 by a workspace rule\nkept user ann by a workspace rule"},
		"what a rule gives, declared": {[]func(Policy){user("ann", Value{}, "manual"), func(p Policy) { p[grant] = Entry{Value: Value{Level: "READ"}, By: "workspace rule r"} }},
			"users: [{username: ann}]\ngrants: [{user: ann, kind: experiment, resource: \"1\", level: READ}]", true, "~ grant of user ann on experiment 1: READ, by hand from now on"},
		"what a rule gives that gets another pattern": {[]func(Policy){user("ann", Value{}, "manual"), theRule, func(p Policy) { p[grant] = Entry{Value: Value{Level: "READ"}, By: "workspace rule r"} }},
			"users: [{username: ann}]\nworkspace_rules: [{name: r, pattern: 'y-(?P<ws>.+)', level: READ, mode: enforce}]", true, `~ workspace rule r: READ by "x-(?P<ws>.+)", enforced → READ by "y-(?P<ws>.+)", enforced`},
		"a rule that is there and could not be made, as it was exported": {[]func(Policy){func(p Policy) {
			p[Key{What: Rule, Rule: "r"}] = Entry{Value: Value{Pattern: "x-(?P<ws>default)", Level: "READ", Enforced: true, Turn: 1}}
		}}, "workspace_rules: [{name: r, pattern: 'x-(?P<ws>default)', level: READ, mode: enforce}]", false, ""},
		"a rule for no workspace": {nil, "workspace_rules: [{name: r, pattern: '(?P<ws>Acme)', level: READ, mode: enforce}]", false, `line 2: "Acme" is not the name of a workspace: 2 to 63 of a-z, 0-9 and inner hyphens`},
		"such a rule anew":        {nil, "workspace_rules: [{name: r, pattern: 'x-(?P<ws>default)', level: READ, mode: enforce}]", false, "line 2: the default workspace is never given by a rule"},
		"a rule's": {[]func(Policy){user("ann", Value{}, "manual"), func(p Policy) { p[grant] = Entry{Value: Value{Level: "READ"}, By: "a workspace rule"} }},
			"users: [{username: ann}]", true, "kept grant of user ann on experiment 1 by a workspace rule"},
	} {
		t.Run(name, func(t *testing.T) {
			have := Policy{}
			for _, put := range tc.have {
				put(have)
			}
			plan, err := Compare(have, parsed(t, "version: 1\n"+tc.file), tc.prune, now)
			var said []string
			for _, c := range plan.Changes {
				said = append(said, c.String())
			}
			for _, k := range plan.Kept {
				said = append(said, "kept "+k.Key.String()+" by "+k.By)
			}
			got := strings.Join(said, "\n")
			if err != nil {
				got = err.Error()
			}
			if got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// Steps can be made one by one: each finds what it needs, and leaves an administrator.
func TestStepsFindWhatTheyNeed(t *testing.T) {
	from, to := policy(t, parsed(t, whole)), parsed(t, "version: 1\nusers: [{username: eve, admin: true}, {username: ann@example.com, active: false}]\ngroups: [{name: other, members: [eve]}]\n"+
		"roles: [{name: r, assignments: [{user: eve}], permissions: [{type: run, resource: '*', level: READ}]}]\n")
	plan, err := Compare(from, to, true, now)
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		rand.Shuffle(len(plan.Changes), func(i, j int) { plan.Changes[i], plan.Changes[j] = plan.Changes[j], plan.Changes[i] })
		at := Policy{}
		for k, e := range from {
			at[k] = e
		}
		for _, c := range Steps(plan.Changes) {
			if c.Action == Remove {
				delete(at, c.Key)
			} else {
				at[c.Key] = Entry{Value: c.After}
			}
			for k := range at {
				for _, need := range k.needs(at[k].Value) {
					if _, there := at[need]; !there {
						t.Fatalf("after %s there is %s without %s", c, k, need)
					}
				}
			}
			if !at.administered() {
				t.Fatalf("after %s nobody administers", c)
			}
		}
	}
}

// Whatever can be read can be printed, and is read from there as the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	for _, text := range []string{"version: 1\n", "version: 1\nusers: [{username: a}, {username: \"#\"}, {username: '- x'}, {username: \"{}\"}]\n", "version: 1\ngroups:\n- name: |\n    a\n",
		"version: 1\nroles: [{name: r, description: \" a \\n\\n b\\t\\n\"}]\n", "version: 1\ngroups: [{name: ~}, {name: 0x1f}, {name: 1e3}, {name: 2001-01-01}, {name: \"null\"}]\n", "version: &a 1\nusers: *a\n",
		"version: 1\npatterns: [{user: a, kind: experiment, pattern: \"[\\\\w]+:#\", priority: +1, level: READ}]\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Parse(text)
		if err != nil {
			return
		}
		all, completed := Policy{}, map[Key]Value{}
		for k, v := range file.Entries {
			v.Expires = time.Time{}
			if all[k] = (Entry{Value: v}); k.What == User && v.DisplayName == k.User { // is left out
				v.DisplayName = ""
			}
			completed[k] = v
			for _, need := range k.needs(v) {
				if _, there := file.Entries[need]; !there && need.What != User {
					return
				}
			}
		}
		again, err := Print(all)
		if err != nil {
			t.Fatal(err)
		}
		same, err := Parse(again)
		if err != nil {
			t.Fatalf("%v in\n%s", err, again)
		}
		if diff := cmp.Diff(completed, same.Entries); diff != "" {
			t.Errorf("%s of\n%s", diff, again)
		}
		if third, err := Print(all); err != nil || !bytes.Equal(third, again) {
			t.Error("it is printed in several ways")
		}
	})
}
