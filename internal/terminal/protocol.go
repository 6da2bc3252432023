package terminal

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"unicode"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

// refusal is an answer to a program by the codes of OAuth (RFC 6749 §5.2, RFC 8628 §3.5).
type refusal struct{ code, description string }

// Error gives the description.
func (e refusal) Error() string { return e.description }

// fail answers a program. What is our own failure is no word about its code or token, which stays as good as it was.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var known refusal
	status := http.StatusBadRequest
	switch {
	case errors.As(err, &known):
	case httpx.Status(err) >= http.StatusInternalServerError:
		level, what := httpx.Failure(r.Context(), err)
		s.Log.Log(r.Context(), level, what, "path", r.URL.Path, "error", err)
		known, status = refusal{"temporarily_unavailable", "try again in a moment"}, http.StatusServiceUnavailable
	case errs.Is(err, errs.Limited):
		known, status = refusal{"temporarily_unavailable", err.Error()}, http.StatusTooManyRequests
	case errs.Is(err, errs.Denied), errs.Is(err, errs.Conflict):
		known = refusal{"access_denied", err.Error()}
	default:
		known = refusal{"invalid_request", err.Error()}
	}
	if known.code != pending.code && known.code != slowDown.code {
		s.Log.InfoContext(r.Context(), "a program at a terminal was refused", "path", r.URL.Path, "code", known.code, "why", known.description, "client", s.Origin.Client(r))
	}
	httpx.WriteJSON(w, status, map[string]string{"error": known.code, "error_description": known.description})
}

// maxForm bounds a form, in bytes.
const maxForm = 16 << 10

// form reads the fields of a POST, each given once (RFC 6749 §3.2). Nothing is taken from the query, which logs would keep.
func form(r *http.Request) (map[string]string, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, errs.New(errs.Invalid, "the body must be application/x-www-form-urlencoded")
	}
	body, err := httpx.ReadLimited(r.Body, maxForm)
	if err != nil {
		return nil, err
	}
	return once(string(body))
}

// once reads fields of which each is given once.
func once(encoded string) (map[string]string, error) {
	all, err := url.ParseQuery(encoded)
	if err != nil {
		return nil, errs.New(errs.Invalid, "the fields cannot be read")
	}
	fields := make(map[string]string, len(all))
	for name, values := range all {
		if len(values) != 1 {
			return nil, errs.New(errs.Invalid, "the field %q is given more than once", name)
		}
		fields[name] = values[0]
	}
	return fields, nil
}

// program is what a request says of the program that asks.
type program struct{ Name, Scope string }

// programOf checks the client and what it asks for.
func programOf(fields map[string]string) (program, error) {
	p := program{Name: strings.TrimSpace(fields["client_name"]), Scope: fields["scope"]}
	switch {
	case fields["client_id"] != ClientID:
		return p, refusal{"invalid_client", "client_id must be " + ClientID}
	case p.Scope != "" && p.Scope != readOnly:
		return p, refusal{"invalid_scope", "scope can be " + readOnly + ", or is left out for all that the person may"}
	case len(p.Name) > 64 || strings.ContainsFunc(p.Name, func(c rune) bool { return !unicode.IsPrint(c) || c == unicode.ReplacementChar }):
		return p, errs.New(errs.Invalid, "client_name has at most 64 bytes, all of them to be seen")
	}
	if p.Name == "" {
		p.Name = ClientID
	}
	return p, nil
}

// loopback checks where a code may be sent: to a program on the browser's own machine, at any port (RFC 8252 §7.3). A name
// such as localhost can be led elsewhere.
func loopback(redirect string) error {
	wrong := errs.New(errs.Invalid, "redirect_uri must be http://127.0.0.1:<port>/… or http://[::1]:<port>/…")
	u, err := url.Parse(redirect)
	if err != nil || len(redirect) > 255 || !strings.HasPrefix(redirect, "http://") || u.User != nil || u.Opaque != "" || u.RawQuery != "" || u.ForceQuery ||
		strings.ContainsAny(redirect, "#\\") || u.Path == "" || strings.ContainsFunc(redirect, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return wrong
	}
	at, err := netip.ParseAddrPort(u.Host)
	if err != nil || at.Port() == 0 || at.Addr().Zone() != "" || at.Addr() != netip.AddrFrom4([4]byte{127, 0, 0, 1}) && at.Addr() != netip.IPv6Loopback() ||
		at.String() != u.Host {
		return wrong
	}
	return nil
}

// word is 32 random bytes as text.
func word() string {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(random)
}

func sum(secret string) [32]byte { return sha256.Sum256([]byte(secret)) }

// letters are those of user codes: no vowels, so that no word comes of them, and none that looks like another (RFC 8628 §6.1).
const letters = "BCDFGHJKLMNPQRSTVWXZ"

// userLength is how many letters a user code has: 20^8 of them are 34 bits.
const userLength = 8

func newUserCode() string {
	code := make([]byte, 0, userLength)
	for len(code) < userLength {
		random := make([]byte, 2*userLength)
		_, _ = rand.Read(random) // never fails (crypto/rand)
		for _, b := range random {
			if int(b) < 256-256%len(letters) && len(code) < userLength { // each letter is as likely
				code = append(code, letters[int(b)%len(letters)])
			}
		}
	}
	return string(code)
}

// readUserCode takes a code as people type it: in any case, with blanks and hyphens anywhere.
func readUserCode(typed string) (string, bool) {
	code := strings.Map(func(c rune) rune {
		if c == ' ' || c == '-' {
			return -1
		}
		return unicode.ToUpper(c)
	}, typed)
	return code, len(code) == userLength && strings.Trim(code, letters) == ""
}

func shownUserCode(code string) string { return code[:userLength/2] + "-" + code[userLength/2:] }
