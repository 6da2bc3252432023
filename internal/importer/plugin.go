package importer

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/attach"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/takeover"
)

// pluginRevisions are those of the Python plugin, the oldest first, as its own migrations name them.
var pluginRevisions = []revision{
	{"0565cf04c12e", "4.2 to 5.7"},
	{"3c3272527ade", "6.0 to 6.6"},
	{"6a7b8c9def01", "6.7"},
	{"7b8c9d0ef123", "7.0, half upgraded"},
	{"8a9b0c1de234", "7.0"},
	{"9c0d1e2f3456", "7.12"},
	{"a0d1e2f34567", "7"},
	{"b1e2f3a45678", "7"},
	{"e4f5a6b7c8d9", "7"},
	{"c2f3a4b56789", "7"},
	{"d3a4b5c6e7f8", "7.24"},
	{"f6a7b8c9d0e1", "8.0 to 8.2"},
	{"a7b8c9d0e1f2", "8.3"},
	{"b8c9d0e1f2a3", "9, half upgraded"},
	{"c9d0e1f2a3b4", "9, half upgraded"},
	{"d0e1f2a3b4c5", "9, half upgraded"},
	{"e1f2a3b4c5d6", "9.0 to 11.0"},
}

// pluginTable is where the plugin keeps its revision, unless it was told another.
const pluginTable = "alembic_version"

// pluginKinds say in which tables the plugin keeps the grants of a kind, and in which columns what they are on. The names of
// the tables begin with the kind's.
var pluginKinds = []struct {
	kind    kind.Name
	columns []string
}{
	{kind.Experiment, []string{"experiment_id"}},
	{kind.RegisteredModel, []string{"name"}},
	{kind.Scorer, []string{"experiment_id", "scorer_name"}},
	{kind.GatewayEndpoint, []string{"endpoint_id"}},
	{kind.GatewaySecret, []string{"secret_id"}},
	{kind.GatewayModel, []string{"model_definition_id"}},
	{kind.MCPServer, []string{"name"}},
	{kind.Workspace, []string{"workspace"}},
}

// unresolved is the workspace of what the plugin could not find in any.
const unresolved = "::unresolved"

// plugin reads a database of the Python plugin.
type plugin struct {
	*Source
	ctx      context.Context
	db       *store.Foreign
	settings Settings
	users    map[int64]string
	groups   map[int64]string
	rules    map[int64]string // those that are carried over
	lost     map[int64]bool   // those that are not
	issuers  map[string]string
	managers map[string]string // what manages a user there
	places   []string          // workspaces that grants name

	placeless []takeover.Grant // those that name none
	old       *oldPlugin
}

func readPlugin(ctx context.Context, db *store.Foreign, settings Settings) (*Source, error) {
	table := settings.VersionTable
	if table == "" {
		table = pluginTable
	}
	at, err := recognised(ctx, db, table, "the Python plugin", pluginRevisions)
	if err != nil {
		return nil, err
	}
	p := &plugin{Source: &Source{Name: Plugin, Revision: at.id, Means: at.versions, Contents: takeover.New()}, ctx: ctx, db: db, settings: settings,
		users: map[int64]string{}, groups: map[int64]string{}, rules: map[int64]string{}, lost: map[int64]bool{}, issuers: map[string]string{}, managers: map[string]string{},
		old: newOldPlugin(settings)}
	p.Old = p.old
	for _, step := range []func() error{p.readUsers, p.readGroups, p.readIdentities, p.readMemberships, p.readTokens, p.readRules, p.readPlaces, p.readKinds, p.readPlaceless, p.readRest} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return p.sorted(), nil
}

// rows reads a table; none where the version has none.
func (p *plugin) rows(table string) ([]store.Row, error) {
	there, err := p.db.Has(p.ctx, table)
	if err != nil || !there {
		return nil, err
	}
	return p.db.Rows(p.ctx, table, "")
}

func (p *plugin) each(table string, do func(store.Row) error) error {
	rows, err := p.rows(table)
	for _, row := range rows {
		if err == nil {
			err = do(row)
		}
	}
	return err
}

