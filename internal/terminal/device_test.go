package terminal_test

import (
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
)

// The whole way: the token is the person's own, with a name among theirs, and narrowed where that was asked for.
func TestDeviceFlowSignsIn(t *testing.T) {
	w := newWorld(t)
	for name, scope := range map[string]string{"all": "", "reading alone": "read"} {
		t.Run(name, func(t *testing.T) {
			got := w.signIn("ann", "client_name", "vera@laptop "+name, "scope", scope)
			subject := w.whose(got.text("access_token"))
			if subject == nil || subject.Username != "ann" || (subject.Scope != nil) != (scope != "") || scope != "" && !subject.Scope.ReadOnly {
				t.Fatalf("the token is for %+v", subject)
			}
			listed := w.tokens("ann")
			one := listed[slices.IndexFunc(listed, func(one directory.Token) bool { return strings.Contains(one.Name, "vera@laptop "+name) })]
			if one.CreatedBy != "ann" || !one.ExpiresAt.Equal(w.clock.Now().Add(lifetime)) || !strings.HasPrefix(got.text("access_token"), one.Prefix) {
				t.Errorf("the token is listed as %+v", one)
			}
			if got.says()["expires_in"] != lifetime.Seconds() || got.text("token_type") != "Bearer" || got.text("username") != "ann" || got.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%v %s", got.header, got.body)
			}
		})
	}
}

