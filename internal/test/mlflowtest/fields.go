package mlflowtest

import (
	_ "embed"
	"encoding/json"
	"os/exec"
	"testing"
)

// RequestField is one value that a request to MLflow may hold.
type RequestField struct {
	Path string // "a.b" in objects, "a[].b" in the objects of a list, "a[]" in a list
	Type string // text, number, bool, map, …; of an enumeration its first value
}

//go:embed fields.py
var listFields string

// Fields lists what the requests of the installed MLflow may hold, by "METHOD /path".
func Fields(t testing.TB) map[string][]RequestField {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), Pinned(t).Command("python"), "-W", "ignore", "-c", listFields).Output()
	if err != nil {
		t.Fatalf("listing the fields of MLflow's requests: %v", err)
	}
	var rows map[string][][2]string
	if err := json.Unmarshal(output, &rows); err != nil {
		t.Fatal(err)
	}
	fields := map[string][]RequestField{}
	for pattern, all := range rows {
		for _, row := range all {
			fields[pattern] = append(fields[pattern], RequestField{row[0], row[1]})
		}
	}
	return fields
}
