package rewrite

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
)

// Search is one search request: what was asked, in the one form in which MLflow is asked.
type Search struct {
	List  List
	Want  int // rows a page
	Start int // offset of the first row
	body  *httpx.Object
	query url.Values
	asked string // the caller's own filter, once the search is narrowed
}

// NewSearch reads a search from its body, or from its query.
func NewSearch(l List, query url.Values, body *httpx.Object) (*Search, error) {
	s := &Search{List: l, body: body, query: query}
	if l.Post && body == nil {
		converted, err := queryObject(query)
		if err != nil {
			return nil, err
		}
		s.body = converted
	}
	size, err := s.text("max_results")
	if err != nil {
		return nil, err
	}
	s.Want = l.Default
	if size != "" {
		if s.Want, err = strconv.Atoi(size); err != nil {
			s.Want = 0
		}
	}
	if s.Want < 1 || s.Want > l.Most {
		return nil, errs.New(errs.Invalid, "max_results must be a whole number from 1 to %d", l.Most)
	}
	token, err := s.text("page_token")
	if err != nil {
		return nil, err
	}
	s.Start, err = Offset(token)
	return s, err
}

// queryObject gives the body that says the same as the query of a GET.
func queryObject(query url.Values) (*httpx.Object, error) {
	o, err := httpx.ParseObject([]byte("{}"))
	if err != nil {
		return nil, err
	}
	for _, field := range []string{"filter", "page_token", "view_type"} {
		if query.Has(field) {
			o.Set(field, query.Get(field))
		}
	}
	if query.Has("max_results") {
		if _, err := strconv.Atoi(query.Get("max_results")); err != nil {
			return nil, errs.New(errs.Invalid, "max_results must be a whole number")
		}
		o.Set("max_results", json.Number(query.Get("max_results")))
	}
	if order := query["order_by"]; len(order) > 0 {
		list := make([]any, len(order))
		for i, by := range order {
			list[i] = by
		}
		o.Set("order_by", list)
	}
	return o, nil
}

func (s *Search) text(field string) (string, error) {
	if !s.List.Post {
		return s.query.Get(field), nil
	}
	value, _ := s.body.Get(field)
	switch v := value.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	}
	return "", errs.New(errs.Invalid, "field %q must be text or a number", field)
}

// Narrow puts the selection into the filter that MLflow gets, where MLflow can filter by it and the list is short enough.
// Our condition comes first, joined by AND: MLflow's filters are lists of comparisons that all must hold, and anything else
// in them is refused, be it OR, a second statement, a comment or a quote that does not end
// (mlflow/utils/search_utils.py, SearchExperimentsUtils). So the caller's filter cannot take it away.
func (s *Search) Narrow(selection authz.Selection) (bool, error) {
	if !selection.Exact || s.List.IDFilter == "" {
		return false, nil
	}
	ids := numbers(selection.IDs)
	if len(ids) == 0 || len(ids) > MaxIDs {
		return false, nil
	}
	filter, err := s.text("filter")
	if err != nil {
		return false, err
	}
	operator := " IN ("
	if selection.All {
		operator = " NOT IN ("
	}
	condition := s.List.IDFilter + operator + "'" + strings.Join(ids, "','") + "')"
	if strings.TrimSpace(filter) != "" {
		condition += " AND " + filter
	}
	s.body.Set("filter", condition)
	s.asked = filter
	return true, nil
}

// Widen takes the selection out of the filter again when err is the answer of an MLflow that cannot filter by ids yet
// (measured: 2.22.0 and 3.5.0 can not), and tells whether it was. Every row has to be looked at then.
func (s *Search) Widen(err error) bool {
	if !errs.Is(err, errs.Invalid) || !strings.HasPrefix(err.Error(), "Invalid attribute key '"+s.List.IDFilter+"'") {
		return false
	}
	s.body.Set("filter", s.asked)
	return true
}

// numbers leaves out what cannot be an id of MLflow, and what MLflow would refuse the whole search for. Whoever may grant
// could have put a filter of their own there.
func numbers(ids []string) []string {
	var kept []string
	for _, id := range ids {
		if n, err := strconv.ParseInt(id, 10, 64); err == nil && n >= 0 && strconv.FormatInt(n, 10) == id {
			kept = append(kept, id)
		}
	}
	return kept
}

// At gives the request for a part of the rows: a query, or a body where the list is asked by POST.
func (s *Search) At(offset, rows int) (url.Values, []byte) {
	token := ""
	if offset > 0 {
		token = Token(offset)
	}
	if s.List.Post {
		s.body.Set("max_results", json.Number(strconv.Itoa(rows)))
		s.body.Set("page_token", token)
		return nil, s.body.Encode()
	}
	query := url.Values{}
	for field, values := range s.query {
		query[field] = values
	}
	query.Set("max_results", strconv.Itoa(rows))
	query.Del("page_token")
	if token != "" {
		query.Set("page_token", token)
	}
	return query, nil
}
