package gateway

import (
	"bytes"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// FuzzInsert puts the element into pages of any form: a page has it once, at the beginning of its head, and is the same without it.
func FuzzInsert(f *testing.F) {
	for _, page := range []string{"", "<head>", "<html><HEAD><script></script></head>", "<header>", "<<head>", "<head", "a<b<head>c<head>d", "<head><head>", "\xff<hEaD>\x00"} {
		f.Add([]byte(page))
	}
	added := element("/oidc/ui/assets/mlflow-12345678.js?menu&again")
	f.Fuzz(func(t *testing.T, page []byte) {
		kept := bytes.Clone(page)
		got, ok := insert(page, added)
		if !bytes.Equal(page, kept) {
			t.Fatal("the page that came was changed")
		}
		if at := bytes.Index(bytes.ToLower(page), []byte("<head>")); at < 0 {
			if isASCII(page) && ok {
				t.Fatalf("%q has no head, and became %q", page, got)
			}
			return
		}
		if !ok {
			t.Fatalf("%q has a head, and stays as it is", page)
		}
		at := len(got) - len(bytes.SplitN(got, added, 2)[1]) - len(added)
		if !bytes.EqualFold(got[at-len("<head>"):at], []byte("<head>")) || !bytes.Equal(append(bytes.Clone(got[:at]), got[at+len(added):]...), page) {
			t.Fatalf("%q became %q", page, got)
		}
	})
}

func isASCII(text []byte) bool {
	return bytes.IndexFunc(text, func(r rune) bool { return r > 127 }) < 0
}

// An address is text in the element, whatever is in it.
func TestAttackAddressOfTheScript(t *testing.T) {
	if got := string(element(`/"><script>alert(1)</script>`)); got != `<script type="module" src="/&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"></script>` {
		t.Errorf("the element is %s", got)
	}
	if element("") != nil {
		t.Error("nothing is asked for, and something given")
	}
}

// Requests for all else are only looked at, and one row alone is the page.
func TestExtendingCostsOthersNothing(t *testing.T) {
	g := &Gateway{element: element("/x.js")}
	extended := 0
	for _, route := range policy.Routes() {
		c := &call{gateway: g}
		c.match.Route = &route
		if n := testing.AllocsPerRun(10, func() {
			if c.extends() {
				extended++
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", route.Pattern(), n)
		}
		if c.extends() && (route.Pattern() != "GET /" || len(route.Needs) > 0) {
			t.Errorf("%s is no page", route.Pattern())
		}
	}
	if extended != 11 {
		t.Errorf("%d times something was the page, in 11 runs", extended)
	}
}
