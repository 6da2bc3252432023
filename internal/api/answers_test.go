package api_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

// done is the plugin's answer to a change: of a user's permission on an experiment it has no status.
func done(k kind.Kind, s side) object {
	if s.segment == "users" && k.BareMessages {
		return object{"message": said}
	}
	return object{"status": "success", "message": said}
}

func TestGrantFromMakingToDeletion(t *testing.T) {
	c := newCast(t)
	c.each(t, func(t *testing.T, k kind.Kind, s side) {
		do := func(method, at string, body any, status int, want any) {
			t.Helper()
			wants(t, c.admin.Do(t, method, at, body), status, want)
		}
		one, created := c.grants(k, s)+"/"+c.at(k), 201
		if s.segment == "users" {
			created = k.CreatedStatus
		}
		made := done(k, s)
		switch {
		case k.Plain:
			made = c.plain(k, s, "READ")
		case k.Parent != "" && s.segment == "users":
			made = object{k.Envelope: c.record(t, s, "READ")}
		}
		do(http.MethodPost, one, object{"permission": "READ", "unknown": 1}, created, made)
		do(http.MethodPost, one, permission("EDIT"), 409, conflict)
		c.shows(t, k, s, one, "READ")
		do(http.MethodPatch, one, permission("NO_PERMISSIONS"), 200, done(k, s))
		c.shows(t, k, s, one, "NO_PERMISSIONS")
		holder := object{"name": s.name, "permission": "NO_PERMISSIONS", "kind": strings.TrimSuffix(s.segment, "s")}
		held := list{holder}
		if s.segment == "users" {
			held = list{object{"name": c.editor.Username, "permission": "EDIT", "kind": "user"},
				object{"name": c.manager.Username, "permission": "MANAGE", "kind": "user"}, holder}
		}
		do(http.MethodGet, holders(k, c.at(k), s), nil, 200, held)
		for name, body := range map[string]any{"wrong": permission("WRITE"), "other case": permission("read"), "empty": permission("")} {
			t.Run(name, func(t *testing.T) {
				wants(t, c.admin.Do(t, http.MethodPost, one, body), 400, invalid)
				wants(t, c.admin.Do(t, http.MethodPatch, one, body), 400, invalid)
			})
		}
		do(http.MethodDelete, one, nil, 200, done(k, s))
		do(http.MethodDelete, one, nil, 404, missing)
		do(http.MethodPatch, one, permission("READ"), 404, missing)
		do(http.MethodGet, one, nil, 404, missing) // a group's single permission is no operation of the plugin
		nobody := base + "/permissions/" + s.segment + "/none/" + k.Segment
		do(http.MethodGet, nobody, nil, 404, missing)
		do(http.MethodPost, nobody+"/"+c.at(k), permission("READ"), 404, missing)
		do(http.MethodPatch, nobody+"/"+c.at(k), permission("READ"), 404, missing)
		do(http.MethodDelete, nobody+"/"+c.at(k), nil, 404, missing)
	})
}

// plain is a grant that is wrapped in nothing.
func (c *cast) plain(k kind.Kind, s side, level string) object {
	return object{"name": c.on[k.Name], "permission": level, "kind": strings.TrimSuffix(s.segment, "s")}
}

// record is the stored permission on the scorer.
func (c *cast) record(t *testing.T, s side, level string) object {
	t.Helper()
	one := object{"experiment_id": c.on[kind.Experiment], "scorer_name": c.names[kind.Scorer], "permission": level}
	if s.segment == "users" {
		one["user_id"] = c.id(t, s.holder)
		return one
	}
	one["group_id"], one["kind"] = c.id(t, s.holder), "group"
	return one
}

// shows checks a single permission; for groups there is no such operation but where answers are plain.
func (c *cast) shows(t *testing.T, k kind.Kind, s side, at, level string) {
	t.Helper()
	if k.Plain {
		wants(t, c.admin.Do(t, http.MethodGet, at, nil), 200, c.plain(k, s, level))
		return
	}
	if s.segment != "users" {
		return
	}
	record := object{k.Key: c.on[k.Name], "permission": level, "user_id": c.id(t, s.holder), "group_id": nil}
	switch k.Name {
	case kind.RegisteredModel, kind.Prompt:
		record["prompt"] = false
	case kind.Scorer:
		record = c.record(t, s, level)
	}
	wants(t, c.admin.Do(t, http.MethodGet, at, nil), 200, object{k.Envelope: record})
}