func (p *plugin) readUsers() error {
	return p.each("users", func(row store.Row) error {
		u := takeover.User{DisplayName: row.Text("display_name"), Admin: row.Truth("is_admin"), Active: !row.Has("active") || row.Truth("active"),
			Service: row.Truth("is_service_account"), ManagedBy: directory.Manual}
		id := row.Number("id")
		if err := p.user(id, row.Text("username"), u, p.users); err != nil {
			return err
		}
		name := p.users[id]
		if name == "" {
			return nil
		}
		p.managers[name] = row.Text("managed_by")
		p.old.users[name] = oldUser{admin: u.Admin, active: u.Active}
		if source := row.Text("service_account_source"); u.Service && source == "kubernetes" {
			p.note("service account", name, "it is a cluster's: name it in WORKLOAD_IDENTITY_FILE, since the plugin's own settings of clusters are not ours")
		}
		if hash := row.Text("password_hash"); hash != "" {
			expires, ok := row.Moment("password_expiration")
			if !ok { // tokens have an end here
				expires = time.Date(time.Now().Year()+1, time.December, 31, 0, 0, 0, 0, time.UTC)
			}
			p.password(name, hash, expires, !ok)
		}
		return nil
	})
}

// password takes in the secret without a name, if it is still good.
func (p *plugin) password(name, hash string, expires time.Time, made bool) {
	if !expires.After(time.Now()) {
		p.note("token", name, "it has expired, and is not carried over")
		return
	}
	p.Contents.Passwords[name] = takeover.Password{Hash: hash, Expires: expires.Unix(), Made: made}
}

func (p *plugin) readGroups() error {
	return p.each("groups", func(row store.Row) error {
		name := row.Text("group_name")
		if name == "" {
			p.note("group", fmt.Sprintf("with the id %d", row.Number("id")), "it has no name, and cannot be carried over")
			return nil
		}
		p.groups[row.Number("id")] = name
		p.Contents.Groups[name] = takeover.Group{ExternalID: row.Text("external_id")}
		return nil
	})
}

// issuer gives the name under which a provider's identities are known here, "" where it is not configured.
func (p *plugin) issuer(id string) (string, error) {
	if known, ok := p.issuers[id]; ok {
		return known, nil
	}
	name := ""
	if p.settings.Provider != nil {
		var err error
		if name, err = p.settings.Provider(p.ctx, id); err != nil {
			return "", fmt.Errorf("the identity provider %q has to be asked for its name, by which people are known here; see that this machine reaches it: %w", id, err)
		}
	}
	p.issuers[id] = name
	return name, nil
}

// readIdentities carries over by what people are known. What the plugin made up where it knew no subject, the username, is none.
func (p *plugin) readIdentities() error {
	known := map[string]bool{}
	lost := map[string]string{}
	err := p.each("user_identities", func(row store.Row) error {
		name, id, subject := p.users[row.Number("user_id")], row.Text("provider_id"), row.Text("subject")
		u := p.Contents.Users[name]
		if name == "" || username(subject) == name && id == "default" {
			return nil
		}
		issuer, err := p.issuer(id)
		if err != nil {
			return err
		}
		if issuer == "" {
			lost[name] = id
			p.note("identity", subject+" of "+name, "there is no identity provider %q in the settings: configure it and import once more, or link the identity here", id)
			return nil
		}
		known[name] = true
		p.Contents.Identities[takeover.Identity{Provider: issuer, Subject: subject}] = takeover.Whose{User: name, Admin: u.Admin && !u.Service}
		return nil
	})
	p.whichAdministers()
	for name, u := range p.Contents.Users {
		switch {
		case u.Service:
			continue
		case known[name]:
			if _, id, by := strings.Cut(p.managers[name], ":"); by && p.issuers[id] != "" {
				u.ManagedBy = p.issuers[id] // whose names the account follows
			}
		case lost[name] != "": // nobody else of the name may be given the account
			u.ManagedBy = "lost:" + lost[name]
		case u.Admin: // the first sign-in under the name gets the account, and the provider says whether that is an administrator
			u.Admin = false
			p.note("administrator", name, "no subject of the identity provider is known; the account is nobody's until the first sign-in under the name, and an administrator's again if that is in a group of OIDC_ADMIN_GROUP_NAME")
		}
		p.Contents.Users[name] = u
	}
	return err
}

// whichAdministers leaves of several identities none an administrator's: nobody knows which provider said so, and the next
// sign-in does.
func (p *plugin) whichAdministers() {
	identities := map[string]int{}
	for _, whose := range p.Contents.Identities {
		identities[whose.User]++
	}
	for i, whose := range p.Contents.Identities {
		if identities[whose.User] > 1 {
			whose.Admin = false
			p.Contents.Identities[i] = whose
		}
	}
}

