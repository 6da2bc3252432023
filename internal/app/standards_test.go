package app_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// requirement is a row of docs/standards.md.
type requirement struct {
	id, text, source string
	packages, tests  []string
}

var (
	quoted   = regexp.MustCompile("`([^`]+)`")
	declared = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(\w+ \*testing\.[TF]\)`)
)

// requirements reads the rows of a page.
func requirements(page string) []requirement {
	var rows []requirement
	for line := range strings.Lines(page) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| id |") {
			continue
		}
		row := requirement{id: strings.TrimSpace(cells[0])}
		if len(cells) == 5 {
			row.text, row.source = strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2])
			row.packages, row.tests = spans(cells[3]), spans(cells[4])
		}
		rows = append(rows, row)
	}
	return rows
}

// spans gives what a cell names.
func spans(cell string) []string {
	var all []string
	for _, found := range quoted.FindAllStringSubmatch(cell, -1) {
		all = append(all, found[1])
	}
	return all
}

// tested is what a package tests: the names of its tests, and their source.
type tested struct {
	names  []string
	source string
}

func testsOf(path string) (tested, error) {
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(path), "*_test.go"))
	var t tested
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return t, err
		}
		t.source += string(text)
		for _, found := range declared.FindAllStringSubmatch(string(text), -1) {
			t.names = append(t.names, found[1])
		}
	}
	return t, err
}

// has tells whether a test is there, and its case, if one is named.
func (t tested) has(name string) bool {
	test, sub, _ := strings.Cut(name, "/")
	return slices.Contains(t.names, test) && (sub == "" || strings.Contains(t.source, strconv.Quote(sub)))
}

// mistakes gives what is wrong with the rows of a page, by the tests of each package.
func mistakes(rows []requirement, of func(path string) (tested, error)) []string {
	var wrong []string
	for n, row := range rows {
		if row.id != strconv.Itoa(n+1) {
			wrong = append(wrong, "row "+strconv.Itoa(n+1)+" has the id "+row.id)
		}
		if row.text == "" || row.source == "" || len(row.packages) == 0 || len(row.tests) == 0 {
			wrong = append(wrong, row.id+": a cell is empty, or there are not five")
		}
		missing := slices.Clone(row.tests)
		for _, path := range row.packages {
			tests, err := of(path)
			if err != nil || !slices.ContainsFunc(row.tests, tests.has) {
				wrong = append(wrong, row.id+": no test of the row is in "+path)
			}
			missing = slices.DeleteFunc(missing, tests.has)
		}
		for _, name := range missing {
			wrong = append(wrong, row.id+": there is no "+name+" in "+strings.Join(row.packages, ", "))
		}
	}
	return wrong
}

func TestStandardsNameTestsThatAreThere(t *testing.T) {
	rows := requirements(readFile(t, filepath.Join(root, "docs", "standards.md")))
	if len(rows) < 100 {
		t.Errorf("the page has %d rows", len(rows))
	}
	for _, wrong := range mistakes(rows, testsOf) {
		t.Error(wrong)
	}
}

func TestMistakesInStandardsAreFound(t *testing.T) {
	of := func(path string) (tested, error) {
		if path == "a" {
			return tested{[]string{"TestA", "FuzzA"}, `"the case": {}`}, nil
		}
		return tested{}, nil
	}
	for name, c := range map[string]struct {
		rows string
		want []string
	}{
		"right":          {"| id | x | y | z | t |\n|---|---|\n| 1 | r | s | `a` | `TestA`, `FuzzA` |\n| 2 | r | s | `a` | `TestA/the case` |\n", nil},
		"out of order":   {"| 2 | r | s | `a` | `TestA` |\n| 1 | r | s | `a` | `TestA` |\n", []string{"row 1 has the id 2", "row 2 has the id 1"}},
		"twice":          {"| 1 | r | s | `a` | `TestA` |\n| 1 | r | s | `a` | `TestA` |\n", []string{"row 2 has the id 1"}},
		"no id":          {"|  | r | s | `a` | `TestA` |\n", []string{"row 1 has the id "}},
		"no test":        {"| 1 | r | s | `a` |  |\n", []string{"1: a cell is empty, or there are not five", "1: no test of the row is in a"}},
		"another test":   {"| 1 | r | s | `a` | `TestA`, `TestB` |\n", []string{"1: there is no TestB in a"}},
		"another case":   {"| 1 | r | s | `a` | `TestA`, `TestA/case` |\n", []string{"1: there is no TestA/case in a"}},
		"part of a name": {"| 1 | r | s | `a` | `TestA`, `Test` |\n", []string{"1: there is no Test in a"}},
		"no such folder": {"| 1 | r | s | `a`, `b` | `TestA` |\n", []string{"1: no test of the row is in b"}},
		"a cell less":    {"| 1 | r | `a` | `TestA` |\n", []string{"1: a cell is empty, or there are not five"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := mistakes(requirements(c.rows), of); !slices.Equal(got, c.want) {
				t.Errorf("found %q", got)
			}
		})
	}
}
