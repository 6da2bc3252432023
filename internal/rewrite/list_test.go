package rewrite

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

var experiments, models = Lists[policy.ListExperiments], Lists[policy.ListModels]

// mlflow answers from a fixed list of rows, as MLflow does: at most so many, and a token when there are more.
type mlflow struct {
	t     *testing.T
	list  List
	count int
	calls int
}

func (m *mlflow) fetch(_ context.Context, offset, rows int) (json.RawMessage, error) {
	m.calls++
	if rows < 1 || rows > m.list.Most || offset < 0 {
		m.t.Fatalf("MLflow is asked for %d rows from %d on; it takes up to %d", rows, offset, m.list.Most)
	}
	p := Page{Next: -1}
	for i := offset; i < min(offset+rows, m.count); i++ {
		p.Rows = append(p.Rows, json.RawMessage(fmt.Sprintf(`{%q:"%d","name":"n%d"}`, m.list.ID, i, i)))
	}
	if offset+rows < m.count {
		p.Next = offset + rows
	}
	return m.list.Encode(p, next(p)), nil
}

func next(p Page) string {
	if p.Next < 0 {
		return ""
	}
	return Token(p.Next)
}

func only(readable func(id string) bool) Allowed {
	return func(_ context.Context, row Row) (bool, error) { return readable(row.ID), nil }
}

func ids(t *testing.T, p Page) []string {
	t.Helper()
	var found []string
	for _, raw := range p.Rows {
		var row map[string]string
		if err := json.Unmarshal(raw, &row); err != nil {
			t.Fatal(err)
		}
		found = append(found, row["experiment_id"])
	}
	return found
}

// Whatever may be read, and however long the pages: following the tokens gives every readable row once and in order, every
// page but the last is full, and every token leads to a readable row, so that nothing tells of the rows between.
func TestPagesAreFullAndComplete(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 9))
	for range 300 {
		m := &mlflow{t: t, list: experiments, count: random.IntN(60)}
		m.list.Most = 1 + random.IntN(20)
		readable, want := map[string]bool{}, []string(nil)
		share := random.Float64()
		for i := range m.count {
			if random.Float64() < share {
				readable[fmt.Sprint(i)] = true
				want = append(want, fmt.Sprint(i))
			}
		}
		size := 1 + random.IntN(m.list.Most)
		var got []string
		for start := 0; start >= 0; {
			page, err := m.list.Gather(t.Context(), start, size, m.fetch, only(func(id string) bool { return readable[id] }))
			if err != nil {
				t.Fatal(err)
			}
			found := ids(t, page)
			got = append(got, found...)
			if len(found) > size || (page.Next >= 0 && len(found) != size) {
				t.Fatalf("a page of %d has %d rows and goes on at %d", size, len(found), page.Next)
			}
			if page.Next >= 0 && !readable[fmt.Sprint(page.Next)] {
				t.Fatalf("the token leads to row %d, which may not be read", page.Next)
			}
			start = page.Next
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%d rows in pages of %d:\n%s", m.count, size, diff)
		}
	}
}

func TestGather(t *testing.T) {
	for name, c := range map[string]struct {
		count, start, want int
		readable           func(string) bool
		rows, next, calls  int
	}{
		"nothing there":                  {0, 0, 10, func(string) bool { return true }, 0, -1, 1},
		"nothing readable":               {100, 0, 10, func(string) bool { return false }, 0, -1, 2},
		"all readable":                   {100, 0, 10, func(string) bool { return true }, 10, 10, 1},
		"exactly one page":               {10, 0, 10, func(string) bool { return true }, 10, -1, 1},
		"a full page, the rest hidden":   {100, 0, 10, func(id string) bool { return len(id) == 1 }, 10, -1, 2},
		"from the second page":           {25, 20, 10, func(string) bool { return true }, 5, -1, 1},
		"behind the end":                 {25, 1000, 10, func(string) bool { return true }, 0, -1, 1},
		"the last row alone":             {100, 0, 10, func(id string) bool { return id == "99" }, 1, -1, 2},
		"the next readable row far away": {100, 0, 1, func(id string) bool { return id == "3" || id == "77" }, 1, 77, 2},
	} {
		m := &mlflow{t: t, list: experiments, count: c.count}
		page, err := m.list.Gather(t.Context(), c.start, c.want, m.fetch, only(c.readable))
		if err != nil || len(page.Rows) != c.rows || page.Next != c.next || m.calls != c.calls {
			t.Errorf("%s: %d rows, next %d, %d calls, %v; want %d, %d, %d", name, len(page.Rows), page.Next, m.calls, err, c.rows, c.next, c.calls)
		}
	}
}

