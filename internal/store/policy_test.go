package store

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/attach"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/declared"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// exported gives the policy, and the file of it.
func exported(t *testing.T, db *DB) (declared.Policy, string) {
	t.Helper()
	var all declared.Policy
	must(t, db.Settle(t.Context(), func(p declared.Policy) ([]declared.Change, error) { all = p; return nil, nil }))
	text, err := declared.Print(all)
	must(t, err)
	return all, string(text)
}

// applied has a file be so, and gives the lines of the plan.
func applied(t *testing.T, db *DB, text string, prune bool) []string {
	t.Helper()
	file, err := declared.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	lines := []string{}
	must(t, db.Settle(t.Context(), func(p declared.Policy) ([]declared.Change, error) {
		plan, err := declared.Compare(p, file, prune, db.now())
		for _, c := range plan.Changes {
			lines = append(lines, c.String())
		}
		return plan.Changes, err
	}))
	return lines
}

// populated makes a database with some of everything, as people, providers, rules and MLflow's clients leave it.
func populated(t *testing.T, db *DB, random *rand.Rand) {
	t.Helper()
	names := []string{"ann", "bob", "ci", "current", "a:b", "0x1f"}
	teams := []string{"team", "true", "a%b", "/path/to", "# x"}
	for i, name := range names[:3] {
		_, err := db.CreateUser(t.Context(), directory.User{Username: name, DisplayName: "Name: " + name, Admin: i == 0, Service: i == 2, ManagedBy: directory.Manual})
		must(t, err)
	}
	for i, name := range names[3:] {
		login(t, db, fmt.Sprint("s", i), name, teams[random.IntN(len(teams))])
	}
	for _, team := range teams {
		if err := db.CreateGroup(t.Context(), team); err != nil && !errs.Is(err, errs.Conflict) {
			t.Fatal(err)
		}
		for range 2 {
			if err := db.AddMember(t.Context(), team, names[random.IntN(len(names))]); err != nil && !errs.Is(err, errs.Conflict) {
				t.Fatal(err)
			}
		}
	}
	must(t, db.SetActive(t.Context(), names[1+random.IntN(5)], false))
	anyone := func() Principal {
		if random.IntN(2) == 0 {
			return Principal{User: names[random.IntN(len(names))]}
		}
		return Principal{Group: teams[random.IntN(len(teams))]}
	}
	for range 30 {
		ctx := workspace.In(t.Context(), workspace.Scope{Name: []string{"default", "team-a"}[random.IntN(2)], Named: true})
		k := []kind.Name{kind.Experiment, kind.RegisteredModel, kind.Scorer, kind.GatewaySecret}[random.IntN(4)]
		resource := map[kind.Name]string{kind.Experiment: "17", kind.Scorer: "17/is it: good?"}[k]
		if resource == "" {
			resource = []string{"m", "null", " blank ", "ü: #"}[random.IntN(4)]
		}
		var until *time.Time
		if at := time.Now().Add(time.Duration(random.IntN(2)*2-1) * time.Hour); random.IntN(2) == 0 { // with a part of a second, and over too
			until = &at
		}
		err := db.CreateGrant(ctx, anyone(), k, resource, kind.Level(random.IntN(5)), until)
		if err == nil {
			err = db.CreatePattern(ctx, anyone(), authz.Grant{Kind: k, Workspace: []string{"", "*", "team-a"}[random.IntN(3)], Pattern: resource + ".*", Priority: random.IntN(9) - 4, Level: kind.Read})
		}
		if err != nil && !errs.Is(err, errs.Conflict) {
			t.Fatal(err)
		}
	}
	description := "several\nlines: # "
	role, err := db.CreateRole(t.Context(), directory.Role{Workspace: "team-a", Name: "yes", Description: &description})
	must(t, err)
	for _, p := range []directory.RolePermission{on("experiment", "17", "EDIT"), on("run", "*", "READ"), {Type: "gateway_secret", Pattern: "s-1", Resource: "openai", Permission: "DENY"},
		{Type: "scorer", Pattern: "17/a%20b", Resource: "17/a b", Permission: "USE"}} {
		p.RoleID = role.ID
		_, err := db.AddRolePermission(t.Context(), p)
		must(t, err)
	}
	ann, err := db.User(t.Context(), "ann")
	must(t, err)
	later := time.Now().Add(time.Hour)
	_, err = db.AssignRole(t.Context(), ann.ID, role.ID, &later)
	must(t, err)
	must(t, db.GrantDirectly(t.Context(), ann.ID, "team-a", on("trace", "*", "READ")))
	must(t, db.GrantDirectly(t.Context(), ann.ID, "default", on("prompt", "p", "DENY")))
}

