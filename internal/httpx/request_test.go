package httpx

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func asked(from string, names ...string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = from
	if names != nil {
		r.Header[RequestID] = names
	}
	return r
}

// The attack: a client names its request as another one is named, or as what breaks out of a log.
func TestAttackNameOfARequest(t *testing.T) {
	const proxy, stranger = "10.0.0.1:5", "192.0.2.1:5"
	proxies, err := ParseProxies([]string{"10.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	behind, alone := &Origin{Proxies: proxies}, &Origin{}
	for name, c := range map[string]struct {
		origin *Origin
		from   string
		given  []string
		begins string
	}{
		"none":                        {behind, proxy, nil, ""},
		"of a proxy":                  {behind, proxy, []string{"0af7-65.B_c"}, "0af7-65.B_c."},
		"as long as may be":           {behind, proxy, []string{strings.Repeat("a", 48)}, strings.Repeat("a", 48) + "."},
		"too long":                    {behind, proxy, []string{strings.Repeat("a", 49)}, ""},
		"empty":                       {behind, proxy, []string{""}, ""},
		"two":                         {behind, proxy, []string{"a", "b"}, ""},
		"line break":                  {behind, proxy, []string{"a\nb"}, ""},
		"markup":                      {behind, proxy, []string{"<b>"}, ""},
		"no ASCII":                    {behind, proxy, []string{"é"}, ""},
		"of a stranger":               {behind, stranger, []string{"abc"}, ""},
		"where no proxy is trusted":   {alone, proxy, []string{"abc"}, ""},
		"where nobody knows the peer": {behind, "@", []string{"abc"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			first, second := c.origin.NameRequest(asked(c.from, c.given...)), c.origin.NameRequest(asked(c.from, c.given...))
			ours, ok := strings.CutPrefix(first, c.begins)
			if !ok || !regexp.MustCompile(`^[0-9a-z]{1,13}$`).MatchString(ours) {
				t.Errorf("%q, want %q and a number", first, c.begins)
			}
			if first == second {
				t.Errorf("two requests are both %q", first)
			}
		})
	}
}

func TestNameOfARequestIsOneAllocation(t *testing.T) {
	proxies, err := ParseProxies([]string{"10.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	behind, r := &Origin{Proxies: proxies}, asked("10.0.0.1:5", "0af7651916cd43dd8448eb211c80319c")
	if n := testing.AllocsPerRun(100, func() { behind.NameRequest(r) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

// Whatever a proxy hands on, the name fits its column and can stand in a log and on a page.
func FuzzNameOfARequest(f *testing.F) {
	for _, seed := range []string{"", "abc", strings.Repeat("x", 48), strings.Repeat("x", 49), "a b", "\x00", "../x", "é"} {
		f.Add(seed)
	}
	proxies, err := ParseProxies([]string{"10.0.0.1"})
	if err != nil {
		f.Fatal(err)
	}
	behind, form := &Origin{Proxies: proxies}, regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	f.Fuzz(func(t *testing.T, given string) {
		if got := behind.NameRequest(asked("10.0.0.1:5", given)); !form.MatchString(got) || len(got) > 14 && !strings.HasPrefix(got, given+".") {
			t.Errorf("%q became %q", given, got)
		}
	})
}