// patternForm is a pattern as the plugin shows it on each side, but for its id.
func (c *cast) patternForm(t *testing.T, k kind.Kind, s side, id, regex string, priority float64) object {
	t.Helper()
	form := object{"regex": regex, "priority": priority, "permission": "READ", "workspace": "*", "id": id}
	number, _ := strconv.ParseFloat(id, 64)
	switch {
	case s.segment == "groups":
		form["id"], form["group_id"], form["kind"] = number, c.id(t, s.holder), "group"
	case !k.PatternIDText:
		form["id"], form["user_id"] = number, c.id(t, s.holder)
		if k.Plain {
			form["kind"] = "user"
		}
	}
	if k.Prompt {
		form["prompt"] = k.Name == kind.Prompt
	}
	return form
}

func TestPatternFromMakingToDeletion(t *testing.T) {
	c := newCast(t)
	made := 0
	c.eachPattern(t, func(t *testing.T, k kind.Kind, s side) {
		do := func(method, at string, body any, status int, want any) {
			t.Helper()
			wants(t, c.admin.Do(t, method, at, body), status, want)
		}
		at, ok := c.patterns(k, s), object{"status": "success", "message": said}
		second, first := strconv.Itoa(made+1), strconv.Itoa(made+2) // a new database counts from one
		made += 2
		do(http.MethodGet, at, nil, 200, list{})
		answered := func(form object) object {
			switch {
			case k.Plain:
				return form
			case k.Name == kind.Scorer && s.segment == "users":
				return object{"pattern": form}
			}
			return ok
		}
		do(http.MethodPost, at, object{"regex": "b.*", "priority": 2, "permission": "READ"}, 201, answered(c.patternForm(t, k, s, second, "b.*", 2)))
		do(http.MethodPost, at, object{"regex": "a.*", "priority": 1, "permission": "READ"}, 201, answered(c.patternForm(t, k, s, first, "a.*", 1)))
		do(http.MethodPost, at, object{"regex": "a.*", "priority": 7, "permission": "EDIT"}, 409, conflict)
		do(http.MethodGet, at, nil, 200, list{c.patternForm(t, k, s, first, "a.*", 1), c.patternForm(t, k, s, second, "b.*", 2)})
		wrapped := func(form object) any {
			if s.segment == "users" && k.PatternEnvelope != "" {
				return object{k.PatternEnvelope: form}
			}
			return form
		}
		do(http.MethodGet, at+"/"+first, nil, 200, wrapped(c.patternForm(t, k, s, first, "a.*", 1)))
		change := any(answered(c.patternForm(t, k, s, first, "c.*", 9)))
		if s.segment == "users" && k.PatternEnvelope != "" {
			change = wrapped(c.patternForm(t, k, s, first, "c.*", 9))
		}
		do(http.MethodPatch, at+"/"+first, object{"regex": "c.*", "priority": 9, "permission": "READ"}, 200, change)
		do(http.MethodPatch, at+"/"+first, object{"regex": "b.*", "priority": 9, "permission": "READ"}, 409, conflict)
		do(http.MethodGet, at, nil, 200, list{c.patternForm(t, k, s, second, "b.*", 2), c.patternForm(t, k, s, first, "c.*", 9)})
		other := base + "/permissions/users/" + c.member.Username + "/" + k.Patterns
		do(http.MethodGet, other+"/"+first, nil, 404, missing) // it is somebody else's
		do(http.MethodDelete, other+"/"+first, nil, 404, missing)
		notNumber := 422
		if s.segment == "users" && !k.Plain && k.Parent == "" {
			notNumber = 400
		}
		do(http.MethodGet, at+"/x", nil, notNumber, invalid)
		do(http.MethodDelete, at+"/x", nil, notNumber, invalid)
		bare := ok
		if s.segment == "users" && k.BareDeletion {
			bare = object{"status": "success"}
		}
		do(http.MethodDelete, at+"/"+first, nil, 200, bare)
		do(http.MethodDelete, at+"/"+first, nil, 404, missing)
		do(http.MethodGet, base+"/permissions/"+s.segment+"/none/"+k.Patterns, nil, 404, missing)
	})
}

