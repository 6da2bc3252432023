package store

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// roleWith makes a role with permissions, in the default workspace, and assigns it to a user.
func roleWith(t *testing.T, db *DB, name string, user directory.User, permissions ...directory.RolePermission) directory.Role {
	t.Helper()
	role, err := db.CreateRole(t.Context(), directory.Role{Workspace: kind.DefaultWorkspace, Name: name})
	must(t, err)
	for _, p := range permissions {
		p.RoleID = role.ID
		_, err := db.AddRolePermission(t.Context(), p)
		must(t, err)
	}
	_, err = db.AssignRole(t.Context(), user.ID, role.ID, nil)
	must(t, err)
	role, err = db.Role(t.Context(), role.ID)
	must(t, err)
	return role
}

// on is a permission on one resource, whose id is what grants hold.
func on(kind, resource, permission string) directory.RolePermission {
	return directory.RolePermission{Type: kind, Pattern: resource, Resource: resource, Permission: permission}
}

// said is what the roles of a user say, in short.
func said(t *testing.T, db *DB, user directory.User) []string {
	t.Helper()
	all, err := db.GrantsOf(t.Context(), user.ID)
	must(t, err)
	got := []string{}
	for _, g := range all {
		level := g.Level.String()
		if g.Denies {
			level = directory.Deny
		}
		if g.Source == authz.Role {
			got = append(got, g.Role+" in "+g.Workspace+": "+string(g.Kind)+" "+g.Part+" "+g.Resource+" "+level)
		}
	}
	slices.Sort(got)
	return got
}

func TestRolesAreGrantsOfWhomTheyAreAssigned(t *testing.T) {
	db := openTest(t)
	ann, bob := login(t, db, "s1", "ann"), login(t, db, "s2", "bob")
	role := roleWith(t, db, "team", ann, on("experiment", "1", "EDIT"), on("run", "*", "READ"), on("workspace", "*", "USE"), on("prompt", "*", "DENY"))
	want := []string{"team in default: experiment  1 EDIT", "team in default: experiment run * READ", "team in default: prompt  * DENY", "team in default: workspace  * USE"}
	if diff := cmp.Diff(want, said(t, db, ann)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{}, said(t, db, bob)); diff != "" {
		t.Errorf("whom the role is not assigned to: %s", diff)
	}
	must(t, db.UpdateRolePermission(t.Context(), role.ID, role.Permissions[0].ID, "READ"))
	must(t, db.RemoveRolePermission(t.Context(), role.ID, role.Permissions[1].ID))
	name := "crew"
	must(t, db.UpdateRole(t.Context(), role.ID, &name, &name))
	want = []string{"crew in default: experiment  1 READ", "crew in default: prompt  * DENY", "crew in default: workspace  * USE"}
	if diff := cmp.Diff(want, said(t, db, ann)); diff != "" {
		t.Error(diff)
	}
	found, err := db.RoleOf(t.Context(), role.Permissions[0].ID)
	must(t, err)
	if found.Name != "crew" || found.Description == nil || *found.Description != "crew" || len(found.Permissions) != 3 {
		t.Errorf("found %+v", found)
	}
	must(t, db.UnassignRole(t.Context(), ann.ID, role.ID))
	if diff := cmp.Diff([]string{}, said(t, db, ann)); diff != "" {
		t.Errorf("after it was taken away: %s", diff)
	}
	wantCode(t, db.UnassignRole(t.Context(), ann.ID, role.ID), errs.NotFound)
	must(t, db.DeleteRole(t.Context(), role.ID))
	_, err = db.Role(t.Context(), role.ID)
	wantCode(t, err, errs.NotFound)
	_, err = db.RoleOf(t.Context(), role.Permissions[0].ID)
	wantCode(t, err, errs.NotFound)
}

