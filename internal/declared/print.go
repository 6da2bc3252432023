package declared

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

type userDoc struct {
	Username    string `yaml:"username"`
	DisplayName string `yaml:"display_name,omitempty"`
	Admin       bool   `yaml:"admin,omitempty"`
	Active      *bool  `yaml:"active,omitempty"`
	Service     bool   `yaml:"service,omitempty"`
	Owner       string `yaml:"owner,omitempty"`
	by          string
}

type groupDoc struct {
	Name    string   `yaml:"name"`
	Members []string `yaml:"members,omitempty"`
}

type ruleDoc struct {
	User      string `yaml:"user,omitempty"`
	Group     string `yaml:"group,omitempty"`
	Kind      string `yaml:"kind"`
	Workspace string `yaml:"workspace,omitempty"`
	Resource  string `yaml:"resource,omitempty"`
	Pattern   string `yaml:"pattern,omitempty"`
	Priority  *int   `yaml:"priority,omitempty"`
	Level     string `yaml:"level"`
	Expires   string `yaml:"expires_at,omitempty"`
}

type roleDoc struct {
	Workspace   string          `yaml:"workspace"`
	Name        string          `yaml:"name,omitempty"`
	Owner       string          `yaml:"owner,omitempty"`
	Description string          `yaml:"description,omitempty"`
	Permissions []permissionDoc `yaml:"permissions,omitempty"`
	Assignments []assignmentDoc `yaml:"assignments,omitempty"`
}

type permissionDoc struct {
	Type     string `yaml:"type"`
	Resource string `yaml:"resource"`
	MLflowID string `yaml:"mlflow_id,omitempty"`
	Level    string `yaml:"level"`
}

type assignmentDoc struct {
	User    string `yaml:"user"`
	Expires string `yaml:"expires_at,omitempty"`
}

type spaceRuleDoc struct {
	Name    string `yaml:"name"`
	Pattern string `yaml:"pattern"`
	Level   string `yaml:"level"`
	Mode    string `yaml:"mode"`
	Enabled *bool  `yaml:"enabled,omitempty"`
	turn    int
}

type document struct {
	Version  int            `yaml:"version"`
	Users    []userDoc      `yaml:"users,omitempty"`
	Groups   []groupDoc     `yaml:"groups,omitempty"`
	Grants   []ruleDoc      `yaml:"grants,omitempty"`
	Patterns []ruleDoc      `yaml:"patterns,omitempty"`
	Roles    []roleDoc      `yaml:"roles,omitempty"`
	Rules    []spaceRuleDoc `yaml:"workspace_rules,omitempty"`

	users  map[string]int
	groups map[string]int // where they are in the lists
	roles  map[Key]int
}

func until(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// Print writes a policy as a file: sorted, so that the same policy is the same file. What others than administrators see to is
// left out, but for accounts and groups.
func Print(p Policy) ([]byte, error) {
	doc := document{Version: 1, users: map[string]int{}, groups: map[string]int{}, roles: map[Key]int{}}
	for _, k := range sorted(p) {
		e := p[k]
		if !byHand(e.By) && k.What != User && k.What != Group {
			continue
		}
		doc.add(k, e)
	}
	slices.SortFunc(doc.Rules, func(a, b spaceRuleDoc) int { return a.turn - b.turn })
	var n yaml.Node
	if err := n.Encode(doc); err != nil {
		return nil, err
	}
	remark(&n, doc.Users)
	quoted(&n)
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(&n); err != nil {
		return nil, err
	}
	return b.Bytes(), encoder.Close()
}

func (d *document) add(k Key, e Entry) {
	switch k.What {
	case User:
		d.users[k.User] = len(d.Users)
		d.Users = append(d.Users, asUser(k, e))
	case Owner:
		d.Users[d.users[k.User]].Owner = e.Owner
	case Group:
		d.groups[k.Group] = len(d.Groups)
		d.Groups = append(d.Groups, groupDoc{Name: k.Group})
	case Member: // comes behind all groups
		group := &d.Groups[d.groups[k.Group]]
		group.Members = append(group.Members, k.User)
	case Grant:
		d.Grants = append(d.Grants, ruleDoc{User: k.User, Group: k.Group, Kind: k.Kind, Workspace: k.Workspace, Resource: k.Resource, Level: e.Level, Expires: until(e.Expires)})
	case Pattern:
		d.Patterns = append(d.Patterns, ruleDoc{User: k.User, Group: k.Group, Kind: k.Kind, Workspace: k.Workspace, Pattern: k.Resource,
			Priority: &e.Priority, Level: e.Level, Expires: until(e.Expires)})
	case Role:
		d.role(k).Description = e.Description
	case Permission:
		one := permissionDoc{Type: k.Kind, Resource: e.Held, Level: e.Level}
		if opaque[kind.Name(k.Kind)] && e.Held != k.Resource {
			one.MLflowID = k.Resource
		}
		role := d.role(k)
		role.Permissions = append(role.Permissions, one)
	case Rule:
		d.Rules = append(d.Rules, asRule(k, e))
	case Assignment:
		role := d.role(k)
		role.Assignments = append(role.Assignments, assignmentDoc{k.User, until(e.Expires)})
	}
}

// role finds the role that a key is of, or begins it.
func (d *document) role(k Key) *roleDoc {
	of := Key{Workspace: k.Workspace, Role: k.Role}
	if k.What == Permission {
		of.User = k.User
	}
	at, there := d.roles[of]
	if !there {
		at, d.roles[of] = len(d.Roles), len(d.Roles)
		d.Roles = append(d.Roles, roleDoc{Workspace: of.Workspace, Name: of.Role, Owner: of.User})
	}
	return &d.Roles[at]
}

func asUser(k Key, e Entry) userDoc {
	u := userDoc{Username: k.User}
	if e.Inactive {
		no := false
		u.Active = &no
	}
	if !byHand(e.By) {
		u.by = e.By
		return u
	}
	u.Admin, u.Service = e.Admin, e.Service
	if e.DisplayName != k.User {
		u.DisplayName = e.DisplayName
	}
	return u
}

func asRule(k Key, e Entry) spaceRuleDoc {
	r := spaceRuleDoc{Name: k.Rule, Pattern: e.Pattern, Level: e.Level, Mode: report, turn: e.Turn}
	if e.Enforced {
		r.Mode = enforce
	}
	if e.Disabled {
		no := false
		r.Enabled = &no
	}
	return r
}

// remark says beside accounts which provider manages them.
func remark(n *yaml.Node, users []userDoc) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != "users" {
			continue
		}
		for j, item := range n.Content[i+1].Content {
			if users[j].by != "" {
				item.Content[1].LineComment = "# managed by " + users[j].by
			}
		}
	}
}

// quoted has texts of several lines written in one, in quotes: the encoder's blocks lose blanks and lines at their beginning.
func quoted(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && strings.ContainsAny(n.Value, "\n\t") {
		n.Style = yaml.DoubleQuotedStyle
	}
	for _, child := range n.Content {
		quoted(child)
	}
}
