package operate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/spf13/cobra"
)

// column is one of a table, and how its cells come from rows.
type column[T any] struct {
	head string
	cell func(T) string
}

// listing is a command that prints a list: as a table, or as JSON.
func listing(c *cobra.Command) *cobra.Command {
	c.Flags().Bool("json", false, "print JSON")
	return c
}

// show prints rows in the form that was asked for.
func show[T any](c *cobra.Command, rows []T, columns ...column[T]) error {
	if asJSON, _ := c.Flags().GetBool("json"); asJSON {
		return printJSON(c.OutOrStdout(), append([]T{}, rows...))
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
	line := func(cell func(column[T]) string) {
		for i, one := range columns {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, cell(one))
		}
		fmt.Fprintln(w)
	}
	line(func(one column[T]) string { return one.head })
	for _, row := range rows {
		line(func(one column[T]) string { return clean(one.cell(row)) })
	}
	return w.Flush()
}

// printJSON prints a value, with JSON's own escapes for what would do something to a terminal.
func printJSON(w io.Writer, value any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return err
	}
	var b strings.Builder
	for _, r := range text.String() {
		if r == '\n' || unicode.IsGraphic(r) && !unicode.In(r, unicode.Zl, unicode.Zp) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) { // it stands within a text: all else is ASCII
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// clean gives a value as one line that does nothing to a terminal: people choose names.
func clean(value string) string {
	return strings.Map(func(r rune) rune {
		if r != ' ' && !unicode.IsGraphic(r) || unicode.In(r, unicode.Zl, unicode.Zp) {
			return unicode.ReplacementChar
		}
		return r
	}, value)
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return ""
}

func stamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}
