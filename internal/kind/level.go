// Package kind is the one table of resource kinds, and the permission levels that grants give on them.
package kind

import (
	"fmt"
	"strings"
)

// Level is how much a grant allows; each level includes the ones before it.
type Level uint8

// The levels, in the order in which each includes the ones before it.
const (
	NoPermissions Level = iota // an explicit refusal
	Read                       // sees
	Use                        // also invokes, and creates in a workspace
	Edit                       // also changes
	Manage                     // also deletes, and grants to others
)

var levelNames = [...]string{"NO_PERMISSIONS", "READ", "USE", "EDIT", "MANAGE"}

// Levels lists every level by its name, weakest first.
func Levels() []string { return levelNames[:] }

// String gives the name that settings, the REST API and the database use.
func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return fmt.Sprintf("Level(%d)", uint8(l))
}

// ParseLevel reads a level's name. Case matters, as in the REST API of the Python plugin.
func ParseLevel(name string) (Level, error) {
	for i, known := range levelNames {
		if name == known {
			return Level(i), nil
		}
	}
	return NoPermissions, fmt.Errorf("permission %q is not one of %s", name, strings.Join(levelNames[:], ", "))
}
