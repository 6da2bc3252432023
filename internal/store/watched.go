package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
)

const (
	users           = "gw_users"
	groupsTable     = "gw_groups"
	memberships     = "gw_memberships"
	identitiesTable = "gw_identities"
	rolesTable      = "gw_roles"
	rolePermissions = "gw_role_permissions"
	assignments     = "gw_role_assignments"
	rulesTable      = "gw_workspace_rules"
)

// watchedTables are those of which every change is an event. TestEveryColumnIsInEvents holds that a new column is shown in them.
var watchedTables map[string]watched

func init() { // the readers of tables use what uses it
	watchedTables = map[string]watched{
		users: {made: audit.AccountMade, changed: audit.AccountChanged, gone: audit.AccountDeleted, read: seenUsers, alias: "u",
			parts: []string{grants, patterns, memberships, identitiesTable, rolesTable, rolePermissions, assignments, serviceOwners, owners, requests}},
		groupsTable: {made: audit.GroupMade, changed: audit.GroupChanged, gone: audit.GroupDeleted, read: seenGroups, alias: "g",
			parts: []string{grants, patterns, memberships}},
		memberships:     {made: audit.MembershipGiven, gone: audit.MembershipTaken, read: seenMemberships},
		identitiesTable: {made: audit.IdentityLinked, gone: audit.IdentityUnlinked, read: seenIdentities, rowsAlone: true},
		serviceOwners:   {made: audit.OwnerGiven, gone: audit.OwnerTaken, read: seenOwners},
		owners:          {made: audit.MakerNoted, changed: audit.MakerNoted, gone: audit.MakerForgotten, read: seenMakers}, // who made a job may read and end it
		grants:          {made: audit.GrantGiven, changed: audit.GrantChanged, gone: audit.GrantTaken, read: seenGrants, alias: "r"},
		patterns:        {made: audit.PatternGiven, changed: audit.PatternChanged, gone: audit.PatternTaken, read: seenPatterns, alias: "r"},
		rolesTable: {made: audit.RoleMade, changed: audit.RoleChanged, gone: audit.RoleDeleted, read: seenRoles, alias: "r",
			parts: []string{rolePermissions, assignments}},
		rolePermissions: {made: audit.RolePermGiven, changed: audit.RolePermChanged, gone: audit.RolePermTaken, read: seenPermissions, alias: "p"},
		assignments:     {made: audit.RoleAssigned, gone: audit.RoleUnassigned, read: seenAssignments, alias: "a"},
		rulesTable:      {made: audit.RuleSaved, changed: audit.RuleSaved, gone: audit.RuleDeleted, read: seenRules, alias: "w"},
		requests:        {made: audit.AccessRequested, changed: audit.AccessRequestChanged, gone: audit.AccessRequestWithdrawn, read: seenRequests, alias: "q"},
	}
}

// namedChanges gives what became of an account, or of a rule, the names that it has.
func namedChanges(e audit.Event) []audit.Event {
	if e.Name == audit.AccountMade {
		all := []audit.Event{e}
		if e.After["service"] == true {
			all[0].Name = audit.ServiceMade
		}
		if e.After["admin"] == true {
			e.Name, e.After = audit.AdminGained, audit.State{"admin": true}
			all = append(all, e)
		}
		return all
	}
	if e.Name == audit.AccessRequestChanged {
		if name, ok := decisions[e.After["status"]]; ok {
			e.Name = name
		}
		return []audit.Event{e}
	}
	if e.Name != audit.AccountChanged {
		return []audit.Event{e}
	}
	var all []audit.Event
	take := func(field string, name func(value any) audit.Name) {
		value, ok := e.After[field]
		if !ok {
			return
		}
		one := e
		one.Name, one.Before, one.After = name(value), audit.State{field: e.Before[field]}, audit.State{field: value}
		if field == "managed_by" {
			one.Provider, _ = value.(string)
		}
		delete(e.Before, field)
		delete(e.After, field)
		all = append(all, one)
	}
	either := func(yes, no audit.Name) func(any) audit.Name {
		return func(value any) audit.Name {
			if value == true {
				return yes
			}
			return no
		}
	}
	take("admin", either(audit.AdminGained, audit.AdminLost))
	take("active", either(audit.AccountActivated, audit.AccountDeactivated))
	take("managed_by", either(audit.AccountHandedOver, audit.AccountHandedOver))
	if len(e.After) > 0 {
		all = append(all, e)
	}
	return all
}

func seenUsers(ctx context.Context, from bun.IDB, which chosen) ([]seen, error) {
	return see(ctx, which, from.NewSelect().TableExpr("gw_users AS u"), func(u userRow) seen {
		return seen{id: u.ID, about: audit.Event{Account: u.Username, UserID: u.ID},
			state: audit.State{"username": u.Username, "display_name": u.DisplayName, "admin": u.IsAdmin, "active": u.Active, "service": u.IsService, "managed_by": u.ManagedBy}}
	}, "u.id", "u.username", "u.display_name", "u.is_admin", "u.active", "u.is_service", "u.managed_by")
}

