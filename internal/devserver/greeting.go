package devserver

import (
	"path/filepath"
	"text/template"
)

var greeting = template.Must(template.New("greeting").Parse(`
──────────────────────────────────────────────────────────────────────────────
 MLflow with single sign-on and permissions is at  {{.URL}}

 Sign in as one of these; the development provider asks for no password:
{{range .People}}   {{printf "%-18s" .Username}} {{.Shows}}
{{end}}
 Three things to try, in another terminal:

 1. Whose token is this?
    curl -u {{.Member.Username}}:{{.Member.Token}} {{.URL}}/api/2.0/mlflow/users/current

 2. What the mlflow client of a member sees:
    MLFLOW_TRACKING_URI={{.URL}} MLFLOW_TRACKING_USERNAME={{.Member.Username}} MLFLOW_TRACKING_PASSWORD={{.Member.Token}} \
      {{.MLflow}} experiments search

 3. As the administrator, let the other team read the experiment {{.Experiment}}:
    curl -u {{.Admin.Username}}:{{.Admin.Token}} -X POST -H 'Content-Type: application/json' \
      -d '{"permission": "READ"}' {{.URL}}/api/2.0/mlflow/permissions/users/{{.Other}}/experiments/{{.ExperimentID}}

 Everything is kept in {{.Dir}}; delete that folder to begin anew. Ctrl-C stops everything.
──────────────────────────────────────────────────────────────────────────────

`))

type account struct{ Username, Token, Shows string }

func greet(o Options, admin, member caller, experimentID string) error {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return err
	}
	accounts := make([]account, 0, len(people))
	for _, p := range people {
		accounts = append(accounts, account{Username: p.username, Shows: p.shows})
	}
	return greeting.Execute(o.Output, struct {
		URL, Dir, MLflow, Experiment, ExperimentID, Other string
		People                                            []account
		Admin, Member                                     account
	}{admin.url, dir, o.MLflow, teams[0].experiment, experimentID, teams[1].owner, accounts,
		account{Username: admin.username, Token: admin.token}, account{Username: member.username, Token: member.token}})
}