func TestRolesAreUniqueInTheirWorkspace(t *testing.T) {
	db := openTest(t)
	ann := login(t, db, "s1", "ann")
	role := roleWith(t, db, "team", ann, on("experiment", "*", "READ"))
	_, err := db.CreateRole(t.Context(), directory.Role{Workspace: kind.DefaultWorkspace, Name: "team"})
	wantCode(t, err, errs.Conflict)
	other, err := db.CreateRole(t.Context(), directory.Role{Workspace: "team-a", Name: "team"})
	must(t, err)
	again := on("experiment", "*", "MANAGE")
	again.RoleID = role.ID
	_, err = db.AddRolePermission(t.Context(), again)
	wantCode(t, err, errs.Conflict)
	_, err = db.AssignRole(t.Context(), ann.ID, role.ID, nil)
	wantCode(t, err, errs.Conflict)
	_, err = db.AssignRole(t.Context(), 4711, role.ID, nil)
	wantCode(t, err, errs.NotFound)
	_, err = db.AssignRole(t.Context(), ann.ID, 4711, nil)
	wantCode(t, err, errs.NotFound)
	wantCode(t, db.RemoveRolePermission(t.Context(), other.ID, role.Permissions[0].ID), errs.NotFound)
	wantCode(t, db.UpdateRolePermission(t.Context(), other.ID, role.Permissions[0].ID, "MANAGE"), errs.NotFound)
	in, err := db.Roles(t.Context(), "team-a")
	must(t, err)
	if len(in) != 1 || in[0].ID != other.ID {
		t.Errorf("in team-a: %+v", in)
	}
}

// The attack: what roles give on a name is inherited by its next owner's resource. What they deny stays.
func TestRolesAndTheLifeOfResources(t *testing.T) {
	db := openTest(t)
	ann := login(t, db, "s1", "ann")
	roleWith(t, db, "gives", ann, on("registered_model", "m", "EDIT"), on("registered_model", "*", "READ"), on("prompt", "m", "READ"), on("mcp_server", "m", "EDIT"))
	roleWith(t, db, "denies", ann, on("registered_model", "m", "DENY"), on("registered_model", "n", "DENY"))
	secret := directory.RolePermission{Type: "gateway_secret", Pattern: "an id", Resource: "s", Permission: "USE"}
	roleWith(t, db, "by id", ann, secret)

	elsewhere := workspace.In(t.Context(), workspace.Scope{Name: "team-a", Named: true})
	must(t, db.Deleted(elsewhere, kind.RegisteredModel, "m"))
	must(t, db.Renamed(t.Context(), kind.RegisteredModel, "m", "n"))
	must(t, db.Renamed(t.Context(), kind.GatewaySecret, "s", "t"))
	want := []string{"by id in default: gateway_secret  t USE", "denies in default: registered_model  n DENY", "gives in default: mcp_server  m EDIT",
		"gives in default: prompt  n READ", "gives in default: registered_model  * READ", "gives in default: registered_model  n EDIT"}
	if diff := cmp.Diff(want, said(t, db, ann)); diff != "" {
		t.Errorf("after they were renamed: %s", diff)
	}
	roles, err := db.RolesOf(t.Context(), ann.ID)
	must(t, err)
	if p := roles[2].Permissions[0]; p.Pattern != "an id" || roles[0].Permissions[0].Pattern != "n" {
		t.Errorf("they are called %+v", roles)
	}
	must(t, db.Created(t.Context(), kind.RegisteredModel, "n", ann.ID))
	must(t, db.Deleted(t.Context(), kind.GatewaySecret, "t"))
	want = []string{"denies in default: registered_model  n DENY", "gives in default: mcp_server  m EDIT", "gives in default: registered_model  * READ"}
	if diff := cmp.Diff(want, said(t, db, ann)); diff != "" {
		t.Errorf("after one was made anew and one deleted: %s", diff)
	}
}

func TestDeletedWorkspacesTakeTheirRoles(t *testing.T) {
	db := openTest(t)
	ann := login(t, db, "s1", "ann")
	role, err := db.CreateRole(t.Context(), directory.Role{Workspace: "team-a", Name: "admin"})
	must(t, err)
	p := on("workspace", "*", "MANAGE")
	p.RoleID = role.ID
	_, err = db.AddRolePermission(t.Context(), p)
	must(t, err)
	_, err = db.AssignRole(t.Context(), ann.ID, role.ID, nil)
	must(t, err)
	must(t, db.WorkspaceDeleted(t.Context(), "team-a"))
	if diff := cmp.Diff([]string{}, said(t, db, ann)); diff != "" {
		t.Errorf("whoever makes the workspace anew finds its old administrators: %s", diff)
	}
}

