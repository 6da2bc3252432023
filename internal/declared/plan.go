package declared

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// Action is what is done about an entry.
type Action string

// The actions, as a plan shows them.
const (
	Add    Action = "+"
	Alter  Action = "~"
	Remove Action = "-"
)

// Change is one step from what there is to what a file declares.
type Change struct {
	Action Action `json:"action"`
	Key
	Before Value `json:"before,omitzero"`
	After  Value `json:"after,omitzero"`
}

// String is the change's line of a plan.
func (c Change) String() string {
	line := string(c.Action) + " " + c.Key.String()
	before, after := c.Before.says(c.What), c.After.says(c.What)
	switch {
	case c.Action == Alter && c.Before == c.After:
		return line + ": " + after + ", by hand from now on"
	case c.Action == Alter:
		return line + ": " + before + " → " + after
	case c.Action == Remove:
		after = before
	}
	if after != "" {
		line += ": " + after
	}
	return line
}

// Kept is an entry that a file lacks, and that is not its to remove.
type Kept struct {
	Key
	By string `json:"by"`
}

// Plan is all that has to change.
type Plan struct {
	Changes []Change `json:"changes"`
	Kept    []Kept   `json:"kept"`
}

// Compare says what has to change for a policy to be as the file declares. What the file lacks stays, unless it prunes; what others
// than administrators see to stays in any case. All that is wrong with the file for this policy is said at once.
func Compare(have Policy, want *File, prune bool, now time.Time) (Plan, error) {
	p := Plan{Changes: []Change{}, Kept: []Kept{}}
	after := maps.Clone(have)
	var wrong Problems
	want = want.without(func(v Value) bool { return !v.Expires.IsZero() && !v.Expires.After(now) })
	for _, k := range sorted(want.Entries) {
		v := want.Entries[k]
		before, there := have[k]
		switch k.What {
		case User:
			v = completed(k, v, before, there)
		case Owner:
			there = there && !have.leavesOwner(after, k.User)
		case Rule:
			if v.Turn += have.turns(); there {
				v.Turn = before.Turn
			}
		}
		if problem := k.refused(want.Entries[k], before, there); problem != "" {
			wrong = append(wrong, Problem{want.lines[k], problem})
		}
		after[k] = Entry{Value: v, By: before.By}
		switch {
		case !there:
			p.Changes = append(p.Changes, Change{Add, k, Value{}, v})
		case before.Value != v, k.What == Grant && !byHand(before.By): // what a rule gives would go with the rule, and this is to stay
			p.Changes = append(p.Changes, Change{Alter, k, before.Value, v})
		}
	}
	if prune {
		p.prune(have, after, want)
	}
	for _, k := range sorted(want.Entries) {
		for _, on := range k.needs(want.Entries[k]) {
			if _, there := after[on]; !there {
				wrong = append(wrong, Problem{want.lines[k], fmt.Sprintf("there is no %s: make it first, or declare it in the file too", on)})
			}
		}
	}
	wrong = append(wrong, p.owners(have, after, want)...)
	wrong = append(wrong, want.outOfTurn(have)...)
	if have.administered() && !after.administered() {
		wrong = append(wrong, Problem{0, "this would leave no active administrator, and nobody could make another one"})
	}
	return p, wrong.err()
}

// without is the file without the entries that are over, which are as if they were not in it.
func (f *File) without(over func(Value) bool) *File {
	rest := *f
	rest.Entries = maps.Clone(f.Entries)
	maps.DeleteFunc(rest.Entries, func(_ Key, v Value) bool { return over(v) })
	return &rest
}

