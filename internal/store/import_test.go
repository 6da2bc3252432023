package store

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/takeover"
)

// oneOfEach is one of each sort.
func oneOfEach() takeover.Contents {
	c := takeover.New()
	c.Users["ann"] = takeover.User{DisplayName: "Ann", Active: true, ManagedBy: "manual"}
	c.Users["job"] = takeover.User{Service: true, Admin: true, ManagedBy: "scim"}
	c.Groups["red"], c.Groups["Red "] = takeover.Group{ExternalID: "e"}, takeover.Group{}
	c.Memberships[takeover.Membership{User: "ann", Group: "red", Source: "imported"}] = takeover.Held{}
	c.Identities[takeover.Identity{Provider: "p", Subject: "s"}] = takeover.Whose{User: "ann", Admin: true}
	ann, red := takeover.Principal{User: "ann"}, takeover.Principal{Group: "red"}
	c.Rules["teams"] = takeover.Rule{Pattern: "(?P<ws>.*)", Level: "EDIT", Enforced: true, CreatedBy: "x"}
	c.Grants[takeover.Grant{Principal: ann, Kind: "experiment", Resource: "1"}] = takeover.Given{Level: "EDIT"}
	c.Grants[takeover.Grant{Principal: red, Kind: "workspace", Resource: "w"}] = takeover.Given{Level: "READ", Rule: "teams"}
	c.Grants[takeover.Grant{Principal: red, Kind: "registered_model", Workspace: "w", Resource: "churn'☃"}] = takeover.Given{Level: "NO_PERMISSIONS"}
	c.Patterns[takeover.Pattern{Principal: ann, Kind: "prompt", Workspace: "*", Text: `\d+`}] = takeover.Ruled{Priority: 3, Level: "USE"}
	c.Patterns[takeover.Pattern{Principal: red, Kind: "experiment", Text: Aside + `\bx`}] = takeover.Ruled{Priority: -1, Level: "NO_PERMISSIONS",
		Aside: takeover.Aside{Text: `\bx`, Level: "OWNER", Reason: "why"}}
	c.Passwords["ann"] = takeover.Password{Hash: "h", Expires: 4_000_000_000}
	c.Passwords["job"] = takeover.Password{Hash: "h", Kept: true}
	c.Tokens[takeover.Token{User: "ann", Name: "laptop"}] = takeover.Named{Prefix: "mlf_1", Hash: "h", CreatedBy: "x", Created: 1, Expires: 4_000_000_000}
	c.Tokens[takeover.Token{User: "ann", Name: "desk"}] = takeover.Named{Prefix: "mlf_2", Hash: "h", Created: 1, Expires: 4_000_000_000}
	role, own := takeover.Role{Workspace: "default", Name: "team"}, takeover.Role{Workspace: "w", Owner: "ann"}
	c.Roles[role], c.Roles[own] = takeover.Described{Description: "d"}, takeover.Described{}
	c.Permissions[takeover.Permission{Role: role, Type: "run", Pattern: "*"}] = takeover.Permitted{Resource: "*", Level: "DENY"}
	c.Permissions[takeover.Permission{Role: own, Type: "scorer", Pattern: "1/a"}] = takeover.Permitted{Resource: "1/a", Level: "READ"}
	c.Assignments[takeover.Assignment{User: "ann", Role: role}] = takeover.Held{}
	return c
}

func take(ctx context.Context, db *DB, there takeover.Contents, overwrite bool) (takeover.Plan, error) {
	var done takeover.Plan
	err := db.Import(ctx, Import{Source: "x", Address: "a", Revision: "r", DoneBy: "me"}, func(here takeover.Contents, before takeover.Record, _ []Import) (takeover.Plan, error) {
		done = takeover.Make(there, here, takeover.Options{Before: before, Follow: true, Overwrite: overwrite})
		return done, nil
	})
	return done, err
}

