package declared

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

const everywhere = authz.Everywhere

// MaxFile is the longest file that is read, in bytes.
const MaxFile = 32 << 20

// File is what a file declares.
type File struct {
	Entries map[Key]Value
	lines   map[Key]int
}

// One is a file that declares one entry.
func One(k Key, v Value) *File { return &File{map[Key]Value{k: v}, map[Key]int{}} }

// Parse reads a file. All that is wrong with it is said at once, as Problems.
func Parse(text []byte) (*File, error) {
	if len(text) > MaxFile {
		return nil, Problems{{0, fmt.Sprintf("the file has more than %d bytes", MaxFile)}}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, more yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, Problems{{0, "the file is empty; the least that there is is version: 1"}}
	case err != nil:
		return nil, Problems{{0, err.Error()}}
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, Problems{{more.Line, "there is more than one document in the file"}}
	}
	r := &reader{file: &File{map[Key]Value{}, map[Key]int{}}}
	if r.plain(&document); len(r.wrong) > 0 {
		return nil, r.wrong.err()
	}
	r.document(document.Content[0])
	return r.file, r.wrong.err()
}

func (r *reader) document(n *yaml.Node) {
	o := r.object(n, "the file", "version", "users", "groups", "grants", "patterns", "roles", "workspace_rules")
	if version := o.required("version"); version != "1" && o.fields["version"] != nil {
		r.fail(o.fields["version"], "version must be 1: no other form of the file is known")
	}
	for _, part := range []struct {
		name string
		read func(*yaml.Node)
	}{{"users", r.user}, {"groups", r.group}, {"grants", r.grant}, {"patterns", r.pattern}, {"roles", r.role}, {"workspace_rules", r.rule}} {
		for _, item := range o.list(part.name) {
			part.read(item)
		}
	}
}

// put takes an entry in, where it is there for the first time.
func (r *reader) put(at *yaml.Node, k Key, v Value) {
	if line := r.file.lines[k]; line > 0 {
		r.fail(at, "the %s is on line %d already", k, line)
		return
	}
	r.file.Entries[k], r.file.lines[k] = v, at.Line
}

// check notes an error.
func (r *reader) check(at *yaml.Node, err error) {
	if err != nil {
		r.fail(at, "%v", err)
	}
}

func (r *reader) user(n *yaml.Node) {
	o := r.object(n, "a user", "username", "display_name", "admin", "active", "service", "owner")
	name := o.username("username")
	v := Value{DisplayName: o.optional("display_name"), Admin: o.truth("admin", false), Inactive: !o.truth("active", true), Service: o.truth("service", false)}
	if len(v.DisplayName) > 255 {
		r.fail(o.fields["display_name"], "display_name must not be longer than 255 bytes")
	}
	if name != "" {
		r.put(n, Key{What: User, User: name}, v)
	}
	if at := o.fields["owner"]; at != nil {
		if owner := o.username("owner"); owner != "" && name != "" {
			r.put(at, Key{What: Owner, User: name}, Value{Owner: owner})
		}
	}
}

// username reads the name of somebody, as it is stored. Whether a new account may be called so is not asked here: a provider
// calls its people what it likes.
func (o object) username(field string) string { return o.person(o.fields[field], o.required(field)) }

func (r *reader) person(at *yaml.Node, name string) string {
	if len(name) > 255 {
		r.fail(at, "a username must not be longer than 255 bytes")
	}
	return strings.ToLower(name)
}

func (o object) team(field string) string {
	name := o.required(field)
	if utf8.RuneCountInString(name) > 255 {
		o.fail(o.fields[field], "the name of a group has at most 255 characters")
	}
	return name
}

func (r *reader) group(n *yaml.Node) {
	o := r.object(n, "a group", "name", "members")
	name := o.team("name")
	if name == "" {
		return
	}
	r.put(n, Key{What: Group, Group: name}, Value{})
	for _, item := range o.list("members") {
		if member := r.person(item, r.text(item, "a member")); member != "" {
			r.put(item, Key{What: Member, Group: name, User: member}, Value{})
		}
	}
}