func seenGroups(ctx context.Context, from bun.IDB, which chosen) ([]seen, error) {
	return see(ctx, which, from.NewSelect().TableExpr("gw_groups AS g"), func(g groupRow) seen {
		return seen{id: g.ID, about: audit.Event{Group: g.Name}, state: audit.State{"group_name": g.Name, "external_id": g.ExternalID}}
	}, "g.id", "g.name", "g.external_id")
}

// about is who and what a row of a table that joins others is about, with all the columns that such tables have.
type about struct {
	ID                              int64
	UserID, GroupID, OwnerID        int64
	Username, GroupName             string
	Kind, Resource, Workspace       string
	Level, Pattern                  string
	Priority, RuleID                int64
	ManagedBy, Provider, Subject    string
	OwnerName, RoleName, Permission string
	Description                     *string
	ExpiresAt                       time.Time
}

// until shows in a state when it ends, where it does.
func (a about) until(state audit.State) audit.State {
	if at := ended(a.ExpiresAt); !at.IsZero() {
		state["expires_at"] = at.Format(time.RFC3339)
	}
	return state
}

func (a about) event() audit.Event {
	return audit.Event{Account: a.Username, UserID: a.UserID, Group: a.GroupName, Kind: a.Kind, Resource: a.Resource, Workspace: a.Workspace}
}

const (
	byUser  = "JOIN gw_users AS u ON u.id = "
	byGroup = "JOIN gw_groups AS g ON g.id = "
)

func seenMemberships(ctx context.Context, from bun.IDB, which chosen) ([]seen, error) {
	return see(ctx, which, from.NewSelect().TableExpr("gw_memberships AS m").Join(byUser+"m.user_id").Join(byGroup+"m.group_id"), func(a about) seen {
		return seen{key: keyed(a.UserID, a.GroupID, a.ManagedBy), about: a.event(), state: audit.State{"managed_by": a.ManagedBy}}
	}, "m.user_id", "m.group_id", "m.managed_by", "u.username", "g.name AS group_name")
}

func seenIdentities(ctx context.Context, from bun.IDB, which chosen) ([]seen, error) {
	return see(ctx, which, from.NewSelect().TableExpr("gw_identities AS i").Join(byUser+"i.user_id"), func(a about) seen {
		e := a.event()
		e.Provider, e.Subject = a.Provider, a.Subject
		return seen{key: keyed(a.Provider, a.Subject, a.UserID), about: e, state: audit.State{"provider": a.Provider, "subject": a.Subject}}
	}, "i.user_id", "i.provider", "i.subject", "u.username")
}

func seenOwners(ctx context.Context, from bun.IDB, which chosen) ([]seen, error) {
	return see(ctx, which, from.NewSelect().TableExpr("gw_service_owners AS o").Join(byUser+"o.user_id").Join("JOIN gw_users AS w ON w.id = o.owner_id"), func(a about) seen {
		return seen{key: keyed(a.UserID, a.OwnerID), about: a.event(), state: audit.State{"owner": a.OwnerName}}
	}, "o.user_id", "u.username", "w.username AS owner_name", "w.id AS owner_id")
}

func seenMakers(ctx context.Context, from bun.IDB, which chosen) ([]seen, error) {
	return see(ctx, which, from.NewSelect().TableExpr("gw_owners AS o").Join(byUser+"o.user_id"), func(a about) seen {
		return seen{key: keyed(a.Kind, a.Resource), about: a.event(), state: audit.State{"maker": a.Username}}
	}, "o.user_id", "o.kind", "o.resource", "u.username")
}

// ofPrincipals selects rows of grants or patterns, which have all but their key in common.
func ofPrincipals(from bun.IDB, table string) *bun.SelectQuery {
	return from.NewSelect().TableExpr("? AS r", bun.Ident(table)).Join("LEFT " + byUser + "r.user_id").Join("LEFT " + byGroup + "r.group_id")
}

var principalColumns = []string{"r.id", "COALESCE(r.user_id, 0) AS user_id", "COALESCE(u.username, '') AS username", "COALESCE(g.name, '') AS group_name",
	"r.kind", "r.workspace", "r.level", "r.expires_at"}

func seenGrants(ctx context.Context, from bun.IDB, which chosen) ([]seen, error) {
	return see(ctx, which, ofPrincipals(from, grants), func(a about) seen {
		state := a.until(audit.State{"level": a.Level})
		if a.RuleID != 0 {
			state["rule"] = a.RuleID
		}
		return seen{id: a.ID, about: a.event(), state: state}
	}, append(principalColumns, "r.resource", "COALESCE(r.rule_id, 0) AS rule_id")...)
}

func seenPatterns(ctx context.Context, from bun.IDB, which chosen) ([]seen, error) {
	return see(ctx, which, ofPrincipals(from, patterns), func(a about) seen {
		return seen{id: a.ID, about: a.event(), state: a.until(audit.State{"level": a.Level, "pattern": a.Pattern, "priority": a.Priority})}
	}, append(principalColumns, "r.pattern", "r.priority")...)
}

