package policy

import (
	"regexp"
	"testing"
)

var path = regexp.MustCompile(`^(!|[a-zA-Z_.]+(\[\]|\{[a-zA-Z_.]+\})?!?|\$|,|\[\]!?)(/([a-zA-Z_.]+(\[\]|\{[a-zA-Z_.]+\})?!?|\$|,|\[\]!?))*$`)

// A mention at the pattern of no row hides nothing, and neither does one whose path cannot be followed.
func TestEveryMentionIsOfARow(t *testing.T) {
	rows, used := map[string]bool{}, map[Filter]bool{}
	for _, r := range Routes() {
		rows[r.Pattern()] = true
		used[r.Filter] = true
		for _, m := range r.Mentions {
			if !path.MatchString(m.At) || m.Level == 0 || m.Ref == 0 || m.Ref.String() == "" {
				t.Errorf("%s mentions %+v", r.Pattern(), m)
			}
			if m.Gone >= 0 && m.Steps[m.Gone].Kind == Text || m.Gone < 0 && !m.Named {
				t.Errorf("%s: nothing of %s can go", r.Pattern(), m.At)
			}
			if len(m.With) > 0 && m.Steps[m.Gone].Kind != Member {
				t.Errorf("%s: nothing is beside %s", r.Pattern(), m.At)
			}
		}
	}
	for pattern := range mentions {
		if !rows[pattern] {
			t.Errorf("there is no row %s", pattern)
		}
	}
	for filter := range filtered {
		if !used[filter] {
			t.Errorf("no row has the filter %s", filter)
		}
	}
}