func TestPatternThatCannotBeIsRefused(t *testing.T) {
	c := newCast(t)
	c.eachPattern(t, func(t *testing.T, k kind.Kind, s side) {
		for name, one := range map[string]struct {
			body   object
			status int
		}{
			"no regular expression": {object{"regex": "(", "priority": 1, "permission": "READ"}, 400},
			"not linear in time":    {object{"regex": `(a)\1`, "priority": 1, "permission": "READ"}, 400},
			"balanced by wrapping":  {object{"regex": ")|(", "priority": 1, "permission": "READ"}, 400},
			"empty":                 {object{"regex": "", "priority": 1, "permission": "READ"}, 400},
			"too long":              {object{"regex": strings.Repeat("a", 256), "priority": 1, "permission": "READ"}, 400},
			"unknown permission":    {object{"regex": "a", "priority": 1, "permission": "WRITE"}, 400},
			"no priority":           {object{"regex": "a", "permission": "READ"}, 422},
			"priority in words":     {object{"regex": "a", "priority": "first", "permission": "READ"}, 422},
			"priority too large":    {object{"regex": "a", "priority": 1e12, "permission": "READ"}, 422},
			"priority in parts":     {object{"regex": "a", "priority": 1.5, "permission": "READ"}, 422},
		} {
			t.Run(name, func(t *testing.T) {
				wants(t, c.admin.Do(t, http.MethodPost, c.patterns(k, s), one.body), one.status, invalid)
			})
		}
		wants(t, c.admin.Do(t, http.MethodGet, c.patterns(k, s), nil), 200, list{})
	})
}

func TestBodyThatCannotBeReadIsRefused(t *testing.T) {
	c := newCast(t)
	c.each(t, func(t *testing.T, k kind.Kind, s side) {
		for name, one := range map[string]struct {
			body, mime string
		}{
			"cut off":        {`{"permission":`, "application/json"},
			"empty":          {``, "application/json"},
			"nothing in it":  {`{}`, "application/json"},
			"null":           {`null`, "application/json"},
			"a list":         {`["READ"]`, "application/json"},
			"a number":       {`{"permission": 1}`, "application/json"},
			"two meanings":   {`{"permission": "READ", "permission": "MANAGE"}`, "application/json"},
			"another case":   {`{"Permission": "MANAGE"}`, "application/json"},
			"two objects":    {`{"permission": "READ"} {"permission": "MANAGE"}`, "application/json"},
			"not UTF-8":      {"{\"permission\": \"READ\xff\"}", "application/json"},
			"plain text":     {`{"permission": "READ"}`, "text/plain"},
			"form of a page": {`permission=READ`, "application/x-www-form-urlencoded"},
			"multipart":      {`{"permission": "READ"}`, "multipart/form-data"},
			"yaml, say":      {`permission: READ`, "application/yaml"},
		} {
			t.Run(name, func(t *testing.T) {
				request := c.admin.Request(t, http.MethodPost, c.grants(k, s)+"/"+c.at(k), one.body)
				request.Header.Set("Content-Type", one.mime)
				wants(t, c.admin.Send(t, request), 422, invalid)
			})
		}
		huge := `{"permission": "READ", "x": "` + strings.Repeat("x", 1<<20) + `"}`
		wants(t, c.admin.Do(t, http.MethodPost, c.grants(k, s)+"/"+c.at(k), huge), 413, invalid)
	})
}

func TestUsers(t *testing.T) {
	c := newCast(t)
	ann := object{"active": true, "display_name": "Ann", "groups": list{}, "is_admin": false, "is_service_account": true, "username": "ann"}
	message := object{"message": said}
	for _, one := range []struct {
		name, method, at string
		body             any
		status           int
		want             any
	}{
		{"made, lower-cased", "POST", "/users", object{"username": " ANN ", "display_name": "Ann", "is_service_account": true, "service_account_source": nil, "subject": nil}, 201, message},
		{"shown", "GET", "/users/ann", nil, 200, ann},
		{"shown in any case", "GET", "/users/Ann", nil, 200, ann},
		{"listed", "GET", "/users?service=true", nil, 200, list{"ann"}},
		{"made again", "POST", "/users", object{"username": "ann", "display_name": "Other", "is_admin": true, "is_service_account": true}, 200, message},
		{"has the new roles and the old name", "GET", "/users/ann", nil, 200, object{"active": true, "display_name": "Ann", "groups": list{}, "is_admin": true, "is_service_account": true, "username": "ann"}},
		{"IS_ADMIN is no field", "POST", "/users", object{"username": "eve", "display_name": "Eve", "IS_ADMIN": true, "is_Admin": true}, 201, message},
		{"and makes no administrator", "GET", "/users/eve", nil, 200, object{"active": true, "display_name": "Eve", "groups": list{}, "is_admin": false, "is_service_account": false, "username": "eve"}},
		{"no name", "POST", "/users", object{"username": " ", "display_name": "x"}, 400, invalid},
		{"a colon, which basic authentication splits at", "POST", "/users", object{"username": "a:b", "display_name": "x"}, 400, invalid},
		{"a line break", "POST", "/users", object{"username": "a\nb", "display_name": "x"}, 400, invalid},
		{"a provider's service account", "POST", "/users", object{"username": "b", "display_name": "x", "is_service_account": true, "service_account_source": "oidc"}, 400, invalid},
		{"no display name", "POST", "/users", object{"username": "b"}, 422, invalid},
		{"deleted in any case", "DELETE", "/users", object{"username": "ANN", "admin_override": true}, 200, message},
		{"deleted twice", "DELETE", "/users", object{"username": "ann"}, 404, missing},
		{"gone", "GET", "/users/ann", nil, 404, missing},
		{"the last administrator", "DELETE", "/users", object{"username": c.admin.Username}, 409, conflict},
		{"the last administrator, demoted", "POST", "/users", object{"username": c.admin.Username, "display_name": "x"}, 409, conflict},
	} {
		t.Run(one.name, func(t *testing.T) {
			want := one.want
			if profile, ok := want.(object); ok && profile["username"] != nil {
				profile["id"] = c.idOf(t, profile["username"].(string))
			}
			wants(t, c.admin.Do(t, one.method, base+one.at, one.body), one.status, want)
		})
	}
}

