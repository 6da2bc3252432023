package terminal

import (
	"net/url"
	"strings"
	"testing"
)

// Whatever is taken for a program of this machine is one, to whoever reads the address.
func FuzzLoopback(f *testing.F) {
	for _, seed := range []string{"http://127.0.0.1:1/", "http://[::1]:1/a", "http://127.0.0.1:1@evil/", "http://127.0.0.1:1\\@evil/", "HTTP://127.0.0.1:1/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, redirect string) {
		if loopback(redirect) != nil {
			return
		}
		rest, v4 := strings.CutPrefix(redirect, "http://127.0.0.1:")
		if !v4 {
			rest, _ = strings.CutPrefix(redirect, "http://[::1]:")
		}
		port, _, path := strings.Cut(rest, "/")
		if rest == redirect || !path || port == "" || strings.Trim(port, "0123456789") != "" {
			t.Errorf("%q is taken", redirect)
		}
		if to, err := url.Parse(redirect + "?code=c"); err != nil || to.Query().Get("code") != "c" || to.Fragment != "" {
			t.Errorf("%q takes no code", redirect)
		}
	})
}

// However a code is typed, it is read as one spelling or none.
func FuzzReadUserCode(f *testing.F) {
	f.Add("bcdf-ghjk")
	f.Add("BCDF GHJK")
	f.Add("ſſſſ-ſſſſ")
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := readUserCode(typed)
		if !ok {
			return
		}
		if again, ok := readUserCode(shownUserCode(code)); !ok || again != code || strings.Trim(code, letters) != "" || len(code) != userLength {
			t.Errorf("%q is read as %q", typed, code)
		}
	})
}
