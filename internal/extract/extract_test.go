package extract_test

import (
	"bufio"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
)

const mlflow = "/api/2.0/mlflow/"

// matcher finds the rows of the real table: what is tested here is what is decided on.
var matcher = func() *policy.Matcher {
	m, err := policy.NewMatcher(policy.Routes())
	if err != nil {
		panic(err)
	}
	return m
}()

// message is a request as it comes over the wire. A body makes it JSON unless the target is another row.
func message(method, target, body string) (*http.Request, error) {
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", method, target, len(body))
	return http.ReadRequest(bufio.NewReader(strings.NewReader(head + body)))
}

// run takes a request through path, row, reading and ids, as the gateway does.
func run(r *http.Request) (*extract.Request, []extract.Target, error) {
	path, err := httpx.CanonicalPath(r)
	if err != nil {
		return nil, nil, err
	}
	match, ok := matcher.Match(r.Method, path.Decoded)
	if !ok {
		return nil, nil, errs.New(errs.Denied, "no route")
	}
	read, err := extract.Read(r, path, &match, 1<<20)
	if err != nil {
		return nil, nil, err
	}
	targets, err := read.Targets(&match)
	return read, targets, err
}

func short(targets []extract.Target) []string {
	var all []string
	for _, target := range targets {
		all = append(all, fmt.Sprintf("%s %s %s", target.Level, target.Ref, target.Value))
	}
	return all
}

