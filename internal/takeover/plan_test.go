package takeover

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// contentsOf has one grant, of a user who is there, at a level; "" for none.
func contentsOf(level string) (Contents, Grant) {
	c, g := New(), Grant{Principal{User: "ann"}, "experiment", "", "1"}
	c.Users["ann"] = User{Active: true}
	if level != "" {
		c.Grants[g] = Given{Level: level}
	}
	return c, g
}

// What was, is there and is here decide together what comes.
func TestThreeSides(t *testing.T) {
	for name, tc := range map[string]struct {
		before, there, here string // levels; "" for no grant
		follow, overwrite   bool
		want                string // here, afterwards
		conflict            bool
	}{
		"new":                              {"", "READ", "", true, false, "READ", false},
		"here already":                     {"", "READ", "READ", true, false, "READ", false},
		"different from the first":         {"", "READ", "EDIT", true, false, "EDIT", true},
		"as it was":                        {"READ", "READ", "READ", true, false, "READ", false},
		"changed there":                    {"READ", "EDIT", "READ", true, false, "EDIT", false},
		"changed here":                     {"READ", "READ", "EDIT", true, false, "EDIT", false},
		"changed on both sides":            {"READ", "EDIT", "MANAGE", true, false, "MANAGE", true},
		"changed alike on both sides":      {"READ", "EDIT", "EDIT", true, false, "EDIT", false},
		"gone there":                       {"READ", "", "READ", true, false, "", false},
		"gone here":                        {"READ", "READ", "", true, false, "", false},
		"gone there, changed here":         {"READ", "", "EDIT", true, false, "EDIT", true},
		"gone here, changed there":         {"READ", "EDIT", "", true, false, "", true},
		"gone on both sides":               {"READ", "", "", true, false, "", false},
		"only here":                        {"", "", "READ", true, false, "READ", false},
		"another database changes":         {"READ", "EDIT", "READ", false, false, "READ", true},
		"another database has it not":      {"READ", "", "READ", false, false, "READ", false},
		"overwritten: changed here":        {"READ", "READ", "EDIT", true, true, "READ", false},
		"overwritten: gone here":           {"READ", "READ", "", true, true, "READ", false},
		"overwritten: changed both":        {"READ", "EDIT", "MANAGE", true, true, "EDIT", false},
		"overwritten: different first":     {"", "READ", "EDIT", true, true, "READ", false},
		"overwritten: gone there":          {"READ", "", "EDIT", true, true, "", false},
		"overwritten: only here":           {"", "", "READ", true, true, "READ", false},
		"overwritten by another database":  {"READ", "EDIT", "READ", false, true, "EDIT", false},
		"overwriting takes no other's own": {"READ", "", "READ", false, true, "READ", false},
	} {
		t.Run(name, func(t *testing.T) {
			was, _ := contentsOf(tc.before)
			there, g := contentsOf(tc.there)
			here, _ := contentsOf(tc.here)
			record := Make(was, New(), Options{}).Record
			plan := Make(there, here, Options{Before: record, Follow: tc.follow, Overwrite: tc.overwrite})
			after := After(here, plan)
			if got := after.Grants[g].Level; got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
			if (len(plan.Conflicts) > 0) != tc.conflict {
				t.Errorf("conflicts %+v", plan.Conflicts)
			}
			if plan.Changes() != !cmp.Equal(here, after) {
				t.Errorf("it says that it changes: %v", plan.Changes())
			}
			// once more there is nothing left to do, whatever is asked for
			again := Make(there, after, Options{Before: plan.Record, Follow: tc.follow, Overwrite: tc.overwrite})
			if again.Changes() {
				t.Errorf("a second time changes %+v", again.Counts)
			}
		})
	}
}

// The attack: what belongs to an account that was deleted here comes for the next one of its name.
func TestAttackGrantsOfADeletedAccount(t *testing.T) {
	there, g := contentsOf("READ")
	here := New()
	record := Make(there, here, Options{}).Record
	there.Identities[Identity{"p", "s"}] = Whose{User: "ann"}
	there.Grants[Grant{Principal{User: "ann"}, "experiment", "", "2"}] = Given{Level: "MANAGE"}
	there.Memberships[Membership{"ann", "red", "imported"}] = Held{}
	there.Groups["red"] = Group{}
	plan := Make(there, here, Options{Before: record, Follow: true})
	after := After(here, plan)
	if len(after.Users)+len(after.Grants)+len(after.Identities)+len(after.Memberships) > 0 || len(after.Groups) != 1 {
		t.Errorf("%+v", after)
	}
	after.Users["ann"] = User{} // somebody else
	plan = Make(there, after, Options{Before: plan.Record, Follow: true})
	if after := After(after, plan); after.Grants[g].Level != "" || len(after.Identities) > 0 {
		t.Errorf("the next one of the name has %+v", after.Grants)
	}
}

