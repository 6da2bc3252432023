package gateway_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/mlflowtest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/otlptest"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

// completion is what OpenAI answers to a chat.
const completion = `{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`

// provider is a server in OpenAI's form, to which the owner's endpoint is led; it gives the headers of each request.
func (s *gatewayScene) provider(t *testing.T) chan http.Header {
	t.Helper()
	seen := make(chan http.Header, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := r.Header.Clone()
		header.Set("Path", r.URL.Path)
		seen <- header
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(completion))
	}))
	t.Cleanup(server.Close)
	s.owner.JSON(t, http.MethodPost, ai+"secrets/update", fields{"secret_id": s.theirs.SecretID, "auth_config": fields{"api_base": server.URL}})
	return seen
}

func (s *gatewayScene) chat() fields {
	return fields{"model": s.theirs.Endpoint, "messages": []any{fields{"role": "user", "content": "hello"}}}
}

// Some clients carry a key of their own for the provider in Authorization (MLflow lets that of a few pass, by their
// User-Agent); their credential for the gateway is then in X-MLflow-Authorization, which goes nowhere.
func TestTheCallersCredentialBesideAProvidersKey(t *testing.T) {
	s := newGatewayScene(t)
	seen := s.provider(t)
	const chat = "/gateway/openai/v1/chat/completions"
	send := func(path string, change func(http.Header)) world.Answer {
		request := s.owner.Request(t, http.MethodPost, path, s.chat())
		request.Header.Set("X-MLflow-Authorization", request.Header.Get("Authorization"))
		request.Header.Set("Authorization", "Bearer sk-of-the-client")
		request.Header.Set("User-Agent", "codex-tui/1")
		request.Header.Set("X-MLflow-Guardrail-Bypass", "1")
		request.Header.Set("Cookie", "session=stolen")
		request.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		change(request.Header)
		return s.owner.Send(t, request)
	}
	for _, path := range []string{chat, "/gateway/mlflow/v1/chat/completions"} {
		if got := send(path, func(http.Header) {}); got.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, got.Status, got.Body)
		}
		header := <-seen
		for _, name := range []string{"X-Mlflow-Authorization", "X-Mlflow-Guardrail-Bypass", "Cookie", "Traceparent"} {
			if header.Get(name) != "" {
				t.Errorf("%s: the provider is shown %s", path, name)
			}
		}
		if key := header.Get("Authorization"); path == chat && key != "Bearer sk-of-the-client" {
			t.Errorf("the provider is shown the key %q", key)
		}
	}
	send(chat, func(h http.Header) { h.Del("Authorization") })
	if key := (<-seen).Get("Authorization"); key != "Bearer sk-"+s.theirs.Secret {
		t.Errorf("without a key of the client's the provider is shown %q", key)
	}
	for name, attack := range map[string]struct {
		path   string
		status int
		change func(http.Header)
	}{
		"elsewhere":                   {ai + "endpoints/set-tag", http.StatusUnauthorized, func(http.Header) {}},
		"with a wrong token":          {chat, http.StatusUnauthorized, func(h http.Header) { h.Set("X-MLflow-Authorization", "Basic bm9ib2R5Om5vdGhpbmc=") }},
		"empty":                       {chat, http.StatusUnauthorized, func(h http.Header) { h.Set("X-MLflow-Authorization", "") }},
		"as a bearer":                 {chat, http.StatusUnauthorized, func(h http.Header) { h.Set("X-MLflow-Authorization", "Bearer "+s.owner.Token) }},
		"twice":                       {chat, http.StatusBadRequest, func(h http.Header) { h.Add("X-MLflow-Authorization", "Basic x") }},
		"beside the same":             {chat, http.StatusBadRequest, func(h http.Header) { h.Set("Authorization", h.Get("X-MLflow-Authorization")) }},
		"beside one's own token":      {chat, http.StatusBadRequest, func(h http.Header) { h.Set("Authorization", "Bearer "+s.owner.Token) }},
		"beside a refresh token":      {chat, http.StatusBadRequest, func(h http.Header) { h.Set("Authorization", "Bearer mlr_a.b") }},
		"beside two keys":             {chat, http.StatusBadRequest, func(h http.Header) { h.Add("Authorization", "Bearer sk-2") }},
		"beside a key without scheme": {chat, http.StatusBadRequest, func(h http.Header) { h.Set("Authorization", "sk-2") }},
		"instead of the right one":    {chat, http.StatusUnauthorized, func(h http.Header) { h.Del("X-MLflow-Authorization") }},
	} {
		if got := send(attack.path, attack.change); got.Status != attack.status || len(seen) > 0 {
			t.Errorf("%s: %d %s, want %d", name, got.Status, got.Body, attack.status)
		}
	}
}

