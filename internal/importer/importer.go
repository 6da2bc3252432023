package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/takeover"
)

// Options say what becomes of what was read.
type Options struct {
	From      database.Address
	Own       bool // it is this database too
	Overwrite bool
	By        string
}

// Address names a database, so that it is known again.
func Address(a database.Address) string {
	if a.Engine == database.SQLite {
		if path, err := filepath.Abs(a.Path); err == nil {
			a.Path = path
		}
	}
	if text := []rune(a.String()); len(text) > 500 {
		return string(text[:500])
	}
	return a.String()
}

// plan makes the plan for what is here.
func (s *Source) plan(o Options, here takeover.Contents, before takeover.Record, earlier []store.Import) takeover.Plan {
	options := takeover.Options{Before: before, Overwrite: o.Overwrite}
	for _, one := range earlier {
		if one.Source == s.Name {
			options.Follow = one.Address == Address(o.From)
			break
		}
	}
	return takeover.Make(s.Contents, here, options)
}

// Plan says what an import would do, and what would be here then.
func (s *Source) Plan(ctx context.Context, db *store.DB, o Options) (takeover.Plan, takeover.Contents, error) {
	here, before, err := db.Contents(ctx, s.Name)
	if err != nil {
		return takeover.Plan{}, here, err
	}
	earlier, err := db.Imports(ctx)
	if err != nil {
		return takeover.Plan{}, here, err
	}
	p := s.plan(o, here, before, earlier)
	return p, takeover.After(here, p), nil
}

// Import has everything that is new or has changed come here, or nothing at all.
func (s *Source) Import(ctx context.Context, db *store.DB, o Options) (takeover.Plan, error) {
	var done takeover.Plan
	err := db.Import(ctx, store.Import{Source: s.Name, Address: Address(o.From), Own: o.Own, Revision: s.Revision, DoneBy: o.By},
		func(here takeover.Contents, before takeover.Record, earlier []store.Import) (takeover.Plan, error) {
			if o.Own {
				for _, one := range earlier {
					if one.Own && one.Source == s.Name { // another replica was first
						return takeover.Plan{Record: before}, nil
					}
				}
				if len(here.Users) > 0 {
					return takeover.Plan{}, ErrInUse
				}
			}
			done = s.plan(o, here, before, earlier)
			return done, nil
		})
	return done, err
}

// ErrInUse refuses to take a database over by itself that is in use already.
var ErrInUse = errors.New("there are users here already")

// Found is a predecessor's database that was recognised.
type Found struct{ Revision, Means string }

// Recognise tells whether a database is the Python plugin's. A revision that is not known is an error, where the tables are the plugin's.
func Recognise(ctx context.Context, a database.Address, versionTable string) (Found, bool, error) {
	db, err := store.OpenForeign(ctx, a)
	if err != nil {
		return Found{}, false, err
	}
	defer db.Close() //nolint:errcheck // it was only read
	if versionTable == "" {
		versionTable = pluginTable
	}
	for _, table := range []string{versionTable, "users", "user_groups", "experiment_permissions"} {
		there, err := db.Has(ctx, table)
		if err != nil || !there {
			return Found{}, false, err
		}
	}
	at, err := recognised(ctx, db, versionTable, "the Python plugin", pluginRevisions)
	return Found{at.id, at.versions}, err == nil, err
}

// WriteReport says for people what a plan does, and what cannot be carried over.
func (s *Source) WriteReport(w io.Writer, p takeover.Plan) error {
	out := &printer{w: w}
	out.print("%s at revision %s (%s)\n\n%-18s %8s %8s %8s %8s %8s %8s\n", s.Name, s.Revision, s.Means, "", "there", "new", "same", "changed", "gone", "left")
	for _, c := range p.Counts {
		if c.There+c.Gone+c.Kept > 0 {
			out.print("%-18s %8d %8d %8d %8d %8d %8d\n", c.What, c.There, c.New, c.Same, c.Changed, c.Gone, c.Kept)
		}
	}
	if len(p.Conflicts) > 0 {
		out.print("\nDifferent here, and left as they are (--overwrite makes them as they are there):\n")
		for _, c := range p.Conflicts {
			out.print("  %s %s: %s\n", c.What, c.Name, c.Why)
		}
	}
	if len(s.Notes) > 0 {
		out.print("\nNot carried over, or not as it was:\n")
		for _, n := range s.Notes {
			out.print("  %s %s: %s\n", n.What, n.Name, n.Why)
		}
	}
	return out.err
}

// printer writes until something fails.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) print(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