func TestDirectPermissions(t *testing.T) {
	db := openTest(t)
	ann, bob := login(t, db, "s1", "ann"), login(t, db, "s2", "bob")
	give := func(p directory.RolePermission) error {
		return db.GrantDirectly(t.Context(), ann.ID, kind.DefaultWorkspace, p)
	}
	must(t, give(on("experiment", "1", "EDIT")))
	must(t, give(on("experiment", "*", "READ")))
	must(t, give(on("experiment", "2", "DENY")))
	wantCode(t, give(on("experiment", "1", "DENY")), errs.Conflict)
	wantCode(t, give(on("experiment", "2", "EDIT")), errs.Conflict)
	wantCode(t, give(on("experiment", "*", "EDIT")), errs.Conflict)
	held, err := db.AllGrants(t.Context(), ann.ID)
	must(t, err)
	if len(held) != 1 || held[0].Resource != "1" || held[0].Level != kind.Edit {
		t.Errorf("held as grants: %+v", held)
	}
	own := OwnRole(ann.ID) + " in default: experiment  "
	if diff := cmp.Diff([]string{own + "* READ", own + "2 DENY"}, said(t, db, ann)); diff != "" {
		t.Error(diff)
	}
	roles, err := db.OwnRoles(t.Context(), ann.ID)
	must(t, err)
	if len(roles) != 1 {
		t.Fatalf("own roles: %+v", roles)
	}
	// The attack: to be assigned what another is given directly, or to widen it as a role.
	_, err = db.AssignRole(t.Context(), bob.ID, roles[0].ID, nil)
	wantCode(t, err, errs.NotFound)
	wider := on("registered_model", "*", "MANAGE")
	wider.RoleID = roles[0].ID
	_, err = db.AddRolePermission(t.Context(), wider)
	wantCode(t, err, errs.NotFound)
	wantCode(t, db.UpdateRolePermission(t.Context(), roles[0].ID, roles[0].Permissions[0].ID, "MANAGE"), errs.NotFound)
	wantCode(t, db.DeleteRole(t.Context(), roles[0].ID), errs.NotFound)
	all, err := db.Roles(t.Context())
	must(t, err)
	if len(all) != 0 {
		t.Errorf("listed among the roles: %+v", all)
	}
	for _, p := range []directory.RolePermission{on("experiment", "1", ""), on("experiment", "*", ""), on("experiment", "2", "")} {
		must(t, db.RevokeDirectly(t.Context(), ann.ID, kind.DefaultWorkspace, p))
		wantCode(t, db.RevokeDirectly(t.Context(), ann.ID, kind.DefaultWorkspace, p), errs.NotFound)
	}
	wantCode(t, db.RevokeDirectly(t.Context(), ann.ID, "team-a", on("run", "*", "")), errs.NotFound)
	must(t, db.SetRoles(t.Context(), "bob", true, false))
	must(t, give(on("experiment", "*", "READ")))
	must(t, db.DeleteUser(t.Context(), "ann"))
	if own, err := db.OwnRoles(t.Context(), ann.ID); err != nil || len(own) != 0 {
		t.Errorf("a deleted user's own roles: %+v, %v", own, err)
	}
}

// The attack: to go on with an old secret after the password is a new one.
func TestKeptPasswords(t *testing.T) {
	db := openTest(t)
	ann, err := db.CreateLocal(t.Context(), directory.User{Username: "ann", ManagedBy: "manual"}, "first")
	must(t, err)
	must(t, db.SetAccessToken(t.Context(), directory.AccessToken{UserID: ann.ID, Hash: [32]byte{1}, ExpiresAt: db.now()}))
	if p, err := db.PasswordOf(t.Context(), "ann"); err != nil || p.Hash != "first" || !p.Kept || p.User.ID != ann.ID {
		t.Errorf("an access token ended the password: %+v, %v", p, err)
	}
	p, err := db.PasswordOf(t.Context(), "ann")
	must(t, err)
	wantCode(t, db.UpgradePassword(t.Context(), p, [32]byte{2}), errs.NotFound)
	_, err = db.DeleteTokens(t.Context(), ann.ID)
	must(t, err)
	must(t, db.SetAccessToken(t.Context(), directory.AccessToken{UserID: ann.ID, Hash: [32]byte{1}, ExpiresAt: db.now()}))
	must(t, db.KeepPassword(t.Context(), ann.ID, "second"))
	if p, err := db.PasswordOf(t.Context(), "ann"); err != nil || p.Hash != "second" || !p.Kept {
		t.Errorf("the new password is %+v, %v", p, err)
	}
	_, err = db.UserByToken(t.Context(), [32]byte{1})
	wantCode(t, err, errs.NotFound)
}
