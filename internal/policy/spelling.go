package policy

import (
	"slices"
	"strings"
)

// native are the beginnings of the paths that MLflow serves with FastAPI, which writes parameters {x} and {x:path}. Flask
// serves all others, and writes <x> and <path:x>.
var native = []string{"/health", "/v1/traces", "/gateway/", "/api/3.0/mlflow/server-info", "/api/3.0/mlflow/mcp-servers",
	"/ajax-api/3.0/jobs/", "/ajax-api/3.0/mlflow/assistant/"}

// respelled is what MLflow writes for the segments of an MCP server's name and version. It reads them greedily; the table
// holds them to the segments that they have.
var respelled = strings.NewReplacer("{namespace}/{slug}", "{name:path}", "{version}", "{version:path}", "*}", ":path}")

// Spellings gives the row's path as MLflow writes it in its own routers: once, or twice where Flask and FastAPI both serve it.
func (r *Route) Spellings() []string {
	beginsAs := func(prefix string) bool {
		return strings.HasPrefix(r.Path, prefix) || strings.HasPrefix(strings.Replace(r.Path, "/ajax-api/", "/api/", 1), prefix)
	}
	fastAPI := respelled.Replace(r.Path)
	if slices.ContainsFunc(native, beginsAs) {
		return []string{fastAPI}
	}
	var flask []string
	for part := range strings.SplitSeq(r.Path, "/") {
		if name, tail, ok := parameter(part); ok && tail {
			part = "<path:" + name + ">"
		} else if ok {
			part = "<" + name + ">"
		}
		flask = append(flask, part)
	}
	spelled := []string{strings.Join(flask, "/")}
	if r.Twice {
		spelled = append(spelled, fastAPI)
	}
	return spelled
}
