// Package release says which version of the program this is.
package release

import (
	_ "embed"
	"strings"
)

//go:embed version.txt
var text string

// Version is the program's own, such as 12.0.0. The Python wheel takes it from the same file.
var Version = strings.TrimSpace(text)
