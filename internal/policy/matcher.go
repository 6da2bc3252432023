package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Match is a route with the values of its path parameters.
type Match struct {
	Route  *Route
	names  [4]string
	values [4]string
	count  int
}

// Value gives a path parameter by name.
func (m *Match) Value(name string) string {
	for i := range m.count {
		if m.names[i] == name {
			return m.values[i]
		}
	}
	return ""
}

type node struct {
	children map[string]*node
	wildcard *node // one segment
	name     string
	suffixed map[string]*node  // one segment that ends in ":" and a fixed word, by that word
	routes   map[string]*Route // by method
	slash    map[string]*Route // by method: the path with a slash at its end, which is a path of its own
	rest     map[string]*Route // by method: {name*} matches one or more segments
	restName string
}

// Matcher finds the row of a request in a trie of path segments. net/http's ServeMux does not fit: it redirects, it decodes
// encoded slashes inside wildcards, and it refuses some of MLflow's patterns.
type Matcher struct{ root *node }

// NewMatcher builds the matcher. Two rows for one method and path, or a path that cannot mean what it says, are a mistake
// in the table, and an error.
func NewMatcher(routes []Route) (*Matcher, error) {
	m := &Matcher{root: &node{}}
	for i := range routes {
		if err := m.add(&routes[i]); err != nil {
			return nil, fmt.Errorf("route %s %w", routes[i].Pattern(), err)
		}
	}
	return m, nil
}

func (m *Matcher) add(route *Route) error {
	at := m.root
	rest, rooted := strings.CutPrefix(route.Path, "/")
	if !rooted {
		return errors.New("does not start with /")
	}
	var names []string
	for rest != "" {
		part, after, more := strings.Cut(rest, "/")
		rest = after
		slash := more && rest == ""
		if part == "" {
			return errors.New("has an empty segment, which no request has")
		}
		part, verb, ends := cutVerb(part)
		name, tail, wild := parameter(part)
		if ends && (!wild || tail || verb == "" || strings.ContainsAny(verb, "{}*:")) {
			return fmt.Errorf("has a fixed ending %s behind %s, which is no parameter", verb, part)
		}
		if !wild {
			if strings.ContainsAny(part, "{}*") {
				return fmt.Errorf("has the segment %s, which is neither a word nor a parameter", part)
			}
			if at = at.child(part); slash {
				return at.putSlash(route)
			}
			continue
		}
		if slash {
			return fmt.Errorf("has a slash behind the parameter %s", part)
		}
		if slices.Contains(names, name) {
			return fmt.Errorf("has the parameter %s twice", part)
		}
		if names = append(names, name); len(names) > len(Match{}.names) {
			return errors.New("has too many parameters")
		}
		if tail && rest != "" {
			return fmt.Errorf("has something behind %s, which takes all", part)
		}
		if tail {
			return at.putRest(name, route)
		}
		if ends {
			if at.suffixed == nil {
				at.suffixed = map[string]*node{}
			}
			if at.suffixed[verb] == nil {
				at.suffixed[verb] = &node{name: name}
			}
			if at = at.suffixed[verb]; at.name != name {
				return fmt.Errorf("calls the parameter {%s}:%s %s", at.name, verb, part)
			}
			continue
		}
		if at.wildcard == nil {
			at.wildcard = &node{name: name}
		}
		if at = at.wildcard; at.name != name {
			return fmt.Errorf("calls the parameter {%s} %s", at.name, part)
		}
	}
	if at.routes == nil {
		at.routes = map[string]*Route{}
	}
	return put(at.routes, route)
}

// cutVerb reads {name}:verb. A word with a colon and no parameter is left as it is.
func cutVerb(part string) (parameter, verb string, ok bool) {
	if at := strings.Index(part, "}:"); at >= 0 {
		return part[:at+1], part[at+2:], true
	}
	return part, "", false
}

// parameter reads {name} and {name*}.
func parameter(part string) (name string, tail, ok bool) {
	if len(part) < 2 || part[0] != '{' || part[len(part)-1] != '}' {
		return "", false, false
	}
	name, tail = strings.CutSuffix(part[1:len(part)-1], "*")
	return name, tail, name != "" && !strings.ContainsAny(name, "{}*")
}

func (n *node) putRest(name string, route *Route) error {
	if n.rest == nil {
		n.rest, n.restName = map[string]*Route{}, name
	}
	if n.restName != name {
		return fmt.Errorf("calls the parameter {%s*} {%s*}", n.restName, name)
	}
	return put(n.rest, route)
}

func (n *node) putSlash(route *Route) error {
	if n.slash == nil {
		n.slash = map[string]*Route{}
	}
	return put(n.slash, route)
}

func put(into map[string]*Route, route *Route) error {
	if into[route.Method] != nil {
		return errors.New("is in the table twice")
	}
	into[route.Method] = route
	return nil
}

func (n *node) child(part string) *node {
	if n.children == nil {
		n.children = map[string]*node{}
	}
	if n.children[part] == nil {
		n.children[part] = &node{}
	}
	return n.children[part]
}

// Match finds the row for a method and a path that was decoded once. HEAD is GET without the answer's body, and is decided
// as GET. Methods are matched in their exact case.
func (m *Matcher) Match(method, path string) (Match, bool) {
	if method == "HEAD" {
		method = "GET"
	}
	var found Match
	ok := m.root.match(method, strings.TrimPrefix(path, "/"), &found)
	return found, ok
}

// matchValue goes on behind a parameter, and takes the value back where nothing matches there.
func (n *node) matchValue(method, value, rest string, found *Match) bool {
	at := found.count
	found.names[at], found.values[at], found.count = n.name, value, at+1
	if n.match(method, rest, found) {
		return true
	}
	found.count = at
	return false
}

// cutColon cuts a segment at its only colon. With several, a server that cuts at the first one and one that cuts at the
// last would read different names.
func cutColon(part string) (value, verb string, ok bool) {
	value, verb, ok = strings.Cut(part, ":")
	return value, verb, ok && value != "" && !strings.Contains(verb, ":")
}

func (n *node) match(method, rest string, found *Match) bool {
	if rest == "" {
		found.Route = n.routes[method]
		return found.Route != nil
	}
	part, after, more := strings.Cut(rest, "/")
	if more && after == "" {
		if child := n.children[part]; child != nil && child.slash[method] != nil {
			found.Route = child.slash[method]
			return true
		}
	} else {
		if child := n.children[part]; child != nil && child.match(method, after, found) {
			return true
		}
		if value, verb, ok := cutColon(part); ok {
			if next := n.suffixed[verb]; next != nil && next.matchValue(method, value, after, found) {
				return true
			}
		}
		if n.wildcard != nil && part != "" && n.wildcard.matchValue(method, part, after, found) {
			return true
		}
	}
	if route := n.rest[method]; route != nil {
		found.names[found.count], found.values[found.count] = n.restName, rest
		found.count++
		found.Route = route
		return true
	}
	return false
}
