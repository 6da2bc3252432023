package upstream

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// Listed is a resource as an index has it.
type Listed struct {
	Item          // of an experiment its id and name alone
	Folded string // the name without regard to case
}

// How long an index is good. MLflow tells which experiments have changed since, and so theirs is asked for each second; of other
// kinds all must be read again, which goes on beside while they are listed from what was read before.
const (
	experimentsFresh = nameLifetime
	othersFresh      = 2 * time.Second
	othersUsable     = 30 * time.Second
	readAllAgain     = 10 * time.Minute // what MLflow does not tell of: what was deleted for good, or put in place by a restored database
	readingMost      = 5 * time.Minute
	unused           = 15 * time.Minute // after which an index is given up
	mostIndexes      = 64               // of kinds and workspaces
)

// resources is one kind in one workspace.
type resources struct {
	workspace string
	kind      kind.Name
}

// indexes are the resources of MLflow by their kinds and workspaces, in the order in which they are listed. They are for lists, which need
// all names to search, sort and count; what is listed of them is decided, and read again where its name decides.
type indexes struct {
	mlflow *MLflow
	all    *otter.Cache[resources, *index]
	now    func() time.Time
}

func newIndexes(m *MLflow) (*indexes, error) {
	all, err := otter.New(&otter.Options[resources, *index]{MaximumSize: mostIndexes, ExpiryCalculator: otter.ExpiryAccessing[resources, *index](unused)})
	return &indexes{mlflow: m, all: all, now: time.Now}, err
}

// index is what is known of one kind in one workspace. One reading at a time is under way, for all who wait.
type index struct {
	sync.Mutex
	known   *snapshot // nil: nothing yet
	whole   *snapshot // all read anew, from which the next reading goes on; nil: none
	healing bool      // that is being read
	healed  time.Time // when that was begun the last time
	changed int       // counts the changes made through this gateway
	under   *reading  // nil: none
}

// reading is one look at MLflow.
type reading struct {
	since int // the changes that were made before it
	began time.Time
	done  chan struct{}
	got   *snapshot
	err   error
}

// snapshot is what MLflow said. It does not change.
type snapshot struct {
	rows  []Listed
	read  time.Time // when MLflow was asked
	all   time.Time // when it was asked for all
	since int       // the changes that were made before
	last  int64     // of experiments: up to which of MLflow's times all changes are in it, in milliseconds
}

// Listed gives all resources of a kind in the order of their names without regard to case, as MLflow had them a moment ago, and with
// every change that was made through this gateway. The rows are everybody's: whoever shows them decides on each.
func (m *MLflow) Listed(ctx context.Context, k kind.Name) ([]Listed, error) {
	return m.indexes.rows(ctx, m.index(ctx, k), k)
}

// ListSoon begins to read what Listed will be asked for, where it is not known yet: of very many experiments that takes its time.
func (m *MLflow) ListSoon(ctx context.Context, k kind.Name) {
	x := m.index(ctx, k)
	x.Lock()
	defer x.Unlock()
	if x.known == nil && x.under == nil {
		m.indexes.begin(ctx, x, k)
	}
}

func (m *MLflow) index(ctx context.Context, k kind.Name) *index {
	x, _ := m.indexes.all.ComputeIfAbsent(resources{workspace.Of(ctx).Name, k}, func() (*index, bool) { return &index{}, false })
	return x
}

// Changed says that something was made, renamed or deleted in the context's workspace: whoever made it is to see it listed.
func (m *MLflow) Changed(ctx context.Context) {
	for k := range searches {
		if x, ok := m.indexes.all.GetIfPresent(resources{workspace.Of(ctx).Name, k}); ok {
			x.Lock()
			x.changed++
			x.Unlock()
		}
	}
}

// ForgetListed drops all that is known of a workspace, which is deleted with what is in it.
func (m *MLflow) ForgetListed(name string) {
	for k := range searches {
		m.indexes.all.Invalidate(resources{name, k})
	}
}

func (i *indexes) rows(ctx context.Context, x *index, k kind.Name) ([]Listed, error) {
	fresh, usable := othersFresh, othersUsable
	if k == kind.Experiment {
		fresh, usable = experimentsFresh, experimentsFresh
	}
	x.Lock()
	arrived, changed := i.now(), x.changed
	if known := x.known; known != nil && known.since == changed && arrived.Sub(known.read) < usable {
		if arrived.Sub(known.read) >= fresh && x.under == nil {
			i.begin(ctx, x, k)
		}
		x.Unlock()
		return known.rows, nil
	}
	for { // a reading that began before the last change may not have it
		if x.under == nil {
			i.begin(ctx, x, k)
		}
		under := x.under
		x.Unlock()
		select {
		case <-under.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if under.err != nil {
			return nil, under.err
		}
		if under.since >= changed {
			return under.got.rows, nil
		}
		x.Lock()
	}
}

// begin reads what MLflow has now, whether or not whoever asked goes on waiting. It is called with the lock held.
func (i *indexes) begin(ctx context.Context, x *index, k kind.Name) {
	r := &reading{since: x.changed, began: i.now(), done: make(chan struct{})}
	x.under = r
	from := x.known
	if x.whole != nil {
		from, x.whole = x.whole, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readingMost)
	go func() {
		defer cancel()
		r.got, r.err = i.read(ctx, k, from, r)
		x.Lock()
		x.under = nil
		if r.err == nil {
			x.known = r.got
		}
		if r.err == nil && k == kind.Experiment && r.began.Sub(r.got.all) > readAllAgain && !x.healing && r.began.Sub(x.healed) > readAllAgain {
			x.healing, x.healed = true, r.began
			go i.heal(context.WithoutCancel(ctx), x, k)
		}
		x.Unlock()
		close(r.done)
	}()
}

// heal reads all anew, for the next reading to go on from.
func (i *indexes) heal(ctx context.Context, x *index, k kind.Name) {
	ctx, cancel := context.WithTimeout(ctx, readingMost)
	defer cancel()
	whole, err := i.read(ctx, k, nil, &reading{began: i.now()})
	if err != nil {
		i.mlflow.log.InfoContext(ctx, "the resources of MLflow could not be read anew", "kind", k, "error", err)
	}
	x.Lock()
	defer x.Unlock()
	x.healing, x.whole = false, whole
}

func (i *indexes) read(ctx context.Context, k kind.Name, from *snapshot, r *reading) (*snapshot, error) {
	var got *snapshot
	var err error
	if k == kind.Experiment {
		got, err = i.readExperiments(ctx, from, r.began)
	} else {
		got, err = i.readOthers(ctx, k)
	}
	if err != nil {
		return nil, err
	}
	got.read, got.since = r.began, r.since
	if got.all.IsZero() {
		got.all = r.began
	}
	return got, nil
}

func (i *indexes) readOthers(ctx context.Context, k kind.Name) (*snapshot, error) {
	items, err := i.mlflow.All(ctx, k)
	if err != nil {
		return nil, err
	}
	rows := make([]Listed, len(items))
	for n, item := range items {
		rows[n] = Listed{item, strings.ToLower(item.Name)}
	}
	return &snapshot{rows: sorted(rows)}, nil
}

// sorted puts rows into the order of lists: of names without regard to case, and then of names.
func sorted(rows []Listed) []Listed {
	slices.SortFunc(rows, func(a, b Listed) int {
		if order := strings.Compare(a.Folded, b.Folded); order != 0 {
			return order
		}
		if order := strings.Compare(a.Name, b.Name); order != 0 {
			return order
		}
		return strings.Compare(a.ID, b.ID)
	})
	return rows
}
