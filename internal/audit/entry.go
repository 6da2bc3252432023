package audit

import (
	"context"
	"encoding/json"
	"time"
)

// Entry is an event as it is kept: when it was, and where it came from.
type Entry struct {
	ID int64
	At time.Time
	Event
	Origin
}

// Stamp makes an entry of an event, with the author and the origin of its context.
func Stamp(ctx context.Context, e Event, at time.Time) Entry {
	return Entry{At: at.UTC().Truncate(time.Millisecond), Event: Authored(ctx, e), Origin: originOf(ctx)}
}

// How many characters the columns have that are searched; the last one is for the mark of what was cut.
const (
	longName  = 254
	longPlace = 511
	longValue = 1000
)

// Clean gives the entry with every value short and seen, as it is stored.
func (e Entry) Clean() Entry {
	for _, field := range []*string{&e.By, &e.Account, &e.Group, &e.Workspace, &e.Provider, &e.Subject, &e.Credential, &e.Token, &e.Cause, &e.Actor, &e.Client, &e.Agent, &e.Request} {
		*field = clean(*field, longName)
	}
	e.Kind, e.Workspace, e.Client, e.Request = clean(e.Kind, 63), clean(e.Workspace, 63), clean(e.Client, 63), clean(e.Request, 63)
	e.Resource = clean(e.Resource, longPlace)
	e.Route, e.Reason, e.Path = clean(e.Route, longValue), clean(e.Reason, longValue), clean(e.Path, longValue)
	e.Before, e.After = e.Before.clean(), e.After.clean()
	return e
}

// Without gives what a state has in another way than another state, or alone.
func (s State) Without(other State) State {
	left := State{}
	for name, value := range s {
		if was, ok := other[name]; !ok || was != value {
			left[name] = value
		}
	}
	return left
}

func (s State) clean() State {
	if len(s) == 0 {
		return nil
	}
	all := make(State, len(s))
	for name, value := range s {
		all[name] = cleaned(value, longValue)
	}
	return all
}

// details are what is kept of an entry beside what is searched.
type details struct {
	UserID     int64  `json:"user_id,omitempty"`
	Provider   string `json:"provider,omitempty"`
	Subject    string `json:"subject,omitempty"`
	Credential string `json:"credential,omitempty"`
	Token      string `json:"token,omitempty"`
	Route      string `json:"route,omitempty"`
	Cause      string `json:"cause,omitempty"`
	Reason     string `json:"reason,omitempty"`
	Count      int    `json:"count,omitempty"`
	Actor      string `json:"actor,omitempty"`
	Agent      string `json:"agent,omitempty"`
	Path       string `json:"path,omitempty"`
	Before     State  `json:"before,omitempty"`
	After      State  `json:"after,omitempty"`
}

// Details gives as JSON what no column of its own has.
func (e Entry) Details() string {
	text, _ := json.Marshal(details{e.UserID, e.Provider, e.Subject, e.Credential, e.Token, e.Route, e.Cause, e.Reason, e.Count, e.Actor, e.Agent, e.Path, e.Before, e.After}) // all of it is JSON's own
	return string(text)
}

// ReadDetails reads what Details gave.
func (e *Entry) ReadDetails(text string) error {
	var d details
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return err
	}
	e.UserID, e.Provider, e.Subject, e.Credential, e.Token, e.Route, e.Cause = d.UserID, d.Provider, d.Subject, d.Credential, d.Token, d.Route, d.Cause
	e.Reason, e.Count, e.Actor, e.Agent, e.Path, e.Before, e.After = d.Reason, d.Count, d.Actor, d.Agent, d.Path, d.Before, d.After
	return nil
}

// Query chooses entries; what is empty chooses all.
type Query struct {
	Since, Until time.Time // from the one, and before the other
	Name         string
	By           string
	Account      string
	Group        string
	Kind         string
	Resource     string
	Workspace    string
	Request      string
	Client       string
	After        Place // the last one that was given, newest first
	Most         int   // how many at once
}

// Place is where an entry is in the order of all: by time, and by number at one time. The zero one is before the first.
type Place struct{ At, ID int64 }

// Place is where the entry is.
func (e Entry) Place() Place { return Place{e.At.UnixMilli(), e.ID} }
