// Package attach plans which groups get which level in which workspace by rules about their names.
package attach

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// Rule gives the groups whose whole names its pattern matches a level in the workspace that the pattern's group ws names.
type Rule struct {
	ID        int64
	Name      string
	Pattern   string
	Level     kind.Level
	Enforced  bool // else it only says what it would do
	Enabled   bool
	CreatedBy string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// gives tells whether a rule gives anything at all.
func (r Rule) gives() bool { return r.Enabled && r.Enforced }

// Sum is a hash that rules share with those alone that give the same.
func Sum(rules []Rule) string {
	sum := sha256.New()
	for _, r := range rules {
		if r.gives() {
			fmt.Fprintf(sum, "%d %q %s\n", r.ID, r.Pattern, r.Level)
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Pair is a group and a workspace.
type Pair struct{ Group, Workspace string }

// Held is a level that a group has in a workspace.
type Held struct {
	Level kind.Level
	Rule  int64 // which has given it; 0: people have
}

// State is all that a plan is made from.
type State struct {
	Rules      []Rule              // in the order of their ids: the first that matches decides
	Groups     map[string][]string // all groups, with the sources from which they are held; without members with the one that named it
	Held       map[Pair]Held
	Workspaces map[string]bool // those that there are
}

// Change is a line of a plan.
type Change struct {
	Pair
	Action   string // one of the constants
	Level    kind.Level
	Previous *kind.Level
	Reason   string
	Rule     int64
}

// What a line of a plan does.
const (
	Grant    = "grant"
	Update   = "update"
	Keep     = "keep"
	Remove   = "remove"
	Skip     = "skip"
	Shadowed = "shadowed"
)

// Writes tells whether the line changes what is held.
func (c Change) Writes() bool { return c.Action == Grant || c.Action == Update || c.Action == Remove }

const longest = 255 // bytes of a pattern

// CheckPattern says what is wrong with a pattern of a rule.
func CheckPattern(pattern string) error {
	_, err := compile(pattern)
	return err
}

// compile reads a pattern, which matches whole names.
func compile(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > longest {
		return nil, errs.New(errs.Invalid, "a pattern has at most %d bytes", longest)
	}
	compiled, err := regexp.Compile(`\A(?:` + pattern + `)\z`)
	if err != nil || strings.Count(pattern, "(?P<ws>")+strings.Count(pattern, "(?<ws>") != 1 {
		return nil, errs.New(errs.Invalid, "a pattern is a regular expression (RE2) with one group (?P<ws>…) that matches the name of the workspace")
	}
	if _, err := regexp.Compile(pattern); err != nil { // one that closes the group around it would match parts of names
		return nil, errs.New(errs.Invalid, "a pattern is a regular expression (RE2)")
	}
	return compiled, nil
}

// Only gives the one workspace that a pattern can name, where it names one by its letters.
func Only(pattern string) (string, bool) {
	read, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "", false
	}
	for at := []*syntax.Regexp{read}; len(at) > 0; at = at[1:] {
		if one := at[0]; one.Op == syntax.OpCapture && one.Name == "ws" {
			named := one.Sub[0]
			return string(named.Rune), named.Op == syntax.OpLiteral && named.Flags&syntax.FoldCase == 0
		}
		at = append(at, at[0].Sub...)
	}
	return "", false
}

// Check refuses what cannot be a rule under a ceiling.
func (r Rule) Check(ceiling kind.Level) error {
	if _, err := compile(r.Pattern); err != nil {
		return err
	}
	if r.Level == kind.NoPermissions {
		return errs.New(errs.Invalid, "a rule gives READ, USE, EDIT or MANAGE")
	}
	if r.Level > ceiling {
		return errs.New(errs.Invalid, "%s is above WORKSPACE_RULES_MAX_PERMISSION, which is %s", r.Level, ceiling)
	}
	return nil
}

// Policy is what rules cannot do.
type Policy struct {
	Ceiling kind.Level
	// Trusted tells whether a source of memberships names groups for all. A group that nobody but others name could have been
	// given its name to match.
	Trusted func(source string) bool
}

// Plan says what the rules want for some groups, nil for all, and what is to be done for that. What people have given is not touched.
func (p Policy) Plan(s State, only []string) ([]Change, error) {
	won := map[Pair]Rule{}
	var lines []Change
	for _, rule := range s.Rules {
		if !rule.gives() {
			continue
		}
		pattern, err := compile(rule.Pattern)
		if err != nil {
			return nil, errs.Wrap(errs.Unavailable, err, "the rule %s cannot be read", rule.Name)
		}
		for group, sources := range s.Groups {
			found := pattern.FindStringSubmatch(group)
			if found == nil || only != nil && !slices.Contains(only, group) || !p.names(sources) {
				continue
			}
			line := Change{Pair: Pair{group, found[pattern.SubexpIndex("ws")]}, Level: rule.Level, Rule: rule.ID, Action: Skip}
			winner, lost := won[line.Pair]
			switch {
			case line.Workspace == "":
				continue
			case rule.Level > p.Ceiling:
				line.Reason = "permission above WORKSPACE_RULES_MAX_PERMISSION"
			case lost:
				line.Action, line.Reason = Shadowed, fmt.Sprintf("rule %d (%s) wins", winner.ID, winner.Name)
			case line.Workspace == kind.DefaultWorkspace: // where all is from before there were workspaces
				line.Reason = "the default workspace is never granted by a rule"
			case !s.Workspaces[line.Workspace]:
				line.Reason = "workspace does not exist"
			default:
				won[line.Pair] = rule
				line = given(line, s.Held)
			}
			lines = append(lines, line)
		}
	}
	for pair, held := range s.Held {
		_, wanted := won[pair]
		if held.Rule != 0 && !wanted && (only == nil || slices.Contains(only, pair.Group)) {
			lines = append(lines, Change{Pair: pair, Action: Remove, Level: held.Level, Rule: held.Rule})
		}
	}
	slices.SortFunc(lines, func(a, b Change) int {
		return slices.Compare([]string{a.Workspace, a.Group, a.Action}, []string{b.Workspace, b.Group, b.Action})
	})
	return lines, nil
}

// given says what is to be done for the rule that wins.
func given(line Change, all map[Pair]Held) Change {
	held, ok := all[line.Pair]
	switch {
	case !ok:
		line.Action = Grant
	case held.Rule == 0:
		line.Reason = "manual grant"
	case held.Rule != line.Rule:
		line.Action, line.Previous, line.Reason = Grant, &held.Level, fmt.Sprintf("takes over from rule %d", held.Rule)
	case held.Level == line.Level:
		line.Action = Keep
	default:
		line.Action, line.Previous = Update, &held.Level
	}
	return line
}

// names tells whether the sources of a group are any that may name it. One without sources is an administrator's.
func (p Policy) names(sources []string) bool {
	return len(sources) == 0 || slices.ContainsFunc(sources, p.Trusted)
}
