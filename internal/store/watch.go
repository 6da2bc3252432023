package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// Every change of who may do what is an event, stored in the transaction of the change itself. A change says beforehand by watch
// which rows it is about; what these were, and what has become of them, is compared at its end. A statement that changes a
// watched table in a transaction that does not watch it fails: what is not recorded does not happen.

// seen is a row of a watched table.
type seen struct {
	key   string
	id    int64       // 0 where the table has none
	about audit.Event // whom and what it is about
	state audit.State
}

// chosen are some rows of a table.
type chosen struct {
	where string
	args  []any
}

func (c chosen) of(q *bun.SelectQuery) *bun.SelectQuery { return q.Where(c.where, c.args...) }

// besides are the rows that were not chosen before: of what was, the first look counts, and what it has not seen is new.
func (c chosen) besides(before []chosen) chosen {
	for _, b := range before {
		c = chosen{"(" + c.where + ") AND (" + b.where + ") IS NOT TRUE", append(slices.Clone(c.args), b.args...)}
	}
	return c
}

// watched is a table of which every change is an event.
type watched struct {
	made, changed, gone audit.Name
	read                func(ctx context.Context, from bun.IDB, which chosen) ([]seen, error)
	alias               string // by which rows are chosen; they have an id where one is given
	parts               []string
	rowsAlone           bool // what is updated of it is no event
}

// changes are what a transaction changes, to be told of when it is done.
type changes struct {
	order   []string
	watches map[string]*watch
	missed  string // a table that was changed and not watched
	whole   bool   // all that is changed is one event, which whoever changes it records
	entries []audit.Entry
	done    bool
}

type watch struct {
	wide   bool // the first of which chooses all that the transaction may change
	which  []chosen
	before map[string]seen
}

type changesKey struct{}

func (c *changes) reset() { *c = changes{watches: map[string]*watch{}} }

const (
	every    = "TRUE" // chooses all rows of a table
	oneByOne = 100    // how often a table is watched by the rows that each part of a change is about
)

// watchWide is watch for a change of many parts. Whatever rows of the table the transaction changes, the condition chooses them.
func (db *DB) watchWide(ctx context.Context, tx bun.Tx, table, where string, args ...any) error {
	if err := db.watch(ctx, tx, table, where, args...); err != nil {
		return err
	}
	ctx.Value(changesKey{}).(*changes).watches[table].wide = true
	return nil
}

// watch has what becomes of some rows of a table be recorded, and which of them come to be. It is called before they change.
func (db *DB) watch(ctx context.Context, tx bun.Tx, table, where string, args ...any) error {
	into, ok := ctx.Value(changesKey{}).(*changes)
	if !ok {
		return errs.New(errs.Internal, "%s is watched outside of a change", table)
	}
	w := into.watches[table]
	if w == nil {
		w = &watch{before: map[string]seen{}}
		into.watches[table], into.order = w, append(into.order, table)
	}
	if w.wide {
		return nil
	}
	which := chosen{where, args}
	if w.wide = len(w.which) == oneByOne; w.wide { // each condition is within the next one, and SQLite takes a thousand of them
		which = chosen{every, nil}
	}
	rows, err := watchedTables[table].read(ctx, tx, which.besides(w.which))
	if err != nil {
		return err
	}
	w.which = append(w.which, which)
	for _, row := range rows {
		if _, ok := w.before[row.key]; !ok {
			w.before[row.key] = row
		}
	}
	return nil
}

// watchAll watches several tables.
func (db *DB) watchAll(ctx context.Context, tx bun.Tx, all ...watching) error {
	for _, one := range all {
		if err := db.watch(ctx, tx, one.table, one.where, one.args...); err != nil {
			return err
		}
	}
	return nil
}

// watching is what watch is called with.
type watching struct {
	table, where string
	args         []any
}

func of(table, where string, args ...any) watching { return watching{table, where, args} }

// record compares what was with what is, and stores it as events.
func (db *DB) record(ctx context.Context, tx bun.Tx, c *changes) error {
	if c.missed != "" {
		return errs.New(errs.Internal, "a change of %s would not be recorded, and is refused", c.missed)
	}
	for _, table := range c.order {
		events, err := c.watches[table].compare(ctx, tx, watchedTables[table], db.now())
		if err != nil {
			return err
		}
		for _, e := range events {
			c.entries = append(c.entries, audit.Stamp(ctx, e, db.clock()))
		}
	}
	if !db.keeps {
		return nil
	}
	return keepAudit(ctx, tx, c.entries)
}