// readMemberships carries over who is in which group. What people have is an identity provider's, and its first word takes its
// place, as each sign-in did there; what programs have stays.
func (p *plugin) readMemberships() error {
	return p.each("user_groups", func(row store.Row) error {
		name, group := p.users[row.Number("user_id")], p.groups[row.Number("group_id")]
		if name == "" || group == "" {
			return nil
		}
		source := row.Text("managed_by")
		switch _, id, by := strings.Cut(source, ":"); {
		case p.Contents.Users[name].Service:
			source = directory.Manual
		case by:
			issuer, err := p.issuer(id)
			if err != nil {
				return err
			}
			if source = issuer; source == "" {
				source = directory.Imported
			}
		default:
			source = directory.Imported
		}
		p.Contents.Memberships[takeover.Membership{User: name, Group: group, Source: source}] = takeover.Held{}
		p.old.members[name] = append(p.old.members[name], group)
		return nil
	})
}

func (p *plugin) readTokens() error {
	return p.each("user_tokens", func(row store.Row) error {
		name, called := p.users[row.Number("user_id")], row.Text("name")
		if name == "" {
			return nil
		}
		expires, ok := row.Moment("expires_at")
		if !ok || !expires.After(time.Now()) {
			p.note("token", name+": "+called, "it has expired, and is not carried over")
			return nil
		}
		prefix := row.Text("token_prefix")
		if prefix == "" {
			p.password(name, row.Text("token_hash"), expires, false)
			return nil
		}
		created, _ := row.Moment("created_at")
		p.Contents.Tokens[takeover.Token{User: name, Name: called}] = takeover.Named{Prefix: "mlf_" + prefix, Hash: row.Text("token_hash"),
			CreatedBy: row.Text("created_by"), Created: created.Unix(), Expires: expires.Unix()}
		return nil
	})
}

func (p *plugin) readRules() error {
	return p.each("workspace_group_rules", func(row store.Row) error {
		name, id := row.Text("name"), row.Number("id")
		pattern, err := translate(row.Text("pattern"))
		level, mode := row.Text("permission"), row.Text("mode")
		if err == nil {
			err = attach.CheckPattern(pattern)
		}
		if _, unknown := kind.ParseLevel(level); err == nil && unknown != nil {
			err = unknown
		}
		if err == nil && mode != "enforce" && mode != "report" {
			err = fmt.Errorf("its mode %q is not known", mode)
		}
		if err != nil {
			p.lost[id] = true
			p.note("workspace rule", name, "it is not carried over, nor what it has given: %v", err)
			return nil
		}
		p.rules[id] = name
		p.Contents.Rules[name] = takeover.Rule{Pattern: pattern, Level: level, Enforced: mode == "enforce", Enabled: row.Truth("enabled"), CreatedBy: row.Text("created_by")}
		return nil
	})
}

