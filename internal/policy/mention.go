package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// Mention is a member of an answer that names something which the request was not decided on. What the caller may not read
// is taken out of the answer.
type Mention struct {
	// At is the path of the member, of parts between slashes: "a" is a member, "a[]" each of a list, "a{k}" the value of a
	// list's pair with the key k, "$" the JSON in a text, "," each part of a text between commas. What goes is what the last
	// part names, or the part with a "!" at its end; a "!" alone in front means that nothing is answered at all.
	At    string
	Ref   Ref
	Level kind.Level // on what is named
	With  []string   // members beside it, which go along

	Steps []Step
	Gone  int      // the step whose value goes; -1: the whole answer
	Named bool     // what goes must have a name: without one it is nobody's
	Marks [][]byte // without one of them in an answer's JSON the member is not there
}

// Step is one step of a path.
type Step struct {
	Kind StepKind
	Name string // of a member; the key of a pair
}

// StepKind says where a step leads.
type StepKind uint8

// The kinds of steps.
const (
	Member StepKind = iota // to a member of an object
	Item                   // to each item of a list
	Pair                   // to the value of the pair with a key, in a list of {key, value}
	Text                   // into the JSON that a text holds
	Part                   // to each part of a text between commas
)

// mention makes a mention that needs READ; with are members that go along with it.
func mention(at string, ref Ref, with ...string) Mention {
	m := Mention{At: at, Ref: ref, Level: kind.Read, With: with, Gone: -1}
	inText := false
	step := func(k StepKind, name string) {
		m.Steps = append(m.Steps, Step{k, name})
		inText = inText || k == Text
		if name != "" && !inText { // quotes inside a text are escaped
			m.Marks = append(m.Marks, []byte(`"`+name+`"`))
		}
	}
	for part := range strings.SplitSeq(at, "/") {
		part, goes := strings.CutSuffix(part, "!")
		name, listed := strings.CutSuffix(part, "[]")
		name, key, paired := strings.Cut(strings.TrimSuffix(name, "}"), "{")
		switch name {
		case "":
		case "$":
			step(Text, "")
		case ",":
			step(Part, "")
		default:
			step(Member, name)
		}
		if listed {
			step(Item, "")
		}
		if paired {
			step(Pair, key)
		}
		if goes {
			m.Gone, m.Named = len(m.Steps)-1, true
		}
	}
	if !m.Named {
		m.Gone = len(m.Steps) - 1
	}
	slices.Reverse(m.Marks) // the rarest is that of the member itself
	return m
}

func (m Mention) level(l kind.Level) Mention { m.Level = l; return m }

// String describes the mention for people.
func (m Mention) String() string {
	return fmt.Sprintf("%s (%s)", strings.Join(append([]string{m.At}, m.With...), "+"), m.Ref)
}

// each makes the same mentions at several places: every path begins with the place.
func each(mentions []Mention, places ...string) []Mention {
	var all []Mention
	for _, place := range places {
		for _, m := range mentions {
			all = append(all, mention(place+"/"+m.At, m.Ref, m.With...).level(m.Level))
		}
	}
	return all
}
