package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// Pages are the same on all engines, whatever each thinks of case, of letters beyond ASCII and of the signs of LIKE.
func TestListsInPages(t *testing.T) {
	db := openTest(t)
	for _, name := range []string{"Zeta", "alpha", "Alpha", "ÄRZTE", "a_b", "AxB", "50%", "o'hara", "back\\slash", "a!b"} {
		must(t, db.CreateGroup(t.Context(), name))
	}
	for _, name := range []string{"zoe", "änne", "a_b", "axb", "ann"} {
		_, err := db.CreateUser(t.Context(), directory.User{Username: name, ManagedBy: directory.Manual})
		must(t, err)
		must(t, db.AddMember(t.Context(), "Alpha", name))
	}
	for _, name := range []string{"robot", "a-robot"} {
		_, err := db.CreateUser(t.Context(), directory.User{Username: name, Service: true, ManagedBy: directory.Manual})
		must(t, err)
	}
	login(t, db, "s", "ann", "Alpha") // held from two sources, and one member

	yes, no := true, false
	users := func(service *bool) func(Page) ([]string, int, error) {
		return func(p Page) ([]string, int, error) {
			found, total, err := db.UsersPage(t.Context(), UsersQuery{Page: p, Service: service})
			return usernames(found), total, err
		}
	}
	groups := func(p Page) ([]string, int, error) { return db.GroupNames(t.Context(), p) }
	details := func(p Page) (names []string, total int, err error) {
		found, total, err := db.GroupsPage(t.Context(), p)
		for _, g := range found {
			names = append(names, g.Name)
			if want := map[string]int{"Alpha": 5}[g.Name]; g.Members != want {
				t.Errorf("%s has %d members, not %d", g.Name, g.Members, want)
			}
		}
		return names, total, err
	}
	members := func(p Page) ([]string, int, error) {
		found, total, err := db.MembersPage(t.Context(), "Alpha", p)
		return usernames(found), total, err
	}
	all := []string{"50%", "a!b", "a_b", "Alpha", "alpha", "AxB", "back\\slash", "o'hara", "Zeta", "ÄRZTE"}
	for name, c := range map[string]struct {
		list  func(Page) ([]string, int, error)
		page  Page
		want  []string
		total int
	}{
		"all groups":                        {groups, Page{}, all, 10},
		"an offset without a limit":         {groups, Page{Offset: 3}, all, 10},
		"a page":                            {groups, Page{Limit: 2, Offset: 3}, []string{"Alpha", "alpha"}, 10},
		"past the end":                      {groups, Page{Limit: 2, Offset: 10}, []string{}, 10},
		"a search in another case":          {groups, Page{Search: "ALPH", Limit: 9}, []string{"Alpha", "alpha"}, 2},
		"a search beyond ASCII":             {groups, Page{Search: "ärz"}, []string{"ÄRZTE"}, 1},
		"a search and a page":               {groups, Page{Search: "a", Limit: 2, Offset: 5}, []string{"back\\slash", "o'hara"}, 8},
		"attack: % for everything":          {groups, Page{Search: "%", Limit: 9}, []string{"50%"}, 1},
		"attack: _ for any sign":            {groups, Page{Search: "a_b", Limit: 9}, []string{"a_b"}, 1},
		"attack: the sign that escapes":     {groups, Page{Search: "a!", Limit: 9}, []string{"a!b"}, 1},
		"attack: the engine's own escaping": {groups, Page{Search: `\`, Limit: 9}, []string{"back\\slash"}, 1},
		"attack: the end of the text":       {groups, Page{Search: "' OR '1'='1", Limit: 9}, []string{}, 0},
		"groups with members":               {details, Page{Search: "alpha", Limit: 9}, []string{"Alpha", "alpha"}, 2},
		"all with members":                  {details, Page{}, all, 10},
		"no groups with members":            {details, Page{Limit: 2, Offset: 10}, nil, 10},
		"people":                            {users(&no), Page{}, []string{"a_b", "ann", "axb", "zoe", "änne"}, 5},
		"service accounts":                  {users(&yes), Page{Limit: 1, Offset: 1}, []string{"robot"}, 2},
		"both":                              {users(nil), Page{Limit: 2}, []string{"a-robot", "a_b"}, 7},
		"people of a name":                  {users(&no), Page{Search: "ÄN", Limit: 2}, []string{"änne"}, 1},
		"members":                           {members, Page{}, []string{"a_b", "ann", "axb", "zoe", "änne"}, 5},
		"a page of members":                 {members, Page{Limit: 2, Offset: 3}, []string{"zoe", "änne"}, 5},
		"members of a name":                 {members, Page{Search: "N", Limit: 2}, []string{"ann", "änne"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			got, total, err := c.list(c.page)
			must(t, err)
			if diff := cmp.Diff(c.want, got); diff != "" || total != c.total {
				t.Errorf("%d of %d\n%s", total, c.total, diff)
			}
		})
	}
	if _, _, err := db.MembersPage(t.Context(), "none", Page{Limit: 1}); !errs.Is(err, errs.NotFound) {
		t.Errorf("members of a group that is not there: %v", err)
	}
}

func usernames(users []directory.User) []string {
	names := []string{}
	for _, u := range users {
		names = append(names, u.Username)
	}
	return names
}
