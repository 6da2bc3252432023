package api_test

import (
	"net/http"
	"net/url"
	"testing"
)

func TestIdentities(t *testing.T) {
	c := newCast(t)
	at := base + "/users/" + c.target.Username + "/identities"
	own := object{"provider_id": "oidc", "subject": "subject of target"}
	knows := func(want ...any) {
		t.Helper()
		wants(t, c.admin.Do(t, http.MethodGet, at, nil), 200, list(want))
	}
	knows(own)
	further := object{"provider_id": "oidc", "subject": "a/b c?"}
	wants(t, c.admin.Do(t, http.MethodPost, at, further), 201, object{"message": said})
	wants(t, c.admin.Do(t, http.MethodPost, base+"/users/"+c.member.Username+"/identities", further), 409, conflict)
	wants(t, c.admin.Do(t, http.MethodPost, at, object{"provider_id": "nobody", "subject": "x"}), 404, missing)
	wants(t, c.admin.Do(t, http.MethodPost, at, object{"provider_id": "oidc", "subject": " "}), 400, invalid)
	wants(t, c.admin.Do(t, http.MethodPost, base+"/users/nobody/identities", object{"provider_id": "oidc", "subject": "x"}), 404, missing)
	knows(further, own)
	one := at + "?provider_id=oidc&subject=" + url.QueryEscape("a/b c?")
	if got := c.admin.JSON(t, http.MethodDelete, one, nil); got["deleted"] != 1.0 {
		t.Errorf("answered %v", got)
	}
	wants(t, c.admin.Do(t, http.MethodDelete, one, nil), 404, missing)
	knows(own)
	// By the issuer, too; and who is not known any more is signed out at once.
	c.admin.JSON(t, http.MethodDelete, at+"?provider_id="+url.QueryEscape(c.IDP.Issuer)+"&subject="+url.QueryEscape("subject of target"), nil)
	if got := c.target.Do(t, http.MethodGet, base+"/users/current", nil); got.Status != 401 {
		t.Errorf("after unlinking: %d", got.Status)
	}
}