func TestImport(t *testing.T) {
	db := openTest(t)
	if _, err := take(t.Context(), db, oneOfEach(), false); err != nil {
		t.Fatal(err)
	}
	here := func() takeover.Contents {
		c, _, err := db.Contents(t.Context(), "x")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if diff := cmp.Diff(oneOfEach(), here()); diff != "" {
		t.Fatalf("what came is not what was there:\n%s", diff)
	}
	if plan, err := take(t.Context(), db, oneOfEach(), false); err != nil || plan.Changes() {
		t.Errorf("a second time: %+v, %v", plan.Counts, err)
	}
	// everything changes there, and follows; then everything but people goes, and follows too
	changed := oneOfEach()
	changed.Users["ann"] = takeover.User{DisplayName: "Anna", Active: true, ManagedBy: "manual"}
	changed.Groups["red"] = takeover.Group{ExternalID: "f"}
	for k := range changed.Grants {
		changed.Grants[k] = takeover.Given{Level: "READ"}
	}
	for k, v := range changed.Patterns {
		v.Priority, v.Aside.Level = 9, ""
		changed.Patterns[k] = v
	}
	for k := range changed.Permissions {
		changed.Permissions[k] = takeover.Permitted{Resource: "*", Level: "READ"}
	}
	for k := range changed.Roles {
		changed.Roles[k] = takeover.Described{Description: "new"}
	}
	for k, v := range changed.Tokens {
		v.Hash = "i"
		changed.Tokens[k] = v
	}
	changed.Passwords["ann"] = takeover.Password{Hash: "i", Expires: 4_000_000_000}
	changed.Rules["teams"] = takeover.Rule{Pattern: "x(?P<ws>.*)", Level: "READ", CreatedBy: "x"}
	changed.Identities[takeover.Identity{Provider: "p", Subject: "s"}] = takeover.Whose{User: "ann"}
	if _, err := take(t.Context(), db, changed, false); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(changed, here()); diff != "" {
		t.Errorf("what changed there:\n%s", diff)
	}
	gone := takeover.New()
	gone.Users, gone.Groups = changed.Users, changed.Groups
	if _, err := take(t.Context(), db, gone, false); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(gone, here()); diff != "" {
		t.Errorf("what is gone there:\n%s", diff)
	}
	imports, err := db.Imports(t.Context())
	if err != nil || len(imports) != 3 || imports[0].DoneBy != "me" {
		t.Errorf("%+v, %v", imports, err)
	}
}

// A part that fails takes back all that came before it.
func TestImportIsAllOrNothing(t *testing.T) {
	db := openTest(t)
	there := oneOfEach()
	before, err := db.Change(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = db.Import(t.Context(), Import{Source: "x"}, func(here takeover.Contents, record takeover.Record, _ []Import) (takeover.Plan, error) {
		plan := takeover.Make(there, here, takeover.Options{})
		plan.Assignments.Put[takeover.Assignment{User: "nobody", Role: takeover.Role{Workspace: "default", Name: "team"}}] = takeover.Held{}
		return plan, nil
	})
	if err == nil {
		t.Fatal("an assignment of nobody was stored")
	}
	here, record, err := db.Contents(t.Context(), "x")
	if err != nil || len(record) > 0 {
		t.Errorf("%d are recorded, %v", len(record), err)
	}
	if diff := cmp.Diff(takeover.New(), here); diff != "" {
		t.Errorf("a part came:\n%s", diff)
	}
	if after, err := db.Change(t.Context()); err != nil || after != before {
		t.Errorf("the counter moved from %d to %d, %v", before, after, err)
	}
}

// Replicas that start at once on a predecessor's database take it over once.
func TestImportByTwoReplicas(t *testing.T) {
	db := openTest(t)
	if failures := failed(twice(t, db, func(r *DB) error { _, err := take(t.Context(), r, oneOfEach(), false); return err })); len(failures) > 0 {
		t.Fatal(failures)
	}
	imports, err := db.Imports(t.Context())
	if err != nil || len(imports) != 1 {
		t.Errorf("%d imports, %v", len(imports), err)
	}
}

// What a predecessor's tables hold is read, and nothing is written to them, whoever tries.
func TestForeignIsReadOnly(t *testing.T) {
	db := openTest(t)
	o := addressOf(t, db)
	for _, statement := range []string{"CREATE TABLE theirs (id INTEGER, said VARCHAR(20), yes BOOLEAN, at TIMESTAMP NULL)",
		"INSERT INTO theirs VALUES (2, 'two', TRUE, '2026-01-02 03:04:05')", "INSERT INTO theirs VALUES (1, NULL, FALSE, NULL)"} {
		if _, err := db.write.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _, _ = db.write.ExecContext(context.Background(), "DROP TABLE theirs") })
	f, err := OpenForeign(t.Context(), o.Address)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := f.Rows(t.Context(), "theirs", "id")
	if err != nil || len(rows) != 2 {
		t.Fatalf("%+v, %v", rows, err)
	}
	at, ok := rows[1].Moment("at")
	if rows[0].Has("said") || rows[0].Truth("yes") || rows[1].Text("said") != "two" || !rows[1].Truth("yes") || rows[1].Number("id") != 2 || !ok || at.Format("15:04:05") != "03:04:05" {
		t.Errorf("%+v %v", rows, at)
	}
	for table, want := range map[string]bool{"theirs": true, "gw_users": true, "nobodys": false} {
		if is, err := f.Has(t.Context(), table); err != nil || is != want {
			t.Errorf("%s: %v, %v", table, is, err)
		}
	}
	if _, err := f.tx.ExecContext(t.Context(), "DELETE FROM theirs"); err == nil {
		t.Error("rows could be deleted")
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if n, err := db.read.NewSelect().Table("theirs").Count(t.Context()); err != nil || n != 2 {
		t.Errorf("%d rows are left, %v", n, err)
	}
	if engineUnderTest == database.SQLite {
		if _, err := OpenForeign(t.Context(), database.File(t.TempDir()+"/none.db")); err == nil {
			t.Error("a file that is not there was made")
		}
	}
}

// The pattern that stands in place of one that is set aside refuses, whatever it is asked.
func TestSetAsideRefuses(t *testing.T) {
	db := openTest(t)
	if _, err := take(t.Context(), db, oneOfEach(), false); err != nil {
		t.Fatal(err)
	}
	user, err := db.User(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	grants, err := db.GrantsOf(t.Context(), user.ID)
	if err != nil {
		t.Fatal(err)
	}
	on := authz.Resource{Kind: "experiment", ID: "7", Name: "any"}
	if d := (authz.Rules{Default: 4}).Decide(authz.Subject{Active: true}, authz.Compile(authz.DefaultOrder(), grants), on, 1); d.Allowed || d.Grant == nil {
		t.Errorf("%+v", d)
	}
	aside, err := db.SetAsides(t.Context())
	if err != nil || len(aside) != 1 || aside[0].GroupName != "red" || aside[0].Reason != "why" {
		t.Errorf("%+v, %v", aside, err)
	}
	_, err = db.write.NewDelete().Table(patterns).Where("pattern LIKE ?", Aside+"%").Exec(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if aside, err := db.SetAsides(t.Context()); err != nil || len(aside) != 0 {
		t.Errorf("%+v, %v", aside, err)
	}
}
