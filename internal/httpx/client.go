package httpx

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Origin knows where a request came from and under which address the outside reaches us. Forwarded headers count only
// when the peer is one of the trusted proxies (none by default), and never for the path.
type Origin struct {
	Public  *url.URL       // the configured public address; nil: taken from the request
	Proxies []netip.Prefix // peers whose X-Forwarded-* headers are believed
	Prefix  string         // the path under which everything is, "" for none
}

// Base gives the address under which the client reaches everything: the origin and the prefix.
func (o *Origin) Base(r *http.Request) string { return o.Of(r) + o.Prefix }

// Return gives a page to return to: below the prefix, on this origin, and else the first page.
func (o *Origin) Return(to string) string {
	to = LocalPath(to)
	path, _, _ := strings.Cut(to, "#")
	path, _, _ = strings.Cut(path, "?")
	if path != o.Prefix && !strings.HasPrefix(path, o.Prefix+"/") || o.Prefix != "" && dotted(path) {
		return o.Prefix + "/"
	}
	return to
}

// dotted tells whether a path has a dot segment, which a browser resolves before it asks, however it is encoded.
func dotted(path string) bool {
	path = strings.ReplaceAll(strings.ToLower(path), "%2e", ".")
	return strings.Contains(path+"/", "/./") || strings.Contains(path+"/", "/../")
}

// ParseProxies reads TRUSTED_PROXIES: addresses and networks.
func ParseProxies(list []string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	for _, item := range list {
		if prefix, err := netip.ParsePrefix(item); err == nil {
			prefixes = append(prefixes, prefix.Masked())
		} else if addr, err := netip.ParseAddr(item); err == nil {
			prefixes = append(prefixes, netip.PrefixFrom(addr, addr.BitLen()))
		} else {
			return nil, fmt.Errorf("%q is neither an IP address nor a network such as 10.0.0.0/8", item)
		}
	}
	return prefixes, nil
}

func peer(r *http.Request) netip.Addr {
	if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return at.Addr().Unmap()
	}
	return netip.Addr{}
}

func (o *Origin) trusted(addr netip.Addr) bool {
	for _, prefix := range o.Proxies {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// Client gives the address of the client: the peer, or, behind trusted proxies, the last address that none of them added.
func (o *Origin) Client(r *http.Request) string {
	addr := peer(r)
	if len(o.Proxies) == 0 || !o.trusted(addr) {
		return addr.String()
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop.Unmap()
		if !o.trusted(addr) {
			break
		}
	}
	return addr.String()
}

// TLS tells whether the client's own connection is encrypted.
func (o *Origin) TLS(r *http.Request) bool {
	scheme, _ := o.reached(r)
	return scheme == "https"
}

// Of gives the origin (scheme, host, port) under which the client reached us.
func (o *Origin) Of(r *http.Request) string {
	scheme, host := o.reached(r)
	return scheme + "://" + host
}

func (o *Origin) reached(r *http.Request) (scheme, host string) {
	if o.Public != nil {
		return o.Public.Scheme, o.Public.Host
	}
	scheme, host = "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if len(o.Proxies) > 0 && o.trusted(peer(r)) {
		if v := lastValue(r, "X-Forwarded-Proto"); v == "https" || v == "http" {
			scheme = v
		}
		if v := lastValue(r, "X-Forwarded-Host"); v != "" {
			host = v
		}
	}
	return scheme, host
}

func lastValue(r *http.Request, header string) string {
	values := r.Header.Values(header)
	if len(values) == 0 {
		return ""
	}
	last := values[len(values)-1]
	if i := strings.LastIndexByte(last, ','); i >= 0 {
		last = last[i+1:]
	}
	return strings.TrimSpace(last)
}

// SameOrigin tells whether a request with an unsafe method comes from a page of our own. Sec-Fetch-Site decides where the
// browser sends it, else Origin; a request with a session cookie and neither header is not from a browser of today, and refused.
func (o *Origin) SameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin" && (origin == "" || origin == spelled(o.Of(r)))
	}
	return origin == spelled(o.Of(r))
}

// spelled gives an origin as browsers spell it: lower case, without the port that the scheme stands for (RFC 6454, 6.2).
func spelled(origin string) string {
	origin = strings.ToLower(origin)
	if host, ok := strings.CutSuffix(origin, ":443"); ok && strings.HasPrefix(origin, "https:") {
		return host
	}
	if host, ok := strings.CutSuffix(origin, ":80"); ok && strings.HasPrefix(origin, "http:") {
		return host
	}
	return origin
}

// Navigation tells whether a browser asks for a page, so that it may be led to the login page. An API client never is.
func Navigation(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html") && r.Header.Get("Authorization") == ""
}

// Challenges are the ways to sign in that an answer of 401 names (RFC 9110 §11.6.1). A browser asks for a password itself where one of them
// is Basic, before the script of the page hears of the answer, and so that is for programs alone.
func Challenges(r *http.Request) []string {
	if r.Header.Get("Sec-Fetch-Mode") != "" {
		return []string{`Bearer realm="mlflow"`}
	}
	return []string{`Basic realm="mlflow"`, `Bearer realm="mlflow"`}
}

// LocalPath gives a return address that stays on this origin, or "/" for anything else (backslashes, //host, schemes).
func LocalPath(to string) string {
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\") || hasControl(to) {
		return "/"
	}
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.HasPrefix(u.Path, "//") || strings.Contains(u.Path, "\\") || hasControl(u.Path) {
		return "/"
	}
	if u.Fragment != "" {
		return u.RequestURI() + "#" + u.EscapedFragment()
	}
	return u.RequestURI()
}

// Loopback tells whether a host (without port) is this machine.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