func (w *watch) compare(ctx context.Context, tx bun.Tx, of watched, at time.Time) ([]audit.Event, error) {
	after := map[string]seen{}
	look := func(which chosen) error {
		rows, err := of.read(ctx, tx, which)
		for _, row := range rows {
			after[row.key] = row
		}
		return err
	}
	for _, which := range w.which {
		if err := look(which); err != nil {
			return nil, err
		}
	}
	var elsewhere []int64 // they may have moved from where they were looked for
	for key, row := range w.before {
		if _, ok := after[key]; !ok && row.id != 0 {
			elsewhere = append(elsewhere, row.id)
		}
	}
	if slices.Sort(elsewhere); len(elsewhere) > 0 {
		if err := look(chosen{of.alias + ".id IN (?)", []any{bun.List(elsewhere)}}); err != nil {
			return nil, err
		}
	}
	both := maps.Clone(after)
	maps.Copy(both, w.before)
	var events []audit.Event
	for _, row := range slices.SortedFunc(maps.Values(both), func(a, b seen) int { return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.key, b.key)) }) {
		was, before := w.before[row.key]
		is, now := after[row.key]
		events = append(events, of.events(was, is, before, now, at)...)
	}
	return events, nil
}

// events are what a row's becoming from the one to the other is.
func (w watched) events(was, is seen, before, now bool, at time.Time) []audit.Event {
	if before && now {
		e := is.about
		e.Name, e.Before, e.After = w.changed, was.state.Without(is.state), is.state.Without(was.state)
		if was.about.Resource != is.about.Resource {
			e.Before["resource"], e.After["resource"] = was.about.Resource, is.about.Resource
		}
		if len(e.Before)+len(e.After) == 0 {
			return nil
		}
		return namedChanges(e)
	}
	if now {
		e := is.about
		e.Name, e.After = w.made, is.state
		return namedChanges(e)
	}
	e := was.about
	e.Name, e.Before = w.gone, was.state
	if until, ok := was.state["expires_at"].(string); ok && until <= at.Format(time.RFC3339) {
		e.Cause = "ended"
	}
	return []audit.Event{e}
}

// guard notes a statement that changes a watched table in a transaction that does not watch it, or what goes with the rows of it.
func guard(ctx context.Context, event *bun.QueryEvent) {
	into, ok := ctx.Value(changesKey{}).(*changes)
	if !ok || into.whole || into.missed != "" {
		return
	}
	for _, table := range writtenTables(event) {
		if into.watches[table] == nil {
			into.missed = table
		}
	}
}

// writtenTables are the watched tables that a statement changes.
func writtenTables(event *bun.QueryEvent) []string {
	if _, raw := event.IQuery.(*bun.RawQuery); raw || event.IQuery == nil {
		return writtenByText(event.Query)
	}
	operation := event.Operation()
	named, ok := event.IQuery.(interface{ GetTableName() string })
	if !ok || operation == "SELECT" {
		return nil
	}
	table := strings.Trim(named.GetTableName(), "\"`")
	of, ok := watchedTables[table]
	if !ok || of.rowsAlone && operation == "UPDATE" {
		return nil
	}
	if operation == "DELETE" {
		return append([]string{table}, of.parts...)
	}
	return []string{table}
}

// writtenByText are the watched tables that a statement changes which is given as a text. Of one that is not plain these are all that
// it names.
func writtenByText(text string) []string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return r != '_' && !unicode.IsLetter(r) })
	if len(words) == 0 || words[0] == "select" {
		return nil
	}
	behind := map[string]string{"insert": "into", "delete": "from", "update": "update"}[words[0]]
	if at := slices.Index(words, behind); behind != "" && at >= 0 && at+1 < len(words) {
		words = words[at+1 : at+2]
	}
	var tables []string
	for _, word := range words {
		if of, ok := watchedTables[word]; ok {
			tables = append(append(tables, word), of.parts...)
		}
	}
	return tables
}

func keyed(parts ...any) string { return fmt.Sprintf("%q", parts) }
