package app_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/gateway"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/metrics"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

type alert struct {
	Alert, Expr string
	Annotations struct {
		Summary string
		Runbook string `yaml:"runbook_url"`
	}
}

func alerts(t *testing.T) []alert {
	t.Helper()
	var rules struct{ Groups []struct{ Rules []alert } }
	if err := yaml.Unmarshal([]byte(readFile(t, filepath.Join(root, "deploy", "prometheus", "alerts.yaml"))), &rules); err != nil {
		t.Fatal(err)
	}
	var all []alert
	for _, group := range rules.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

// panels gives what the panels of the dashboard ask for, by their titles.
func panels(t *testing.T) map[string]string {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(readFile(t, filepath.Join(root, "deploy", "grafana", "mlflow-oidc-auth.json"))), &dashboard); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			all[panel.Title] += target.Expr + "\n"
		}
	}
	return all
}

// runbooks gives what is written about each alert, and their names in order.
func runbooks(t *testing.T) (text map[string]string, names []string) {
	t.Helper()
	_, below, _ := strings.Cut(readFile(t, filepath.Join(root, "docs", "observability.md")), "\n## Alerts\n")
	below, _, _ = strings.Cut(below, "\n## ")
	text = map[string]string{}
	for _, section := range strings.Split(below, "\n### ")[1:] {
		name, words, _ := strings.Cut(section, "\n")
		text[name], names = words, append(names, name)
	}
	return text, names
}

// What an alert leads to is there, and says what to do; and no alert is explained that is none.
func TestEachAlertHasARunbook(t *testing.T) {
	_, explained := runbooks(t)
	var names []string
	for _, rule := range alerts(t) {
		names = append(names, rule.Alert)
		if rule.Expr == "" || rule.Annotations.Summary == "" || !strings.HasSuffix(rule.Annotations.Runbook, "/docs/observability.md#"+strings.ToLower(rule.Alert)) {
			t.Errorf("%s leads to %q", rule.Alert, rule.Annotations.Runbook)
		}
	}
	if len(names) < 10 || !slices.Equal(names, explained) {
		t.Errorf("the alerts are\n%q, explained are\n%q", names, explained)
	}
}

// A panel that a runbook sends to is there. Where requests fail, it shows those that do, whatever was decided of them.
func TestRunbooksSendToPanelsThatShowIt(t *testing.T) {
	texts, _ := runbooks(t)
	shown := panels(t)
	named := regexp.MustCompile(`(page )?\*([A-Z][^*\n]+)\*`)
	failing := 0
	for name, text := range texts {
		for _, panel := range named.FindAllStringSubmatch(text, -1) {
			asks, there := shown[panel[2]]
			if panel[1] == "" && !there {
				t.Errorf("%s sends to the panel %s, which there is not", name, panel[2])
			}
			if name == "RequestsFail" && strings.Contains(asks, `code="5xx"`) && strings.Contains(asks, "by (method, route, decision)") && !strings.Contains(asks, "decision=") {
				failing++
			}
		}
	}
	if failing == 0 {
		t.Error("no panel that RequestsFail sends to shows which routes fail")
	}
	if none := shown["Failed"]; !strings.Contains(none, "or vector(0)") {
		t.Errorf("as long as nothing fails the part that does is unknown: %s", none)
	}
}

// told are the values of the labels of each metric that a gateway tells from its start on.
func told(t *testing.T) map[string]map[string][]string {
	t.Helper()
	w := world.New(t, echo(t), measured)
	w.Nobody(t).Do(t, http.MethodGet, "/login", nil)
	all := map[string]map[string][]string{}
	label := regexp.MustCompile(`(\w+)="([^"]*)"`)
	for _, one := range series(scrape(t, w)) {
		name, labels, _ := strings.Cut(one, "{")
		if all[name] == nil {
			all[name] = map[string][]string{}
		}
		for _, l := range label.FindAllStringSubmatch(labels, -1) {
			all[name][l[1]] = append(all[name][l[1]], l[2])
		}
	}
	of := all["mlflow_oidc_auth_requests_total"] // has those that have occurred alone
	of["code"] = []string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}
	for _, d := range gateway.Decisions() {
		of["decision"] = append(of["decision"], d.String())
	}
	return all
}

// labelsOf gives the names of the labels of each metric, with those of whoever reads them.
func labelsOf(t *testing.T) map[string][]string {
	t.Helper()
	var table strings.Builder
	if err := metrics.Markdown(&table); err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| \\w+ \\| ([^|]+) \\|").FindAllStringSubmatch(table.String(), -1) {
		labels := append(regexp.MustCompile(`\w+`).FindAllString(row[2], -1), "job", "instance")
		all[row[1]], all[row[1]+"_bucket"] = labels, append(slices.Clone(labels), "le")
	}
	return all
}