// What is exported is what there is: to apply it, pruning too, changes nothing, and moves no counter. In another database it
// makes the same, once.
func TestExportedPolicyIsWhatThereIs(t *testing.T) {
	for seed := range uint64(3) {
		db := openTest(t)
		populated(t, db, rand.New(rand.NewPCG(seed, 1)))
		before, err := db.Change(t.Context())
		must(t, err)
		all, text := exported(t, db)
		for _, prune := range []bool{false, true} {
			if lines := applied(t, db, text, prune); len(lines) > 0 {
				t.Errorf("seed %d, prune %v: it changes %v of\n%s", seed, prune, lines, text)
			}
		}
		after, err := db.Change(t.Context())
		must(t, err)
		if _, again := exported(t, db); again != text || before != after {
			t.Errorf("seed %d: it is another one after %d changes:\n%s", seed, after-before, cmp.Diff(text, again))
		}
		if seed > 0 { // names that providers alone can give are no new accounts elsewhere
			continue
		}
		other := openTest(t)
		for i, name := range []string{"current", "a:b", "0x1f"} {
			login(t, other, fmt.Sprint("s", i), name, "a%b", "# x")
		}
		applied(t, other, text, false)
		got, _ := exported(t, other)
		for k, e := range all {
			if e.By == "" && got[k].Value != e.Value {
				t.Errorf("%s is %+v, and was %+v", k, got[k].Value, e.Value)
			}
		}
		if lines := applied(t, other, text, false); len(lines) > 0 {
			t.Errorf("applied twice it changes %v", lines)
		}
	}
}

// A file that lacks everything but an administrator leaves, pruning, what is a provider's and a rule's, and nothing else.
func TestPruneLeavesWhatIsNotAFilesToRemove(t *testing.T) {
	db := openTest(t)
	populated(t, db, rand.New(rand.NewPCG(7, 7)))
	must(t, db.CreateGroup(t.Context(), "by-rule"))
	rule, err := db.SaveWorkspaceRule(t.Context(), attach.Rule{Name: "r", Pattern: "by-(?P<ws>rule)", Level: kind.Use, Enabled: true, Enforced: true, CreatedBy: "ann"})
	must(t, err)
	_, err = db.Attach(t.Context(), func(attach.State) ([]attach.Change, error) {
		return []attach.Change{{Pair: attach.Pair{Group: "by-rule", Workspace: "team-a"}, Level: kind.Use, Rule: rule.ID, Action: attach.Grant}}, nil
	})
	must(t, err)
	const file = "version: 1\nusers: [{username: ann, admin: true}]\ngroups: [{name: by-rule}]\n"
	applied(t, db, file+"workspace_rules: [{name: r, pattern: 'by-(?P<ws>rule)', level: USE, mode: enforce}]\n", true)
	all, _ := exported(t, db)
	for k, e := range all {
		switch {
		case k.What == declared.User && k.User == "ann", k.What == declared.Group && k.Group == "by-rule", k.What == declared.Rule:
		case e.By == "" || e.By == directory.Manual:
			t.Errorf("%s is still there", k)
		}
	}
	given := declared.Key{What: declared.Grant, Group: "by-rule", Kind: "workspace", Resource: "team-a"}
	if e := all[given]; e.Level != "USE" || e.By != "workspace rule r" {
		t.Errorf("what the rule gives is %+v", e)
	}
	for _, name := range []string{"current", "a:b", "0x1f"} {
		if _, err := db.User(t.Context(), name); err != nil {
			t.Errorf("the provider's account is gone: %v", err)
		}
	}
	lines := applied(t, db, file, true) // what a rule gives goes with it
	for _, line := range lines {
		if strings.Contains(line, "team-a") {
			t.Errorf("it is said to change or to stay by itself: %v", lines)
		}
	}
	all, _ = exported(t, db)
	if e, there := all[given]; there {
		t.Errorf("what a rule gave is there without it: %+v", e)
	}
}

