package takeover

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

// Record is what was carried over before: of each thing a hash of what it is known by, and one of what was said of it then.
type Record map[string]string

// Options are how a plan is made.
type Options struct {
	// Before is what was carried over before.
	Before Record
	// Follow is true where that came from the same database, so that what has changed there since changes here too.
	Follow bool
	// Overwrite makes everything here as it is there, also what was changed here.
	Overwrite bool
}

// Part is what is to be done with one sort of things.
type Part[K comparable, V comparable] struct {
	Put  map[K]V // to be made, or changed where it is here
	Drop []K
	Over []K // of Put: what is here already, and is replaced
}

// Plan is what is to be done.
type Plan struct {
	Users       Part[string, User]
	Groups      Part[string, Group]
	Memberships Part[Membership, Held]
	Identities  Part[Identity, Whose]
	Grants      Part[Grant, Given]
	Patterns    Part[Pattern, Ruled]
	Passwords   Part[string, Password]
	Tokens      Part[Token, Named]
	Rules       Part[string, Rule]
	Roles       Part[Role, Described]
	Permissions Part[Permission, Permitted]
	Assignments Part[Assignment, Held]

	Record    Record // what is carried over then
	Counts    []Count
	Conflicts []Conflict
}

// Count says what becomes of one sort of things.
type Count struct {
	What    string
	There   int // in the predecessor's database
	New     int // made here
	Same    int // here already
	Changed int // changed there since, and followed here
	Gone    int // gone there since, and dropped here
	Kept    int // different here, and left so
}

// Conflict is something that is different here and there, or cannot be followed, and stays as it is here.
type Conflict struct{ What, Name, Why string }

// Changes tells whether the plan changes anything.
func (p Plan) Changes() bool {
	for _, c := range p.Counts {
		if c.New+c.Changed+c.Gone > 0 {
			return true
		}
	}
	return false
}

// elsewhere is recorded of what another database has brought.
const elsewhere = "elsewhere"

// planner makes the parts of a plan.
type planner struct {
	Options
	plan *Plan
	left map[string]bool // of what was recorded before: what no part has seen there
}

// Make plans how what is there comes here. What changed there alone follows; what changed here stays, whatever is there,
// unless it is to be overwritten. What was carried over once and is gone here stays gone: somebody took it away.
func Make(there, here Contents, o Options) Plan {
	plan := &Plan{Record: Record{}}
	p := &planner{o, plan, map[string]bool{}}
	for known, said := range o.Before {
		plan.Record[known], p.left[known] = said, true
	}
	plan.Users = part(p, "users", there.Users, here.Users, nil, false)
	plan.Groups = part(p, "groups", there.Groups, here.Groups, nil, false)
	plan.Rules = part(p, "workspace rules", there.Rules, here.Rules, nil, true)
	person, group, rule := known(here.Users, plan.Users), known(here.Groups, plan.Groups), known(here.Rules, plan.Rules)
	strangers := strangers(there, here, o.Before)
	user := func(name string) bool { return person(name) && !strangers[name] }
	holder := func(h Principal) bool { return h.Group != "" && group(h.Group) || h.Group == "" && user(h.User) }
	plan.Roles = part(p, "roles", there.Roles, here.Roles, func(r Role, _ Described) bool { return r.Owner == "" || user(r.Owner) }, true)
	role := known(here.Roles, plan.Roles)
	plan.Memberships = part(p, "memberships", there.Memberships, here.Memberships,
		func(m Membership, _ Held) bool { return user(m.User) && group(m.Group) }, true)
	plan.Identities = part(p, "identities", there.Identities, here.Identities, func(_ Identity, w Whose) bool { return user(w.User) }, true)
	plan.Grants = part(p, "grants", there.Grants, here.Grants,
		func(g Grant, by Given) bool { return holder(g.Principal) && (by.Rule == "" || rule(by.Rule)) }, true)
	plan.Patterns = part(p, "patterns", there.Patterns, here.Patterns, func(t Pattern, _ Ruled) bool { return holder(t.Principal) }, true)
	plan.Passwords = part(p, "passwords", ends(there.Passwords, here.Passwords), here.Passwords, func(name string, _ Password) bool { return user(name) }, true)
	plan.Tokens = part(p, "tokens", there.Tokens, here.Tokens, func(t Token, _ Named) bool { return user(t.User) }, true)
	plan.Permissions = part(p, "role permissions", there.Permissions, here.Permissions,
		func(t Permission, _ Permitted) bool { return role(t.Role) }, true)
	plan.Assignments = part(p, "role assignments", there.Assignments, here.Assignments,
		func(a Assignment, _ Held) bool { return user(a.User) && role(a.Role) }, true)
	for known := range p.left { // what is left is neither there nor here
		if !o.Follow {
			plan.Record[known] = elsewhere
		} else if o.Before[known] != elsewhere {
			delete(plan.Record, known)
		}
	}
	slices.SortStableFunc(plan.Conflicts, func(a, b Conflict) int {
		return cmp.Or(cmp.Compare(a.What, b.What), cmp.Compare(a.Name, b.Name))
	})
	return *plan
}