// An alert or a panel that asks for a label, or for a value of one, that there is not would be silent for ever.
func TestAlertsAndPanelsAskForWhatIsTold(t *testing.T) {
	asked := panels(t)
	for _, rule := range alerts(t) {
		asked[rule.Alert] = rule.Expr
	}
	values, labels := told(t), labelsOf(t)
	selector, matcher := regexp.MustCompile(`(mlflow_oidc_auth_\w+)(?:\{([^}]*)\})?`), regexp.MustCompile(`(\w+)(?:=~|!~|!=|=)"([^"]*)"`)
	grouping, looked := regexp.MustCompile(`\b(?:by|on) \(([^)]*)\)`), 0
	for name, expr := range asked {
		var known []string
		for _, s := range selector.FindAllStringSubmatch(expr, -1) {
			known = append(known, labels[s[1]]...)
			for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
				if !slices.Contains(labels[s[1]], m[1]) {
					t.Errorf("%s asks for the label %s, which %s has not", name, m[1], s[1])
				}
				if m[1] == "job" || m[1] == "instance" || m[1] == "route" {
					continue
				}
				for value := range strings.SplitSeq(m[2], "|") {
					if looked++; !slices.Contains(values[s[1]][m[1]], value) {
						t.Errorf("%s asks for %s=%q, which %s never says", name, m[1], value, s[1])
					}
				}
			}
		}
		for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
			for label := range strings.SplitSeq(g[1], ", ") {
				if known != nil && !slices.Contains(known, label) {
					t.Errorf("%s sums by %s, which is no label", name, label)
				}
			}
		}
	}
	if looked < 15 {
		t.Errorf("%d values were looked at", looked)
	}
}

// Each outcome of a sign-in is explained, and told from the start on.
func TestOutcomesOfSignInsAreExplained(t *testing.T) {
	page := readFile(t, filepath.Join(root, "docs", "observability.md"))
	outcomes := told(t)["mlflow_oidc_auth_sign_ins_total"]["outcome"]
	declared := regexp.MustCompile(`(?m)^\t\w+ +(?:Reason )?= "(\w+)"`).FindAllStringSubmatch(readFile(t, filepath.Join(root, "internal", "errs", "reason.go")), -1)
	if len(declared) != len(errs.Reasons()) || len(outcomes) < len(declared)+8 {
		t.Errorf("%d reasons are declared, %d are known, and %d outcomes are told", len(declared), len(errs.Reasons()), len(outcomes))
	}
	for _, reason := range errs.Reasons() {
		if !slices.Contains(outcomes, string(reason)) {
			t.Errorf("%s is not told from the start on", reason)
		}
	}
	for _, name := range outcomes {
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("%s is not explained", name)
		}
	}
}

// The attack: wake whoever watches the gateway, by addresses of answers that no provider has given.
func TestAttackStrangersSetOffTheAlertOfSignIns(t *testing.T) {
	w := world.New(t, echo(t), measured)
	wakes := ""
	for _, rule := range alerts(t) {
		if rule.Alert == "SignInsFail" {
			wakes = rule.Expr
		}
	}
	before := signIns(scrape(t, w))
	for says, want := range map[string]string{"error=invalid_client": "answered_error", "error=server_error": "answered_error", "error=temporarily_unavailable": "answered_error", "error=made_up": "provider_refused",
		"error=access_denied": "provider_refused", "code=made-up": "code_refused", "code=" + strings.Repeat("x", 5000): "code_refused", "x=y": "invalid"} {
		stranger := w.Nobody(t)
		began := stranger.Do(t, http.MethodGet, "/login/start", nil)
		to, err := url.Parse(began.Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		stranger.Do(t, http.MethodGet, "/callback?state="+to.Query().Get("state")+"&iss="+url.QueryEscape(w.Issuer.URL)+"&"+says, nil)
		after := signIns(scrape(t, w))
		var counted []string
		for outcome, n := range after {
			if n != before[outcome] {
				counted = append(counted, outcome)
			}
		}
		if !slices.Equal(counted, []string{want}) || wakes == "" || regexp.MustCompile(`\b`+want+`\b`).MatchString(wakes) {
			t.Errorf("%.30s is counted as %q, want %s", says, counted, want)
		}
		before = after
	}
}

// signIns gives how many sign-ins have come to what.
func signIns(text string) map[string]string {
	found := map[string]string{}
	for _, m := range regexp.MustCompile(`sign_ins_total\{outcome="(\w+)",provider="oidc"\} (\d+)`).FindAllStringSubmatch(text, -1) {
		found[m[1]] = m[2]
	}
	return found
}

// Whether permissions are enforced is told always, and not only when a request comes that would be refused.
func TestReportOnlyIsTold(t *testing.T) {
	for set, want := range map[string]string{"false": "0", "true": "1", "all": "1"} {
		w := world.New(t, echo(t), map[string]string{"METRICS_ADDR": "127.0.0.1:0", "REPORT_ONLY": set})
		if !strings.Contains(scrape(t, w), "\nmlflow_oidc_auth_report_only "+want+"\n") {
			t.Errorf("with REPORT_ONLY=%s it is not told as %s", set, want)
		}
	}
}