// The raw proxy leads any path to the provider with the endpoint's key, also those by which its account is managed.
func TestManageTheProvidersAccountByTheRawProxy(t *testing.T) {
	s := newGatewayScene(t)
	seen := s.provider(t)
	for _, path := range []string{"/gateway/proxy/" + s.theirs.Endpoint + "/organization/admin_api_keys", "/gateway/proxy/mlflow/invocations",
		"/gateway/proxy/" + s.theirs.Endpoint + "/mlflow/invocations"} {
		if got := s.owner.Do(t, http.MethodPost, path, fields{}); got.Status != http.StatusForbidden || len(seen) > 0 {
			t.Errorf("%s: %d %s", path, got.Status, got.Body)
		}
	}
	s.mlflow.Do(t, http.MethodPost, "/gateway/proxy/"+s.theirs.Endpoint+"/organization/admin_api_keys", nil, fields{})
	header := <-seen
	if !strings.HasSuffix(header.Get("Path"), "/organization/admin_api_keys") || header.Get("Authorization") != "Bearer sk-"+s.theirs.Secret {
		t.Errorf("the provider saw %s with %q: it is no attack", header.Get("Path"), header.Get("Authorization"))
	}
}

// Google's clients ask for a stream in the query, which MLflow does not read. No other query is taken beside a body.
func TestGeminisStreamIsAskedForInTheQuery(t *testing.T) {
	recorder := world.NewRecorder(t, mlflowtest.Shared(t))
	w := world.New(t, recorder.URL, nil)
	owner := w.Person(t, "owner", world.Members)
	work := owner.MakeWork(t)
	recorder.Refuse()
	for query, status := range map[string]int{"?alt=sse": world.Refused, "": world.Refused, "?alt=json": http.StatusBadRequest, "?alt=sse&key=k": http.StatusBadRequest,
		"?alt=sse&alt=sse": http.StatusBadRequest, "?endpoint_name=x": http.StatusBadRequest} {
		path := "/gateway/gemini/v1beta/models/" + work.Endpoint + ":streamGenerateContent" + query
		if got := owner.Do(t, http.MethodPost, path, fields{"contents": []any{}}); got.Status != status {
			t.Errorf("%q: %d %s, want %d", query, got.Status, got.Body, status)
		}
	}
	if got := owner.Do(t, http.MethodPost, "/gateway/openai/v1/responses?alt=sse", fields{"model": work.Endpoint}); got.Status != http.StatusBadRequest {
		t.Errorf("on another row: %d %s", got.Status, got.Body)
	}
}