// strangers are the accounts whose name is somebody else's here: both sides know identities of them and none is the same, or those
// that came once are not here any more, or one is a person's and the other a program's.
func strangers(there, here Contents, before Record) map[string]bool {
	known, came, same, all := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i, whose := range there.Identities {
		known[whose.User] = true
		if is, ok := here.Identities[i]; ok && is.User == whose.User {
			same[whose.User] = true
		} else if _, recorded := before[hashOf("identities", i)]; recorded {
			came[whose.User] = true
		}
	}
	for _, whose := range here.Identities {
		if known[whose.User] && !same[whose.User] {
			all[whose.User] = true
		}
	}
	for name, u := range here.Users {
		other, ok := there.Users[name]
		if came[name] && !same[name] || ok && other.Service != u.Service {
			all[name] = true
		}
	}
	return all
}

// ends gives secrets the end that was made up for them when they came, where they are the same still: another one is no change.
func ends(there, here map[string]Password) map[string]Password {
	all := make(map[string]Password, len(there))
	for name, secret := range there {
		if is, has := here[name]; secret.Made && has && is.Hash == secret.Hash {
			secret.Expires = is.Expires
		}
		secret.Made = false
		all[name] = secret
	}
	return all
}

// known tells whether something is here once a part is done.
func known[K comparable, V comparable](here map[K]V, p Part[K, V]) func(K) bool {
	return func(k K) bool {
		_, is := here[k]
		_, comes := p.Put[k]
		return (is || comes) && !slices.Contains(p.Drop, k)
	}
}

// part plans one sort of things. What is not possible hangs on something that is not here; droppable is false for what takes too
// much along when it goes.
func part[K comparable, V comparable](p *planner, what string, there, here map[K]V, possible func(K, V) bool, droppable bool) Part[K, V] {
	done, count := Part[K, V]{Put: map[K]V{}}, Count{What: what, There: len(there)}
	keep := func(k K, why string) {
		count.Kept++
		p.plan.Conflicts = append(p.plan.Conflicts, Conflict{what, name(k), why})
	}
	for k, v := range there {
		hash, said := hashOf(what, k), hashOf("", v)
		before, recorded := p.Before[hash]
		delete(p.left, hash)
		p.plan.Record[hash] = said
		is, has := here[k]
		switch {
		case has && is == v:
			count.Same++
		case possible != nil && !possible(k, v):
			if !recorded || before != said {
				keep(k, "what it belongs to is not here, or is another account of that name: where the two are one, link the identity here first")
			} else {
				count.Kept++
			}
		case !has && !recorded:
			done.Put[k] = v
			count.New++
		case p.Overwrite || has && recorded && p.Follow && hashOf("", is) == before:
			done.Put[k] = v
			if count.Changed++; has {
				done.Over = append(done.Over, k)
			}
		case recorded && before == said: // as it was when it was carried over: what is different was done here
			count.Kept++
		case !has:
			keep(k, "it was deleted here, and changed there since")
		default:
			keep(k, "it is different here")
		}
	}
	if len(p.Before) > 0 {
		done.Drop = dropped(p, what, here, &count, keep, droppable)
	}
	p.plan.Counts = append(p.plan.Counts, count)
	return done
}

// dropped are the things here that came from there, and are gone there.
func dropped[K comparable, V comparable](p *planner, what string, here map[K]V, count *Count, keep func(K, string), droppable bool) []K {
	var gone []K
	for k, is := range here {
		hash := hashOf(what, k)
		if !p.left[hash] {
			continue
		}
		delete(p.left, hash)
		switch {
		case !p.Follow || p.Before[hash] == elsewhere: // this database never had it, and cannot have lost it
			p.plan.Record[hash] = elsewhere
		case !droppable:
			keep(k, "it is gone there; delete it here where it is not needed any more")
		case hashOf("", is) == p.Before[hash] || p.Overwrite:
			gone = append(gone, k)
			count.Gone++
			delete(p.plan.Record, hash)
		default:
			keep(k, "it is gone there, and was changed here")
		}
	}
	return gone
}

// hashOf gives the hash of what something is known by, or of what is said of it.
func hashOf(what string, of any) string {
	text, _ := json.Marshal(of) // plain structs of texts and numbers
	sum := sha256.Sum256(append([]byte(what+"\x00"), text...))
	return hex.EncodeToString(sum[:16])
}

// name shows what something is known by.
func name(k any) string {
	switch k := k.(type) {
	case Membership:
		return k.User + " in " + k.Group
	case Identity:
		return k.Subject + " at " + k.Provider
	case Grant:
		return fmt.Sprintf("%s on %s %s", k.Principal, k.Kind, within(k.Workspace, k.Resource))
	case Pattern:
		return fmt.Sprintf("%s on %s pattern %s", k.Principal, k.Kind, within(k.Workspace, k.Text))
	case Token:
		return k.User + ": " + k.Name
	case Role:
		return k.title()
	case Permission:
		return fmt.Sprintf("%s on %s %s", k.Role.title(), k.Type, k.Pattern)
	case Assignment:
		return k.User + " has " + k.Role.title()
	}
	return fmt.Sprint(k)
}

func (r Role) title() string {
	if r.Owner != "" {
		return "own role of " + r.Owner + " in " + r.Workspace
	}
	return "role " + r.Name + " in " + r.Workspace
}

func within(workspace, name string) string {
	if workspace == "" {
		return name
	}
	return name + " in " + workspace
}
