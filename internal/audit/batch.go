package audit

import (
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

// alike are refusals that are one.
type alike struct {
	name                                                                Name
	by, account, kind, resource, workspace, route, path, reason, client string
}

// source is who has refusals happen: a person in a network, or whoever is there.
type source struct{ by, network string }

func (a alike) source() source { return source{a.by, httpx.Network(a.client)} }

// window is a time in which refusals that are alike are counted.
type window struct {
	last  Entry
	more  int
	until time.Time
}

// batch is what waits to be kept.
type batch struct {
	pending []Entry
	open    map[alike]*window
	sources map[source]int // windows that are open for each of them
	left    int64          // that were not told apart, for there were too many
	failing bool
	allowed float64 // refusals that may be written
	since   time.Time
}

func newBatch(now time.Time) *batch {
	return &batch{open: map[alike]*window{}, sources: map[source]int{}, allowed: burst, since: now}
}

// add takes an entry. The first of those that are alike is kept at once, and how many more there were at the end of a while.
func (b *batch) add(e Entry, now time.Time) {
	if !refusals[e.Name] {
		b.pending = append(b.pending, e)
		return
	}
	key := alike{e.Name, e.By, e.Account, e.Kind, e.Resource, e.Workspace, e.Route, e.Path, e.Reason, e.Client}
	if _, ok := b.open[key]; !ok && b.sources[key.source()] >= perSource { // whoever varies what is asked for is told apart no more
		key = alike{name: e.Name, by: e.By, client: httpx.Network(e.Client)}
		e.Event = Event{Name: e.Name, By: e.By, Actor: e.Actor, Reason: "many that differ, from one source"}
	}
	if w, ok := b.open[key]; ok && now.Before(w.until) {
		w.more++
		w.last = e
		return
	}
	b.allowed = min(burst, b.allowed+now.Sub(b.since).Seconds()*perSecond)
	b.since = now
	least := 1.0
	if e.By == "" { // whoever has not signed in leaves half to those who have
		least = burst / 2
	}
	if len(b.open) >= windows || b.allowed < least {
		b.left++
		return
	}
	b.allowed--
	b.close(key)
	b.open[key] = &window{last: e, until: now.Add(collapsing)}
	b.sources[key.source()]++
	b.pending = append(b.pending, e)
}

// sweep ends the windows whose time is over, or all.
func (b *batch) sweep(now time.Time, all bool) {
	for key, w := range b.open {
		if all || !now.Before(w.until) {
			b.close(key)
		}
	}
}

func (b *batch) close(key alike) {
	w, ok := b.open[key]
	if !ok {
		return
	}
	if w.more > 0 {
		w.last.Count = w.more
		b.pending = append(b.pending, w.last)
	}
	delete(b.open, key)
	if b.sources[key.source()]--; b.sources[key.source()] <= 0 {
		delete(b.sources, key.source())
	}
}
