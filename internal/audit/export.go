package audit

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Reader gives entries, newest first.
type Reader interface {
	Audit(ctx context.Context, q Query) ([]Entry, error)
}

// Shown is an entry as it is given away.
type Shown struct {
	ID         int64  `json:"id"`
	Time       string `json:"time" format:"date-time"`
	Name       Name   `json:"name"`
	By         string `json:"by,omitempty" doc:"who did it"`
	Account    string `json:"account,omitempty" doc:"the user whom it is about, or who was claimed to be"`
	Group      string `json:"group,omitempty"`
	Kind       string `json:"kind,omitempty"`
	Resource   string `json:"resource,omitempty"`
	Workspace  string `json:"workspace,omitempty"`
	RequestID  string `json:"request_id,omitempty" doc:"the same in all events of one request"`
	Client     string `json:"client,omitempty" doc:"the address"`
	Agent      string `json:"agent,omitempty" doc:"the beginning of the user agent"`
	Actor      string `json:"actor,omitempty" doc:"who acts for whoever did it"`
	UserID     int64  `json:"user_id,omitempty"`
	Provider   string `json:"provider,omitempty"`
	Subject    string `json:"subject,omitempty"`
	Credential string `json:"credential,omitempty"`
	Token      string `json:"token,omitempty"`
	Route      string `json:"route,omitempty"`
	Path       string `json:"path,omitempty" doc:"method and path of the request"`
	Cause      string `json:"cause,omitempty"`
	Reason     string `json:"reason,omitempty"`
	Count      int    `json:"count,omitempty" doc:"of refusals: how many more there were that are alike"`
	Before     State  `json:"before,omitempty" doc:"what was there; of a change what differs alone"`
	After      State  `json:"after,omitempty" doc:"what is there now"`
}

// Shown is the entry as it is given away.
func (e Entry) Shown() Shown {
	return Shown{e.ID, e.At.UTC().Format(timeForm), e.Name, e.By, e.Account, e.Group, e.Kind, e.Resource, e.Workspace, e.Request, e.Client, e.Agent, e.Actor,
		e.UserID, e.Provider, e.Subject, e.Credential, e.Token, e.Route, e.Path, e.Cause, e.Reason, e.Count, e.Before, e.After}
}

const timeForm = "2006-01-02T15:04:05.000Z07:00"

// ParseTime reads a time of a search: a moment, or the day that begins with it.
func ParseTime(text string) (time.Time, error) {
	for _, form := range []string{time.RFC3339Nano, time.DateOnly} {
		if at, err := time.Parse(form, text); err == nil && at.Year() >= 1970 {
			return at.UTC(), nil
		}
	}
	return time.Time{}, errors.New("a time is written as 2027-01-31 or 2027-01-31T12:00:00Z")
}

// Writer writes entries in some format.
type Writer interface {
	Write(e Entry) error
	Flush() error
}

// Formats are those that there are for export.
var Formats = []string{"jsonl", "csv"}

// NewWriter makes the writer of a format.
func NewWriter(w io.Writer, format string) (Writer, error) {
	buffered := bufio.NewWriter(w)
	switch format {
	case "jsonl":
		return lines{buffered, json.NewEncoder(buffered)}, nil
	case "csv":
		table := csv.NewWriter(buffered)
		return cells{buffered, table}, table.Write(columns)
	}
	return nil, fmt.Errorf("it must be %s", strings.Join(Formats, " or "))
}

type lines struct {
	to      *bufio.Writer
	encoder *json.Encoder
}

// Write writes an event.
func (l lines) Write(e Entry) error { return l.encoder.Encode(e.Shown()) }

// Flush writes what waits.
func (l lines) Flush() error { return l.to.Flush() }

var columns = []string{"id", "time", "name", "by", "account", "group", "kind", "resource", "workspace", "request_id", "client", "agent", "actor", "user_id",
	"provider", "subject", "credential", "token", "route", "path", "cause", "reason", "count", "before", "after"}

type cells struct {
	to    *bufio.Writer
	table *csv.Writer
}

// Write writes an event.
func (c cells) Write(e Entry) error {
	row := []string{strconv.FormatInt(e.ID, 10), e.At.UTC().Format(timeForm), string(e.Name), e.By, e.Account, e.Group, e.Kind, e.Resource, e.Workspace, e.Request, e.Client,
		e.Agent, e.Actor, number(e.UserID), e.Provider, e.Subject, e.Credential, e.Token, e.Route, e.Path, e.Cause, e.Reason, number(int64(e.Count)), e.Before.json(), e.After.json()}
	for i, cell := range row {
		row[i] = harmless(cell)
	}
	return c.table.Write(row)
}

// Flush writes what waits.
func (c cells) Flush() error {
	c.table.Flush()
	return errors.Join(c.table.Error(), c.to.Flush())
}

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func (s State) json() string {
	if len(s) == 0 {
		return ""
	}
	text, _ := json.Marshal(s) // all of it is JSON's own
	return string(text)
}

// harmless gives a cell that no spreadsheet takes for a formula: others choose names and user agents.
func harmless(cell string) string {
	if rest := strings.TrimLeft(cell, " \t\r\n\u00a0"); rest != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(rest)[0]) {
		return "'" + cell
	}
	return cell
}

const exported = 500 // entries that are read at once

// Export writes the entries that a query chooses; most is how many, 0 for all of them.
func Export(ctx context.Context, from Reader, q Query, most int, w Writer) error {
	for n := 0; most == 0 || n < most; {
		q.Most = exported
		if most > 0 {
			q.Most = min(exported, most-n)
		}
		some, err := from.Audit(ctx, q)
		if err != nil {
			return err
		}
		for _, e := range some {
			if err := w.Write(e); err != nil {
				return err
			}
			q.After = e.Place()
		}
		if n += len(some); len(some) < q.Most {
			break
		}
	}
	return w.Flush()
}

// of is what a page token is bound to: everything that chooses, but for where it begins.
func (q Query) of() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d %q", q.Since.UnixMilli(), q.Until.UnixMilli(),
		[]string{q.Name, q.By, q.Account, q.Group, q.Kind, q.Resource, q.Workspace, q.Request, q.Client}))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// PageToken is where the next page of a query begins, after an entry.
func (q Query) PageToken(last Entry) string {
	at := last.Place()
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d.%d.%s", at.At, at.ID, q.of()))
}

// ErrPageToken says that a page token is not one of the query.
var ErrPageToken = errors.New("page_token is not one that this server gave for this search")

// From has the query begin where a page token says.
func (q Query) From(token string) (Query, error) {
	text, err := base64.RawURLEncoding.DecodeString(token)
	parts := strings.Split(string(text), ".")
	if err != nil || len(parts) != 3 || parts[2] != q.of() {
		return q, ErrPageToken
	}
	at, wrong := strconv.ParseInt(parts[0], 10, 64)
	id, bad := strconv.ParseInt(parts[1], 10, 64)
	if wrong != nil || bad != nil || at < 0 || id <= 0 {
		return q, ErrPageToken
	}
	q.After = Place{at, id}
	if q.PageToken(Entry{ID: id, At: time.UnixMilli(at)}) != token { // one spelling
		return q, ErrPageToken
	}
	return q, nil
}
