package client_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/client"
)

func TestLoginByEitherFlow(t *testing.T) {
	for name, device := range map[string]bool{"browser": false, "device": true, "browser, with a prefix": false, "device, with a prefix": true} {
		t.Run(name, func(t *testing.T) {
			upstream := "http://127.0.0.1:1"
			if strings.HasSuffix(name, "prefix") {
				upstream += "/ml/flow"
			}
			here := newTerminalBefore(t, upstream)
			here.login.Device = device
			here.must(here.login.Run(t.Context()))
			info, err := os.Stat(here.login.File.Path)
			here.must(err)
			if info.Mode().Perm() != 0o600 {
				t.Errorf("the credentials are readable to others: %v", info.Mode())
			}
			token, err := here.login.File.Token(t.Context(), here.server, "", time.Now())
			here.must(err)
			if got := here.whoami(token); got != "ann@example.com" {
				t.Errorf("the token is for %q", got)
			}
			if !strings.Contains(here.said.String(), "as \"ann@example.com\"") {
				t.Errorf("it is not said who is signed in: %s", here.said.String())
			}
			if strings.Contains(here.said.String(), token) {
				t.Error("the token is shown")
			}
			at, err := here.login.File.Choose("", func(string) string { return "" })
			if err != nil || at != here.server {
				t.Errorf("the only server is %q: %v", at, err)
			}
			here.must(here.login.File.Logout(t.Context(), here.server, ""))
			if here.whoami(token) != "" || here.kept().AccessToken != "" {
				t.Error("the sign-in outlives the logout")
			}
		})
	}
}

// Without a browser the same command goes the other way.
func TestLoginFallsBackToACode(t *testing.T) {
	here := newTerminal(t)
	t.Setenv("SSH_CONNECTION", "203.0.113.1 1 203.0.113.2 22")
	here.login.Browser = client.OpenBrowser
	here.must(here.login.Run(t.Context()))
	if here.kept().AccessToken == "" {
		t.Error("nobody is signed in")
	}
}

// A refresh token is good once: of many that want a token at once one renews, and the others take what came of it.
func TestManyRenewOnce(t *testing.T) {
	here := newTerminal(t)
	here.must(here.login.Run(t.Context()))
	first := here.kept()
	late := time.Now().Add(12*time.Hour - time.Minute)
	tokens := make([]string, 8)
	var all sync.WaitGroup
	for i := range tokens {
		all.Go(func() {
			var err error
			if tokens[i], err = here.login.File.Token(t.Context(), here.server, "", late); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, token := range tokens {
		if token != tokens[0] || token == first.AccessToken {
			t.Errorf("they got %q and %q after %q", tokens[0], token, first.AccessToken)
		}
	}
	if here.whoami(tokens[0]) == "" {
		t.Error("the sign-in has ended")
	}
}

func TestEndedSignInSaysWhatToDo(t *testing.T) {
	here := newTerminal(t)
	here.must(here.login.Run(t.Context()))
	user, err := here.world.App.Store.User(t.Context(), "ann@example.com")
	here.must(err)
	if _, err := here.world.App.Store.DeleteTokens(t.Context(), user.ID); err != nil {
		t.Fatal(err)
	}
	late := time.Now().Add(12 * time.Hour)
	for range 2 { // when it finds out, and afterwards
		if token, err := here.login.File.Token(t.Context(), here.server, "", late); err == nil || !strings.Contains(err.Error(), "mlflow-oidc-auth login "+here.server) {
			t.Errorf("%q, %v", token, err)
		}
	}
}

// A server that is down ends nothing: the token is used as long as it is good, and kept to be renewed later.
func TestServerThatIsDownEndsNothing(t *testing.T) {
	down := stub(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	here := newTerminal(t)
	here.must(here.login.Run(t.Context()))
	before := here.kept()
	text, err := os.ReadFile(here.login.File.Path)
	here.must(err)
	here.must(os.WriteFile(here.login.File.Path, []byte(strings.ReplaceAll(string(text), before.TokenEndpoint, down+"/oauth/token")), 0o600))
	if token, err := here.login.File.Token(t.Context(), here.server, "", time.Now().Add(12*time.Hour-time.Minute)); err != nil || token != before.AccessToken {
		t.Errorf("before its end: %q, %v", token, err)
	}
	if token, err := here.login.File.Token(t.Context(), here.server, "", time.Now().Add(13*time.Hour)); err == nil {
		t.Errorf("after its end: %q", token)
	}
	if here.kept().RefreshToken != before.RefreshToken {
		t.Error("the sign-in is forgotten")
	}
}

// The attack: a server that has tokens made for it at another one, or sends the program elsewhere.
func TestAttackServerNamesOthersPlaces(t *testing.T) {
	for name, change := range map[string]func(map[string]string, string){
		"another name":         func(m map[string]string, _ string) { m["issuer"] = "https://mlflow.example.com" },
		"another's token door": func(m map[string]string, _ string) { m["token_endpoint"] = "https://mlflow.example.com/oauth/token" },
		"one that begins so": func(m map[string]string, at string) {
			m["authorization_endpoint"] = at + ".evil.example/oauth/authorize"
		},
		"no door":                 func(m map[string]string, _ string) { delete(m, "device_authorization_endpoint") },
		"the revocation is there": func(m map[string]string, _ string) { m["revocation_endpoint"] = "http://evil.example/" },
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			var at string
			at = stub(t, func(w http.ResponseWriter, r *http.Request) {
				asked++
				says := map[string]string{"issuer": at}
				for _, door := range []string{"authorization", "token", "device_authorization", "revocation"} {
					says[door+"_endpoint"] = at + "/oauth/" + door
				}
				change(says, at)
				_ = json.NewEncoder(w).Encode(says)
			})
			here := newTerminal(t)
			here.login.Server = at
			if err := here.login.Run(t.Context()); err == nil || asked != 1 {
				t.Errorf("it was asked %d times: %v", asked, err)
			}
		})
	}
	here := newTerminal(t)
	here.login.Server = stub(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, here.world.URL+r.URL.Path, http.StatusFound)
	})
	if err := here.login.Run(t.Context()); err == nil {
		t.Error("a redirect is followed")
	}
}

