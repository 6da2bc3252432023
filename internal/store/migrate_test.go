package store

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/database"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/dbtest"
)

// TestMigrationsAreForAllEngines holds what migrations/README.md says.
func TestMigrationsAreForAllEngines(t *testing.T) {
	comments := regexp.MustCompile(`(?m)^--.*$`)
	wrong := map[string]*regexp.Regexp{
		"a foreign key is a line of its own, or MySQL ignores it":           regexp.MustCompile(`(?m)^\s*[^F\s].*\bREFERENCES\b.*$`),
		"a table's name begins with gw_":                                    regexp.MustCompile(`(?m)^CREATE TABLE (?:[^g]|g[^w]).*$`),
		"a time has no zone":                                                regexp.MustCompile(`'\d{4}-[^']*[+Z][^']*'`),
		"not every engine has it":                                           regexp.MustCompile(`(?i)\b(?:IF (?:NOT )?EXISTS|ON CONFLICT|RETURNING|ALTER COLUMN|SERIAL|DATETIME|JSONB?|BLOB|BYTEA|NUMERIC|REAL|CHAR)\b|::`),
		"a partial index is SQLite's and PostgreSQL's alone":                regexp.MustCompile(`(?m)^CREATE (?:UNIQUE )?INDEX .*\bWHERE\b.*$`),
		"a CHECK is a line of its own, and not the last":                    regexp.MustCompile(`(?m)^.*\S.*\bCHECK\b.*$|^\s*CHECK .*[^,]$`),
		"a name that an engine has as a word":                               regexp.MustCompile(`(?m)^\s+(?:groups?|rank|key|user|order|option|system|window|row|rows|desc|limit|read|interval|condition|trigger|schema)\s.*$`),
		"TEXT has no default and is in no key":                              regexp.MustCompile(`(?m)^.*\bTEXT\b.*(?:DEFAULT|UNIQUE|PRIMARY).*$`),
		"a key by which rows are named by others is never used again":       regexp.MustCompile(`(?m)^\s*id INTEGER PRIMARY KEY(?: NOT NULL)?,$`),
		"INTEGER PRIMARY KEY AUTOINCREMENT is the one spelling of such ids": regexp.MustCompile(`(?m)^.*AUTOINCREMENT.*$`),
	}
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil || len(names) == 0 {
		t.Fatal(err)
	}
	for _, name := range names {
		content, err := fs.ReadFile(migrations, name)
		if err != nil {
			t.Fatal(err)
		}
		up, down, ok := strings.Cut(string(content), "-- +goose Down\n")
		if !strings.HasPrefix(up, "-- +goose Up\n") || !ok || strings.TrimSpace(down) == "" {
			t.Errorf("%s says not how to go up and down", name)
		}
		statements := comments.ReplaceAllString(string(content), "")
		statements = strings.ReplaceAll(statements, "CREATE TABLE gw_change (\n    id INTEGER PRIMARY KEY,", "") // its one row has the number 1
		statements = strings.ReplaceAll(statements, " "+key, " BIGINT")
		for why, found := range wrong {
			if line := found.FindString(statements); line != "" {
				t.Errorf("%s: %s: %s", name, why, strings.TrimSpace(line))
			}
		}
	}
}

func TestVersionIsReadWithoutAChange(t *testing.T) {
	o := Options{Address: dbtest.New(t, engineUnderTest)}
	for range 2 {
		if v, err := VersionOf(t.Context(), o); err != nil || v.Current != 0 || v.Newest < 6 {
			t.Fatalf("%+v, %v", v, err)
		}
	}
	if engineUnderTest == database.SQLite {
		if _, err := os.Stat(o.Address.Path); err == nil {
			t.Error("looking made a file")
		}
	}
	if before, err := Upgrade(t.Context(), o); err != nil || before.Current != 0 {
		t.Errorf("%+v, %v", before, err)
	}
	if v, err := VersionOf(t.Context(), o); err != nil || v.Current != v.Newest {
		t.Errorf("after the upgrade: %+v, %v", v, err)
	}
}
