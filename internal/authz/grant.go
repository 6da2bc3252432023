// Package authz decides: a pure function over a subject's compiled grants, without I/O and without a clock.
package authz

import (
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// Source is where a grant comes from; sources are asked in a configured order.
type Source uint8

// The sources, in their default order.
const (
	User         Source = iota // a grant to the person
	Group                      // a grant to a group of the person
	UserPattern                // a pattern of the person
	GroupPattern               // a pattern of a group of the person
	Role                       // a permission of a role of the person
	sources
)

var sourceNames = [...]string{"user", "group", "regex", "group-regex", "role"}

// String gives the name that PERMISSION_SOURCE_ORDER uses.
func (s Source) String() string { return sourceNames[s] }

// DefaultOrder is the order of the sources when PERMISSION_SOURCE_ORDER is not set.
func DefaultOrder() []Source { return []Source{User, Group, UserPattern, GroupPattern, Role} }

// ParseOrder reads PERMISSION_SOURCE_ORDER. Unknown and repeated names are errors; a source that is left out is never asked.
func ParseOrder(names []string) ([]Source, error) {
	var order []Source
	for _, name := range names {
		at := slices.Index(sourceNames[:], strings.ToLower(strings.TrimSpace(name)))
		if at < 0 {
			return nil, fmt.Errorf("source %q is not one of %s", name, strings.Join(sourceNames[:], ", "))
		}
		source := Source(at) //nolint:gosec // there are a few
		if slices.Contains(order, source) {
			return nil, fmt.Errorf("source %q is named twice", name)
		}
		order = append(order, source)
	}
	if len(order) == 0 {
		return nil, fmt.Errorf("no source is named; at least one of %s is needed", strings.Join(sourceNames[:], ", "))
	}
	return order, nil
}

// Grant is one stored rule about a subject: an exact resource, or a pattern of names.
type Grant struct {
	ID     int64
	Source Source
	Kind   kind.Name
	// Workspace is where the resource is, "" for the default one; a pattern can be for Everywhere. It says nothing of kinds
	// that are one in all workspaces, and of their exact grants.
	Workspace string
	Resource  string // exact sources: the id or name
	Pattern   string // pattern sources: a regular expression (RE2)
	Priority  int    // pattern sources: the smallest number is asked first
	Level     kind.Level
	Expires   time.Time // when it ends; zero: never
	Group     string    // group sources: the group's name
	Role      string    // role source: the role's name; its Workspace is that of the role, and its Resource may be Everything
	Part      string    // role source: the part of the kind that is meant, such as run
	Denies    bool      // role source: it wins over whatever any source says
}

// Everywhere is the workspace of a pattern that is for all of them, as the Python plugin writes it.
const Everywhere = "*"

// MaxPattern is the longest pattern that is accepted, in bytes.
const MaxPattern = 255

// CompilePattern compiles a pattern that matches from the start of a name, as Python's re.match does, in linear time.
func CompilePattern(pattern string) (*regexp.Regexp, error) {
	if pattern == "" {
		return nil, fmt.Errorf("a pattern must not be empty; .* matches every name")
	}
	if len(pattern) > MaxPattern {
		return nil, fmt.Errorf("a pattern has at most %d bytes, this one %d", MaxPattern, len(pattern))
	}
	if _, err := regexp.Compile(pattern); err != nil { // before it is wrapped, so that ")|(" is not balanced by the wrapping
		return nil, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	return regexp.Compile(`\A(?:` + pattern + `)`)
}

type key struct {
	kind      kind.Name
	workspace string
	resource  string
}

type pattern struct {
	grant   Grant
	matches *regexp.Regexp // nil: could not be compiled; it matches everything and refuses
}

// patternsByKind are the patterns of one source, in the order in which they are asked.
type patternsByKind = map[kind.Name][]pattern

// compile prepares a stored pattern. One that no longer compiles denies whatever it is asked about instead of being skipped: what
// it meant to refuse cannot be known.
func compile(row Grant) pattern {
	row.Workspace = stored(row.Workspace)
	p := pattern{grant: row}
	if compiled, err := CompilePattern(row.Pattern); err == nil {
		p.matches = compiled
	} else {
		p.grant.Level = kind.NoPermissions
	}
	return p
}

// sortPatterns puts patterns of one source into the order in which they are asked.
func sortPatterns(all []pattern) {
	sort.SliceStable(all, func(i, j int) bool {
		if all[i].grant.Priority != all[j].grant.Priority {
			return all[i].grant.Priority < all[j].grant.Priority
		}
		return stronger(all[i].grant.Level, all[j].grant.Level)
	})
}

// Grants is all that is granted to one subject, compiled for look-up. It is immutable and safe for concurrent use.
type Grants struct {
	order     []Source
	workspace string // that of the request, "" for the default one
	placed    bool   // the request is in a workspace
	exact     [sources]map[key][]Grant
	patterns  [sources]patternsByKind
	roles     roles
	until     time.Time
}

// Until is when the first of the grants ends, and they have to be compiled again without it; zero: they last.
func (g *Grants) Until() time.Time { return g.until }

// In gives the grants as they count in a workspace; without a name, as they count where workspaces are off.
func (g *Grants) In(workspace string) *Grants {
	if workspace == "" {
		return g
	}
	in := *g
	in.workspace, in.placed = stored(workspace), true
	return &in
}

// stored is a workspace's name as grants have it.
func stored(workspace string) string {
	if workspace == kind.DefaultWorkspace {
		return ""
	}
	return workspace
}

// key gives the key of a resource of the request's workspace.
func (g *Grants) key(k kind.Name, resource string) key {
	k = k.Kept()
	if g.workspace == "" || kind.Everywhere(k) {
		return key{k, "", resource}
	}
	return key{k, g.workspace, resource}
}

// here tells whether exact grants under the key are for the request's workspace.
func (g *Grants) here(k key) bool { return k.workspace == g.workspace || kind.Everywhere(k.kind) }

// speaks tells whether a pattern is for a resource of the request's workspace.
func (g *Grants) speaks(p *pattern, on Resource) bool {
	if in := p.grant.Workspace; in != Everywhere && in != g.workspace && on.Kind != kind.Workspace {
		return false
	}
	return p.matches == nil || p.matches.MatchString(on.Name)
}

// Compile prepares a subject's grants.
func Compile(order []Source, rows []Grant) *Grants {
	g := &Grants{order: order}
	for _, row := range rows {
		if !row.Expires.IsZero() && (g.until.IsZero() || row.Expires.Before(g.until)) {
			g.until = row.Expires
		}
		switch row.Source {
		case User, Group:
			if g.exact[row.Source] == nil {
				g.exact[row.Source] = map[key][]Grant{}
			}
			k := key{row.Kind.Kept(), stored(row.Workspace), row.Resource}
			if kind.Everywhere(k.kind) {
				k.workspace = ""
			}
			g.exact[row.Source][k] = append(g.exact[row.Source][k], row)
		case Role:
			if slices.Contains(order, Role) { // what is never asked refuses nothing either
				g.roles.add(row)
			}
		default:
			if g.patterns[row.Source] == nil {
				g.patterns[row.Source] = patternsByKind{}
			}
			g.patterns[row.Source][row.Kind] = append(g.patterns[row.Source][row.Kind], compile(row))
		}
	}
	g.roles.finish()
	for _, byResource := range g.exact {
		for _, all := range byResource {
			sort.SliceStable(all, func(i, j int) bool { return stronger(all[i].Level, all[j].Level) })
		}
	}
	for _, byKind := range g.patterns {
		for _, all := range byKind {
			sortPatterns(all)
		}
	}
	return g
}

// stronger orders grants of one source: NO_PERMISSIONS wins, else the higher level.
func stronger(a, b kind.Level) bool {
	if a == kind.NoPermissions || b == kind.NoPermissions {
		return a == kind.NoPermissions && b != kind.NoPermissions
	}
	return a > b
}