// D1 (RFC 8628 §6.1): 20^8 user codes, drawn evenly, good for ten minutes, and few tries.
func TestUserCodesAreNotGuessed(t *testing.T) {
	w := newWorld(t)
	form := regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`)
	seen := map[rune]int{}
	for range 40 {
		_, user := w.ask()
		if !form.MatchString(user) {
			t.Fatalf("the user code is %q", user)
		}
		for _, letter := range strings.ReplaceAll(user, "-", "") {
			seen[letter]++
		}
	}
	if len(seen) != 20 { // each of 20 letters is missing from 320 with 1 in 700,000
		t.Errorf("the codes are made of %d letters", len(seen))
	}
	_, user := w.ask()
	typed := strings.ToLower(strings.ReplaceAll(user, "-", " "))
	if got, ticket := w.question("ann", "/oauth/device?user_code="+url.QueryEscape(typed)); ticket == "" {
		t.Errorf("a code as people type it: %d %s", got.status, got.body)
	}
	var last answer
	for range 2 * (wrong + 1) { // of two replicas
		last, _ = w.question("ann", "/oauth/device?user_code=BBBB-BBBB")
	}
	if last.status != http.StatusTooManyRequests {
		t.Errorf("after many codes that do not exist: %d", last.status)
	}
	if got, ticket := w.question("ann", "/oauth/device?user_code="+user); ticket != "" || got.status != http.StatusTooManyRequests {
		t.Errorf("the right code after many wrong ones: %d", got.status)
	}
	w.clock.Advance(10 * time.Minute)
	if got, ticket := w.question("bob", "/oauth/device?user_code="+user); ticket != "" || got.status != http.StatusNotFound {
		t.Errorf("a code of ten minutes ago: %d %s", got.status, got.body)
	}
}

// D2 (RFC 8628 §3.5), and on whichever replica the program asks.
func TestProgramThatWaitsIsAnswered(t *testing.T) {
	w := newWorld(t)
	device, user := w.ask()
	refused(t, w.poll(device), "authorization_pending")
	refused(t, w.poll(device), "slow_down") // from now on ten seconds
	w.clock.Advance(6 * time.Second)
	refused(t, w.poll(device), "slow_down") // and now 15
	w.clock.Advance(15 * time.Second)
	refused(t, w.poll(device), "authorization_pending")
	w.approve("ann", user)
	w.clock.Advance(15 * time.Second)
	if got := w.poll(device); w.whose(got.text("access_token")) == nil {
		t.Errorf("approved: %d %s", got.status, got.body)
	}

	device, user = w.ask()
	_, ticket := w.question("ann", "/oauth/device?user_code="+user)
	if got := w.reply("ann", "/oauth/device", ticket, "deny"); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	refused(t, w.poll(device), "access_denied")
	if got := w.reply("ann", "/oauth/device", ticket, "approve"); got.status != http.StatusNotFound {
		t.Errorf("approved after it was denied: %d %s", got.status, got.body)
	}

	device, user = w.ask()
	w.approve("ann", user)
	w.clock.Advance(10 * time.Minute)
	refused(t, w.poll(device), "expired_token")
	refused(t, w.poll("mld_made-up"), "invalid_grant")
	refused(t, w.poll(""), "invalid_grant")
	if tokens := w.tokens("ann"); len(tokens) != 1 {
		t.Errorf("%d sign-ins were made", len(tokens))
	}
}

// D3 (RFC 8628 §5.4), the attack: send somebody a link with a code. To open it approves nothing; the page says who asks, from
// where, since when and for what; and the answer comes from this page, by who has seen it.
func TestAttackSentLinkApprovesNothing(t *testing.T) {
	w := newWorld(t)
	device, user := w.ask("client_name", "<b>mallory</b>")
	link := "/oauth/device?user_code=" + user
	if got := w.do(http.MethodGet, link, ""); got.status != http.StatusSeeOther || got.header.Get("Location") != "/login?next="+url.QueryEscape(link) {
		t.Errorf("nobody is led to %d %q", got.status, got.header.Get("Location"))
	}
	got, ticket := w.question("ann", link)
	for _, shown := range []string{user, "&lt;b&gt;mallory&lt;/b&gt;", "127.0.0.1", w.clock.Now().Format("2006-01-02 15:04:05"), "everything that you may do", "ann", "Approve only"} {
		if !strings.Contains(got.body, shown) {
			t.Errorf("the page does not say %q: %s", shown, got.body)
		}
	}
	policy := got.header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "frame-ancestors 'none'") || !strings.Contains(policy, "default-src 'none'") || strings.Contains(got.body, "<script") {
		t.Errorf("the page can be framed or scripted: %s", policy)
	}
	_, ofBob := w.question("bob", link)
	_, other := w.question("ann", authorizeQuery())
	secret := w.signIn("ann").text("access_token")
	w.must(w.db.SetRoles(t.Context(), "bob", false, true))
	for name, try := range map[string]func() answer{
		"to open it once more": func() answer { return w.do(http.MethodGet, link+"&answer=approve&ticket="+ticket, "", "As", "ann") },
		"from another site": func() answer {
			return w.reply("ann", "/oauth/device", ticket, "approve", "Origin", "https://evil.example")
		},
		"by fetch from another site": func() answer {
			return w.reply("ann", "/oauth/device", ticket, "approve", "Sec-Fetch-Site", "cross-site")
		},
		"from nowhere":                   func() answer { return w.reply("ann", "/oauth/device", ticket, "approve", "Origin", "") },
		"without a ticket":               func() answer { return w.reply("ann", "/oauth/device", "", "approve") },
		"with the ticket of another":     func() answer { return w.reply("ann", "/oauth/device", ofBob, "approve") },
		"with that of another question":  func() answer { return w.reply("ann", "/oauth/device", other, "approve") },
		"with a ticket that was changed": func() answer { return w.reply("ann", "/oauth/device", ticket[:len(ticket)-2]+"AA", "approve") },
		"with another answer":            func() answer { return w.reply("ann", "/oauth/device", ticket, "yes") },
		"with a token": func() answer {
			return w.reply("", "/oauth/device", ticket, "approve", "Authorization", "Bearer "+secret)
		},
		"as a service account": func() answer { return w.reply("bob", "/oauth/device", ofBob, "approve") },
		"as nobody":            func() answer { return w.reply("", "/oauth/device", ticket, "approve") },
	} {
		got := try()
		if name != "to open it once more" && got.status < 400 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		w.clock.Advance(20 * time.Second)
		t.Run(name, func(t *testing.T) { refused(t, w.poll(device), "authorization_pending") })
	}
	if got := w.do(http.MethodGet, link, "", "Authorization", "Bearer "+secret); got.status != http.StatusForbidden {
		t.Errorf("a token sees the page: %d", got.status)
	}
	w.clock.Advance(10 * time.Minute)
	if got := w.reply("ann", "/oauth/device", ticket, "approve"); got.status < 400 {
		t.Errorf("an old question: %d %s", got.status, got.body)
	}
}

// D4, the attack: show a device code again that was used, by who has found it. And it is found nowhere: not in the database,
// nor in the log.
func TestAttackDeviceCodeIsUsedTwice(t *testing.T) {
	w := newWorld(t)
	device, user := w.ask()
	w.approve("ann", user)
	got := w.poll(device)
	for _, suffix := range []string{"", "-wal"} {
		kept, err := os.ReadFile(w.path + suffix)
		w.must(err)
		for _, secret := range []string{device, got.text("access_token"), got.text("refresh_token")} {
			if strings.Contains(string(kept), secret) || strings.Contains(w.log.String(), secret) || secret == "" {
				t.Errorf("%s is in the database or the log", secret)
			}
		}
	}
	refused(t, w.poll(device), "invalid_grant")
	if w.whose(got.text("access_token")) != nil {
		t.Error("what came of the code is still good")
	}
	refused(t, w.refresh(got.text("refresh_token")), "invalid_grant")
	refused(t, w.poll(device), "invalid_grant")

	device, user = w.ask() // at once, by two: never two sign-ins
	w.approve("ann", user)
	answers := make(chan answer)
	for range 8 {
		go func() { answers <- w.poll(device) }()
	}
	signed := 0
	for range 8 {
		if got := <-answers; got.status == http.StatusOK {
			signed++
		}
	}
	if signed > 1 || len(w.tokens("ann")) != 0 {
		t.Errorf("%d sign-ins came of one code, and %d are left", signed, len(w.tokens("ann")))
	}
}

// The attack: fill the database with requests. One address has few at once, and old ones go.
func TestAttackManyPrograms(t *testing.T) {
	w := newWorld(t)
	for range 50 {
		w.ask()
	}
	if got := w.post("/oauth/device_authorization"); got.status != http.StatusTooManyRequests || got.text("error") == "" {
		t.Errorf("one more: %d %s", got.status, got.body)
	}
	w.clock.Advance(21 * time.Minute)
	w.ask()
}
