package operate

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Manual is the command that prints the manual page, or writes one for each command into a folder.
func Manual() *cobra.Command {
	c := &cobra.Command{Use: "man", Short: "Print the manual page, or write one for each command into a folder", Args: cobra.NoArgs}
	dir := c.Flags().String("dir", "", "the folder; without it all is printed")
	c.RunE = func(c *cobra.Command, _ []string) error {
		pages := documented(c.Root())
		if *dir == "" {
			_, err := io.WriteString(c.OutOrStdout(), manPage(c.Root(), pages))
			return err
		}
		if err := os.MkdirAll(*dir, 0o755); err != nil { //nolint:gosec // for all to read
			return err
		}
		for _, page := range pages {
			name := filepath.Join(*dir, strings.ReplaceAll(page.CommandPath(), " ", "-")+".1")
			if err := os.WriteFile(name, []byte(manPage(page, []*cobra.Command{page})), 0o644); err != nil { //nolint:gosec // for all to read
				return err
			}
		}
		return nil
	}
	return c
}

// documented are the commands that do something, in the order of help.
func documented(root *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, c := range root.Commands() {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		if c.Runnable() {
			all = append(all, c)
		}
		all = append(all, documented(c)...)
	}
	return all
}

// about is what a command does, in its long form where it has one.
func about(c *cobra.Command) string {
	if c.Long != "" {
		return c.Long
	}
	return c.Short + "."
}

// ownFlags yields the flags of a command that are not those of all.
func ownFlags(c *cobra.Command, each func(f *pflag.Flag, value string)) {
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, _ := pflag.UnquoteUsage(f)
		each(f, value)
	})
}

func usage(c *cobra.Command) string {
	line := strings.TrimSuffix(c.UseLine(), " [flags]")
	ownFlags(c, func(f *pflag.Flag, value string) {
		flag := "--" + f.Name
		if value != "" {
			flag += " " + value
		}
		if _, required := f.Annotations[cobra.BashCompOneRequiredFlag]; !required {
			flag = "[" + flag + "]"
		}
		line += " " + flag
	})
	return line
}

// roff escapes what the typesetter of manual pages takes for its own.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

func manPage(of *cobra.Command, commands []*cobra.Command) string {
	var b strings.Builder
	name := strings.ReplaceAll(of.CommandPath(), " ", "-")
	fmt.Fprintf(&b, ".TH %s 1\n.SH NAME\n%s \\- %s\n.SH COMMANDS\n", strings.ToUpper(roff(name)), roff(name), roff(of.Short))
	for _, c := range commands {
		fmt.Fprintf(&b, ".SS %s\n%s\n", roff(usage(c)), roff(about(c)))
		ownFlags(c, func(f *pflag.Flag, _ string) { fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff("--"+f.Name), roff(f.Usage)) })
	}
	b.WriteString(".SH SETTINGS\nEvery setting can be given in the environment, in .env, or, where it is no secret, as a flag; see docs/settings.md.\n")
	return b.String()
}

// Markdown writes the commands as the part of a page.
func Markdown(root *cobra.Command, w io.Writer) error {
	var b strings.Builder
	for _, c := range documented(root) {
		fmt.Fprintf(&b, "### `%s`\n\n%s\n\n```\n%s\n```\n", c.CommandPath(), about(c), usage(c))
		rows := ""
		ownFlags(c, func(f *pflag.Flag, _ string) {
			rows += fmt.Sprintf("| `--%s` | %s |\n", f.Name, strings.ReplaceAll(f.Usage, "|", `\|`))
		})
		if rows != "" {
			fmt.Fprintf(&b, "\n| flag | |\n|---|---|\n%s", rows)
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, strings.TrimRight(b.String(), "\n")+"\n")
	return err
}
