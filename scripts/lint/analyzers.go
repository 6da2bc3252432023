package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"log"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/golangci/misspell"
	"github.com/gordonklaus/ineffassign/pkg/ineffassign"
	"github.com/jingyugao/rowserrcheck/passes/rowserr"
	"github.com/kisielk/errcheck/errcheck"
	"github.com/mgechev/revive/lint"
	"github.com/mgechev/revive/rule"
	"github.com/polyfloyd/go-errorlint/errorlint"
	"github.com/ryanrolds/sqlclosecheck/pkg/analyzer"
	"github.com/securego/gosec/v2"
	secanalyzers "github.com/securego/gosec/v2/analyzers"
	"github.com/securego/gosec/v2/rules"
	"github.com/timakin/bodyclose/passes/bodyclose"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/suite/vet"
	"golang.org/x/tools/go/packages"
	staticlint "honnef.co/go/tools/analysis/lint"
	"honnef.co/go/tools/simple"
	"honnef.co/go/tools/staticcheck"
	"honnef.co/go/tools/stylecheck"
	"honnef.co/go/tools/unused"
)

// analyzers are those of go vet and the linters that .golangci.yml enables.
func analyzers() []*analysis.Analyzer {
	all := append(vet.Suite, bodyclose.Analyzer, errorlint.NewAnalyzer(), ineffassign.Analyzer, rowserr.NewAnalyzer(), analyzer.NewAnalyzer(),
		unchecked, exported, misspelled, insecure, notUsed)
	for _, group := range [][]*staticlint.Analyzer{staticcheck.Analyzers, simple.Analyzers, stylecheck.Analyzers} {
		for _, one := range group {
			if !one.Doc.NonDefault {
				all = append(all, one.Analyzer)
			}
		}
	}
	return all
}

// unchecked says what errcheck finds with the name of the function, by which some are excluded.
var unchecked = &analysis.Analyzer{Name: "errcheck", Doc: "errors that are not looked at", Requires: []*analysis.Analyzer{errcheck.Analyzer},
	Run: func(pass *analysis.Pass) (any, error) {
		for _, one := range pass.ResultOf[errcheck.Analyzer].(errcheck.Result).UncheckedErrors {
			name := one.SelectorName
			if name == "" {
				name = one.FuncName
			}
			reportAt(pass, one.Pos.Filename, one.Pos.Line, fmt.Sprintf("Error return value of `%s` is not checked", name))
		}
		return nil, nil
	}}

// exported is the rule of revive that every exported name has a comment.
var exported = &analysis.Analyzer{Name: "revive", Doc: "exported names without a comment",
	Run: func(pass *analysis.Pass) (any, error) {
		every := &rule.ExportedRule{}
		if err := every.Configure(lint.Arguments{"checkPrivateReceivers", "disableStutteringCheck"}); err != nil {
			return nil, err
		}
		linter := lint.New(pass.ReadFile, 0)
		failures, err := linter.Lint([][]string{files(pass)}, []lint.Rule{every}, lint.Config{Confidence: 0.8})
		if err != nil {
			return nil, err
		}
		for one := range failures {
			reportAt(pass, one.Position.Start.Filename, one.Position.Start.Line, one.RuleName+": "+one.Failure)
		}
		return nil, nil
	}}

var misspelled = &analysis.Analyzer{Name: "misspell", Doc: "words that are often written wrong",
	Run: func(pass *analysis.Pass) (any, error) {
		words := misspell.New()
		words.Compile()
		for _, name := range files(pass) {
			text, err := pass.ReadFile(name)
			if err != nil {
				return nil, err
			}
			_, found := words.Replace(string(text))
			for _, one := range found {
				reportAt(pass, name, one.Line, fmt.Sprintf("`%s` is a misspelling of `%s`", one.Original, one.Corrected))
			}
		}
		return nil, nil
	}}

var insecure = &analysis.Analyzer{Name: "gosec", Doc: "what is often a hole",
	Run: func(pass *analysis.Pass) (any, error) {
		looking := gosec.NewAnalyzer(gosec.NewConfig(), true, false, false, 1, log.New(io.Discard, "", 0))
		looking.LoadRules(rules.Generate(false).RulesInfo())
		looking.LoadAnalyzers(secanalyzers.Generate(false).AnalyzersInfo())
		unit := &packages.Package{Fset: pass.Fset, Syntax: pass.Files, Types: pass.Pkg, TypesInfo: pass.TypesInfo}
		looking.CheckRules(unit)
		looking.CheckAnalyzers(unit)
		found, _, _ := looking.Report()
		for _, one := range found {
			first, _, _ := strings.Cut(one.Line, "-")
			line, err := strconv.Atoi(first)
			if err != nil {
				return nil, fmt.Errorf("gosec: the line %q of %s", one.Line, one.File)
			}
			reportAt(pass, one.File, line, one.RuleID+": "+one.What)
		}
		return nil, nil
	}}

// notUsed says what unused finds. A package that has tests in it is two, and what only those use is used: then the one without
// them says nothing.
var notUsed = &analysis.Analyzer{Name: "unused", Doc: "what nothing uses", Requires: []*analysis.Analyzer{unused.Analyzer.Analyzer},
	Run: func(pass *analysis.Pass) (any, error) {
		all := files(pass)
		with := false
		for _, name := range all {
			with = with || strings.HasSuffix(name, "_test.go")
		}
		if !with && len(all) > 0 && hasTestsInside(filepath.Dir(all[0]), pass.Pkg.Name()) {
			return nil, nil
		}
		for _, one := range pass.ResultOf[unused.Analyzer.Analyzer].(unused.Result).Unused {
			reportAt(pass, one.DisplayPosition.Filename, one.DisplayPosition.Line, fmt.Sprintf("%s %s is unused", one.Kind, one.Name))
		}
		return nil, nil
	}}

func hasTestsInside(dir, name string) bool {
	tests, _ := filepath.Glob(filepath.Join(dir, "*_test.go")) // the pattern is a good one
	for _, file := range tests {
		if parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly); err == nil && parsed.Name.Name == name {
			return true
		}
	}
	return false
}

// files gives the names of the package's own files, without what the compiler makes for tests.
func files(pass *analysis.Pass) []string {
	var names []string
	for _, file := range pass.Files {
		if name := pass.Fset.File(file.Pos()).Name(); filepath.Ext(name) == ".go" {
			names = append(names, name)
		}
	}
	return names
}

// reportAt reports the line of a file.
func reportAt(pass *analysis.Pass, name string, line int, message string) {
	for _, file := range pass.Files {
		if of := pass.Fset.File(file.Pos()); of.Name() == name && line <= of.LineCount() {
			pass.Report(analysis.Diagnostic{Pos: of.LineStart(line), Message: message})
			return
		}
	}
}