// holder reads who holds a grant or a pattern.
func (o object) holder(k *Key) {
	_, user := o.fields["user"]
	_, group := o.fields["group"]
	if user == group {
		o.fail(o.at, "exactly one of user and group must be there")
		return
	}
	if user {
		k.User = o.username("user")
	} else {
		k.Group = o.team("group")
	}
}

func (o object) expires() time.Time {
	text := o.optional("expires_at")
	if text == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.Year() < 1971 || at.Year() > 9999 {
		o.fail(o.fields["expires_at"], "expires_at is %q; it must be a time such as 2027-01-31T18:00:00Z", text)
	}
	return at.UTC().Truncate(time.Second)
}

func (o object) level(of func(string) error) string {
	level := o.required("level")
	if level != "" {
		o.check(o.fields["level"], of(level))
	}
	return level
}

func isLevel(name string) error { _, err := kind.ParseLevel(name); return err }

// kind reads a kind, and where grants of it are: nowhere in particular where it is one in all workspaces.
func (o object) kind() (kind.Kind, bool) {
	name := o.required("kind")
	k, ok := kind.Of(kind.Name(name))
	if !ok && name != "" {
		o.fail(o.fields["kind"], "there is no kind %q", name)
	}
	return k, ok
}

// Place gives how an entry on a kind holds a workspace, by its name: "" for the default one, and for what is one in all of them.
// A pattern can be for every workspace.
func Place(of kind.Kind, pattern bool, name string) (string, error) {
	one := of.Everywhere && !pattern || of.Name == kind.Workspace
	switch {
	case name == "" || name == kind.DefaultWorkspace && !one:
		return "", nil
	case one:
		return "", errs.New(errs.Invalid, "what this is about is the same in every workspace: leave workspace out")
	case name == everywhere && pattern, workspace.Valid(name):
		return name, nil
	}
	return "", errs.New(errs.Invalid, "%q is not the name of a workspace: 2 to 63 of a-z, 0-9 and inner hyphens", name)
}

// CheckResource refuses what no grant on a kind can be on.
func CheckResource(of kind.Kind, resource string) error {
	if resource == "" || len(resource) > 512 {
		return errs.New(errs.Invalid, "the resource must not be empty, nor longer than 512 bytes")
	}
	return extract.Held(of, resource)
}

// CheckPattern refuses what cannot be a pattern of a kind.
func CheckPattern(of kind.Kind, pattern string) error {
	if of.Patterns == "" {
		return errs.New(errs.Invalid, "there are no patterns of the kind %s", of.Name)
	}
	if _, err := authz.CompilePattern(pattern); err != nil {
		return errs.New(errs.Invalid, "%v", err)
	}
	return nil
}

func (o object) place(of kind.Kind, pattern bool) string {
	place, err := Place(of, pattern, o.optional("workspace"))
	o.check(o.fields["workspace"], err)
	return place
}

func (r *reader) grant(n *yaml.Node) {
	o := r.object(n, "a grant", "user", "group", "kind", "resource", "level", "workspace", "expires_at")
	k, before := Key{What: Grant}, len(r.wrong)
	o.holder(&k)
	of, ok := o.kind()
	k.Resource = o.required("resource")
	v := Value{Level: o.level(isLevel), Expires: o.expires()}
	if ok && k.Resource != "" {
		k.Kind, k.Workspace = string(of.Name.Kept()), o.place(of, false)
		r.check(o.fields["resource"], CheckResource(of, k.Resource))
	}
	if len(r.wrong) == before {
		r.put(n, k, v)
	}
}

func (r *reader) pattern(n *yaml.Node) {
	o := r.object(n, "a pattern", "user", "group", "kind", "pattern", "priority", "level", "workspace", "expires_at")
	k, before := Key{What: Pattern}, len(r.wrong)
	o.holder(&k)
	of, ok := o.kind()
	k.Resource = o.required("pattern")
	v := Value{Level: o.level(isLevel), Priority: o.number("priority"), Expires: o.expires()}
	if ok && k.Resource != "" {
		k.Kind, k.Workspace = string(of.Name), o.place(of, true)
		r.check(o.fields["pattern"], CheckPattern(of, k.Resource))
	}
	if len(r.wrong) == before {
		r.put(n, k, v)
	}
}
