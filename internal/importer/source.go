// Package importer takes over what the Python plugin mlflow-oidc-auth and MLflow's own basic-auth app know of people and permissions.
package importer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/takeover"
)

// The predecessors.
const (
	Plugin    = "plugin"
	BasicAuth = "basic-auth"
)

// Settings are what must be known beside a predecessor's database.
type Settings struct {
	// Workspaces is whether MLflow's workspaces are on.
	Workspaces bool
	// Provider gives the name that identities of a provider have here, by the provider's id there; "" where it is not configured.
	Provider func(ctx context.Context, id string) (string, error)
	// Names gives the name of a resource of the AI gateway by MLflow's id; "" where there is none. Nil: MLflow does not answer.
	Names func(ctx context.Context, k kind.Name, id string) (string, error)
	// VersionTable is where the plugin keeps its revision; "" for its own default.
	VersionTable string
	// Guess tells whether a hash is that of a secret.
	Guess func(hash, secret string) bool
	// Order and Default are the predecessor's settings, to compare decisions.
	Order   []authz.Source
	Default kind.Level
}

// Source is what a predecessor's database holds.
type Source struct {
	Name     string // one of the predecessors
	Revision string
	Means    string // which versions have it
	Contents takeover.Contents
	Notes    []Note
	Old      Old
}

// Holds tells whether anything is granted there on resources of a kind, or refused.
func (s *Source) Holds(k kind.Name) bool {
	for g := range s.Contents.Grants {
		if g.Kind == string(k) {
			return true
		}
	}
	for p := range s.Contents.Patterns {
		if p.Kind == string(k) {
			return true
		}
	}
	for p := range s.Contents.Permissions {
		if p.Type == string(k) {
			return true
		}
	}
	return false
}

// Note says what could not be carried over, or is carried over as something else.
type Note struct {
	What string // what kind of thing
	Name string // which
	Why  string
}

func (s *Source) note(what, name, why string, args ...any) {
	s.Notes = append(s.Notes, Note{what, name, fmt.Sprintf(why, args...)})
}

// Read reads a predecessor's database, and changes nothing there.
func Read(ctx context.Context, name string, from database.Address, settings Settings) (*Source, error) {
	db, err := store.OpenForeign(ctx, from)
	if err != nil {
		return nil, err
	}
	defer db.Close() //nolint:errcheck // it was only read
	switch name {
	case Plugin:
		return readPlugin(ctx, db, settings)
	case BasicAuth:
		return readBasic(ctx, db, settings)
	}
	return nil, fmt.Errorf("%q is not one of %s and %s", name, Plugin, BasicAuth)
}

// revision is a state of a predecessor's tables, and the versions that have it.
type revision struct{ id, versions string }

// recognised finds the revision of a database in a table of versions.
func recognised(ctx context.Context, db *store.Foreign, table, what string, known []revision) (revision, error) {
	there, err := db.Has(ctx, table)
	if err != nil {
		return revision{}, err
	}
	if !there {
		return revision{}, fmt.Errorf("it is no database of %s: there is no table %s", what, table)
	}
	rows, err := db.Rows(ctx, table, "")
	if err != nil {
		return revision{}, err
	}
	var names []string
	for _, row := range rows {
		names = append(names, row.Text("version_num"))
	}
	if len(names) == 1 {
		for _, one := range known {
			if one.id == names[0] {
				return one, nil
			}
		}
	}
	var list []string
	for _, one := range known {
		list = append(list, one.id+" ("+one.versions+")")
	}
	return revision{}, unknownRevision{fmt.Sprintf("its revision in the table %s is %q, which is not known; known of %s are %s. Upgrade it with a version that is known, or use a newer program here",
		table, strings.Join(names, ", "), what, strings.Join(list, ", "))}
}

// unknownRevision refuses a database of a version that nobody has looked at: what its rows mean cannot be known.
type unknownRevision struct{ says string }