// The attack: have the database of a test, imported twice, take away what another one has brought, and with it what refuses.
func TestAttackAnotherDatabaseTwice(t *testing.T) {
	first, g := contentsOf("NO_PERMISSIONS")
	second := New()
	second.Users["bob"] = User{Active: true}
	plan := Make(first, New(), Options{})
	here := After(New(), plan)
	for _, follow := range []bool{false, true, true} {
		plan = Make(second, here, Options{Before: plan.Record, Follow: follow})
		here = After(here, plan)
	}
	if here.Grants[g].Level != "NO_PERMISSIONS" {
		t.Fatalf("%+v", here.Grants)
	}
	delete(here.Grants, g) // somebody takes it away here, and it stays away
	for _, there := range []Contents{second, first} {
		plan = Make(there, here, Options{Before: plan.Record, Follow: cmp.Equal(there, second)})
		if here = After(here, plan); len(here.Grants) > 0 {
			t.Errorf("it is back: %+v", here.Grants)
		}
	}
}

// The attack: have an account of the name that another one has here, and get its rights, or give it a secret that one knows.
func TestAttackAccountOfTheSameName(t *testing.T) {
	theirs, ours := Identity{"y", "2"}, Identity{"x", "1"}
	for name, c := range map[string]struct {
		there, here, before []Identity
		service             bool // here
		stranger            bool
	}{
		"another provider's":              {[]Identity{theirs}, []Identity{ours}, nil, false, true},
		"the same":                        {[]Identity{theirs}, []Identity{theirs}, nil, false, false},
		"the same and one more":           {[]Identity{theirs}, []Identity{theirs, ours}, nil, false, false},
		"not signed in here yet":          {[]Identity{theirs}, nil, nil, false, false},
		"of which nothing is known there": {nil, []Identity{ours}, nil, false, false},
		"deleted here, and made anew":     {[]Identity{theirs}, []Identity{ours}, []Identity{theirs}, false, true},
		"deleted here, and prepared anew": {[]Identity{theirs}, nil, []Identity{theirs}, false, true},
		"a program":                       {nil, nil, nil, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			hold := func(c Contents, all []Identity) Contents {
				for _, i := range all {
					c.Identities[i] = Whose{User: "ann"}
				}
				return c
			}
			was, _ := contentsOf("")
			there, g := contentsOf("MANAGE")
			here, _ := contentsOf("")
			record := Record{}
			if c.before != nil {
				record = Make(hold(was, c.before), New(), Options{}).Record
			}
			hold(there, c.there)
			hold(here, c.here)
			here.Users["ann"] = User{Active: true, Service: c.service}
			there.Tokens[Token{"ann", "laptop"}] = Named{Hash: "h"}
			there.Passwords["ann"] = Password{Hash: "h"}
			after := After(here, Make(there, here, Options{Before: record, Follow: true}))
			came := len(after.Tokens) + len(after.Passwords) + len(after.Identities) - len(here.Identities)
			if got := after.Grants[g].Level == "" && came == 0; got != c.stranger {
				t.Errorf("%+v, %+v, %+v", after.Grants, after.Tokens, after.Identities)
			}
		})
	}
}

// The attack: have what was ended here begin again, without an end, by a change there.
func TestAttackEndedGrantBeginsAgain(t *testing.T) {
	was, g := contentsOf("READ")
	there, _ := contentsOf("EDIT")
	here, _ := contentsOf("READ")
	here.Grants[g] = Given{Level: "READ", Expires: 1}
	plan := Make(there, here, Options{Before: Make(was, New(), Options{}).Record, Follow: true})
	if after := After(here, plan); after.Grants[g] != here.Grants[g] || len(plan.Conflicts) != 1 {
		t.Errorf("%+v, %+v", after.Grants, plan.Conflicts)
	}
}

// An end that was made up when a secret came stays, whenever the same secret is read again.
func TestMadeUpEndsStay(t *testing.T) {
	there, _ := contentsOf("")
	there.Passwords["ann"] = Password{Hash: "h", Expires: 100, Made: true}
	plan := Make(there, New(), Options{})
	here := After(New(), plan)
	there.Passwords["ann"] = Password{Hash: "h", Expires: 200, Made: true}
	if plan = Make(there, here, Options{Before: plan.Record, Follow: true}); plan.Changes() || here.Passwords["ann"].Expires != 100 {
		t.Errorf("%+v, %+v", plan.Counts, here.Passwords)
	}
}

// Two names never have one hash, however they are put together.
func TestNamesAreApart(t *testing.T) {
	seen := map[string]any{}
	for _, k := range []any{"a", "b", Token{"a", "b"}, Token{"ab", ""}, Membership{"a", "b", "c"}, Grant{Principal{User: "a"}, "b", "c", "d"}, Grant{Principal{Group: "a"}, "b", "c", "d"},
		Pattern{Principal{User: "a"}, "b", "c", "d"}, Permission{Role{"a", "b", ""}, "c", "d"}, Permission{Role{"a", "", "b"}, "c", "d"}} {
		hash := hashOf("x", k)
		if other, twice := seen[hash]; twice && !cmp.Equal(other, k) {
			t.Errorf("%+v and %+v", other, k)
		}
		seen[hash] = k
	}
}