// The attack: answer the program in the browser's place, with a code of somebody else's sign-in.
func TestAttackAnswerOfAnother(t *testing.T) {
	here := newTerminal(t)
	right := here.login.Browser
	here.login.Browser = func(address string) error {
		query := mustQuery(t, address)
		for name, answer := range map[string]string{
			"no state":       "/callback?code=c&iss=" + here.world.URL,
			"another state":  "/callback?code=c&state=s&iss=" + here.world.URL,
			"another server": "/callback?code=c&state=" + query.Get("state") + "&iss=https://evil.example",
			"another path":   "/?code=c&state=" + query.Get("state") + "&iss=" + here.world.URL,
		} {
			got, err := http.Get(strings.TrimSuffix(query.Get("redirect_uri"), "/callback") + answer)
			here.must(err)
			if _ = got.Body.Close(); got.StatusCode != http.StatusNotFound {
				t.Errorf("%s: %d", name, got.StatusCode)
			}
		}
		return right(address)
	}
	here.must(here.login.Run(t.Context()))
}

func TestFileOfOthersIsRefused(t *testing.T) {
	here := newTerminal(t)
	here.must(here.login.Run(t.Context()))
	path := here.login.File.Path
	text, err := os.ReadFile(path)
	here.must(err)
	for name, change := range map[string]func() error{
		"readable to others":  func() error { return os.Chmod(path, 0o644) },
		"writable by a group": func() error { return os.Chmod(path, 0o620) },
		"of another layout": func() error {
			return os.WriteFile(path, []byte(strings.Replace(string(text), `"version": 1`, `"version": 2`, 1)), 0o600)
		},
		"cut": func() error { return os.WriteFile(path, text[:len(text)/2], 0o600) },
	} {
		here.must(change())
		if token, err := here.login.File.Token(t.Context(), here.server, "", time.Now()); err == nil {
			t.Errorf("%s: %q", name, token)
		}
		if err := here.login.Run(t.Context()); err == nil {
			t.Errorf("%s: written over", name)
		}
		here.must(os.Chmod(path, 0o600))
		here.must(os.WriteFile(path, text, 0o600))
	}
}

func FuzzAddress(f *testing.F) {
	for _, seed := range []string{"https://MLflow.example.com:443/", "http://[::1]:80/a/b/", "https://u@h", "mlflow.example.com"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		at, err := client.Address(typed)
		if err != nil {
			return
		}
		if again, err := client.Address(at + "/"); err != nil || again != at {
			t.Errorf("%q is spelled %q and then %q: %v", typed, at, again, err)
		}
	})
}
