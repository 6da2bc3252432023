package devserver

import "github.com/mlflow-oidc/mlflow-oidc-auth/internal/devidp"

// The groups that the development gateway knows.
const (
	adminGroup  = "mlflow-admin"
	memberGroup = "mlflow"
)

// person is a sample account, and what it is there to show.
type person struct {
	name, username string
	groups         []string
	shows          string
	refused        bool // may not sign in
}

var people = []person{
	{"Ada Admin", "ada@example.com", []string{adminGroup}, "administrator: sees and changes everything", false},
	{"Vera Vision", "vera@example.com", []string{memberGroup, "team-vision"}, "team-vision: has MANAGE on the experiment and the model that she made", false},
	{"Fred Forecast", "fred@example.com", []string{memberGroup, "team-forecast"}, "team-forecast: may READ what is shared by pattern, and sees none of team-vision's work", false},
	{"Nora Nogroup", "nora@example.com", []string{"visitors"}, "in no allowed group: is told so, and gets no further", true},
}

func (p person) provided() devidp.Person {
	return devidp.Person{Subject: "development|" + p.username, Username: p.username, Email: p.username, Name: p.name, Groups: p.groups}
}

// team is the sample work of one person.
type team struct {
	owner      string
	experiment string
	model      string
	metric     string
	values     []float64 // one run each
}

var teams = []team{
	{"vera@example.com", "vision/digits", "digits-classifier", "accuracy", []float64{0.91, 0.94, 0.97}},
	{"fred@example.com", "forecast/demand", "demand-forecast", "rmse", []float64{12.5, 11.75}},
}

// shared is an experiment of the administrator that a group sees by a pattern.
const (
	sharedExperiment = "shared/baseline"
	sharedPattern    = "shared/.*"
	sharedWith       = "team-forecast"
)
