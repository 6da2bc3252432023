// Package rewrite narrows what MLflow answers to what the caller may read, and carries grants along with what requests change.
package rewrite

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// List describes a search of MLflow whose pages are offsets into a fixed order.
type List struct {
	Kind     kind.Name
	Items    string // the answer's field with the rows
	ID       string // a row's field with the resource's id
	Name     string // a row's field with the resource's name
	Path     string // where it is asked
	Post     bool   // asked with a JSON body; else with a query
	Default  int    // rows of a page when max_results is not given; 0: it must be given
	Most     int    // the largest max_results that MLflow takes
	Whole    bool   // the answer has its rows and its token also where there are none, as FastAPI writes them
	IDFilter string // the attribute that MLflow can filter by a list of ids; empty: it cannot
}

// MaxIDs is how many ids are put into a filter. MLflow 3.17.2 takes 2,000 in 60 ms and refuses 5,000 (SQLite's limits).
const MaxIDs = 2000

// Lists are the searches, by the filter that a route names.
var Lists = map[policy.Filter]List{
	policy.ListExperiments: {Kind: kind.Experiment, Items: "experiments", ID: "experiment_id", Name: "name",
		Path: "/api/2.0/mlflow/experiments/search", Post: true, Most: 50_000, IDFilter: "experiment_id"},
	policy.ListModels: {Kind: kind.RegisteredModel, Items: "registered_models", ID: "name", Name: "name",
		Path: "/api/2.0/mlflow/registered-models/search", Default: 100, Most: 1000},
	policy.ListModelVersions: {Kind: kind.RegisteredModel, Items: "model_versions", ID: "name", Name: "name",
		Path: "/api/2.0/mlflow/model-versions/search", Default: 10_000, Most: 200_000},
	policy.ListMCPServers: {Kind: kind.MCPServer, Items: "mcp_servers", ID: "name", Name: "name",
		Path: "/api/3.0/mlflow/mcp-servers", Default: 100, Most: 1000, Whole: true},
	policy.ListMCPEndpoints: {Kind: kind.MCPServer, Items: "mcp_access_endpoints", ID: "server_name", Name: "server_name",
		Path: "/api/3.0/mlflow/mcp-servers/endpoints", Default: 100, Most: 50_000, Whole: true},
}

// scanRows is how many rows one call reads when a page has to be gathered, and scanCalls how many calls one request may cost.
const (
	scanRows  = 10_000
	scanCalls = 100
)

// ErrTooLarge says that the rows asked for are more bytes than are read at once.
var ErrTooLarge = errs.New(errs.BadGateway, "MLflow's answer is too large to be read")

// Fetch asks MLflow for rows, from an offset on. It gives ErrTooLarge when fewer should be asked for.
type Fetch func(ctx context.Context, offset, rows int) (json.RawMessage, error)

// Row is one row of MLflow's answer.
type Row struct {
	ID, Name string
	Raw      json.RawMessage
}

// Allowed says whether the caller may read a row.
type Allowed func(ctx context.Context, row Row) (bool, error)

// Page is one page of rows, and the offset of the next: -1 when there is none.
type Page struct {
	Rows []json.RawMessage
	Next int
}

// Gather reads on until a page is full of rows that the caller may read. The next offset is that of the next readable row,
// so that no page is empty and none says how many rows were left out. Rows that are large together are read in smaller
// parts, and a row that alone is too large to be read is left out: nobody can make the searches of others fail with it.
func (l List) Gather(ctx context.Context, start, want int, fetch Fetch, allowed Allowed) (Page, error) {
	page := Page{Next: -1}
	offset, rows, most := start, min(want+1, l.Most), min(scanRows, l.Most)
	for range scanCalls {
		raw, err := fetch(ctx, offset, rows)
		if errors.Is(err, ErrTooLarge) {
			if rows == 1 {
				offset++
			}
			rows = max(rows/2, 1)
			most = rows
			continue
		}
		if err != nil {
			return page, err
		}
		items, more, err := l.rows(raw)
		if err != nil {
			return page, err
		}
		for i, item := range items {
			ok, err := allowed(ctx, item)
			if err != nil {
				return page, err
			}
			if !ok {
				continue
			}
			if len(page.Rows) == want {
				page.Next = offset + i
				return page, nil
			}
			page.Rows = append(page.Rows, item.Raw)
		}
		if !more || len(items) == 0 {
			return page, nil
		}
		offset += len(items)
		rows = most
	}
	page.Next = offset
	return page, nil
}

func (l List) rows(raw json.RawMessage) ([]Row, bool, error) {
	var answer map[string]json.RawMessage
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, false, errs.Wrap(errs.BadGateway, err, "MLflow's answer could not be read")
	}
	var items []json.RawMessage
	if list := answer[l.Items]; list != nil {
		if err := json.Unmarshal(list, &items); err != nil {
			return nil, false, errs.Wrap(errs.BadGateway, err, "MLflow's answer could not be read")
		}
	}
	found := make([]Row, 0, len(items))
	for _, item := range items {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(item, &fields); err != nil {
			return nil, false, errs.Wrap(errs.BadGateway, err, "MLflow's answer could not be read")
		}
		r := Row{Raw: item}
		_ = json.Unmarshal(fields[l.ID], &r.ID) // what is missing or not text stays empty, and is refused below
		_ = json.Unmarshal(fields[l.Name], &r.Name)
		if r.ID == "" || r.Name == "" {
			return nil, false, errs.New(errs.BadGateway, "a row of MLflow's answer has no %s or %s", l.ID, l.Name)
		}
		found = append(found, r)
	}
	var token string
	_ = json.Unmarshal(answer["next_page_token"], &token) // absent on the last page
	return found, token != "", nil
}

// Encode writes a page as MLflow does, without the fields that are empty unless the list is whole. The token leads to the next page, if there is one.
func (l List) Encode(p Page, token string) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	if len(p.Rows) > 0 || l.Whole {
		fmt.Fprintf(&b, "%q:[", l.Items)
		for i, r := range p.Rows {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(r)
		}
		b.WriteByte(']')
	}
	if token != "" {
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"next_page_token":%q`, token)
	} else if l.Whole {
		b.WriteString(`,"next_page_token":null`)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// Token writes MLflow's page token for an offset (mlflow/utils/search_utils.py, create_page_token).
func Token(offset int) string {
	return base64.StdEncoding.EncodeToString([]byte(`{"offset": ` + strconv.Itoa(offset) + `}`))
}

// Offset reads a page token; the empty one is the start.
func Offset(token string) (int, error) {
	if token == "" {
		return 0, nil
	}
	raw, err := base64.StdEncoding.DecodeString(token)
	var said struct {
		Offset *int `json:"offset"`
	}
	if err != nil || json.Unmarshal(raw, &said) != nil || said.Offset == nil || *said.Offset < 0 {
		return 0, errs.New(errs.Invalid, "page_token is not one that this server gave")
	}
	return *said.Offset, nil
}
