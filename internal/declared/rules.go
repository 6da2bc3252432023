package declared

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/attach"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// rule reads a workspace rule. Which of several decides is said by their order.
func (r *reader) rule(n *yaml.Node) {
	o, before := r.object(n, "a workspace rule", "name", "pattern", "level", "mode", "enabled"), len(r.wrong)
	k := Key{What: Rule, Rule: o.required("name")}
	if k.Rule != "" && (strings.TrimSpace(k.Rule) != k.Rule || utf8.RuneCountInString(k.Rule) > 255) {
		r.fail(o.fields["name"], "the name of a rule must not have blanks around it, nor more than 255 characters")
	}
	r.rules++
	v := Value{Pattern: o.required("pattern"), Level: o.level(isLevel), Disabled: !o.truth("enabled", true), Turn: r.rules}
	switch mode := o.optional("mode"); mode {
	case "", report:
	case enforce:
		v.Enforced = true
	default:
		r.fail(o.fields["mode"], "mode is %q; it must be report or enforce", mode)
	}
	if len(r.wrong) == before {
		level, _ := kind.ParseLevel(v.Level) // it is one
		r.check(n, attach.Rule{Pattern: v.Pattern, Level: level}.Check(kind.Manage))
	}
	if len(r.wrong) == before {
		r.put(n, k, v)
	}
}

const (
	report  = "report"
	enforce = "enforce"
)

// giving refuses a pattern that can give nothing: which names one workspace that cannot be, or that no rule gives.
func giving(pattern string) error {
	switch only, ok := attach.Only(pattern); {
	case !ok:
		return nil
	case only == kind.DefaultWorkspace:
		return errs.New(errs.Invalid, "the default workspace is never given by a rule")
	case !workspace.Valid(only):
		return errs.New(errs.Invalid, "%q is not the name of a workspace: 2 to 63 of a-z, 0-9 and inner hyphens", only)
	}
	return nil
}

// turns is the last turn of the rules that there are.
func (p Policy) turns() int {
	last := 0
	for k, e := range p {
		if k.What == Rule {
			last = max(last, e.Turn)
		}
	}
	return last
}

// outOfTurn refuses rules in another order than the one in which they are asked: a new one is asked after all that there are.
func (f *File) outOfTurn(have Policy) Problems {
	var wrong Problems
	last, name := 0, ""
	for _, k := range inTurn(f.Entries) {
		e, there := have[k]
		turn := e.Turn
		if !there {
			turn = have.turns() + f.Entries[k].Turn
		}
		if turn < last {
			wrong = append(wrong, Problem{f.lines[k], fmt.Sprintf("the %s is asked before the rule %s, and has to come before it: a rule that is made later is asked later", k, name)})
			continue
		}
		last, name = turn, k.Rule
	}
	return wrong
}

// inTurn are the rules among entries, in the order in which they are asked.
func inTurn(all map[Key]Value) []Key {
	rules := slices.DeleteFunc(sorted(all), func(k Key) bool { return k.What != Rule })
	slices.SortFunc(rules, func(a, b Key) int { return all[a].Turn - all[b].Turn })
	return rules
}

// Has tells whether the file declares anything of a sort.
func (f *File) Has(what What) bool {
	for k := range f.Entries {
		if k.What == what {
			return true
		}
	}
	return false
}

// Line is where the file declares something; 0: nowhere.
func (f *File) Line(k Key) int { return f.lines[k] }

// leavesOwner tells whether a service account leaves its owner's hands on the way to another policy: it becomes an administrator, or a
// person.
func (p Policy) leavesOwner(to Policy, username string) bool {
	k := Key{What: User, User: username}
	was, is := p[k], to[k]
	return !is.Service || is.Admin && !was.Admin
}

// owners refuses what cannot be in the hands that the file lays it into, and takes what it says nothing of out of those that cannot hold it
// any more.
func (p *Plan) owners(have, after Policy, want *File) Problems {
	var wrong Problems
	for _, k := range sorted(after) {
		e := after[k]
		if k.What != Owner {
			continue
		}
		_, declared := want.Entries[k]
		before, there := have[k]
		changes := declared && (!there || before.Value != e.Value || have.leavesOwner(after, k.User))
		switch says := after.unowned(k, e.Value.Owner); {
		case says == "" || !changes && !after.above(k, e.Value.Owner): // an owner may have been deactivated since
		case declared:
			wrong = append(wrong, Problem{want.lines[k], says})
		default:
			p.Changes = append(p.Changes, Change{Remove, k, e.Value, Value{}})
		}
	}
	return wrong
}

// above tells whether a service account administers, and who looks after it does not.
func (p Policy) above(k Key, owner string) bool {
	return p[Key{What: User, User: k.User}].Admin && !p[Key{What: User, User: owner}].Admin
}

// unowned says why a service account cannot be in the hands of an owner; "" when it can.
func (p Policy) unowned(k Key, by string) string {
	account, known := p[Key{What: User, User: k.User}]
	owner, there := p[Key{What: User, User: by}]
	switch {
	case !known || !there: // that is said already
	case !account.Service:
		return fmt.Sprintf("user %s is a person, whom nobody owns: an owner is one of a service account", k.User)
	case owner.Service || owner.Inactive:
		return fmt.Sprintf("user %s cannot own a service account: an owner is a person, and active", by)
	case p.above(k, by):
		return fmt.Sprintf("user %s is no administrator, and cannot own one", by)
	}
	return ""
}
