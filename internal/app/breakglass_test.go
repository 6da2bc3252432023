package app_test

import (
	"bytes"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/app"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

var printedToken = regexp.MustCompile(`MLFLOW_TRACKING_USERNAME=(\S+)\nMLFLOW_TRACKING_PASSWORD=(\S+)\n`)

// With the provider down, whoever has the machine makes an administrator for a while, beside the gateway that serves.
func TestBreakGlass(t *testing.T) {
	w := world.New(t, "http://127.0.0.1:1", nil)
	w.IDP.SetFaults(devidp.DiscoveryDown, devidp.TokensDown)
	c, err := config.Load(func(name string) (string, bool) { value, ok := w.Settings[name]; return value, ok }, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	broken := func(lasts time.Duration) (*world.Client, string) {
		t.Helper()
		var said, log bytes.Buffer
		if err := app.BreakGlass(t.Context(), c, "the provider is down", lasts, &said, &log); err != nil {
			t.Fatal(err)
		}
		found := printedToken.FindStringSubmatch(said.String())
		if found == nil || strings.Contains(log.String(), found[2]) {
			t.Fatalf("it printed %q and logged %q", said.String(), log.String())
		}
		return &world.Client{World: w, HTTP: &http.Client{}, Username: found[1], Token: found[2]}, log.String()
	}
	administers := func(who *world.Client) int {
		t.Helper()
		return who.Do(t, http.MethodGet, "/api/2.0/mlflow/users/break-glass", nil).Status
	}
	eventually := func(who *world.Client, want int) {
		t.Helper()
		for end := time.Now().Add(3 * time.Second); administers(who) != want; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("an administrator's request is answered %d, not %d", administers(who), want)
			}
		}
	}
	first, log := broken(time.Hour)
	eventually(first, http.StatusOK)
	for _, words := range []string{"msg=break_glass audit=true", `reason="the provider is down"`, "account=break-glass", "by="} {
		if !strings.Contains(log, words) {
			t.Errorf("%q is not recorded: %s", words, log)
		}
	}
	second, _ := broken(time.Minute)
	eventually(second, http.StatusOK)
	eventually(first, http.StatusUnauthorized)
	if got := second.Do(t, http.MethodPost, "/api/2.0/mlflow/users/current/tokens", map[string]any{"name": "for ever"}); got.Status < 400 {
		t.Errorf("it made itself a token that lasts: %d %s", got.Status, got.Body)
	}
	end := func() (string, error) {
		var said bytes.Buffer
		err := app.EndBreakGlass(t.Context(), c, &said, &bytes.Buffer{})
		return said.String(), err
	}
	if said, err := end(); err != nil || !strings.Contains(said, "until there is another administrator") {
		t.Fatalf("ending it gave %q, %v", said, err)
	}
	eventually(second, http.StatusUnauthorized)
	w.IDP.SetFaults()
	w.Browser(t, "root", world.Members, world.Admins)
	if said, err := end(); err != nil || said != "" {
		t.Fatalf("with another administrator it gave %q, %v", said, err)
	}
	if _, err := end(); err == nil {
		t.Error("it ended twice")
	}
}

func TestBreakGlassNeedsAReasonAndAnEnd(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		lasts  time.Duration
	}{"no reason": {" ", time.Hour}, "no end": {"x", 0}, "too long": {"x", 25 * time.Hour}, "an end before": {"x", -time.Hour}} {
		if err := app.BreakGlass(t.Context(), &config.Config{}, tc.reason, tc.lasts, &bytes.Buffer{}, &bytes.Buffer{}); err == nil {
			t.Errorf("%s: it was done", name)
		}
	}
}

// The attack: be called break-glass at the provider, and become an administrator with the next emergency.
func TestAttackPersonCalledBreakGlass(t *testing.T) {
	w := world.New(t, "http://127.0.0.1:1", map[string]string{"OIDC_USERNAME_FIELD": "preferred_username"})
	w.IDP.SetPerson(devidp.Person{Subject: "eve", Username: "break-glass", Email: "eve@example.com", Name: "Eve", Groups: []string{world.Members}})
	eve := w.Nobody(t)
	if status, text, err := devidp.SignIn(t.Context(), eve.HTTP, w.URL+"/login/start?next=/auth/status", "eve"); err != nil || status != http.StatusOK {
		t.Fatal(status, text, err)
	}
	c, err := config.Load(func(name string) (string, bool) { value, ok := w.Settings[name]; return value, ok }, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := app.BreakGlass(t.Context(), c, "x", time.Hour, &bytes.Buffer{}, &bytes.Buffer{}); err == nil {
		t.Error("a person's account became the administrator of emergencies")
	}
	if err := app.EndBreakGlass(t.Context(), c, &bytes.Buffer{}, &bytes.Buffer{}); err == nil {
		t.Error("a person's account was deleted")
	}
	if said := eve.JSON(t, http.MethodGet, "/api/2.0/mlflow/users/current", nil); said["is_admin"] != false {
		t.Errorf("the person is %v", said)
	}
}
