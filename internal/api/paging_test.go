package api_test

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

func TestPagesAndSearch(t *testing.T) {
	c := newCast(t)
	for _, name := range []string{"a_b", "AxB", "50", "o'hara"} {
		c.admin.JSON(t, http.MethodPost, base+"/permissions/groups", object{"group_name": name + "."})
	}
	for query, want := range map[string]struct {
		rows  list
		total string
	}{
		"search=_":                  {list{"a_b."}, "1"},
		"search='":                  {list{"o'hara."}, "1"},
		"search=AXB":                {list{"AxB."}, "1"},
		"search=.&limit=2":          {list{"50.", "a_b."}, "4"},
		"search=.&limit=2&offset=3": {list{"o'hara."}, "4"},
		"search=.&limit=2&offset=9": {list{}, "4"},
		"search=none":               {list{}, "0"},
		"search=.&offset=3":         {list{"50.", "a_b.", "AxB.", "o'hara."}, "4"}, // an offset without a limit says nothing
	} {
		t.Run(query, func(t *testing.T) {
			got := c.member.Do(t, http.MethodGet, base+"/permissions/groups?"+query, nil)
			wants(t, got, 200, want.rows)
			if total := got.Header.Get("X-Total-Count"); total != want.total {
				t.Errorf("the total is %q, want %q", total, want.total)
			}
		})
	}
	for at, want := range map[string]any{
		"/permissions/groups/" + theGroup + "/users?limit=1&search=TAR": list{object{"username": c.target.Username, "is_admin": false}},
		"/users?limit=1&search=targ":                                    list{c.target.Username},
		"/users?limit=1&service=true":                                   list{},
	} {
		got := c.admin.Do(t, http.MethodGet, base+at, nil)
		wants(t, got, 200, want)
		if total := got.Header.Get("X-Total-Count"); total != strconv.Itoa(len(want.(list))) {
			t.Errorf("the total of %s is %q", at, total)
		}
	}
	if got := c.member.Do(t, http.MethodGet, base+"/permissions/groups", nil); got.Header["X-Total-Count"] != nil {
		t.Error("a listing that was not asked for in pages has a total")
	}
	for _, query := range []string{"limit=0", "limit=501", "limit=-1", "limit=x", "offset=-1", "limit=99999999999999999999"} {
		t.Run(query, func(t *testing.T) {
			for _, at := range []string{"/permissions/groups", "/permissions/groups/details", "/permissions/groups/" + theGroup + "/users", "/users", "/users/details", "/permissions/experiments", "/permissions/registered-models"} {
				wants(t, c.admin.Do(t, http.MethodGet, base+at+"?"+query, nil), 422, invalid)
			}
		})
	}
}

// The total counts what the caller may see: else it would tell of the rest.
func TestTotalLeavesOutWhatIsHidden(t *testing.T) {
	c := newCast(t)
	for k := range kinds() {
		if k.Parent != "" { // listed for one experiment, in one piece
			continue
		}
		at := base + "/permissions/" + k.Segment + "?limit=500"
		one := object{"name": c.names[k.Name], "tags": object{}}
		switch {
		case k.Name == kind.MCPServer:
			one = object{"name": c.names[k.Name], "display_name": nil, "description": nil, "status": nil, "latest_version": nil, "workspace": "default"}
		case k.ByID:
			one["id"] = c.on[k.Name]
		case k.Name == kind.GatewayEndpoint:
			one = object{"name": c.names[k.Name], "type": "", "description": "", "route_type": "", "auth_type": ""}
		case k.Name == kind.GatewaySecret:
			one = object{"name": c.names[k.Name], "key": c.names[k.Name]}
		case k.Name == kind.GatewayModel:
			one = object{"name": c.names[k.Name], "source": "openai"}
		default:
			one["description"], one["aliases"] = "", object{}
		}
		got := c.manager.Do(t, http.MethodGet, at, nil)
		wants(t, got, 200, list{one})
		hidden := c.editor.Do(t, http.MethodGet, at, nil)
		wants(t, hidden, 200, list{})
		if got.Header.Get("X-Total-Count") != "1" || hidden.Header.Get("X-Total-Count") != "0" {
			t.Errorf("totals %q and %q", got.Header.Get("X-Total-Count"), hidden.Header.Get("X-Total-Count"))
		}
	}
}
