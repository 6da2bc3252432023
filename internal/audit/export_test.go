package audit

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// rows are entries, newest first (Reader).
type rows []Entry

// Audit gives those after a place (Reader).
func (r rows) Audit(_ context.Context, q Query) ([]Entry, error) {
	var all []Entry
	for _, e := range r {
		if q.After == (Place{}) || e.ID < q.After.ID {
			all = append(all, e)
		}
	}
	return all[:min(q.Most, len(all))], nil
}

func TestExportGivesEverythingOnce(t *testing.T) {
	var all rows
	for i := range 3 * exported {
		all = append(all, Entry{ID: int64(3*exported - i), At: time.UnixMilli(5), Event: Event{Name: GrantGiven}})
	}
	for most, want := range map[int]int{0: 3 * exported, 1: 1, exported: exported, exported + 1: exported + 1, 5 * exported: 3 * exported} {
		var out bytes.Buffer
		w, err := NewWriter(&out, "jsonl")
		if err != nil {
			t.Fatal(err)
		}
		if err := Export(t.Context(), all, Query{}, most, w); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(out.String(), "\n"); got != want {
			t.Errorf("%d lines of at most %d, want %d", got, most, want)
		}
	}
}

func TestFormatsOfExport(t *testing.T) {
	e := Entry{ID: 7, At: time.Date(2027, 1, 2, 3, 4, 5, 6e6, time.UTC), Event: Event{Name: GrantChanged, By: "ann", Account: "bob", Kind: "experiment", Resource: "1",
		Before: State{"level": "READ"}, After: State{"level": "EDIT", "priority": 2}, Count: 3}, Origin: Origin{Client: "192.0.2.1", Agent: "x", Request: "q", Path: "GET /x"}}
	want := map[string]string{
		"jsonl": `{"id":7,"time":"2027-01-02T03:04:05.006Z","name":"grant_changed","by":"ann","account":"bob","kind":"experiment","resource":"1","request_id":"q","client":"192.0.2.1",` +
			`"agent":"x","path":"GET /x","count":3,"before":{"level":"READ"},"after":{"level":"EDIT","priority":2}}` + "\n",
		"csv": strings.Join(columns, ",") + "\n" + `7,2027-01-02T03:04:05.006Z,grant_changed,ann,bob,,experiment,1,,q,192.0.2.1,x,,,,,,,,GET /x,,,3,"{""level"":""READ""}","{""level"":""EDIT"",""priority"":2}"` + "\n",
	}
	for format, text := range want {
		var out bytes.Buffer
		w, err := NewWriter(&out, format)
		if err != nil || w.Write(e) != nil || w.Flush() != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(text, out.String()); diff != "" {
			t.Error(diff)
		}
	}
	if _, err := NewWriter(&bytes.Buffer{}, "xml"); err == nil {
		t.Error("there is a format that is none")
	}
}

// The attack: a name or a user agent that a spreadsheet takes for a formula.
func FuzzAttackFormulas(f *testing.F) {
	for _, text := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r\n=1", " =1", "'=1", "\uff1d1", "a,b\n=1", "\"=1", "\u00a0@x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var out bytes.Buffer
		w, err := NewWriter(&out, "csv")
		e := Entry{ID: 1, Event: Event{Name: CredentialRefused, By: text, Account: text, Resource: text}, Origin: Origin{Agent: text}}.Clean()
		if err != nil || w.Write(e) != nil || w.Flush() != nil {
			t.Fatal(err)
		}
		table, err := csv.NewReader(&out).ReadAll()
		if err != nil || len(table) != 2 || len(table[1]) != len(columns) {
			t.Fatalf("%q makes %q, %v", text, table, err)
		}
		for _, cell := range table[1] {
			if strings.HasPrefix(cell, "'") {
				continue
			}
			if rest := strings.TrimSpace(cell); rest != "" && strings.ContainsAny(rest[:1], "=+-@") {
				t.Errorf("%q is a formula", cell)
			}
		}
	})
}

// The attack: a page token that nobody gave, or of another search.
func FuzzAttackPageTokens(f *testing.F) {
	q := Query{Name: "grant_given", Since: time.UnixMilli(7)}
	good := q.PageToken(Entry{ID: 5, At: time.UnixMilli(9)})
	f.Add(good)
	f.Add(Query{Name: "grant_taken"}.PageToken(Entry{ID: 5, At: time.UnixMilli(9)}))
	f.Add("")
	f.Add(good + "=")
	f.Fuzz(func(t *testing.T, token string) {
		at, err := q.From(token)
		if err != nil {
			if !errors.Is(err, ErrPageToken) {
				t.Error(err)
			}
			return
		}
		if at.PageToken(Entry{ID: at.After.ID, At: time.UnixMilli(at.After.At)}) != token || at.After.ID <= 0 {
			t.Errorf("%q leads to %+v", token, at.After)
		}
	})
	for name, other := range map[string]Query{"name": {Name: "x", Since: q.Since}, "since": {Name: q.Name}, "until": {Name: q.Name, Since: q.Since, Until: time.UnixMilli(8)},
		"by": {Name: q.Name, Since: q.Since, By: "x"}, "account": {Name: q.Name, Since: q.Since, Account: "x"}} {
		if _, err := other.From(good); err == nil {
			f.Errorf("it is good for another %s", name)
		}
	}
	if at, err := q.From(good); err != nil || at.After != (Place{9, 5}) {
		f.Errorf("%+v, %v", at, err)
	}
}

func TestTimesOfSearches(t *testing.T) {
	for text, want := range map[string]int64{"2027-01-31": 1801353600000, "2027-01-31T12:00:00Z": 1801396800000, "2027-01-31T12:00:00.5+01:00": 1801393200500} {
		if at, err := ParseTime(text); err != nil || at.UnixMilli() != want {
			t.Errorf("%s is %v, %v", text, at.UnixMilli(), err)
		}
	}
	for _, text := range []string{"", "yesterday", "2027-13-01", "2027-01-31 12:00", "0001-01-01", "1969-12-31T23:59:59Z"} {
		if at, err := ParseTime(text); err == nil {
			t.Errorf("%q is %v", text, at)
		}
	}
}
