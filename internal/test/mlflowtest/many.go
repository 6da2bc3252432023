package mlflowtest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Many answers about experiments as MLflow 3.17.2 does, in pages and by filters. A real one takes minutes to have very many made.
type Many struct {
	Address string

	mu    sync.Mutex
	all   map[string]*many
	times []*many // in the order in which they were changed; what was changed again is twice in it
	clock int64
	calls int
	rows  int
	Old   bool // it knows no filter of ids, as MLflow 3.5 does not
}

type many struct {
	ID      string              `json:"experiment_id"`
	Name    string              `json:"name"`
	Stage   string              `json:"lifecycle_stage"`
	Updated int64               `json:"last_update_time"`
	Tags    []map[string]string `json:"tags"`
}

// NewMany starts one with so many experiments, whose ids begin with 1.
func NewMany(t testing.TB, n int, name func(int) string) *Many {
	t.Helper()
	m := &Many{all: make(map[string]*many, n), clock: 1_700_000_000_000}
	for i := 1; i <= n; i++ {
		m.Set(strconv.Itoa(i), name(i))
	}
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	m.Address = server.URL
	return m
}

// Set makes an experiment, or renames it, in MLflow alone. Its clock goes on by two minutes.
func (m *Many) Set(id, name string) { m.change(id, func(e *many) { e.Name, e.Stage = name, "active" }) }

// Delete puts an experiment into the trash, in MLflow alone.
func (m *Many) Delete(id string) { m.change(id, func(e *many) { e.Stage = "deleted" }) }

func (m *Many) change(id string, change func(*many)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clock += 120_000
	e := &many{ID: id, Tags: []map[string]string{{"key": "team", "value": id}}}
	if before := m.all[id]; before != nil {
		*e = *before
	}
	change(e)
	e.Updated = m.clock
	m.all[id] = e
	m.times = append(m.times, e)
}

// Asked gives how many questions came since the last time, and how many experiments were answered.
func (m *Many) Asked() (calls, rows int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	calls, rows = m.calls, m.rows
	m.calls, m.rows = 0, 0
	return calls, rows
}

var (
	since   = regexp.MustCompile(`^last_update_time >= (\d+)$`)
	oneOf   = regexp.MustCompile(`^experiment_id IN \(('\d+'(?:,'\d+')*)\)$`)
	orderBy = regexp.MustCompile(`^(last_update_time|experiment_id) DESC$`)
)

// ServeHTTP answers (http.Handler).
func (m *Many) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch r.URL.Path {
	case "/api/2.0/mlflow/experiments/search":
		m.search(w, r)
	case "/api/2.0/mlflow/experiments/get":
		m.calls++
		if e := m.all[r.URL.Query().Get("experiment_id")]; e != nil {
			answer(w, 200, map[string]any{"experiment": e})
			return
		}
		answer(w, 404, map[string]string{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none"})
	default: // health and the like
		answer(w, 200, map[string]any{})
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whoever asked may have gone
}

func (m *Many) search(w http.ResponseWriter, r *http.Request) {
	var q struct {
		View   string   `json:"view_type"`
		Filter string   `json:"filter"`
		Order  []string `json:"order_by"`
		Most   int      `json:"max_results"`
		Token  string   `json:"page_token"`
	}
	q.View = "ACTIVE_ONLY"
	if r.Method == http.MethodGet {
		q.Filter, q.Token = r.URL.Query().Get("filter"), r.URL.Query().Get("page_token")
		q.Most, _ = strconv.Atoi(r.URL.Query().Get("max_results")) // 0 is refused
	} else if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		q.Most = 0
	}
	found, ok := m.found(q.Filter, q.Order, q.View == "ALL")
	if !ok || q.Most < 1 || q.Most > 50_000 {
		answer(w, 400, map[string]string{"error_code": "INVALID_PARAMETER_VALUE", "message": fmt.Sprintf("%+v", q)})
		return
	}
	offset := 0
	if q.Token != "" {
		text, _ := base64.StdEncoding.DecodeString(q.Token) // they are our own
		offset, _ = strconv.Atoi(string(text))
	}
	found = found[min(offset, len(found)):]
	page := map[string]any{}
	if len(found) > q.Most {
		found = found[:q.Most]
		page["next_page_token"] = base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(offset + q.Most)))
	}
	page["experiments"] = found
	m.calls++
	m.rows += len(found)
	answer(w, 200, page)
}

// found gives what a filter finds, the newest first; it looks at no more than that.
func (m *Many) found(filter string, order []string, deleted bool) (found []*many, ok bool) {
	keep := func(e *many) {
		if m.all[e.ID] == e && (deleted || e.Stage == "active") {
			found = append(found, e)
		}
	}
	if len(order) > 0 && !orderBy.MatchString(order[0]) {
		return nil, false
	}
	if ids := oneOf.FindStringSubmatch(filter); ids != nil && !m.Old {
		for _, id := range strings.Split(strings.ReplaceAll(ids[1], "'", ""), ",") {
			if e := m.all[id]; e != nil {
				keep(e)
			}
		}
		return found, true
	}
	from := int64(0)
	if at := since.FindStringSubmatch(filter); at != nil {
		from, _ = strconv.ParseInt(at[1], 10, 64) // digits
	} else if filter != "" {
		return nil, false
	}
	for _, e := range slices.Backward(m.times) {
		if e.Updated < from {
			break
		}
		keep(e)
	}
	return found, true
}
