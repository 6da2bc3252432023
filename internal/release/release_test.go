package release

import (
	"regexp"
	"testing"
)

// Python, Helm and Debian each sort versions by their own rules, and agree on three numbers.
func TestVersionMeansTheSameToEveryPackager(t *testing.T) {
	if !regexp.MustCompile(`^[1-9][0-9]*(\.(0|[1-9][0-9]*)){2}$`).MatchString(Version) {
		t.Errorf("version.txt holds %q, which is not three numbers", text)
	}
}
