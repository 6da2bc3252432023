package gateway_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/gateway"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// cast is a gateway with two owners of work, and whoever else a test needs, by what they hold. Nobody but the owners ever
// holds a grant that is not said here.
type cast struct {
	*world.World
	recorder       *world.Recorder
	first, second  *world.Client // the owners
	a, b           world.Work    // what they own
	admin, nobody  *world.Client
	gone, goneSeen *world.Client // deactivated, with MANAGE: by token, and by session
	people         map[string]*world.Client
}

func newCast(t *testing.T) *cast {
	t.Helper()
	recorder := world.NewRecorder(t, mlflowtest.Shared(t))
	c := &cast{World: world.New(t, recorder.URL, map[string]string{"LOGIN_FAILURES_PER_MINUTE": "10000"}),
		recorder: recorder, people: map[string]*world.Client{}}
	c.admin, c.nobody = c.Person(t, "admin", world.Admins), c.Nobody(t)
	c.first, c.second = c.Person(t, "first", world.Members), c.Person(t, "second", world.Members)
	c.a, c.b = c.first.MakeWork(t), c.second.MakeWork(t)
	for owner, work := range map[*world.Client]world.Work{c.first: c.a, c.second: c.b} {
		account, err := c.App.Store.User(t.Context(), owner.Username)
		if err == nil {
			err = c.App.Store.CreateGrant(t.Context(), store.Principal{User: owner.Username}, kind.Workspace, workspaceOf(work), kind.Manage, nil)
		}
		if err == nil {
			err = c.App.Store.Own(t.Context(), policy.Job.String(), named(t, policy.Job, work), account.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c.goneSeen = c.Browser(t, "gone", world.Members)
	token := c.goneSeen.JSON(t, http.MethodPatch, "/api/2.0/mlflow/users/access-token", nil)["token"].(string)
	c.gone = &world.Client{World: c.World, HTTP: &http.Client{}, Username: c.goneSeen.Username, Token: token}
	c.grant(t, store.Principal{User: c.gone.Username}, kind.Manage, c.a)
	if got := c.gone.Do(t, "GET", "/api/2.0/mlflow/experiments/get?experiment_id="+c.a.Experiment, nil); got.Status != http.StatusOK {
		t.Fatalf("before the deactivation: %d %s", got.Status, got.Body)
	}
	if err := c.App.Store.SetActive(t.Context(), c.gone.Username, false); err != nil {
		t.Fatal(err)
	}
	return c
}

// grant gives a level on all of a work.
func (c *cast) grant(t *testing.T, to store.Principal, level kind.Level, work world.Work) {
	t.Helper()
	for k, names := range heldAll(t, work) {
		if err := c.App.Store.CreateGrant(t.Context(), to, k, names[0], level, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// pattern gives a level on the names of all of a work.
func (c *cast) pattern(t *testing.T, to store.Principal, level kind.Level, work world.Work) {
	t.Helper()
	for k, names := range heldAll(t, work) {
		g := authz.Grant{Kind: k, Pattern: regexp.QuoteMeta(names[1]) + "$", Priority: 1, Level: level}
		if err := c.App.Store.CreatePattern(t.Context(), to, g); err != nil {
			t.Fatal(err)
		}
	}
}

// heldAll fails for a kind of which no work has a sample.
func heldAll(t *testing.T, work world.Work) map[kind.Name][2]string {
	t.Helper()
	all := held(work)
	for k := range kind.All() {
		if all[k.Name][0] == "" || all[k.Name][1] == "" {
			t.Fatalf("no sample of the kind %s", k.Name)
		}
	}
	return all
}

// person gives somebody with a token, whom the provider says to be in groups. Whoever is made for the first time is given
// what give gives.
func (c *cast) person(t *testing.T, name string, groups []string, give func(store.Principal)) *world.Client {
	t.Helper()
	if known := c.people[name]; known != nil {
		return known
	}
	user, err := c.App.Store.RecordLogin(t.Context(), directory.Login{Identity: directory.Identity{Provider: "test", Subject: name},
		Username: strings.ToLower(strings.ReplaceAll(name, " ", "-")) + "@example.com", DisplayName: name, Groups: groups})
	if err != nil {
		t.Fatal(err)
	}
	client := &world.Client{World: c.World, HTTP: &http.Client{}, Username: user.Username, Token: accessToken(t, c.World, user.ID)}
	c.people[name] = client
	if give != nil {
		give(store.Principal{User: user.Username})
	}
	return client
}

// holder is somebody who holds one level on all of the first work.
type holder struct {
	name   string
	client *world.Client
	level  kind.Level
	role
}

// role is what somebody is to a work beside what they hold.
type role struct {
	owner    bool // who made it, and so submitted its job
	maker    bool // who made its review queue
	reviewer bool // who is to review in its queue
}

// enough tells whether a role lowers what a row needs to the level that somebody has.
func (r role) enough(route policy.Route, has kind.Level) bool {
	return r.maker && route.Maker > 0 && has >= route.Maker || r.reviewer && route.Reviewer > 0 && has >= route.Reviewer
}

// on is the level on what a need names: jobs have no grants, and are whose who submitted them.
func (h holder) on(need policy.Need) kind.Level {
	if need.Ref == policy.Job && !h.owner {
		return kind.NoPermissions
	}
	return h.level
}

// holders hold every level by every source. A further column is a further entry.
func (c *cast) holders(t *testing.T) []holder {
	t.Helper()
	all := []holder{{"no grant", c.person(t, "stranger", nil, nil), kind.NoPermissions, role{}}, {"owner", c.first, kind.Manage, role{owner: true, reviewer: true}}}
	for level := kind.NoPermissions; level <= kind.Manage; level++ {
		for _, by := range []struct {
			name  string
			group bool
			give  func(*testing.T, store.Principal, kind.Level, world.Work)
		}{{"grant", false, c.grant}, {"group", true, c.grant}, {"pattern", false, c.pattern}, {"group pattern", true, c.pattern}} {
			name := fmt.Sprintf("%s by %s", level, by.name)
			var groups []string
			if by.group {
				groups = []string{"group of " + name}
			}
			client := c.person(t, name, groups, func(to store.Principal) {
				if by.group {
					to = store.Principal{Group: groups[0]}
				}
				by.give(t, to, level, c.a)
			})
			all = append(all, holder{name, client, level, roles[name]})
		}
	}
	c.reviews(t)
	refused := c.person(t, "refused in spite of a group", []string{"group of MANAGE by group"}, func(to store.Principal) {
		c.grant(t, to, kind.NoPermissions, c.a)
	})
	return append(all, holder{"NO_PERMISSIONS in spite of a group with MANAGE", refused, kind.NoPermissions, role{}})
}

// roles are what holders are beside their level: the review queue of the first work is made by one of them, and some review in it.
var roles = map[string]role{
	"EDIT by group":   {maker: true},
	"USE by group":    {reviewer: true},
	"READ by grant":   {reviewer: true},
	"USE by grant":    {reviewer: true},
	"EDIT by grant":   {reviewer: true},
	"MANAGE by grant": {reviewer: true},
}

// reviews puts the holders with a role into the first work's review queue.
func (c *cast) reviews(t *testing.T) {
	t.Helper()
	users := []string{c.first.Username}
	for name, r := range roles {
		if r.reviewer {
			users = append(users, c.people[name].Username)
		}
		if !r.maker {
			continue
		}
		account, err := c.App.Store.User(t.Context(), c.people[name].Username)
		if err == nil {
			err = c.App.Store.Own(t.Context(), policy.ReviewQueue.String(), c.a.ReviewQueue, account.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	mlflowtest.Shared(t).Do(t, http.MethodPost, v3+"review-queues/update", nil, map[string]any{"queue_id": c.a.ReviewQueue, "update_users": true, "users": users})
}

// pair gives somebody with a level on each work; NO_PERMISSIONS is no grant.
func (c *cast) pair(t *testing.T, a, b kind.Level) *world.Client {
	t.Helper()
	return c.person(t, fmt.Sprintf("%s and %s", a, b), nil, func(to store.Principal) {
		if a > kind.NoPermissions {
			c.grant(t, to, a, c.a)
		}
		if b > kind.NoPermissions {
			c.grant(t, to, b, c.b)
		}
	})
}

// gatewayOf gives a gateway of one row alone, with all else as the true one has it.
func (c *cast) gatewayOf(t *testing.T, route policy.Route, restricted bool) http.Handler {
	t.Helper()
	options := c.App.Gateway
	options.Routes, options.Rules.RestrictCreation, options.Log = []policy.Route{route}, restricted, slog.New(slog.DiscardHandler)
	g, err := gateway.New(options)
	if err != nil {
		t.Fatal(err)
	}
	return g
}
