package api_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
)

func TestHoldings(t *testing.T) {
	c := newCast(t)
	id := c.on[kind.Experiment]
	target := store.Principal{User: c.target.Username}
	c.give(t, target, kind.Experiment, kind.Use)
	at := func(q url.Values) string { return base + "/permissions/holdings?" + q.Encode() }
	mine := url.Values{"user": {c.target.Username}}
	said := c.admin.JSON(t, http.MethodGet, at(mine), nil)
	rows, _ := said["holdings"].([]any)
	for _, row := range rows {
		delete(row.(object), "id")
	}
	want := []any{object{"user": c.target.Username, "kind": "experiment", "resource": id, "name": c.names[kind.Experiment], "permission": "USE"}}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Error(diff)
	}

	for name, q := range map[string]url.Values{
		"nobody's":              {},
		"two at once":           {"user": {"a"}, "group": {"b"}},
		"a resource of no kind": {"id": {id}},
		"no such kind":          {"user": {"a"}, "kind": {"none"}},
		"a resource beside":     {"user": {"a"}, "kind": {"experiment"}, "id": {id}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.admin.Do(t, http.MethodGet, at(q), nil); got.Status != 400 {
				t.Errorf("%d %s", got.Status, got.Body)
			}
		})
	}
	// What somebody holds names what the asker may not know of; and a resource of somebody else's has holders who are none of theirs.
	for name, q := range map[string]url.Values{"attack: what another holds": mine, "attack: what one's group holds": {"group": {theGroup}}} {
		t.Run(name, func(t *testing.T) {
			wants(t, c.manager.Do(t, http.MethodGet, at(q), nil), 403, denied)
		})
	}
	t.Run("attack: who holds what one does not manage", func(t *testing.T) {
		wants(t, c.target.Do(t, http.MethodGet, at(url.Values{"kind": {"experiment"}, "id": {id}}), nil), 403, denied)
	})
}
