package app

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

// routeRow is a row of the route table in words.
type routeRow struct{ method, path, needs, extra, why string }

// RoutesJSON writes the route table for programs: a list of objects, with each path as MLflow itself writes it. A route that
// MLflow serves twice is there in both spellings; route is the name of the row in logs.
func RoutesJSON(w io.Writer) error {
	type row struct {
		Method string   `json:"method"`
		Path   string   `json:"path"`
		Route  string   `json:"route"`
		Needs  []string `json:"needs"`
		Extras []string `json:"filter_effect_checks"`
		Why    string   `json:"why,omitempty"`
	}
	rows := []row{}
	for _, route := range policy.Routes() {
		for _, path := range route.Spellings() {
			rows = append(rows, row{route.Method, path, route.Pattern(), append([]string{}, needs(route)...),
				append([]string{}, extras(route)...), route.Why})
		}
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	return encoder.Encode(rows)
}

func routeRows() []routeRow {
	var rows []routeRow
	for _, route := range policy.Routes() {
		rows = append(rows, routeRow{route.Method, route.Path, strings.Join(needs(route), ", "), strings.Join(extras(route), "; "), route.Why})
	}
	return rows
}

// needs says what a route asks of its caller. A need without a level only collects ids for a filter.
func needs(route policy.Route) []string {
	var all []string
	for _, need := range route.Needs {
		if need.Level > 0 {
			all = append(all, need.String())
		}
	}
	if route.Maker > 0 {
		all = append(all, "or "+route.Maker.String()+" for whoever made it")
	}
	if route.Reviewer > 0 {
		all = append(all, "or "+route.Reviewer.String()+" for who is to review in it")
	}
	switch {
	case route.Access == policy.Refused:
		all = append(all, "nobody")
	case route.Access == policy.Administrators:
		all = append(all, "administrator")
	case route.Creates != "":
		all = append(all, "may create "+string(route.Creates))
	case route.Access == policy.SignedIn:
		all = append(all, "signed in")
	}
	return all
}

// extras says what a route does beside deciding: its filter, its effect on grants, its checks.
func extras(route policy.Route) []string {
	var all []string
	for _, part := range []string{string(route.Filter), string(route.Effect)} {
		if part != "" {
			all = append(all, part)
		}
	}
	for _, check := range route.Checks {
		all = append(all, string(check))
	}
	if route.Page {
		all = append(all, "the page gets a script (EXTEND_MLFLOW_MENU, EXTEND_MLFLOW_REAUTH)")
	}
	if len(route.Mentions) > 0 && !route.Filter.Answered() {
		all = append(all, "left out where it may not be read: "+strings.Join(mentioned(route), ", "))
	}
	return all
}

// mentioned says what a route's answer names.
func mentioned(route policy.Route) []string {
	var all []string
	for _, m := range route.Mentions {
		all = append(all, m.String())
	}
	return all
}

// PrintRoutes writes the route table for people.
func PrintRoutes(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "METHOD\tPATH\tNEEDS\tFILTER, EFFECT AND CHECKS")
	for _, row := range routeRows() {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", row.method, row.path, row.needs, row.extra)
	}
	return table.Flush()
}

// MarkdownRoutes writes the route table for the documentation. A path under /ajax-api that is the same as the one under
// /api before it is left out.
func MarkdownRoutes(w io.Writer) error {
	if _, err := fmt.Fprint(w, "| method | path | needs | filter, effect and checks | why |\n|---|---|---|---|---|\n"); err != nil {
		return err
	}
	cell := strings.NewReplacer("|", `\|`).Replace
	var before routeRow
	for _, row := range routeRows() {
		twin := row
		twin.path = strings.Replace(row.path, "/ajax-api/", "/api/", 1)
		if twin == before {
			continue
		}
		before = row
		if _, err := fmt.Fprintf(w, "| %s | `%s` | %s | %s | %s |\n", row.method, row.path, cell(row.needs), cell(row.extra), cell(row.why)); err != nil {
			return err
		}
	}
	return nil
}
