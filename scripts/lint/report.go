package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/suite/vet"
)

// exclusion is a rule of .golangci.yml: what fits all that it says is not reported.
type exclusion struct {
	Path    string
	Linters []string
	Text    string
}

func (e exclusion) fits(f finding) bool {
	fits := func(pattern, text string) bool { return pattern == "" || regexp.MustCompile(pattern).MatchString(text) }
	return (e.Linters == nil || slices.Contains(e.Linters, f.linter)) && fits(e.Path, f.file) && fits(e.Text, f.message)
}

type finding struct {
	file    string
	line    int
	linter  string
	message string
}

// ofStaticcheck are the names of its checks, which are one linter.
var ofStaticcheck = regexp.MustCompile(`^(SA|ST|S)\d+$`)

// report prints what go vet says in JSON, and whether it is anything.
func report(in io.Reader, config string, out io.Writer) (bool, error) {
	text, err := os.ReadFile(config)
	if err != nil {
		return false, fmt.Errorf("what is excluded is not known: %w", err)
	}
	var settings struct {
		Linters struct {
			Exclusions struct{ Rules []exclusion }
		}
	}
	if err := yaml.Unmarshal(text, &settings); err != nil {
		return false, fmt.Errorf("%s: %w", config, err)
	}
	found, err := read(in)
	if err != nil {
		return false, err
	}
	var lines []string
	for _, f := range found {
		excluded := slices.ContainsFunc(settings.Linters.Exclusions.Rules, func(e exclusion) bool { return e.fits(f) })
		if !excluded && !allowed(f) {
			lines = append(lines, fmt.Sprintf("%s:%d: %s (%s)\n", f.file, f.line, f.message, f.linter))
		}
	}
	slices.Sort(lines)
	lines = slices.Compact(lines) // a package is looked at with its tests and without them
	_, err = io.WriteString(out, strings.Join(lines, ""))
	return len(lines) > 0, err
}

// grouped gives a check's linter, as .golangci.yml names it, and what the check says.
func grouped(name, message string) (string, string) {
	if ofStaticcheck.MatchString(name) {
		return "staticcheck", name + ": " + message
	}
	if slices.ContainsFunc(vet.Suite, func(a *analysis.Analyzer) bool { return a.Name == name }) {
		return "govet", name + ": " + message
	}
	return name, message
}

// read reads one object after the other, each about a package: linter → findings, or an error.
func read(in io.Reader) ([]finding, error) {
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	var all []finding
	for d := json.NewDecoder(in); ; {
		var packages map[string]map[string]json.RawMessage
		if err := d.Decode(&packages); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("reading what go vet says: %w", err)
		}
		for path, linters := range packages {
			for linter, text := range linters {
				var found []struct{ Posn, Message string }
				if err := json.Unmarshal(text, &found); err != nil {
					return nil, fmt.Errorf("%s of %s: %s", linter, path, text)
				}
				for _, one := range found {
					at := strings.Split(one.Posn, ":")
					line, err := strconv.Atoi(at[len(at)-2])
					if err != nil {
						return nil, fmt.Errorf("the place %q is not understood", one.Posn)
					}
					f := finding{strings.Join(at[:len(at)-2], ":"), line, linter, one.Message}
					f.linter, f.message = grouped(linter, f.message)
					if f.file, err = filepath.Rel(here, f.file); err != nil {
						return nil, err
					}
					all = append(all, f)
				}
			}
		}
	}
}

// remark is one that allows what is found on its line, and says why: //nolint:gosec // to be refused.
var remark = regexp.MustCompile(`//nolint:([a-z,]+) // \S`)

func allowed(f finding) bool {
	text, err := os.ReadFile(f.file)
	if err != nil {
		return false
	}
	lines := strings.Split(string(text), "\n")
	if f.line > len(lines) {
		return false
	}
	names := remark.FindStringSubmatch(lines[f.line-1])
	return names != nil && slices.Contains(strings.Split(names[1], ","), f.linter)
}