// readPlaces finds the workspaces that are named anywhere.
func (p *plugin) readPlaces() error {
	seen := map[string]bool{}
	for _, table := range []string{"workspace_permissions", "workspace_group_permissions"} {
		err := p.each(table, func(row store.Row) error {
			if name := row.Text("workspace"); name != kind.DefaultWorkspace && !seen[name] {
				seen[name] = true
				p.places = append(p.places, name)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *plugin) readKinds() error {
	for _, k := range pluginKinds {
		for _, of := range []string{"", "group_"} {
			table := string(k.kind) + "_" + of + "permissions"
			if err := p.each(table, func(row store.Row) error { return p.readGrant(k.kind, k.columns, row) }); err != nil {
				return err
			}
			table = string(k.kind) + "_" + of + "regex_permissions"
			if err := p.each(table, func(row store.Row) error { return p.readPattern(k.kind, row) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// principal gives who holds a row; false where there is nobody.
func (p *plugin) principal(row store.Row) (takeover.Principal, bool) {
	if row.Has("group_id") {
		name := p.groups[row.Number("group_id")]
		return takeover.Principal{Group: name}, name != ""
	}
	name := p.users[row.Number("user_id")]
	return takeover.Principal{User: name}, name != ""
}

func (p *plugin) readGrant(k kind.Name, columns []string, row store.Row) error {
	holder, ok := p.principal(row)
	if !ok {
		return nil
	}
	resource := row.Text(columns[0])
	if len(columns) > 1 {
		if strings.Contains(resource, "/") {
			p.note("grant", holder.String(), "the experiment id %q is none", resource)
			return nil
		}
		resource = kind.Within(resource, row.Text(columns[1]))
	}
	called := holder.String() + " on " + string(k) + " " + resource
	level := p.level("grant", called, row.Text("permission"))
	g := takeover.Grant{Principal: holder, Kind: string(k), Resource: resource}
	given := takeover.Given{Level: level}
	if id := row.Number("rule_id"); id != 0 {
		if p.lost[id] || p.rules[id] == "" {
			return nil // said with the rule
		}
		given.Rule = p.rules[id]
	}
	if kind.Everywhere(k) {
		p.old.grant(g, level)
		p.grant(g, given)
		return nil
	}
	workspace := row.Text("workspace")
	switch {
	case workspace == unresolved:
		p.note("grant", called, "the plugin could not tell in which workspace, so it counts for nothing there, and is not carried over")
		return nil
	case workspace != "":
		if g.Workspace = workspace; workspace == kind.DefaultWorkspace {
			g.Workspace = ""
		}
		p.old.grant(g, level)
		p.grant(g, given)
		return nil
	case !p.settings.Workspaces:
		p.old.grant(g, level)
		p.grant(g, given)
		return nil
	}
	// From before grants had workspaces: it counts in the default one, and elsewhere where it takes something away.
	p.note("grant", called, "it names no workspace; it is carried over to the default one, and to those where its holder has more otherwise")
	if _, knows := row["workspace"]; !knows {
		p.old.everywhere(g, level, p.places)
	}
	p.placeless = append(p.placeless, g)
	p.grant(g, given)
	return nil
}

// readPlaceless carries grants without a workspace over to all in which they are less than what their holders have there.
func (p *plugin) readPlaceless() error {
	for _, g := range p.placeless {
		given := p.Contents.Grants[g]
		level, _ := kind.ParseLevel(given.Level) // it was read before
		users := []string{g.User}
		if g.Group != "" {
			users = nil
			for name, groups := range p.old.members {
				if slices.Contains(groups, g.Group) {
					users = append(users, name)
				}
			}
		}
		for _, g.Workspace = range p.places {
			less := func(user string) bool {
				there, found, sure := p.old.walk(user, Resource{Kind: kind.Workspace, ID: g.Workspace, Name: g.Workspace})
				return !sure || found && there > level
			}
			if level == kind.NoPermissions || slices.ContainsFunc(users, less) {
				p.grant(g, given)
			}
		}
	}
	return nil
}

func (p *plugin) readPattern(k kind.Name, row store.Row) error {
	holder, ok := p.principal(row)
	if !ok {
		return nil
	}
	python := row.Text("regex")
	if prompt, there := row["prompt"]; there {
		if prompt == nil {
			p.note("pattern", holder.String()+" on "+string(k)+" "+python, "it is of neither models nor prompts, counts for nothing there, and is not carried over")
			return nil
		}
		if row.Truth("prompt") {
			k = kind.Prompt
		}
	}
	called := holder.String() + " on " + string(k) + " pattern " + python
	level := p.level("pattern", called, row.Text("permission"))
	in := row.Text("workspace")
	switch {
	case k == kind.Workspace:
		in = ""
	case in == "":
		in = authz.Everywhere
	case in == kind.DefaultWorkspace:
		in = ""
	}
	priority, err := strconv.Atoi(row.Text("priority"))
	if err != nil {
		priority = 0
		level = kind.NoPermissions.String()
		p.note("pattern", called, "it has no priority, so it refuses before all others")
	}
	t := takeover.Pattern{Principal: holder, Kind: string(k), Workspace: in}
	p.pattern(t, python, priority, level)
	p.old.pattern(t, python, priority, level)
	return nil
}

// readRest says what there is that has no place here.
func (p *plugin) readRest() error {
	for _, one := range []struct{ table, what, why string }{
		{"scim_tokens", "SCIM tokens", "there is no SCIM here"},
		{"auth_sessions", "sessions", "people sign in once more"},
	} {
		rows, err := p.rows(one.table)
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			p.note(one.what, strconv.Itoa(len(rows)), "they are not carried over: %s", one.why)
		}
	}
	return nil
}
