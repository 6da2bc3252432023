package authz_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// What is held on more than one resource is listed where it counts, in the order in which it is asked, and nothing else is.
func TestGeneral(t *testing.T) {
	role := func(workspace, resource, part string) authz.Grant {
		return authz.Grant{Source: authz.Role, Kind: kind.RegisteredModel, Workspace: workspace, Resource: resource, Part: part, Role: workspace + resource + part, Level: read}
	}
	pattern := func(source authz.Source, workspace, name string, priority int) authz.Grant {
		return authz.Grant{Source: source, Kind: kind.RegisteredModel, Workspace: workspace, Pattern: name, Priority: priority, Level: read}
	}
	grants := authz.Compile(authz.DefaultOrder(), []authz.Grant{
		role("a", "*", ""), role("b", "*", ""), role("a", "m", ""), role("a", "*", "registered_model_version"), within("a", authz.Grant{Source: user, Level: read}),
		pattern(groupPattern, "a", "group", 1), pattern(regex, "*", "second", 2), pattern(regex, "a", "first", 1), pattern(regex, "b", "elsewhere", 0),
		{Source: regex, Kind: kind.Experiment, Workspace: "*", Pattern: "other", Level: read},
	}).In("a")
	got := []string{}
	for _, g := range grants.General(kind.RegisteredModel) {
		got = append(got, g.Pattern+g.Role)
	}
	if diff := cmp.Diff([]string{"first", "second", "group", "a*", "a*registered_model_version"}, got); diff != "" {
		t.Error(diff)
	}
}
