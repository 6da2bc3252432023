// Command testcount reads the output of go test -json and the JUnit files of pytest. It prints which Go tests failed (pytest has
// printed its own), and closes with the number of tests.
package main

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"strings"
)

type count struct{ passed, failed, skipped int }

func (c count) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", c.passed, c.failed, c.skipped)
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: testcount GO_JSON JUNIT_XML...")
		os.Exit(2)
	}
	inGo, err := readGo(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "testcount:", err)
		os.Exit(1)
	}
	var inPython count
	for _, path := range os.Args[2:] {
		c, err := readJUnit(path)
		if err != nil {
			fmt.Fprintln(os.Stderr, "testcount:", err)
			os.Exit(1)
		}
		inPython = count{inPython.passed + c.passed, inPython.failed + c.failed, inPython.skipped + c.skipped}
	}
	fmt.Println("go:", inGo)
	fmt.Println("python:", inPython)
	fmt.Println(count{inGo.passed + inPython.passed, inGo.failed + inPython.failed, inGo.skipped + inPython.skipped})
}

type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64 // seconds
}

// slow is the length in seconds from which a test is named, so that one sees where the time goes.
const slow = 20

func readGo(path string) (count, error) {
	file, err := os.Open(path)
	if err != nil {
		return count{}, err
	}
	defer file.Close()
	var c count
	output := map[string]*strings.Builder{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Println(lines.Text())
			continue
		}
		key := e.Package + " " + e.Test
		switch e.Action {
		case "output":
			if output[key] == nil {
				output[key] = &strings.Builder{}
			}
			output[key].WriteString(e.Output)
		case "build-output":
			fmt.Print(e.Output)
		case "pass", "fail", "skip":
			c.add(e)
			if b := output[key]; b != nil && e.Action == "fail" {
				fmt.Print(b.String())
			} else if b != nil && e.Action == "skip" && e.Test != "" {
				fmt.Println("skipped:", key, strings.TrimSpace(b.String()))
			}
			delete(output, key)
		}
	}
	return c, lines.Err()
}

// add counts the end of a test; the end of a package only says that it is good.
func (c *count) add(e event) {
	switch {
	case e.Test == "" && e.Action == "pass":
		fmt.Printf("ok   %s %.0fs\n", e.Package, e.Elapsed)
	case e.Test == "":
	case e.Action == "pass":
		c.passed++
		if e.Elapsed >= slow && !strings.Contains(e.Test, "/") {
			fmt.Printf("     %s %.0fs\n", e.Test, e.Elapsed)
		}
	case e.Action == "fail":
		c.failed++
	default:
		c.skipped++
	}
}

func readJUnit(path string) (count, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return count{}, err
	}
	var report struct {
		Suites []struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Errors   int `xml:"errors,attr"`
			Skipped  int `xml:"skipped,attr"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(raw, &report); err != nil {
		return count{}, fmt.Errorf("reading %s: %w", path, err)
	}
	var c count
	for _, suite := range report.Suites {
		failed := suite.Failures + suite.Errors
		c.passed += suite.Tests - failed - suite.Skipped
		c.failed += failed
		c.skipped += suite.Skipped
	}
	return c, nil
}