// The attack: make one request cost the server endless reading. Behind the limit the page ends where the reading did.
func TestAttackEndlessScan(t *testing.T) {
	m := &mlflow{t: t, list: experiments, count: math.MaxInt32}
	m.list.Most = 2
	page, err := m.list.Gather(t.Context(), 0, 1, m.fetch, only(func(string) bool { return false }))
	if err != nil || m.calls != scanCalls || len(page.Rows) != 0 || page.Next != 2*scanCalls {
		t.Errorf("%d calls, next %d, %d rows, %v", m.calls, page.Next, len(page.Rows), err)
	}
}

func TestGatherFailsWithItsSources(t *testing.T) {
	broken := errs.New(errs.Unavailable, "down")
	m := &mlflow{t: t, list: experiments, count: 3}
	if _, err := experiments.Gather(t.Context(), 0, 1, func(context.Context, int, int) (json.RawMessage, error) { return nil, broken }, only(nil)); !errors.Is(err, broken) {
		t.Errorf("MLflow's failure gave %v", err)
	}
	page, err := experiments.Gather(t.Context(), 0, 1, m.fetch, func(context.Context, Row) (bool, error) { return true, broken })
	if !errors.Is(err, broken) || len(page.Rows) != 0 {
		t.Errorf("the decision's failure gave %v and %d rows", err, len(page.Rows))
	}
}

// A row that cannot be decided is not passed on, and neither is the page that it is in.
func TestAnswersThatCannotBeDecided(t *testing.T) {
	for name, answer := range map[string]string{
		"no JSON":         `<html>`,
		"no object":       `[]`,
		"rows no list":    `{"experiments":{}}`,
		"row no object":   `{"experiments":["1"]}`,
		"row is null":     `{"experiments":[null]}`,
		"no id":           `{"experiments":[{"name":"n"}]}`,
		"empty id":        `{"experiments":[{"experiment_id":"","name":"n"}]}`,
		"id no text":      `{"experiments":[{"experiment_id":1,"name":"n"}]}`,
		"no name":         `{"experiments":[{"experiment_id":"1"}]}`,
		"second row only": `{"experiments":[{"experiment_id":"1","name":"n"},{"id":"2","name":"n"}]}`,
	} {
		page, err := experiments.Gather(t.Context(), 0, 10, func(context.Context, int, int) (json.RawMessage, error) { return json.RawMessage(answer), nil },
			only(func(string) bool { return true }))
		if !errs.Is(err, errs.BadGateway) || len(page.Rows) != 0 {
			t.Errorf("%s gave %v and %d rows", name, err, len(page.Rows))
		}
	}
}

func TestEncodeWritesAsMLflow(t *testing.T) {
	row := json.RawMessage(`{"name":"<a> & b","creation_time":1700000000000}`)
	for _, c := range []struct {
		page Page
		want string
	}{
		{Page{Next: -1}, `{}`},
		{Page{Rows: []json.RawMessage{row, row}, Next: -1}, `{"registered_models":[` + string(row) + `,` + string(row) + `]}`},
		{Page{Rows: []json.RawMessage{row}, Next: 7}, `{"registered_models":[` + string(row) + `],"next_page_token":"eyJvZmZzZXQiOiA3fQ=="}`},
		{Page{Next: 7}, `{"next_page_token":"eyJvZmZzZXQiOiA3fQ=="}`},
	} {
		if got := string(models.Encode(c.page, next(c.page))); got != c.want {
			t.Errorf("%s; want %s", got, c.want)
		}
	}
}

