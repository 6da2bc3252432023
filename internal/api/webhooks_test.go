package api_test

import (
	"encoding/json"
	"net/http"
	"testing"
)

func TestWebhookFromMakingToDeletion(t *testing.T) {
	c := newCast(t)
	name := t.Name()
	got := c.admin.Do(t, http.MethodPost, "/oidc/webhook", object{"name": name, "url": "https://1.1.1.1/hook", "status": "DISABLED",
		"events": list{"model_version_alias.created", "prompt.created"}, "secret": "of the hook"})
	var made object
	if err := json.Unmarshal(got.Body, &made); err != nil || got.Status != 200 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	at := "/oidc/webhook/" + made["webhook_id"].(string)
	want := object{"webhook_id": made["webhook_id"], "name": name, "url": "https://1.1.1.1/hook", "status": "DISABLED", "description": nil,
		"events": made["events"], "creation_timestamp": made["creation_timestamp"], "last_updated_timestamp": made["last_updated_timestamp"]}
	if events := made["events"].(list); len(events) != 2 || events[0] != "model_version_alias.created" && events[1] != "model_version_alias.created" {
		t.Errorf("the events are %v", events)
	}
	wants(t, c.admin.Do(t, http.MethodGet, at, nil), 200, want)
	wants(t, c.admin.Do(t, http.MethodGet, "/oidc/webhook?limit=5&search="+name, nil), 200, object{"webhooks": list{want}, "next_page_token": nil})
	changed := c.admin.JSON(t, http.MethodPut, at, object{"description": "said", "events": list{"prompt.created"}})
	if changed["description"] != "said" || changed["name"] != name || len(changed["events"].(list)) != 1 {
		t.Errorf("it is now %v", changed)
	}
	wants(t, c.admin.Do(t, http.MethodDelete, at, nil), 200, object{"message": said})
	wants(t, c.admin.Do(t, http.MethodGet, at, nil), 404, missing)
}

// MLflow calls a webhook's address from its own host: one without TLS, or that hides where it leads, is refused here already.
func TestWebhooksToOddAddressesAreRefused(t *testing.T) {
	c := newCast(t)
	for _, address := range []string{"", "http://1.1.1.1/", "file:///etc/passwd", "https://", "https:///path", "//1.1.1.1/", "https://user:secret@1.1.1.1/", "https://user@1.1.1.1/",
		"https://1.1.1.1/ x", "https://:443/"} {
		wants(t, c.admin.Do(t, http.MethodPost, "/oidc/webhook", object{"name": "odd", "url": address, "events": list{"prompt.created"}}), 422, invalid)
		wants(t, c.admin.Do(t, http.MethodPut, "/oidc/webhook/none", object{"url": address}), 422, invalid)
	}
	for _, events := range []list{{}, {"prompt"}, {"prompt.deleted"}, {"PROMPT.CREATED"}, {"prompt.created", ""}} {
		wants(t, c.admin.Do(t, http.MethodPost, "/oidc/webhook", object{"name": "odd", "url": "https://1.1.1.1/", "events": events}), 422, invalid)
	}
	for _, id := range []string{"..%2F..%2Fexperiments%2Fsearch", "a%2Fb", "a%3Fb", "%2E%2E"} { // an id that would lead elsewhere in MLflow
		if got := c.admin.Do(t, http.MethodDelete, "/oidc/webhook/"+id, nil); got.Status != 404 && got.Status != 400 && got.Status != 307 {
			t.Errorf("%s: %d %s", id, got.Status, got.Body)
		}
	}
}
