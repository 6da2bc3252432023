package terminal_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/token"
)

const (
	exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"
	accessType    = "urn:ietf:params:oauth:token-type:access_token"
)

// exchange sends a token to be exchanged; pairs are further fields.
func (w *world) exchange(subject string, fields ...string) answer {
	w.t.Helper()
	return w.post("/oauth/token", append([]string{"grant_type", exchangeGrant, "subject_token", subject, "subject_token_type", accessType}, fields...)...)
}

// mustExchange gives the token that comes of it.
func (w *world) mustExchange(subject string, fields ...string) string {
	w.t.Helper()
	got := w.exchange(subject, fields...)
	if got.status != http.StatusOK {
		w.t.Fatalf("%d %s", got.status, got.body)
	}
	return got.text("access_token")
}

func TestTokenIsExchanged(t *testing.T) {
	w := newWorld(t)
	got := w.exchange(w.idp.Token("ann", nil), "scope", "read experiment:7")
	if got.status != http.StatusOK || got.text("issued_token_type") != accessType || got.text("token_type") != "Bearer" || got.text("scope") != "read experiment:7" || got.says()["refresh_token"] != nil ||
		got.says()["expires_in"] != float64(300) || got.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s %v", got.status, got.body, got.header)
	}
	who := w.whose(got.text("access_token"))
	if who == nil || who.Username != "ann" || who.Scope == nil || !who.Scope.ReadOnly || len(who.Scope.Resources) != 1 || who.Actor != "" {
		t.Errorf("%+v", who)
	}
	listed := w.tokens("ann")
	if len(listed) != 1 || !listed[0].Exchanged || listed[0].Actor != nil {
		t.Errorf("%+v", listed)
	}
	if !strings.Contains(w.log.String(), "token_exchanged") || strings.Contains(w.log.String(), got.text("access_token")) {
		t.Error("the log does not have what happened, or has the token")
	}
	if got := w.do(http.MethodGet, "/.well-known/oauth-authorization-server", ""); !strings.Contains(got.body, exchangeGrant) {
		t.Error("the metadata does not have it")
	}
}

func TestExchangedTokenEndsWithTheOneThatWasExchanged(t *testing.T) {
	w := newWorld(t)
	short := w.mustExchange(w.idp.Token("ann", map[string]any{"exp": w.clock.Now().Add(time.Minute).Unix()}))
	long := w.mustExchange(w.idp.Token("ann", map[string]any{"exp": w.clock.Now().Add(48 * time.Hour).Unix()}))
	w.clock.Advance(time.Minute)
	if w.whose(short) != nil || w.whose(long) == nil {
		t.Error("it does not end with the token that was exchanged")
	}
	w.clock.Advance(59 * time.Minute)
	if w.whose(long) != nil {
		t.Error("it is good for longer than an hour")
	}
	w.mustExchange(w.idp.Token("ann", nil))
	if n := len(w.tokens("ann")); n != 1 {
		t.Errorf("%d tokens are kept, with those that have ended", n)
	}
}

// Who acts is kept with the token, in all that comes of it, and in what is recorded.
func TestChainOfActors(t *testing.T) {
	w := newWorld(t)
	first := w.mustExchange(w.idp.Token("ann", map[string]any{"act": map[string]any{"sub": "portal"}}), "actor_token", w.idp.Token("bob", nil), "actor_token_type", accessType)
	want := "bob for portal of " + w.idp.Issuer
	if who := w.whose(first); who == nil || who.Username != "ann" || who.Actor != want {
		t.Fatalf("%+v", who)
	}
	second := w.mustExchange(first)
	if who := w.whose(second); who == nil || who.Actor != want {
		t.Errorf("%+v", who)
	}
	if listed := w.tokens("ann"); len(listed) != 2 || listed[0].Actor.String() != want {
		t.Errorf("%+v", listed)
	}
	if !strings.Contains(w.log.String(), `actor="`+want+`"`) {
		t.Errorf("not recorded: %s", w.log)
	}
}

