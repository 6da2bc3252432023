package api

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const secretOfTest = "the-access-token-of-this-sign-in"

// The attack: read credentials in a trial that a provider puts among the claims, by whatever name and however deep.
func TestAttackCredentialsAmongClaims(t *testing.T) {
	claims := map[string]any{}
	decoder := json.NewDecoder(strings.NewReader(`{"sub": "s", "email_verified": true, "n": 12345678901234567890, "at_hash": "abc", "auth_time": 1, "amr": ["otp"],
		"access_token": "x", "Refresh-Token": "x", "client_secret": ["x"], "apiKey": {"a": "x"}, "nested": {"a": [{"password": "x", "kept": "y"}], "id_token": 1},
		"note": "see ` + secretOfTest + ` here", "` + secretOfTest + `": 1, "other": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "ours": "mlo_abc", "nil": null,
		"<script>alert(1)</script>": "<img src=x onerror=alert(1)>"}`))
	decoder.UseNumber()
	if err := decoder.Decode(&claims); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range claimsOf(claims, "id_token", []string{"", secretOfTest}) {
		got[c.Name] = c.Value
	}
	out := `"` + leftOut + `"`
	want := map[string]string{"sub": `"s"`, "email_verified": "true", "n": "12345678901234567890", "at_hash": `"abc"`, "auth_time": "1", "amr": `["otp"]`,
		"access_token": out, "Refresh-Token": out, "client_secret": out, "apiKey": out, "nested": `{"a":[{"kept":"y","password":` + out + `}],"id_token":` + out + `}`,
		"note": out, leftOut: out, "other": out, "ours": out, "nil": "null",
		"<script>alert(1)</script>": `"<img src=x onerror=alert(1)>"`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Whatever a provider says, the tokens of the sign-in are not in what is shown, and no claim is more than anybody reads.
func FuzzClaims(f *testing.F) {
	f.Add([]byte(`{"a": ["` + secretOfTest + `"], "` + secretOfTest + `": {"b": {"c": "x` + secretOfTest + `"}}}`))
	f.Add([]byte(`{"groups": ["a", "b"], "n": 1e400}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var claims map[string]any
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		if decoder.Decode(&claims) != nil {
			return
		}
		all := claimsOf(claims, "userinfo", []string{secretOfTest})
		if len(all) != len(claims) {
			t.Errorf("%d claims of %d", len(all), len(claims))
		}
		shown, err := json.Marshal(all)
		if err != nil || bytes.Contains(shown, []byte(secretOfTest)) {
			t.Errorf("%v %s", err, shown)
		}
		for _, c := range all {
			if len(c.Name) > mostOfName+4 || len(c.Value) > mostOfValue+4 {
				t.Errorf("%d and %d bytes", len(c.Name), len(c.Value))
			}
		}
	})
}

// A trial fits into what sessions are kept in, however much there is to say, and says that it is not all.
func TestTrialsFit(t *testing.T) {
	long := strings.Repeat("x", 255)
	trial := Trial{Provider: "oidc", Refused: "no"}
	for range mostGroups {
		trial.Claims = append(trial.Claims, Claim{Name: long, Value: long + long + long, From: "id_token"})
		trial.Groups = append(trial.Groups, TrialGroup{Name: long})
		trial.Access = append(trial.Access, Access{ID: long, User: long})
	}
	text, err := trial.fit()
	var got Trial
	if err != nil || len(text) > mostShown || json.Unmarshal(text, &got) != nil || !got.Cut || got.Refused != "no" || len(got.Claims) < 5 {
		t.Errorf("%v, %d bytes, %d claims", err, len(text), len(got.Claims))
	}
}