// A user's own role is about that user.
const ofOwner = "LEFT JOIN gw_users AS u ON u.id = r.owner_id"

func (a about) role() audit.Event {
	e := a.event()
	e.Kind, e.Resource = "role", a.RoleName
	return e
}

func seenRoles(ctx context.Context, from bun.IDB, which chosen) ([]seen, error) {
	return see(ctx, which, from.NewSelect().TableExpr("gw_roles AS r").Join(ofOwner), func(a about) seen {
		description := ""
		if a.Description != nil {
			description = *a.Description
		}
		return seen{id: a.ID, about: a.role(), state: audit.State{"role": a.RoleName, "description": description}}
	}, "r.id", "r.name AS role_name", "r.workspace", "r.description", "COALESCE(u.username, '') AS username", "COALESCE(r.owner_id, 0) AS user_id")
}

func seenPermissions(ctx context.Context, from bun.IDB, which chosen) ([]seen, error) {
	q := from.NewSelect().TableExpr("gw_role_permissions AS p").Join("JOIN gw_roles AS r ON r.id = p.role_id").Join(ofOwner)
	return see(ctx, which, q, func(a about) seen {
		return seen{id: a.ID, about: a.role(), state: audit.State{"permission": a.Permission, "resource_type": a.Kind, "resource_pattern": a.Pattern, "resource": a.Resource}}
	}, "p.id", "r.name AS role_name", "r.workspace", "p.permission", "p.resource_type AS kind", "p.resource_pattern AS pattern", "p.resource",
		"COALESCE(u.username, '') AS username", "COALESCE(r.owner_id, 0) AS user_id")
}

func seenAssignments(ctx context.Context, from bun.IDB, which chosen) ([]seen, error) {
	q := from.NewSelect().TableExpr("gw_role_assignments AS a").Join("JOIN gw_roles AS r ON r.id = a.role_id").Join(byUser + "a.user_id")
	return see(ctx, which, q, func(a about) seen {
		return seen{id: a.ID, about: a.role(), state: a.until(audit.State{"role": a.RoleName})}
	}, "a.id", "a.user_id", "a.expires_at", "u.username", "r.name AS role_name", "r.workspace")
}

func seenRules(ctx context.Context, from bun.IDB, which chosen) ([]seen, error) {
	return see(ctx, which, from.NewSelect().TableExpr("gw_workspace_rules AS w"), func(w workspaceRule) seen {
		return seen{id: w.ID, about: audit.Event{Route: w.Name, Reason: w.Pattern + " " + w.Level},
			state: audit.State{"rule": w.Name, "pattern": w.Pattern, "level": w.Level, "enforced": w.Enforced, "enabled": w.Enabled}}
	}, "w.id", "w.name", "w.pattern", "w.level", "w.enforced", "w.enabled")
}

// decisions are what a request's status says of what was done.
var decisions = map[any]audit.Name{string(RequestApproved): audit.AccessRequestApproved, string(RequestRefused): audit.AccessRequestRefused, string(RequestOpen): audit.AccessRequestReopened}

func seenRequests(ctx context.Context, from bun.IDB, which chosen) ([]seen, error) {
	at := func(state audit.State, name string, at time.Time) {
		if at = ended(at); !at.IsZero() {
			state[name] = at.Format(time.RFC3339)
		}
	}
	return see(ctx, which, from.NewSelect().TableExpr("gw_requests AS q").Join(byUser+"q.user_id"), func(r askedRow) seen {
		state := audit.State{"asked": r.Asked, "level": r.Level, "reason": r.Reason, "status": string(r.Status), "lapsed": r.Lapsed,
			"decided_by": r.DecidedBy, "answer": r.Answer, "given_level": r.GivenLevel}
		at(state, "wanted_until", r.WantedUntil)
		at(state, "given_until", r.GivenUntil)
		return seen{id: r.ID, about: audit.Event{Account: r.Username, UserID: r.UserID, Kind: string(r.Kind), Resource: r.Resource, Workspace: r.Workspace}, state: state}
	}, "q.*", "u.username")
}

// see reads rows of a table that is watched, some columns of each.
func see[Row any](ctx context.Context, which chosen, q *bun.SelectQuery, as func(Row) seen, columns ...string) ([]seen, error) {
	var rows []Row
	for _, column := range columns {
		q = q.ColumnExpr(column)
	}
	if err := which.of(q).Scan(ctx, &rows); err != nil {
		return nil, err
	}
	all := make([]seen, len(rows))
	for i, row := range rows {
		if all[i] = as(row); all[i].key == "" {
			all[i].key = keyed(all[i].id)
		}
	}
	return all, nil
}

// byProvider is the author of what follows from a provider's word.
func byProvider(ctx context.Context, id directory.Identity) context.Context {
	return audit.By(ctx, audit.Author{Cause: "provider", Provider: id.Provider})
}
