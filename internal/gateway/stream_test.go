package gateway_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// drip answers with a byte every few milliseconds until nobody reads any more, and reads bodies to their end.
func drip(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	for range 1_000_000 {
		if _, err := w.Write([]byte(".")); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// TestAttackStreamAfterRevocation begins a stream, and then goes on with it after what allowed it was taken away.
func TestAttackStreamAfterRevocation(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Stub(t, drip).URL, map[string]string{"OIDC_PROVISION_ON_BEARER_AUTH": "true"})
	chat := func(c *world.Client) *http.Request {
		return c.Request(t, "POST", "/gateway/chat/mlflow/invocations", map[string]any{"stream": true})
	}
	program := func(name string) (*world.Client, *http.Request) {
		c := w.Person(t, name, world.Members)
		return c, chat(c)
	}
	jwt := func(name string) (*world.Client, *http.Request) {
		c := w.Browser(t, name, world.Members)
		r := chat(c)
		r.Header.Set("Authorization", "Bearer "+w.IDP.Token("subject of "+name, nil))
		return &world.Client{World: w, HTTP: &http.Client{}, Username: c.Username}, r
	}
	browser := func(name string) (*world.Client, *http.Request) {
		c := w.Browser(t, name, world.Members)
		return c, chat(c)
	}
	deactivate := func(c *world.Client) error { return w.App.Store.SetActive(t.Context(), c.Username, false) }
	revoke := func(c *world.Client) error {
		return w.App.Store.DeleteGrant(t.Context(), store.Principal{User: c.Username}, kind.GatewayEndpoint, "chat")
	}
	for name, attack := range map[string]struct {
		begins func(name string) (*world.Client, *http.Request)
		ends   func(c *world.Client) error
	}{
		"session, signed out": {browser, func(c *world.Client) error {
			_, err := c.Try(c.Request(t, "POST", "/logout", nil))
			return err
		}},
		"session, account deactivated": {browser, deactivate},
		"session, grant taken":         {browser, revoke},
		"token, revoked": {program, func(c *world.Client) error {
			user, err := w.App.Store.User(t.Context(), c.Username)
			if err == nil {
				_, err = w.App.Store.DeleteTokens(t.Context(), user.ID)
			}
			return err
		}},
		"token, account deleted":   {program, func(c *world.Client) error { return w.App.Store.DeleteUser(t.Context(), c.Username) }},
		"token, grant taken":       {program, revoke},
		"jwt, account deactivated": {jwt, deactivate},
		"jwt, grant taken":         {jwt, revoke},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, request := attack.begins(world.Name("p"))
			if err := w.App.Store.CreateGrant(t.Context(), store.Principal{User: c.Username}, kind.GatewayEndpoint, "chat", kind.Use, nil); err != nil {
				t.Fatal(err)
			}
			answer, err := c.HTTP.Do(request)
			if err != nil || answer.StatusCode != http.StatusOK {
				t.Fatalf("the stream does not begin: %v %v", answer, err)
			}
			defer answer.Body.Close()
			began := time.Now()
			for time.Since(began) < 1500*time.Millisecond { // it goes on while it is allowed
				if _, err := answer.Body.Read(make([]byte, 64)); err != nil {
					t.Fatalf("the stream ended after %v: %v", time.Since(began), err)
				}
			}
			if err := attack.ends(c); err != nil {
				t.Fatal(err)
			}
			revoked := time.Now()
			if _, err = io.Copy(io.Discard, answer.Body); err == nil {
				t.Error("the answer seems to be whole")
			}
			if took := time.Since(revoked); took > 3*time.Second {
				t.Errorf("the stream went on for %v", took)
			}
		})
	}
}

// TestAttackUploadAfterRevocation begins to upload, and goes on after the right was taken away.
func TestAttackUploadAfterRevocation(t *testing.T) {
	t.Parallel()
	got := make(chan error, 1)
	w := world.New(t, world.Stub(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		got <- err
	}).URL, nil)
	c := w.Person(t, "ann", world.Members)
	if err := w.App.Store.CreateGrant(t.Context(), store.Principal{User: c.Username}, kind.Experiment, "7", kind.Edit, nil); err != nil {
		t.Fatal(err)
	}
	body, pieces := io.Pipe()
	go func() {
		for i := range 1_000_000 {
			if i == 10 {
				if err := w.App.Store.DeleteGrant(t.Context(), store.Principal{User: c.Username}, kind.Experiment, "7"); err != nil {
					t.Error(err)
				}
			}
			if _, err := pieces.Write([]byte("a piece of a file")); err != nil {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	request := c.Request(t, "PUT", "/api/2.0/mlflow-artifacts/artifacts/7/"+world.NewTrace()[3:]+"/artifacts/a.bin", "")
	request.Body, request.ContentLength = body, -1
	began := time.Now()
	answer, err := c.Try(request)
	if err != nil || answer.Status != http.StatusForbidden || answer.Code() != "PERMISSION_DENIED" || time.Since(began) > 10*time.Second {
		t.Errorf("answered %d after %v: %s %v", answer.Status, time.Since(began), answer.Body, err)
	}
	if err := <-got; err == nil {
		t.Error("MLflow has what seems to be a whole file")
	}
}
