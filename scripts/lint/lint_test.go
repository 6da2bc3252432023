package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Each linter finds its fault, and finds it once; nothing finds another.
func TestEveryLinterFindsItsFault(t *testing.T) {
	tool := filepath.Join(t.TempDir(), "lint")
	if said, err := exec.Command("go", "build", "-o", tool, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	t.Chdir("testdata/faulty")
	text, err := os.ReadFile("faulty.go")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i, line := range strings.Split(string(text), "\n") {
		if marked := regexp.MustCompile(`// ([a-z, ]+)$|\(([a-z]+)\)$`).FindStringSubmatch(line); marked != nil && !strings.Contains(line, "nolint") {
			for name := range strings.SplitSeq(marked[1]+marked[2], ", ") {
				want = append(want, strconv.Itoa(i+1)+" "+name)
			}
		}
	}
	want = append(want, strconv.Itoa(slices.Index(strings.Split(string(text), "\n"), `	os.Remove("c") //nolint:errcheck`)+1)+" errcheck") // it does not say why
	vet := exec.Command("go", "vet", "-vettool="+tool, "-json", "./...")
	var said, found bytes.Buffer
	vet.Stdout, vet.Stderr = &said, os.Stderr
	if err := vet.Run(); err != nil {
		t.Fatal(err)
	}
	something, err := report(&said, ".golangci.yml", &found)
	if err != nil || !something {
		t.Fatalf("found something: %v, %v", something, err)
	}
	var got []string
	for _, line := range regexp.MustCompile(`(?m)^faulty\.go:(\d+): .*\(([a-z]+)\)$`).FindAllStringSubmatch(found.String(), -1) {
		got = append(got, line[1]+" "+line[2])
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) || strings.Count(found.String(), "\n") != len(got) {
		t.Errorf("want %q, got\n%s", want, found.String())
	}
}

// Without its settings it says nothing is known, and does not report as if nothing was excluded.
func TestReportNeedsItsSettings(t *testing.T) {
	if found, err := report(strings.NewReader("{}"), filepath.Join(t.TempDir(), "none.yml"), os.Stderr); err == nil || found {
		t.Errorf("%v, %v", found, err)
	}
	for name, said := range map[string]string{"no JSON": "panic", "a linter that fails": `{"a": {"errcheck": {"error": "it fails"}}}`} {
		if found, err := report(strings.NewReader(said), "testdata/faulty/.golangci.yml", os.Stderr); err == nil || found {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
}
