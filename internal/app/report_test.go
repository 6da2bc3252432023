package app

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
)

// The attack: share with everybody what was meant for a team.
func TestGroupsOfEverybodyGetNoShare(t *testing.T) {
	pattern := []*regexp.Regexp{regexp.MustCompile("team-.*")}
	for _, c := range []struct {
		name     string
		provider config.OIDC
		want     []string
	}{
		{"one group may sign in", config.OIDC{Groups: []string{"mlflow"}, AdminGroups: []string{"admins"}}, []string{"admins", "mlflow"}},
		{"several may, and are teams", config.OIDC{Groups: []string{"red", "blue"}, AdminGroups: []string{"admins"}}, []string{"admins"}},
		{"one may, and others by a pattern", config.OIDC{Groups: []string{"red"}, GroupPatterns: pattern}, nil},
	} {
		if diff := cmp.Diff(c.want, ofEverybody(&config.Config{Providers: []config.OIDC{c.provider}})); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}