// A name that is read for a deletion must not change until the grants are dropped: they would be left under a name that is
// somebody else's next. The stand-in for MLflow holds the deletion until it is known whether the renaming came in between.
func TestRenameWhatIsBeingDeleted(t *testing.T) {
	name := world.Name("endpoint")
	var mu sync.Mutex
	current, deleting, renaming, release := name, make(chan struct{}), make(chan struct{}), make(chan struct{})
	answer := func(w http.ResponseWriter) {
		mu.Lock()
		defer mu.Unlock()
		if current == "" {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"gone"}`))
			return
		}
		_ = json.NewEncoder(w).Encode(fields{"endpoint": fields{"endpoint_id": "e", "name": current}})
	}
	stub := world.Stub(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/delete"):
			close(deleting)
			<-release
			mu.Lock()
			current = ""
			mu.Unlock()
			_, _ = w.Write([]byte(`{}`))
		case strings.HasSuffix(r.URL.Path, "/update"):
			mu.Lock()
			current = "renamed"
			mu.Unlock()
			close(renaming)
			answer(w)
		default:
			answer(w)
		}
	})
	w := world.New(t, stub.URL, nil)
	admin, owner := w.Person(t, "admin", world.Admins), w.Person(t, "owner", world.Members)
	both := &gatewayScene{World: w, attacker: owner}
	both.give(t, kind.GatewayEndpoint, name, kind.Manage)
	deleted, renamed := make(chan int, 1), make(chan int, 1)
	go func() {
		deleted <- admin.Do(t, http.MethodDelete, ai+"endpoints/delete", fields{"endpoint_id": "e"}).Status
	}()
	<-deleting
	go func() {
		renamed <- owner.Do(t, http.MethodPost, ai+"endpoints/update", fields{"endpoint_id": "e", "name": "renamed"}).Status
	}()
	select {
	case <-renaming:
		t.Error("the renaming came in between")
	case <-time.After(300 * time.Millisecond):
	}
	close(release)
	if got := <-deleted; got != http.StatusOK {
		t.Errorf("the deletion: %d", got)
	}
	if got := <-renamed; got != http.StatusNotFound {
		t.Errorf("the renaming of what is gone: %d", got)
	}
	for _, left := range []string{name, "renamed"} {
		if users, _, err := w.App.Store.GrantsOn(t.Context(), kind.GatewayEndpoint, left); err != nil || len(users) > 0 {
			t.Errorf("%s has left %v, %v", left, users, err)
		}
	}
}

// TestWriteIntoTheVictimsTraceByItsParent names the victim's trace as the one that MLflow's own tracing of an invocation goes
// on with. MLflow itself then writes into it. The gateway traces requests itself here, and goes on with what the client names.
func TestWriteIntoTheVictimsTraceByItsParent(t *testing.T) {
	receiver := otlptest.New(t)
	s := newGatewaySceneOn(t, mlflowtest.New(t, "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING=false"), map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.URL})
	s.provider(t)
	s.owner.JSON(t, http.MethodPost, ai+"endpoints/update", fields{"endpoint_id": s.theirs.EndpointID, "usage_tracking": true, "experiment_id": s.theirs.Experiment})
	victims := world.NewTrace() // whoever may use the endpoint has nothing to do with it
	export := s.attacker.Request(t, http.MethodPost, "/v1/traces", world.OneSpan(victims, nil))
	export.Header.Set("X-Mlflow-Experiment-Id", s.own.Experiment)
	if got := s.attacker.Send(t, export); got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	parent := "00-" + strings.TrimPrefix(victims, "tr-") + "-00f067aa0ba902b7-01"
	spans := func() int {
		t.Helper()
		said := s.mlflow.Do(t, http.MethodGet, "/api/3.0/mlflow/traces/batchGet", map[string][]string{"trace_ids": {victims}}, nil)
		trace, _ := said["traces"].([]any)
		if len(trace) != 1 {
			t.Fatalf("the trace is %v", said)
		}
		list, _ := trace[0].(fields)["spans"].([]any)
		return len(list)
	}
	before := spans()
	request := s.owner.Request(t, http.MethodPost, "/gateway/mlflow/v1/chat/completions", s.chat())
	request.Header.Set("Traceparent", parent)
	if got := s.owner.Send(t, request); got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if after := spans(); after != before {
		t.Errorf("the victim's trace has %d spans instead of %d", after, before)
	}
	bare := s.owner.Request(t, http.MethodPost, "/gateway/mlflow/v1/chat/completions", s.chat())
	bare.URL.Opaque, bare.URL.Host, bare.Host, bare.URL.Path = "", "localhost", "localhost", "/gateway/mlflow/v1/chat/completions"
	bare.Header.Set("Traceparent", parent)
	answer, err := s.mlflow.Client.Do(bare)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if after := spans(); answer.StatusCode != http.StatusOK || after == before {
		t.Errorf("MLflow itself writes nothing (%d, %d spans): it is no attack", answer.StatusCode, after)
	}
	s.Restart(t) // which sends what waits
	if !slices.ContainsFunc(receiver.Spans(), func(one otlptest.Span) bool {
		return one.Name == "POST /gateway/mlflow/v1/chat/completions" && one.Trace == strings.TrimPrefix(victims, "tr-")
	}) {
		t.Error("the gateway did not trace the request: the header may have been left out for that alone")
	}
}