// prune removes what the file lacks. What somebody else sees to stays, and whom it is about as well. What a rule gives goes with the
// rule, and is no change of its own.
func (p *Plan) prune(have, after Policy, want *File) {
	gone := map[string]bool{} // rules that give no more what they gave, as those who see to something
	for k, e := range have {
		v, declared := want.Entries[k]
		if k.What == Rule && (!declared || v.Pattern != e.Pattern || v.Disabled || !v.Enforced) {
			gone[k.String()] = true
		}
	}
	held := map[Key]string{} // by whom
	for _, k := range slices.Backward(sorted(have)) {
		e := have[k]
		if byHand(e.By) && held[k] != "" {
			e.By = held[k]
		}
		if _, declared := want.Entries[k]; declared {
			continue
		}
		if gone[e.By] {
			delete(after, k)
			continue
		}
		if !byHand(e.By) {
			p.Kept = append(p.Kept, Kept{k, e.By})
			for _, on := range k.needs(e.Value) {
				held[on] = e.By
			}
			continue
		}
		delete(after, k)
		p.Changes = append(p.Changes, Change{Remove, k, e.Value, Value{}})
	}
}

// completed gives what a file declares of an account with what it leaves out. What an account is called and whether it
// administers is its provider's to say, where it has one.
func completed(k Key, v Value, before Entry, there bool) Value {
	switch {
	case there && !byHand(before.By):
		v.DisplayName, v.Admin, v.Service = before.DisplayName, before.Admin, before.Service
	case v.DisplayName != "":
	case there:
		v.DisplayName = before.DisplayName
	default:
		v.DisplayName = k.User
	}
	return v
}

// refused says why an entry cannot be as it is declared; "" when it can.
func (k Key) refused(v Value, before Entry, there bool) string {
	var name string
	var err error
	switch {
	case k.What == User && there && !byHand(before.By) && (v.DisplayName != "" || v.Admin || v.Service):
		return fmt.Sprintf("%s is managed by %s, which says what it is called and whether it administers: leave display_name, admin and service out", k, before.By)
	case k.What == Rule && (!there || v.Pattern != before.Pattern): // one that is there is exported as it is
		err = giving(v.Pattern)
	case there:
		return ""
	case k.What == User:
		name, err = directory.NewUsername(k.User)
	case k.What == Group:
		name, err = directory.NewGroupName(k.Group)
	}
	if err == nil && name != "" && name != k.User && name != k.Group {
		err = errs.New(errs.Invalid, "the name of a new %s must not have blanks around it", k.What)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// needs are the entries without which this one cannot be.
func (k Key) needs(v Value) []Key {
	var all []Key
	if k.What == User || k.What == Group || k.What == Role {
		return nil
	}
	if v.Owner != "" {
		all = append(all, Key{What: User, User: v.Owner})
	}
	if k.User != "" {
		all = append(all, Key{What: User, User: k.User})
	}
	if k.Group != "" {
		all = append(all, Key{What: Group, Group: k.Group})
	}
	if k.Role != "" {
		all = append(all, Key{What: Role, Workspace: k.Workspace, Role: k.Role})
	}
	return all
}

// Steps gives changes in an order in which each can be made: nothing before what it needs, and no administrator goes before
// the next one is there.
func Steps(changes []Change) []Change {
	steps := slices.Clone(changes)
	rank := func(c Change) int {
		switch {
		case c.Action == Remove:
			return 4
		case c.What == Owner: // when accounts and owners are what they will be
			return 3
		case c.What == User && c.Action == Alter && (c.Before.Admin && !c.After.Admin || !c.Before.Inactive && c.After.Inactive):
			if c.Before.Service { // before its owner, from whose hands it would go else
				return 1
			}
			return 2
		}
		return 0
	}
	slices.SortStableFunc(steps, func(a, b Change) int {
		if ranks := rank(a) - rank(b); ranks != 0 {
			return ranks
		}
		if a.Action == Remove {
			return b.Key.compare(a.Key)
		}
		if a.What == Rule && b.What == Rule { // those that come later are asked later
			return a.After.Turn - b.After.Turn
		}
		return a.Key.compare(b.Key)
	})
	return steps
}
