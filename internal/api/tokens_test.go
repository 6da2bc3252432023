package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

const tokens = base + "/users/access-token"

// Whoever stole a token must not make others with it, which would outlive its end.
func TestAccessTokenMakesNoAccessToken(t *testing.T) {
	c := newCast(t)
	for _, thief := range []*world.Client{c.World.Person(t, "thief", world.Members), c.World.Person(t, "boss", world.Members, world.Admins)} {
		for _, body := range []any{nil, object{"username": c.target.Username}} {
			wants(t, thief.Do(t, http.MethodPatch, tokens, body), 403, denied)
		}
	}
}

func TestOnlyAdministratorsMakeTokensForOthers(t *testing.T) {
	c := newCast(t)
	for _, other := range []string{c.target.Username, c.admin.Username, "none"} {
		wants(t, c.member.Do(t, http.MethodPatch, tokens, object{"username": other}), 403, denied)
	}
	wants(t, c.admin.Do(t, http.MethodPatch, tokens, object{"username": "none"}), 404, missing)
	made := c.admin.JSON(t, http.MethodPatch, tokens, object{"username": "TARGET@example.com", "expiration": nil})
	with := &world.Client{World: c.World, HTTP: &http.Client{}, Username: c.target.Username, Token: made["token"].(string)}
	if me := with.JSON(t, http.MethodGet, base+"/users/current", nil); me["username"] != c.target.Username {
		t.Errorf("the token is of %v", me)
	}
	c.target.JSON(t, http.MethodPatch, tokens, object{"username": "", "expiration": ""}) // one's own, in place of that one
	if got := with.Do(t, http.MethodGet, base+"/users/current", nil); got.Status != 401 {
		t.Errorf("the token before still works: %d", got.Status)
	}
}

func TestExpirationOfTokens(t *testing.T) {
	c := newCast(t)
	in := func(d time.Duration, layout string) string { return time.Now().UTC().Add(d).Format(layout) }
	const day = 24 * time.Hour
	for name, one := range map[string]struct {
		expiration string
		status     int
	}{
		"a day":                {in(30*day, "2006-01-02"), 200},
		"a day, short":         {in(30*day, "20060102"), 200},
		"UTC":                  {in(30*day, "2006-01-02T15:04:05Z"), 200},
		"no offset":            {in(30*day, "2006-01-02T15:04:05"), 200},
		"a blank between":      {in(30*day, "2006-01-02 15:04:05"), 200},
		"as JavaScript writes": {in(30*day, "2006-01-02T15:04:05.000Z"), 200},
		"as Python writes":     {in(30*day, "2006-01-02T15:04:05.000000+00:00"), 200},
		"another offset":       {in(30*day, "2006-01-02T15:04:05") + "+0200", 200},
		"minutes":              {in(30*day, "2006-01-02T15:04"), 200},
		"basic form":           {in(30*day, "20060102T150405Z"), 200},
		"a year and a day":     {in(366*day-time.Minute, time.RFC3339), 200},
		"more than that":       {in(366*day+time.Minute, time.RFC3339), 400},
		"past":                 {in(-time.Minute, time.RFC3339), 400},
		"past by its offset":   {in(time.Hour, "2006-01-02T15:04:05") + "+02:00", 400},
		"no such day":          {"2027-02-30", 400},
		"words":                {"tomorrow", 400},
		"seconds":              {"1893456000", 400},
		"something behind":     {in(30*day, "2006-01-02T15:04:05Z") + "x", 400},
		"two lines":            {in(30*day, "2006-01-02T15:04:05Z") + "\n", 400},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.member.Do(t, http.MethodPatch, tokens, object{"expiration": one.expiration})
			if got.Status != one.status {
				t.Errorf("%q is answered with %d, want %d: %s", one.expiration, got.Status, one.status, got.Body)
			}
		})
	}
	exact := time.Now().UTC().Add(30 * day).Format("2006-01-02T15:04:05")
	for _, body := range []object{{"expiration": exact + ".987654"}, {"expiration": exact + "Z"}} {
		if made := c.member.JSON(t, http.MethodPatch, tokens, body); made["expires_at"] != exact+"+00:00" {
			t.Errorf("%v is good until %v, want %s+00:00", body, made["expires_at"], exact)
		}
	}
}
