// Package httpx gives a request one meaning: one path, one JSON body, one client address, and one way to answer an error.
package httpx

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// Path is a request's path with one meaning: decoded once, as uvicorn and Werkzeug decode it, and free of anything that a
// second decoder could read differently.
type Path struct {
	Decoded string
}

// Escaped is the path as it is forwarded: the canonical encoding of what was decided on, not the bytes that came.
func (p Path) Escaped() string { return (&url.URL{Path: p.Decoded}).EscapedPath() }

// slashed are the paths below which an encoded slash is a slash: MLflow decodes before it looks for the route, and its client
// and its pages send a server's name, <namespace>/<slug>, with the slash encoded (mlflow/store/tracking/mcp_server_registry/rest_mixin.py).
// What it is forwarded as has plain ones.
var slashed = [...]string{"/api/3.0/mlflow/mcp-servers/", "/ajax-api/3.0/mlflow/mcp-servers/"}

var plainSlash = strings.NewReplacer("%2F", "/", "%2f", "/")

// CanonicalPath decodes the request's path once and refuses what is ambiguous: encoded slashes but below mcp-servers, backslashes, empty and
// dot segments, parameters after ";", control characters, and what could be decoded again (MLflow decodes artifact
// paths until they no longer change: mlflow/utils/uri.py, validate_path_is_safe).
func CanonicalPath(r *http.Request) (Path, error) {
	escaped := r.URL.EscapedPath()
	for _, prefix := range slashed {
		if strings.HasPrefix(escaped, prefix) && strings.Contains(escaped, "%") {
			escaped = plainSlash.Replace(escaped)
		}
	}
	if err := pathForm(escaped); err != nil {
		return Path{}, err
	}
	if !strings.Contains(escaped, "%") {
		return Path{Decoded: escaped}, nil
	}
	segments := strings.Split(escaped, "/")
	for i, segment := range segments {
		decoded, err := url.PathUnescape(segment)
		if err != nil {
			return Path{}, errs.New(errs.Invalid, "the path has an invalid percent-encoding")
		}
		if err := segmentForm(decoded); err != nil {
			return Path{}, err
		}
		segments[i] = decoded
	}
	return Path{Decoded: strings.Join(segments, "/")}, nil
}

func pathForm(escaped string) error {
	switch {
	case !strings.HasPrefix(escaped, "/"):
		return errs.New(errs.Invalid, "the path must start with /")
	case strings.Contains(escaped, "//"):
		return errs.New(errs.Invalid, "the path has an empty segment (//)")
	case strings.ContainsAny(escaped, ";\\"):
		return errs.New(errs.Invalid, "the path has a character that is not allowed (; or \\)")
	}
	rest := escaped[1:]
	for rest != "" {
		segment, after, _ := strings.Cut(rest, "/")
		if segment == "." || segment == ".." {
			return errs.New(errs.Invalid, "the path has a dot segment")
		}
		rest = after
	}
	return nil
}

func segmentForm(s string) error {
	switch {
	case s == "." || s == "..":
		return errs.New(errs.Invalid, "the path has an encoded dot segment")
	case strings.ContainsAny(s, "/\\;"):
		return errs.New(errs.Invalid, "the path has an encoded /, \\ or ; in a segment")
	case !utf8.ValidString(s):
		return errs.New(errs.Invalid, "the path is not UTF-8")
	case hasControl(s):
		return errs.New(errs.Invalid, "the path has a control character")
	case Decodable(s):
		return errs.New(errs.Invalid, "the path can be percent-decoded twice")
	}
	return nil
}

// Decodable tells whether the text holds a percent sequence, so that decoding it again would change it.
func Decodable(s string) bool {
	for i := 0; i+2 < len(s); i++ {
		if s[i] == '%' && isHex(s[i+1]) && isHex(s[i+2]) {
			return true
		}
	}
	return false
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func hasControl(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f || (r >= 0x80 && r < 0xa0) }) >= 0
}

// RelativePath checks a path inside an artifact folder, as queries and bodies carry it: it must have one meaning
// however often it is decoded, and must not lead out of its folder. The empty path is the folder itself.
func RelativePath(p string) error {
	if p == "" {
		return nil
	}
	if strings.HasPrefix(p, "/") || strings.ContainsAny(p, "\\#") || hasControl(p) || Decodable(p) || !utf8.ValidString(p) {
		return errs.New(errs.Invalid, "the artifact path %q is not a plain relative path", p)
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(p, "/"), "/") {
		if segment == "" || segment == "." || segment == ".." {
			return errs.New(errs.Invalid, "the artifact path %q has an empty or dot segment", p)
		}
	}
	return nil
}
