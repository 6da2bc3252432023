package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

const far = "2999-01-31T18:00:00Z"

func until(level string, end any) object { return object{"permission": level, "expires_at": end} }

// ends tells whether an answer names the end, wherever in it.
func ends(t *testing.T, c *cast, at string) bool {
	t.Helper()
	answer := c.admin.Do(t, http.MethodGet, at, nil)
	if answer.Status != 200 {
		t.Fatalf("%s: %d %s", at, answer.Status, answer.Body)
	}
	return strings.Contains(string(answer.Body), `"expires_at":"`+far+`"`)
}

func TestGrantsAndPatternsEnd(t *testing.T) {
	c := newCast(t)
	c.each(t, func(t *testing.T, k kind.Kind, s side) {
		one, shown := c.grants(k, s)+"/"+c.at(k), holders(k, c.at(k), s)
		for _, wrong := range []any{"2001-01-31T18:00:00Z", "0001-01-01T00:00:00Z", "tomorrow", "", 7, object{}} {
			if got := c.admin.Do(t, http.MethodPost, one, until("READ", wrong)); got.Status != 400 && got.Status != 422 {
				t.Errorf("%v: %d", wrong, got.Status)
			}
		}
		c.does(t, http.MethodPost, one, until("READ", far))
		if !ends(t, c, shown) {
			t.Error("the end is not shown")
		}
		c.does(t, http.MethodPatch, one, permission("EDIT"))
		if !ends(t, c, shown) {
			t.Error("a change that does not name the end has taken it away")
		}
		c.does(t, http.MethodPatch, one, until("EDIT", nil))
		if ends(t, c, shown) {
			t.Error("null has not taken the end away")
		}
		c.does(t, http.MethodDelete, one, nil)
		if k.Patterns == "" {
			return
		}
		patterns := c.patterns(k, s)
		c.does(t, http.MethodPost, patterns, object{"regex": "ending", "priority": 9, "permission": "READ", "expires_at": far})
		if !ends(t, c, patterns) {
			t.Error("the end of the pattern is not shown")
		}
	})
}

func (c *cast) does(t *testing.T, method, at string, body any) {
	t.Helper()
	if got := c.admin.Do(t, method, at, body); got.Status >= 300 {
		t.Fatalf("%s %s: %d %s", method, at, got.Status, got.Body)
	}
}
