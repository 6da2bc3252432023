package policy

import (
	"fmt"
	"strings"
)

// Match is a route with the values of its path parameters.
type Match struct {
	Route  *Route
	names  [3]string
	values [3]string
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
	routes   map[string]*Route // by method
	rest     map[string]*Route // by method: {name*} matches one or more segments
	restName string
}

// Matcher finds the row of a request in a trie of path segments. net/http's ServeMux does not fit: it redirects, it decodes
// encoded slashes inside wildcards, and it refuses some of MLflow's patterns.
type Matcher struct{ root *node }

// NewMatcher builds the matcher. Two rows for one method and path are a mistake in the table, and an error.
func NewMatcher(routes []Route) (*Matcher, error) {
	m := &Matcher{root: &node{}}
	for i := range routes {
		if err := m.add(&routes[i]); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *Matcher) add(route *Route) error {
	at := m.root
	rest := strings.TrimPrefix(route.Path, "/")
	parameters := 0
	for rest != "" {
		part, after, _ := strings.Cut(rest, "/")
		rest = after
		name, wild := strings.CutPrefix(part, "{")
		if !wild {
			at = at.child(part)
			continue
		}
		name = strings.TrimSuffix(name, "}")
		if parameters++; parameters > len(Match{}.names) {
			return fmt.Errorf("route %s has too many parameters", route.Pattern())
		}
		if tail, ok := strings.CutSuffix(name, "*"); ok {
			if at.rest == nil {
				at.rest = map[string]*Route{}
			}
			at.restName = tail
			return put(at.rest, route)
		}
		if at.wildcard == nil {
			at.wildcard = &node{name: name}
		}
		at = at.wildcard
	}
	if at.routes == nil {
		at.routes = map[string]*Route{}
	}
	return put(at.routes, route)
}

func put(into map[string]*Route, route *Route) error {
	if into[route.Method] != nil {
		return fmt.Errorf("route %s is in the table twice", route.Pattern())
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

func (n *node) match(method, rest string, found *Match) bool {
	if rest == "" {
		found.Route = n.routes[method]
		return found.Route != nil
	}
	part, after, more := strings.Cut(rest, "/")
	if !more || after != "" { // a trailing slash is a path of its own, and no row has one
		if child := n.children[part]; child != nil && child.match(method, after, found) {
			return true
		}
		if n.wildcard != nil && part != "" {
			at := found.count
			found.names[at], found.values[at], found.count = n.wildcard.name, part, at+1
			if n.wildcard.match(method, after, found) {
				return true
			}
			found.count = at
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
