package login

import (
	"maps"
	"slices"
)

// Trouble is what a page says.
type Trouble struct{ Title, Words, Admin string }

// TroubleOf gives what a page says of an error.
func TroubleOf(err error) Trouble {
	t := troubleOf(err)
	return Trouble{t.title, t.words, t.admin}
}

// Troubles gives all that pages say by themselves.
func Troubles() []Trouble {
	var all []Trouble
	for _, t := range append(slices.AppendSeq(slices.Collect(maps.Values(troubles)), maps.Values(byCode)), other) {
		all = append(all, Trouble{t.title, t.words, t.admin})
	}
	return all
}