func TestTokensAreMLflows(t *testing.T) {
	for offset, token := range map[int]string{ // base64.b64encode(json.dumps({"offset": n}).encode())
		1: "eyJvZmZzZXQiOiAxfQ==", 10: "eyJvZmZzZXQiOiAxMH0=", 100: "eyJvZmZzZXQiOiAxMDB9", 12345678901: "eyJvZmZzZXQiOiAxMjM0NTY3ODkwMX0=",
	} {
		if got := Token(offset); got != token {
			t.Errorf("the token of %d is %s, want %s", offset, got, token)
		}
		if got, err := Offset(token); err != nil || got != offset {
			t.Errorf("%s leads to %d, %v", token, got, err)
		}
	}
	if got, err := Offset(""); err != nil || got != 0 {
		t.Errorf("no token leads to %d, %v", got, err)
	}
	for _, said := range []string{`{"offset": -1}`, `{"offset": "5"}`, `{"offset": 1.5}`, `{"offset": null}`, `{}`, `[]`, `5`, `{"offset": 1`, `{"offset": 9223372036854775808}`, `{"offset": true}`} {
		if got, err := Offset(base64.StdEncoding.EncodeToString([]byte(said))); !errs.Is(err, errs.Invalid) {
			t.Errorf("%s leads to %d, %v", said, got, err)
		}
	}
	for _, token := range []string{"x", "!", "eyJvZmZzZXQiOiAxfQ", "eyJvZmZzZXQiOiAxfQ===", " eyJvZmZzZXQiOiAxfQ==", strings.Repeat("A", 1001)} {
		if got, err := Offset(token); !errs.Is(err, errs.Invalid) {
			t.Errorf("%q leads to %d, %v", token, got, err)
		}
	}
}

// What is read as a token is an offset, and its own token leads there too.
func FuzzOffset(f *testing.F) {
	for _, seed := range []string{"", Token(1), Token(math.MaxInt), "eyJPRkZTRVQiOjF9", "e30=", "=="} {
		f.Add(seed, 5)
	}
	f.Fuzz(func(t *testing.T, token string, n int) {
		if offset, err := Offset(token); err == nil {
			if again, err := Offset(Token(offset)); offset < 0 || err != nil || again != offset {
				t.Fatalf("%q leads to %d, and its token to %d, %v", token, offset, again, err)
			}
		} else if !errs.Is(err, errs.Invalid) {
			t.Fatalf("%q gave %v", token, err)
		}
		if again, err := Offset(Token(n)); (n >= 0) != (err == nil) || (err == nil && again != n) {
			t.Fatalf("the token of %d leads to %d, %v", n, again, err)
		}
	})
}

// Somebody stores rows that are large together, or one that is too large alone: the others still find theirs.
func TestGatherReadsLargeRowsInParts(t *testing.T) {
	const huge, large, small = 1000, 300, 1 // of 1000 that are read at once
	for name, sizes := range map[string][]int{
		"large together":         {large, large, small, large, large, large, small, large, large, large, small, large},
		"too large alone":        {small, large, small, huge + 1, small, large, small},
		"too large at the start": {huge + 1, small, small, small},
		"too large at the end":   {small, small, small, huge + 1},
		"nothing but too large":  {huge + 1, huge + 1},
	} {
		t.Run(name, func(t *testing.T) {
			m := &mlflow{t: t, list: experiments, count: len(sizes)}
			fetch := func(ctx context.Context, offset, rows int) (json.RawMessage, error) {
				total := 0
				for _, size := range sizes[min(offset, len(sizes)):min(offset+rows, len(sizes))] {
					total += size
				}
				if total > huge {
					return nil, ErrTooLarge
				}
				return m.fetch(ctx, offset, rows)
			}
			var want, got []string
			for i, size := range sizes {
				if size == small {
					want = append(want, strconv.Itoa(i))
				}
			}
			for start := 0; start >= 0; {
				page, err := experiments.Gather(t.Context(), start, 2, fetch, only(func(id string) bool { return slices.Contains(want, id) }))
				if err != nil || len(got) > len(sizes) {
					t.Fatalf("from %d: %v; got %v", start, err, got)
				}
				got, start = append(got, ids(t, page)...), page.Next
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