func TestGroups(t *testing.T) {
	c := newCast(t)
	ok := object{"status": "success", "message": said}
	for name, one := range map[string]struct {
		group  any
		status int
		want   any
	}{
		"there already":       {theGroup, 200, ok},
		"with a slash":        {"/data/science", 201, ok},
		"in any script":       {" Grüße 数据 ", 201, ok},
		"empty":               {" ", 400, invalid},
		"a dot segment":       {"..", 400, invalid},
		"a percent sign":      {"a%2Fb", 400, invalid},
		"a question mark":     {"a?b", 400, invalid},
		"a fragment":          {"a#b", 400, invalid},
		"what cannot be seen": {"a\u200bb", 400, invalid},
		"a line break":        {"a\nb", 400, invalid},
		"too long":            {strings.Repeat("ü", 256), 400, invalid},
		"as long as may be":   {strings.Repeat("ü", 255), 201, ok},
		"not a text":          {7, 422, invalid},
	} {
		t.Run(name, func(t *testing.T) {
			wants(t, c.admin.Do(t, http.MethodPost, base+"/permissions/groups", object{"group_name": one.group}), one.status, one.want)
		})
	}
	red := object{"group_name": theGroup, "external_id": nil, "member_count": float64(1)}
	wants(t, c.admin.Do(t, http.MethodGet, base+"/permissions/groups/details?search=RED", nil), 200, list{red})
	wants(t, c.admin.Do(t, http.MethodGet, base+"/permissions/groups/"+theGroup+"/users", nil), 200, list{object{"username": c.target.Username, "is_admin": false}})
	wants(t, c.admin.Do(t, http.MethodGet, base+"/permissions/groups/none/users", nil), 404, missing)
}

// A name is one segment of the path, however it has to be encoded there; an encoded slash never ends it.
func TestNamesThatNeedEncoding(t *testing.T) {
	c := newCast(t)
	for name, one := range map[string]struct{ group, model, groupPath, modelPath string }{
		"slash":   {"/data/science", "m/x", "%2Fdata%2Fscience", "m%2Fx"},
		"route":   {"x/registered-models/y", "y", "x%2Fregistered-models%2Fy", "y"},
		"script":  {"Grüße", "模型", "Gr%C3%BC%C3%9Fe", "%E6%A8%A1%E5%9E%8B"},
		"blanks":  {"a b", "c d", "a%20b", "c%20d"},
		"percent": {"plus+", "50%25", "plus+", "50%2525"},
		"dots":    {"...", "..", "...", "%2E%2E"},
	} {
		t.Run(name, func(t *testing.T) {
			c.admin.JSON(t, http.MethodPost, base+"/permissions/groups", object{"group_name": one.group})
			at := base + "/permissions/groups/" + one.groupPath + "/registered-models"
			wants(t, c.admin.Do(t, http.MethodPost, at+"/"+one.modelPath, permission("READ")), 201, object{"status": "success", "message": said})
			wants(t, c.admin.Do(t, http.MethodGet, at, nil), 200, list{object{"name": one.model, "permission": "READ", "kind": "group"}})
			wants(t, c.admin.Do(t, http.MethodGet, base+"/permissions/registered-models/"+one.modelPath+"/groups", nil), 200,
				list{object{"name": one.group, "permission": "READ", "kind": "group"}})
		})
	}
}