func TestTargets(t *testing.T) {
	for _, c := range []struct {
		name, method, target, body string
		want                       []string
	}{
		{"query", "GET", mlflow + "experiments/get?experiment_id=2", "", []string{"READ experiment 2"}},
		{"HEAD is decided as GET", "HEAD", mlflow + "experiments/get?experiment_id=2", "", []string{"READ experiment 2"}},
		{"the default experiment", "GET", mlflow + "experiments/get?experiment_id=0", "", []string{"READ experiment 0"}},
		{"encoded name and value", "GET", mlflow + "experiments/get?experiment%5Fid=%32", "", []string{"READ experiment 2"}},
		{"name with spaces", "GET", mlflow + "experiments/get-by-name?experiment_name=a+b%2Fc", "", []string{"READ experiment name a b/c"}},
		{"either alias", "GET", mlflow + "runs/get?run_uuid=abc", "", []string{"READ run abc"}},
		{"both aliases, equal", "GET", mlflow + "runs/get?run_uuid=abc&run_id=abc", "", []string{"READ run abc"}},
		{"repeated and equal", "GET", mlflow + "runs/get?run_id=abc&run_id=abc", "", []string{"READ run abc"}},
		{"each of a query's list", "GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk?run_id=a&run_id=b&metric_key=m", "", []string{"READ run a", "READ run b"}},
		{"body", "POST", mlflow + "experiments/update", `{"experiment_id":"2","new_name":"n"}`, []string{"EDIT experiment 2"}},
		{"body in camel case", "POST", mlflow + "experiments/update", `{"experimentId":"2"}`, []string{"EDIT experiment 2"}},
		{"null alias is not given", "POST", mlflow + "runs/set-tag", `{"run_id":null,"run_uuid":"abc","key":"k"}`, []string{"EDIT run abc"}},
		{"a foreign logged model besides the run", "POST", mlflow + "runs/log-metric", `{"run_id":"abc","model_id":"m-1"}`, []string{"EDIT run abc", "EDIT logged model m-1"}},
		{"an empty optional id", "POST", mlflow + "runs/log-metric", `{"run_id":"abc","model_id":""}`, []string{"EDIT run abc"}},
		{"each logged model of a batch", "POST", mlflow + "runs/log-batch",
			`{"run_id":"abc","metrics":[{"key":"a"},{"key":"b","model_id":"m-1"},{"key":"c","modelId":"m-2"},{"key":"d","model_id":null},{"key":"e","model_id":""}]}`,
			[]string{"EDIT run abc", "EDIT logged model m-1", "EDIT logged model m-2"}},
		{"null list", "POST", mlflow + "runs/log-batch", `{"run_id":"abc","metrics":null}`, []string{"EDIT run abc"}},
		{"search", "POST", mlflow + "runs/search", `{"experimentIds":["1","2"]}`, []string{"NO_PERMISSIONS experiment 1", "NO_PERMISSIONS experiment 2"}},
		{"search over nothing", "POST", mlflow + "runs/search", `{}`, nil},
		{"path", "GET", mlflow + "logged-models/m-1", "", []string{"READ logged model m-1"}},
		{"path, and the client's own field", "PATCH", mlflow + "logged-models/m-1", `{"model_id":"m-1","status":"READY"}`, []string{"EDIT logged model m-1"}},
		{"DELETE with an empty object", "DELETE", mlflow + "logged-models/m-1", `{}`, []string{"MANAGE logged model m-1"}},
		{"DELETE with a body of fields", "DELETE", mlflow + "registered-models/delete", `{"name":"m"}`, []string{"MANAGE registered model m"}},
		{"artifact tree", "GET", "/api/2.0/mlflow-artifacts/artifacts/2/abc/artifacts/m.txt", "", []string{"READ artifact path 2/abc/artifacts/m.txt"}},
		{"artifact folder", "GET", "/api/2.0/mlflow-artifacts/artifacts?path=2/abc/", "", []string{"READ artifact path 2/abc/"}},
		{"multipart upload names its file in the body", "POST", "/api/2.0/mlflow-artifacts/mpu/create/2/abc/artifacts", `{"path":"m.txt","num_parts":2}`,
			[]string{"EDIT artifact path 2/abc/artifacts"}},
		{"upload takes its ids from the query", "POST", "/ajax-api/2.0/mlflow/upload-artifact?run_uuid=abc&path=m.txt", "{", []string{"EDIT run abc"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := message(c.method, c.target, c.body)
			if err != nil {
				t.Fatal(err)
			}
			_, targets, err := run(r)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, short(targets)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// MLflow 3.17.2 answers each of these for a resource that another reading of the request does not name.
func TestReadRefusesASecondMeaning(t *testing.T) {
	for _, c := range []struct {
		name, method, target, body string
	}{
		{"run_id wins over run_uuid", "GET", mlflow + "runs/get?run_id=victim&run_uuid=own", ""},
		{"run_id wins over run_uuid in the body", "POST", mlflow + "runs/set-tag", `{"run_uuid":"own","run_id":"victim"}`},
		{"an empty run_id falls back to run_uuid in get-artifact", "GET", "/get-artifact?run_id=&run_uuid=victim&path=a", ""},
		{"the first of a repeated value wins", "GET", mlflow + "runs/get?run_id=victim&run_id=own", ""},
		{"the query of a POST is ignored", "POST", mlflow + "experiments/update?experiment_id=1", `{"experiment_id":"2"}`},
		{"the query of a POST, without a body", "POST", mlflow + "experiments/update?experiment_id=1", ``},
		{"the query of a DELETE with a body", "DELETE", mlflow + "registered-models/delete?name=own", `{"name":"victim"}`},
		{"a GET is executed by its body", "GET", mlflow + "experiments/get", `{"experiment_id":"2"}`},
		{"a GET is executed by its body, beside a query", "GET", mlflow + "experiments/get?experiment_id=1", `{"experiment_id":"2"}`},
		{"a GET with an empty object", "GET", mlflow + "experiments/get?experiment_id=1", `{}`},
		{"a body of a bodyless DELETE", "DELETE", mlflow + "logged-models/own", `{"model_id":"victim"}`},
		{"the path wins over the body", "PATCH", mlflow + "logged-models/victim", `{"model_id":"own"}`},
		{"the path wins over the body in camel case", "PATCH", mlflow + "logged-models/victim/tags", `{"modelId":"own"}`},
		{"the path wins over the query", "GET", mlflow + "logged-models/victim?model_id=own", ""},
		{"camel case in a query is ignored", "GET", mlflow + "runs/get?runId=own", ""},
		{"both spellings in a query", "GET", mlflow + "runs/get?runId=own&run_id=victim", ""},
		{"a semicolon separates for some", "GET", mlflow + "runs/get?run_id=own;run_id=victim", ""},
		{"a query with a wrong encoding", "GET", mlflow + "runs/get?run_id=own&x=%zz", ""},
		{"a query that is no UTF-8", "GET", mlflow + "registered-models/get?name=a%ff", ""},
		{"a query's name that is no UTF-8", "GET", mlflow + "registered-models/get?name=a&%ff=1", ""},
		{"NUL in a query", "GET", mlflow + "registered-models/get?name=own%00x", ""},
		{"NUL in a body", "DELETE", mlflow + "registered-models/delete", `{"name":"own\u0000x"}`},
		{"duplicate key: the last wins", "POST", mlflow + "experiments/delete", `{"experiment_id":"1","experiment_id":"2"}`},
		{"both spellings: the last wins", "POST", mlflow + "experiments/delete", `{"experiment_id":"1","experimentId":"2"}`},
		{"both spellings in a list", "POST", mlflow + "runs/log-batch", `{"run_id":"a","metrics":[{"model_id":"own","modelId":"victim"}]}`},
		{"NUL ends a key in protobuf, and the last wins", "POST", mlflow + "experiments/delete", `{"experiment_id":"1","experiment_id\u0000":"2"}`},
		{"NUL ends a key in protobuf, in a list", "POST", mlflow + "runs/log-batch", `{"run_id":"a","metrics":[{"key":"k","model_id\u0000":"victim"}]}`},
		{"NUL ends a key in protobuf, in a search", "POST", mlflow + "runs/search", `{"experiment_ids":["1"],"experiment_ids\u0000":["2"]}`},
		{"JSON inside a string", "POST", mlflow + "experiments/delete", `"{\"experiment_id\":\"2\"}"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := message(c.method, c.target, c.body)
			if err != nil {
				t.Fatal(err)
			}
			if _, targets, err := run(r); !errs.Is(err, errs.Invalid) {
				t.Errorf("got %v, %v", short(targets), err)
			}
		})
	}
}

func TestReadRefusesWhatCannotBeDecided(t *testing.T) {
	for _, c := range []struct {
		name, method, target, body string
	}{
		{"missing in the query", "GET", mlflow + "experiments/get", ""},
		{"empty in the query", "GET", mlflow + "experiments/get?experiment_id=", ""},
		{"without a value in the query", "GET", mlflow + "experiments/get?experiment_id", ""},
		{"missing in the body", "POST", mlflow + "experiments/delete", `{}`},
		{"null in the body", "POST", mlflow + "experiments/delete", `{"experiment_id":null}`},
		{"empty in the body", "POST", mlflow + "experiments/delete", `{"experiment_id":""}`},
		{"empty beside an alias", "POST", mlflow + "runs/update", `{"run_id":"","run_uuid":"abc"}`},
		{"number", "POST", mlflow + "experiments/delete", `{"experiment_id":2}`},
		{"bool", "POST", mlflow + "experiments/delete", `{"experiment_id":true}`},
		{"list for a single id", "POST", mlflow + "experiments/delete", `{"experiment_id":["2"]}`},
		{"single id for a list", "POST", mlflow + "runs/search", `{"experiment_ids":"2"}`},
		{"number in a list", "POST", mlflow + "runs/search", `{"experiment_ids":[2]}`},
		{"null in a list", "POST", mlflow + "runs/search", `{"experiment_ids":[null]}`},
		{"empty in a list", "POST", mlflow + "runs/search", `{"experiment_ids":[""]}`},
		{"list in a list", "POST", mlflow + "runs/search", `{"experiment_ids":[["2"]]}`},
		{"empty list where one is needed", "POST", mlflow + "logged-models/search", `{"experiment_ids":[]}`},
		{"no list where one is needed", "POST", mlflow + "logged-models/search", `{}`},
		{"list of text for objects", "POST", mlflow + "runs/log-batch", `{"run_id":"a","metrics":["m-1"]}`},
		{"null object in a list", "POST", mlflow + "runs/log-batch", `{"run_id":"a","metrics":[null]}`},
		{"object for a list", "POST", mlflow + "runs/log-batch", `{"run_id":"a","metrics":{"model_id":"m-1"}}`},
		{"number in a list's object", "POST", mlflow + "runs/log-batch", `{"run_id":"a","metrics":[{"model_id":1}]}`},
		{"no run among many", "GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk?metric_key=m", ""},
		{"an empty run among many", "GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk?run_id=a&run_id=", ""},
		{"a run with a slash", "GET", mlflow + "runs/get?run_id=../victim", ""},
		{"a run with an encoded dot", "GET", mlflow + "runs/get?run_id=a%2Eb", ""},
		{"a run that is too long", "GET", mlflow + "runs/get?run_id=" + strings.Repeat("a", 65), ""},
		{"a logged model with a colon", "GET", mlflow + "logged-models/a:b", ""},
		{"a model's name that is too long", "GET", mlflow + "registered-models/get?name=" + strings.Repeat("a", 1001), ""},
		{"no body", "POST", mlflow + "experiments/delete", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := message(c.method, c.target, c.body)
			if err != nil {
				t.Fatal(err)
			}
			if _, targets, err := run(r); !errs.Is(err, errs.Invalid) {
				t.Errorf("got %v, %v", short(targets), err)
			}
		})
	}
}

// MLflow reads each of these as experiment 2, by Python's int(); a grant is held by "2" alone.
func TestExperimentIDHasOneSpelling(t *testing.T) {
	for _, id := range []string{" 2", "2 ", "02", "+2", "-2", "0_2", "2_", "２", "२", "2\n", "2\u00a0", "2.0", "2e0", "0x2", "", "a", "00", strings.Repeat("1", 20)} {
		if extract.ExperimentID(id) {
			t.Errorf("%q is taken for an experiment id", id)
		}
		requests := map[string][2]string{
			"query": {"GET", mlflow + "experiments/get?" + url.Values{"experiment_id": {id}}.Encode()},
			"body":  {"POST", mlflow + "experiments/update"},
			"list":  {"POST", mlflow + "runs/search"},
		}
		bodies := map[string]string{"body": fmt.Sprintf(`{"experiment_id":%q}`, id), "list": fmt.Sprintf(`{"experiment_ids":["1",%q]}`, id)}
		for where, line := range requests {
			r, err := message(line[0], line[1], bodies[where])
			if err != nil {
				t.Fatal(err)
			}
			if _, targets, err := run(r); !errs.Is(err, errs.Invalid) {
				t.Errorf("%q in the %s: %v, %v", id, where, short(targets), err)
			}
		}
	}
	for _, id := range []string{"0", "2", "10", "9223372036854775807"} {
		if !extract.ExperimentID(id) {
			t.Errorf("%q is no experiment id", id)
		}
	}
}

func TestTree(t *testing.T) {
	for _, c := range []struct{ name, path, want string }{
		{"experiment's folder", "2", "2"},
		{"experiment's folder with a slash", "2/", "2"},
		{"run's file", "2/abc/artifacts/a b.txt", "2"},
		{"root lists every experiment", "", ""},
		{"root by a dot", ".", ""},
		{"root by a slash", "/", ""},
		{"current folder first", "./2/abc", ""},
		{"empty segment", "2//abc", ""},
		{"empty segment at the end", "2//", ""},
		{"parent", "1/../2/abc", ""},
		{"parent alone", "..", ""},
		{"absolute", "/2/abc", ""},
		{"decoded again", "%32/abc", ""},
		{"decoded twice again", "%2532/abc", ""},
		{"leading space, which int() drops", " 2/abc", ""},
		{"trailing space", "2 /abc", ""},
		{"leading zero", "02/abc", ""},
		{"full-width digit", "２/abc", ""},
		{"file address", "file:2/abc", ""},
		{"backslash", `2\abc`, ""},
		{"fragment", "2#/abc", ""},
		{"no experiment", "models/m-1", ""},
		{"experiment of a workspace", "workspaces/team-a/2", "team-a:2"},
		{"file of a workspace", "workspaces/team-a/2/abc/artifacts/a.txt", "team-a:2"},
		{"root of all workspaces", "workspaces", ""},
		{"root of all workspaces by a slash", "workspaces/", ""},
		{"root of a workspace", "workspaces/team-a", ""},
		{"root of a workspace by a slash", "workspaces/team-a/", ""},
		{"workspace without a name", "workspaces//2", ""},
		{"workspace in upper case", "workspaces/Team-A/2", ""},
		{"workspace of one byte", "workspaces/a/2", ""},
		{"workspace of digits", "workspaces/22/3", "22:3"},
		{"workspace in a workspace", "workspaces/team-a/workspaces/team-b/2", ""},
		{"experiment of a workspace, leading zero", "workspaces/team-a/02", ""},
		{"out of a workspace", "workspaces/team-a/../team-b/2", ""},
		{"folder in upper case", "Workspaces/team-a/2", ""},
		{"NUL", "2\x00/abc", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, got, err := extract.Tree(c.path)
			if in != "" {
				got = in + ":" + got
			}
			if got != c.want || (err == nil) != (c.want != "") {
				t.Errorf("Tree(%q) = %q, %v", c.path, got, err)
			}
		})
	}
}

// MLflow deletes a folder with all that is in it: one request would take the artifacts of every run of an experiment.
func TestDeletionOfAnExperimentsWholeFolder(t *testing.T) {
	for path, ok := range map[string]bool{"2": false, "2/": false, "2%2F": false, ".": false, "2/abc": true, "2/abc/artifacts/": true,
		"workspaces/team-a/2": false, "workspaces/team-a/2/": false, "workspaces/team-a": false, "workspaces/team-a/2/abc": true} {
		r, err := message("DELETE", "/api/2.0/mlflow-artifacts/artifacts/"+path, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, targets, err := run(r); (err == nil) != ok {
			t.Errorf("%s: %v, %v", path, short(targets), err)
		}
	}
}

// The body that says nothing is dropped, and the one that is too large to say nothing is not read to its end.
func TestBodyOfABodylessRequest(t *testing.T) {
	for _, c := range []struct {
		name, method, body string
		want               errs.Code
		ok                 bool
	}{
		{"space", "GET", " \r\n", 0, true},
		{"empty object", "GET", "{}", errs.Invalid, false},
		{"empty object of a DELETE", "DELETE", " {} ", 0, true},
		{"fields of a DELETE", "DELETE", `{"a":1}`, errs.Invalid, false},
		{"large", "GET", strings.Repeat(" ", 4097), errs.TooLarge, false},
	} {
		for _, transfer := range []string{fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(c.body), c.body),
			fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(c.body), c.body)} {
			t.Run(c.name+" "+transfer[:7], func(t *testing.T) {
				r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(c.method + " " + mlflow + "logged-models/m-1 HTTP/1.1\r\nHost: gateway\r\n" + transfer)))
				if err != nil {
					t.Fatal(err)
				}
				_, targets, err := run(r)
				if c.ok && (err != nil || len(targets) != 1) || !c.ok && !errs.Is(err, c.want) {
					t.Errorf("got %v, %v", short(targets), err)
				}
			})
		}
	}
}

func TestLimitOfAJSONBody(t *testing.T) {
	r, err := message("POST", mlflow+"runs/search", `{"filter":"`+strings.Repeat("x", 1<<20)+`"}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := run(r); !errs.Is(err, errs.TooLarge) {
		t.Errorf("got %v", err)
	}
}

// slowValues collects, without the code under test, every value that any reading of a query or a body's top level gives a field.
func slowValues(read *extract.Request, match *policy.Match, fields []string, in policy.In) map[string]bool {
	all := map[string]bool{}
	for _, field := range fields {
		switch in {
		case policy.Path:
			all[match.Value(field)] = true
		case policy.Query:
			for _, value := range read.Query[field] {
				all[value] = true
			}
		case policy.Body:
			if value, ok := read.Body.Get(field); ok && value != nil && value != "" {
				all[fmt.Sprint(value)] = true
			}
		}
	}
	return all
}

// Whatever is accepted names each single thing once, in canonical form, and every need that must be met has a target.
func FuzzTargets(f *testing.F) {
	for _, seed := range [][3]string{
		{"GET", mlflow + "runs/get?run_id=a&run_uuid=b", ""}, {"GET", mlflow + "experiments/get?experiment_id=02", ""},
		{"POST", mlflow + "runs/log-metric", `{"run_id":"a","run_uuid":"b","model_id":"c"}`}, {"POST", mlflow + "runs/search", `{"experimentIds":["1"," 2"]}`},
		{"POST", mlflow + "runs/log-batch", `{"runId":"a","metrics":[{"model_id":"b"},null]}`}, {"PATCH", mlflow + "logged-models/a", `{"model_id":"b"}`},
		{"GET", "/api/2.0/mlflow-artifacts/artifacts?path=2%2Fa", ""}, {"PUT", "/api/2.0/mlflow-artifacts/artifacts/2/%2532", "x"},
		{"DELETE", mlflow + "logged-models/a", "{}"}, {"POST", mlflow + "model-versions/create", `{"name":"a","source":"runs:/b","run_id":"b"}`},
		{"GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk?run_id=a&run_id=b", ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, method, target, body string) {
		r, err := message(method, target, body)
		if err != nil {
			return
		}
		read, targets, err := run(r)
		if err != nil {
			if errs.Is(err, errs.Internal) {
				t.Errorf("the client's fault is answered as ours: %v", err)
			}
			return
		}
		match, _ := matcher.Match(r.Method, read.Path.Decoded)
		for _, need := range match.Route.Needs {
			var got []string
			for _, target := range targets {
				if target.Ref == need.Ref && target.Level == need.Level {
					got = append(got, target.Value)
				}
			}
			if len(got) == 0 && !need.Optional {
				t.Errorf("nothing is decided for %s", need)
			}
			if need.At.Many {
				continue
			}
			values := slowValues(read, &match, need.At.Fields, need.At.In)
			if len(values) > 1 {
				t.Errorf("%s has the values %v", need, values)
			}
			for value := range values {
				if len(got) != 1 || got[0] != value {
					t.Errorf("%s is %q, and decided are %q", need, value, got)
				}
			}
		}
		for _, target := range targets {
			checkCanonical(t, target)
		}
	})
}

func checkCanonical(t *testing.T, target extract.Target) {
	t.Helper()
	switch target.Ref {
	case policy.Experiment:
		if target.Value != "0" && (target.Value == "" || target.Value[0] == '0' || strings.Trim(target.Value, "0123456789") != "") {
			t.Errorf("experiment %q", target.Value)
		}
	case policy.Run, policy.LoggedModel:
		if target.Value == "" || url.PathEscape(target.Value) != target.Value || strings.Contains(target.Value, ".") {
			t.Errorf("id %q", target.Value)
		}
	case policy.ArtifactTree:
		first, _, _ := strings.Cut(target.Value, "/")
		if !extract.ExperimentID(first) || strings.Contains("/"+target.Value+"/", "/../") || strings.Contains(target.Value, "//") {
			t.Errorf("artifact path %q", target.Value)
		}
	case policy.Model, policy.ExperimentName:
		if target.Value == "" || strings.Contains(target.Value, "\x00") {
			t.Errorf("name %q", target.Value)
		}
	}
	if target.Level > kind.Manage {
		t.Errorf("level %s", target.Level)
	}
}
