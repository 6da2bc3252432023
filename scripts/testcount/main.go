// Command testcount reads the output of go test -json, prints what failed, and closes with the number of tests.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

type event struct {
	Action, Package, Test, Output string
}

func main() {
	file, err := os.Open(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer file.Close()
	count := map[string]int{}
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
		switch {
		case e.Action == "output":
			if output[key] == nil {
				output[key] = &strings.Builder{}
			}
			output[key].WriteString(e.Output)
		case e.Action == "build-output":
			fmt.Print(e.Output)
		case e.Action == "pass" || e.Action == "fail" || e.Action == "skip":
			if e.Test != "" {
				count[e.Action]++
			} else if e.Action == "pass" {
				fmt.Println("ok  ", e.Package)
			}
			if b := output[key]; b != nil && e.Action == "fail" {
				fmt.Print(b.String())
			} else if b != nil && e.Action == "skip" && e.Test != "" {
				fmt.Println("skipped:", key, strings.TrimSpace(b.String()))
			}
			delete(output, key)
		}
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", count["pass"], count["fail"], count["skip"])
}
