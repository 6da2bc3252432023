package app_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/kept"
)

// floors orders the packages of the server by what they stand on: on the ground is what imports nothing of the project, and
// each other one is a floor above the highest that it imports.
func floors(t *testing.T) [][]string {
	t.Helper()
	heights := map[string]int{}
	var height func(name string) int
	height = func(name string) int {
		if h, known := heights[name]; known {
			return h
		}
		h := 0
		for _, to := range arrows[name] {
			h = max(h, height(to)+1)
		}
		heights[name] = h
		return h
	}
	var all [][]string
	for _, name := range slices.Sorted(maps.Keys(arrows)) {
		if strings.HasPrefix(name, "scripts/") || name == "cmd/mlflow-oidc-auth-dev" || slices.Contains(forTests, name) {
			continue
		}
		for len(all) <= height(name) {
			all = append(all, nil)
		}
		all[height(name)] = append(all[height(name)], name)
	}
	return all
}

// house draws the floors, the highest first. Every arrow leads down.
func house(floors [][]string) string {
	const width, row, perRow, gap = 880, 34, 6, 14
	var boxes strings.Builder
	y := gap
	for i := len(floors) - 1; i >= 0; i-- {
		for chunk := range slices.Chunk(floors[i], perRow) {
			box := (width - gap*(len(chunk)+1)) / len(chunk)
			box = min(box, 200)
			x := (width - len(chunk)*box - (len(chunk)-1)*gap) / 2
			for _, name := range chunk {
				fmt.Fprintf(&boxes, `<g><title>%s imports: %s</title><rect x="%d" y="%d" width="%d" height="%d" rx="5"/><text x="%d" y="%d">%s</text></g>`+"\n",
					name, strings.Join(append(slices.Sorted(slices.Values(arrows[name])), "the standard library and others"), ", "),
					x, y, box, row-8, x+box/2, y+17, strings.TrimPrefix(name, "internal/"))
				x += box + gap
			}
			y += row
		}
		if i > 0 {
			fmt.Fprintf(&boxes, `<path d="M%d %dv9m-4 -4l4 4l4 -4"/>`+"\n", width/2, y-4)
			y += gap
		}
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui,sans-serif" font-size="12" text-anchor="middle">
<title>The packages of the server: each imports of the project what is on lower floors alone</title>
<style>rect{fill:#e8eef7;stroke:#3f51b5}text{fill:#111}path{fill:none;stroke:#3f51b5;stroke-width:1.5}</style>
%s</svg>
`, width, y, boxes.String())
}

// TestDocsShowTheHouse holds the picture of the packages against the table of arrows, and the page against the packages.
func TestDocsShowTheHouse(t *testing.T) {
	all := floors(t)
	want := house(all)
	kept.File(t, own, filepath.Join(root, "docs", "house.svg"), want)
	page := readFile(t, filepath.Join(root, "docs", "architecture.md"))
	for name := range arrows {
		name, inside := strings.CutPrefix(name, "internal/")
		if !strings.Contains(page, "`"+name+"`") && !strings.Contains(page, "`"+filepath.Dir(name)+"`") && inside {
			t.Errorf("docs/architecture.md says nothing of %s", name)
		}
	}
}