// An apply that fails on the way leaves all as it was, and so does one that somebody else's change has overtaken.
func TestSettleIsAllOrNothing(t *testing.T) {
	db := openTest(t)
	_, err := db.CreateUser(t.Context(), directory.User{Username: "ann", DisplayName: "Ann", Admin: true, ManagedBy: directory.Manual})
	must(t, err)
	_, before := exported(t, db)
	grant := declared.Key{What: declared.Grant, User: "ann", Kind: "experiment", Resource: "1"}
	for name, changes := range map[string][]declared.Change{
		"an unknown holder":      {{Action: declared.Add, Key: grant, After: declared.Value{Level: "READ"}}, {Action: declared.Add, Key: declared.Key{What: declared.Grant, User: "bob", Kind: "experiment", Resource: "1"}, After: declared.Value{Level: "READ"}}},
		"the last administrator": {{Action: declared.Add, Key: grant, After: declared.Value{Level: "READ"}}, {Action: declared.Remove, Key: declared.Key{What: declared.User, User: "ann"}}},
		"what is not there":      {{Action: declared.Add, Key: declared.Key{What: declared.Group, Group: "g"}}, {Action: declared.Remove, Key: grant}},
		"what is there":          {{Action: declared.Add, Key: grant, After: declared.Value{Level: "READ"}}, {Action: declared.Add, Key: declared.Key{What: declared.User, User: "ann"}}},
	} {
		if err := db.Settle(t.Context(), func(declared.Policy) ([]declared.Change, error) { return changes, nil }); err == nil || errs.CodeOf(err) == errs.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
		if _, after := exported(t, db); after != before {
			t.Errorf("%s: it left\n%s", name, after)
		}
	}
	// the plan is made of what there is when nothing else can change any more
	started, done := make(chan struct{}), make(chan error)
	go func() {
		<-started
		done <- another(t, db).CreateGrant(t.Context(), Principal{User: "ann"}, kind.Experiment, "1", kind.Manage, nil)
	}()
	must(t, db.Settle(t.Context(), func(p declared.Policy) ([]declared.Change, error) {
		close(started)
		time.Sleep(50 * time.Millisecond) // that the other one waits cannot be seen
		return []declared.Change{{Action: declared.Add, Key: grant, After: declared.Value{Level: "READ"}}}, nil
	}))
	if err := <-done; !errs.Is(err, errs.Conflict) {
		t.Errorf("the other change gave %v", err)
	}
}

// What has ended is not there: it is not exported, and is in the way of nothing that a file gives anew.
func TestFileGivesAnewWhatHasEnded(t *testing.T) {
	db := openTest(t)
	login(t, db, "s", "ann")
	over := time.Now().Add(-time.Minute)
	must(t, db.CreateGrant(t.Context(), Principal{User: "ann"}, kind.Experiment, "1", kind.Manage, &over))
	if _, text := exported(t, db); strings.Contains(text, "grants") {
		t.Errorf("it is exported:\n%s", text)
	}
	later := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	applied(t, db, "version: 1\ngrants: [{user: ann, kind: experiment, resource: 1, level: READ, expires_at: "+later.Format(time.RFC3339)+"}]", false)
	all, _ := exported(t, db)
	if got := all[declared.Key{What: declared.Grant, User: "ann", Kind: "experiment", Resource: "1"}].Value; got != (declared.Value{Level: "READ", Expires: later}) {
		t.Errorf("it is %+v", got)
	}
}

// Deactivation by a file ends tokens as any other does.
func TestFileThatDeactivatesEndsTokens(t *testing.T) {
	db := openTest(t)
	ann := login(t, db, "s", "ann")
	_, err := db.CreateToken(t.Context(), directory.Token{UserID: ann.ID, Name: "t", CreatedAt: db.now(), ExpiresAt: db.now().Add(time.Hour)})
	must(t, err)
	applied(t, db, "version: 1\nusers: [{username: ann, active: false}]", false)
	if tokens, err := db.Tokens(t.Context(), ann.ID); err != nil || len(tokens) > 0 {
		t.Errorf("there are still %v, %v", tokens, err)
	}
}