// The attacks: get a token that may more, lasts longer, or is for somebody else.
func TestAttackExchanges(t *testing.T) {
	w := newWorld(t)
	of := func(name string, further map[string]any) string {
		claims := map[string]any{"exp": w.clock.Now().Add(12 * time.Hour).Unix()}
		for claim, value := range further {
			claims[claim] = value
		}
		return w.idp.Token(name, claims)
	}
	ann, bob := of("ann", nil), of("bob", nil)
	narrow := w.mustExchange(ann, "scope", "read experiment:7 registered_model:7 prompt")
	acted := w.mustExchange(ann, "actor_token", bob, "actor_token_type", accessType)
	signedIn := w.signIn("ann")
	user, err := w.db.User(t.Context(), "ann")
	w.must(err)
	personal, hash := token.NewSecret()
	_, err = w.db.CreateToken(t.Context(), directory.Token{UserID: user.ID, Name: "mine", Hash: hash, Prefix: token.Prefix(personal), CreatedAt: w.clock.Now(), ExpiresAt: w.clock.Now().Add(time.Hour)})
	w.must(err)
	mayBob := of("ann", map[string]any{"may_act": map[string]any{"sub": "bob"}})
	w.mustExchange(mayBob, "actor_token", bob, "actor_token_type", accessType)
	for name, c := range map[string]struct {
		subject string
		fields  []string
		code    string
	}{
		"wider: everything":            {narrow, []string{"scope", "read"}, "invalid_scope"},
		"wider: another resource":      {narrow, []string{"scope", "read experiment:8"}, "invalid_scope"},
		"wider: the whole kind":        {narrow, []string{"scope", "read experiment"}, "invalid_scope"},
		"wider: another workspace":     {narrow, []string{"scope", "read registered_model@team:7"}, "invalid_scope"},
		"wider: writing":               {narrow, []string{"scope", "experiment:7"}, "invalid_scope"},
		"a scope that is none":         {ann, []string{"scope", "admin"}, "invalid_scope"},
		"a scope of nothing":           {ann, []string{"scope", " "}, "invalid_scope"},
		"a personal token":             {personal, []string{"scope", "read"}, "invalid_request"},
		"a token of a terminal":        {signedIn.text("access_token"), nil, "invalid_request"},
		"a refresh token":              {signedIn.text("refresh_token"), nil, "invalid_request"},
		"a made-up token":              {"mlo_made-up", nil, "invalid_request"},
		"of nobody":                    {of("nobody", nil), nil, "invalid_request"},
		"ended":                        {of("ann", map[string]any{"exp": w.clock.Now().Add(-time.Second).Unix()}), nil, "invalid_request"},
		"for another audience":         {of("ann", map[string]any{"aud": "another"}), nil, "invalid_request"},
		"for another resource":         {ann, []string{"resource", "https://other.example"}, "invalid_target"},
		"for another service":          {ann, []string{"audience", "other"}, "invalid_target"},
		"a refresh token for it":       {ann, []string{"requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"},
		"another type":                 {ann, []string{"subject_token_type", "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request"},
		"no JWT, called one":           {narrow, []string{"subject_token_type", "urn:ietf:params:oauth:token-type:jwt"}, "invalid_request"},
		"another client":               {ann, []string{"client_id", "another"}, "invalid_client"},
		"a client's secret":            {ann, []string{"client_secret", "x"}, "invalid_client"},
		"an actor of no type":          {ann, []string{"actor_token", bob}, "invalid_request"},
		"a type of no actor":           {ann, []string{"actor_token_type", accessType}, "invalid_request"},
		"a made-up actor":              {ann, []string{"actor_token", "mlo_made-up", "actor_token_type", accessType}, "invalid_request"},
		"an actor by a personal one":   {ann, []string{"actor_token", personal, "actor_token_type", accessType}, "invalid_request"},
		"an actor for whom one acts":   {ann, []string{"actor_token", acted, "actor_token_type", accessType}, "invalid_request"},
		"not the one who may":          {mayBob, []string{"actor_token", ann, "actor_token_type", accessType}, "invalid_request"},
		"nobody, though one may":       {mayBob, nil, "invalid_request"},
		"a chain that is none":         {of("ann", map[string]any{"act": "bob"}), nil, "invalid_request"},
		"a chain without a name":       {of("ann", map[string]any{"act": map[string]any{"iss": "x"}}), nil, "invalid_request"},
		"a name that is no list of it": {of("ann", map[string]any{"may_act": map[string]any{"sub": []string{"ann", "bob"}}}), []string{"actor_token", bob, "actor_token_type", accessType}, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			w.clock.Advance(13 * time.Second) // in which one failed attempt is forgiven
			before := len(w.tokens("ann"))
			got := w.exchange(c.subject, c.fields...)
			refused(t, got, c.code)
			if len(w.tokens("ann")) != before {
				t.Error("a token was made")
			}
		})
	}
}

// The attack: what was taken away lives on in what came of it.
func TestAttackExchangedTokenOutlivesItsParent(t *testing.T) {
	w := newWorld(t)
	first := w.mustExchange(w.idp.Token("ann", nil))
	second := w.mustExchange(first)
	third := w.mustExchange(second, "scope", "read")
	bobs := w.mustExchange(w.idp.Token("bob", nil))
	for _, one := range w.tokens("ann") {
		if strings.HasPrefix(first, one.Prefix) {
			w.must(w.db.DeleteToken(t.Context(), one.UserID, one.ID))
		}
	}
	for name, secret := range map[string]string{"first": first, "second": second, "third": third} {
		if w.whose(secret) != nil {
			t.Errorf("the %s is good", name)
		}
	}
	refused(t, w.exchange(second), "invalid_request")
	w.must(w.db.SetActive(t.Context(), "bob", false))
	if w.whose(bobs) != nil {
		t.Error("of a deactivated account")
	}
}

// The attack: guess tokens at this door, which none of the other counts.
func TestAttackGuessesByExchange(t *testing.T) {
	w := newWorld(t)
	limited := 0
	for range 6 * wrong {
		if got := w.exchange("mlo_made-up-made-up-made-up"); got.status == http.StatusTooManyRequests {
			limited++
		}
	}
	if limited == 0 {
		t.Error("no limit")
	}
}

// The attack: exchange so often that people cannot make tokens any more, or the database is full.
func TestAttackManyExchanges(t *testing.T) {
	w := newWorld(t)
	raw := w.idp.Token("ann", nil)
	deep := w.mustExchange(raw)
	for range 7 {
		deep = w.mustExchange(deep)
	}
	refused(t, w.exchange(deep), "invalid_request")
	for range 100 {
		w.mustExchange(raw)
	}
	w.signIn("ann")
}
