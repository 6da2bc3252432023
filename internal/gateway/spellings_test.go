package gateway_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/policy"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
)

var keys = regexp.MustCompile(`"[a-z_]+":`)

// camelKeys writes every key in protobuf's other spelling.
func camelKeys(body string) string { return keys.ReplaceAllStringFunc(body, camel) }

// merged are the members of two objects in one.
func merged(a, b string) string { return a[:len(a)-1] + "," + b[1:] }

// bodies are ways to name the victim's id in a body that is the thief's own otherwise.
func bodies(own, victims, id string) map[string]string {
	return map[string]string{
		"as it is": victims, "the other spelling": camelKeys(victims), "own first": merged(own, victims), "own last": merged(victims, own),
		"own in the other spelling":       merged(victims, camelKeys(own)),
		"the victim's in it":              merged(own, camelKeys(victims)),
		"escaped keys":                    keys.ReplaceAllStringFunc(victims, func(key string) string { return `"\u00` + hexOf(key[1]) + key[2:] }),
		"a duplicate in escaped keys":     merged(own, keys.ReplaceAllStringFunc(victims, func(key string) string { return `"\u00` + hexOf(key[1]) + key[2:] })),
		"NUL behind the keys":             merged(own, keys.ReplaceAllStringFunc(victims, func(key string) string { return key[:len(key)-2] + `\u0000":` })),
		"upper case":                      keys.ReplaceAllStringFunc(victims, strings.ToUpper),
		"a number":                        strings.ReplaceAll(victims, `"`+id+`"`, strings.Trim(id, "abcdefghijklmnopqrstuvwxyz-")+"0"),
		"a list":                          strings.ReplaceAll(victims, `"`+id+`"`, `["`+id+`"]`),
		"an object":                       strings.ReplaceAll(victims, `"`+id+`"`, `{"value":"`+id+`"}`),
		"a space before":                  strings.ReplaceAll(victims, `"`+id+`"`, `" `+id+`"`),
		"a byte order mark":               "\ufeff" + victims,
		"JSON in a text":                  string(must(json.Marshal(victims))),
		"a wrong type in front":           `{"max_results":{},"order_by":[5],"key":5,` + victims[1:],
		"unknown fields":                  `{"unknown":1,"[extension]":{"a":1},"_":null,` + victims[1:],
		"something behind":                victims + own,
		"own in an object of its own key": `{"":` + own + "," + victims[1:],
	}
}

func hexOf(c byte) string { return string("0123456789abcdef"[c>>4]) + string("0123456789abcdef"[c&15]) }

func must(raw []byte, err error) []byte {
	if err != nil {
		panic(err) // of a string
	}
	return raw
}

// TestEverySpellingOfEveryID takes every id of every row in turn, and puts the victim's in its place in each way that MLflow,
// or another server, would read. None reaches MLflow.
func TestEverySpellingOfEveryID(t *testing.T) {
	s := newScene(t)
	s.recorder.Refuse()
	for _, route := range policy.Routes() {
		if strings.HasPrefix(route.Path, "/ajax-api/2.0/mlflow/run") || route.Access == policy.Refused || route.Access == policy.Administrators {
			continue
		}
		for i, need := range route.Needs {
			if need.At.In != policy.Body && need.At.In != policy.Query {
				continue
			}
			// a scorer's name is one of the experiment beside it; and where ids are narrowed, own ones go on
			if need.Ref == policy.Scorer || route.Filter == policy.NarrowExperiments {
				continue
			}
			t.Run(route.Pattern()+" "+need.At.Fields[0], func(t *testing.T) { s.spell(t, route, i) })
		}
	}
}

// spell sends one row with each spelling of the id of one of its needs.
func (s *scene) spell(t *testing.T, route policy.Route, which int) {
	need := route.Needs[which]
	field, id := need.At.Fields[0], named(t, need.Ref, s.victims)
	own := newDraft(route, from(t, s.thiefs, true)).request(t, s.thief)
	send := func(name, target, body string, change func(*http.Request)) {
		t.Helper()
		var content any
		if body != "" {
			content = body
		}
		request := s.thief.Request(t, route.Method, target, content)
		if change != nil {
			change(request)
		}
		s.recorder.Calls()
		got := s.thief.Send(t, request)
		if forwarded := s.recorder.Forwarded(); len(forwarded) > 0 {
			t.Errorf("%s: %s with %s reached MLflow", name, target, body)
		}
		if narrowed := route.Filter == policy.NarrowExperiments && string(got.Body) == "{}"; got.Status < 400 && !narrowed || got.Status >= 500 || strings.Contains(string(got.Body), world.Secret) {
			t.Errorf("%s: %s with %s was answered with %d %s", name, target, body, got.Status, got.Body)
		}
	}
	target := own.URL.Opaque
	if need.At.In == policy.Query {
		mine := own.URL.Query()
		theirs := url.Values{}
		for key, values := range mine {
			theirs[key] = slices.Clone(values)
		}
		theirs.Set(field, id)
		escaped := "%" + hexOf(field[0]) + field[1:] + "=" + url.QueryEscape(id)
		for name, query := range map[string]string{"as it is": theirs.Encode(), "own first": mine.Encode() + "&" + theirs.Encode(), "own last": theirs.Encode() + "&" + mine.Encode(),
			"behind a semicolon": mine.Encode() + ";" + theirs.Encode(), "escaped": escaped, "own first, escaped": mine.Encode() + "&" + escaped, "a space before": field + "=+" + url.QueryEscape(id),
			"in brackets": field + "[]=" + url.QueryEscape(id), "in capitals": strings.ToUpper(field) + "=" + url.QueryEscape(id), "NUL behind": field + "=" + url.QueryEscape(id) + "%00"} {
			body := ""
			if route.Content == policy.Stream {
				body = "some bytes"
			}
			send(name, target+"?"+query, body, nil)
		}
		if route.Method == http.MethodGet {
			inBody := string(must(json.Marshal(map[string]string{field: id})))
			send("in a body", target+"?"+mine.Encode(), inBody, nil)
			send("in a body alone", target, inBody, nil)
			send("in a form", target, field+"="+url.QueryEscape(id), func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") })
		}
		return
	}
	raw, err := io.ReadAll(own.Body)
	if err != nil {
		t.Fatal(err)
	}
	var theirs map[string]any
	if err := json.Unmarshal(raw, &theirs); err != nil {
		t.Fatal(err)
	}
	place(theirs, field, id)
	victims := string(must(json.Marshal(theirs)))
	for name, body := range bodies(string(raw), victims, id) {
		send(name, target, body, nil)
	}
	send("in the query", target+"?"+field+"="+url.QueryEscape(id), string(raw), nil)
	send("own in the query", target+"?"+field+"="+url.QueryEscape(named(t, need.Ref, s.thiefs)), victims, nil)
	for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=utf-16", "text/json", "application/*", "application/json, text/plain"} {
		send("as "+kind, target, victims, func(r *http.Request) { r.Header.Set("Content-Type", kind) })
	}
	send("as a form's field", target, "--x\r\nContent-Disposition: form-data; name=\""+field+"\"\r\n\r\n"+id+"\r\n--x--\r\n", func(r *http.Request) {
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	})
}