// Error says which revisions are known (error).
func (u unknownRevision) Error() string { return u.says }

// username is how an account is named here.
func username(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// level reads a permission. None, or one that nobody knows, refuses.
func (s *Source) level(what, name, permission string) string {
	if _, err := kind.ParseLevel(permission); err == nil {
		return permission
	}
	s.note(what, name, "its permission %q is not known, so it refuses", permission)
	return kind.NoPermissions.String()
}

// stricter gives the level that leaves less: what is there twice must not give more than either says.
func stricter(a, b string) string {
	one, _ := kind.ParseLevel(a)
	other, _ := kind.ParseLevel(b)
	return min(one, other).String()
}

// grant takes in a grant. One that is there twice with different levels counts as the one that leaves less.
func (s *Source) grant(g takeover.Grant, given takeover.Given) {
	if before, twice := s.Contents.Grants[g]; twice && before.Level != given.Level {
		given.Level = stricter(before.Level, given.Level)
		s.note("grant", g.Principal.String()+" on "+g.Kind+" "+g.Resource, "it is there twice; the one that gives less counts")
	}
	s.Contents.Grants[g] = given
}

// pattern takes in a pattern, in RE2's words where there are such, and else as one that refuses every name.
func (s *Source) pattern(p takeover.Pattern, python string, priority int, level string) {
	text, err := translate(python)
	ruled := takeover.Ruled{Priority: priority, Level: level}
	if err != nil {
		text = inPlace(python)
		ruled = takeover.Ruled{Priority: priority, Level: kind.NoPermissions.String(), Aside: takeover.Aside{Text: strings.ReplaceAll(python, "\x00", "\uFFFD"), Level: level, Reason: err.Error()}}
		s.note("pattern", p.Principal.String()+" on "+p.Kind+" "+python, "it is set aside, and refuses every name at its priority: %v", err)
	} else if text != python {
		s.note("pattern", p.Principal.String()+" on "+p.Kind+" "+python, "it means the same as %s here, and is written so", text)
	}
	p.Text = text
	if before, twice := s.Contents.Patterns[p]; twice && before != ruled {
		ruled.Priority = min(before.Priority, ruled.Priority)
		ruled.Level = stricter(before.Level, ruled.Level)
		s.note("pattern", p.Principal.String()+" on "+p.Kind+" "+python, "it is there twice; the one that gives less counts")
	}
	s.Contents.Patterns[p] = ruled
}

// inPlace is a text that is no pattern here, and stands for one that is set aside.
func inPlace(python string) string {
	if _, err := authz.CompilePattern(python); err != nil && len([]rune(python)) <= authz.MaxPattern && !strings.ContainsRune(python, 0) {
		return python
	}
	kept := []rune(strings.ReplaceAll(python, "\x00", ""))
	if most := authz.MaxPattern - len(store.Aside); len(kept) > most {
		kept = kept[:most]
	}
	return store.Aside + string(kept)
}

// twice refuses accounts that are one here.
func (s *Source) user(id int64, name string, u takeover.User, ids map[int64]string) error {
	here := username(name)
	if here == "" {
		s.note("user", fmt.Sprintf("with the id %d", id), "it has no name, and cannot be carried over")
		return nil
	}
	if _, twice := s.Contents.Users[here]; twice {
		return fmt.Errorf("there are several accounts %q, apart only by upper and lower case or blanks; they would be one here, with the permissions of both: delete or rename all but one there first", here)
	}
	ids[id] = here
	s.Contents.Users[here] = u
	return nil
}

// sorted puts the notes in an order that does not depend on chance.
func (s *Source) sorted() *Source {
	slices.SortStableFunc(s.Notes, func(a, b Note) int {
		return strings.Compare(a.What+"\x00"+a.Name+"\x00"+a.Why, b.What+"\x00"+b.Name+"\x00"+b.Why)
	})
	return s
}
