// Package audit records who signed in, what was refused, and what was changed: accounts, groups, permissions, roles, tokens, sessions.
package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// Name says what happened. A name stays as it is: whoever watches the log looks for it.
type Name string

// The names.
const (
	SignedIn           Name = "sign_in_succeeded"
	SignInRefused      Name = "sign_in_refused"
	SignInTried        Name = "sign_in_tried"
	CredentialRefused  Name = "credential_refused"
	RateLimited        Name = "rate_limited"
	RequestRefused     Name = "request_refused"
	WouldRefuse        Name = "request_would_be_refused"
	SessionMade        Name = "session_made"
	SessionRenewed     Name = "session_renewed"
	SessionEnded       Name = "session_ended"
	LogoutRefused      Name = "logout_refused"
	TokenMade          Name = "token_made"
	TokenRotated       Name = "token_rotated"
	TokenRevoked       Name = "token_revoked"
	TerminalAnswered   Name = "terminal_answered"
	TerminalSignedIn   Name = "terminal_signed_in"
	TerminalReused     Name = "terminal_token_reused"
	TokenExchanged     Name = "token_exchanged"
	ExchangeRefused    Name = "token_exchange_refused"
	PasswordUpgraded   Name = "password_hash_upgraded"
	PasswordChanged    Name = "password_changed"
	RolesChanged       Name = "roles_changed"
	ServiceMade        Name = "service_account_made"
	ServiceBound       Name = "service_account_bound"
	IdentityLinked     Name = "identity_linked"
	IdentityUnlinked   Name = "identity_unlinked"
	AccountMade        Name = "account_created"
	AccountDeleted     Name = "account_deleted"
	AccountDeactivated Name = "account_deactivated"
	AccountActivated   Name = "account_activated"
	AccountHandedOver  Name = "account_handed_over"
	TrashRestored      Name = "trash_restored"
	TrashCleaned       Name = "trash_cleaned"
	WebhookMade        Name = "webhook_made"
	WebhookChanged     Name = "webhook_changed"
	WebhookDeleted     Name = "webhook_deleted"
	RuleSaved          Name = "workspace_rule_saved"
	RuleDeleted        Name = "workspace_rule_deleted"
	WorkspaceAttached  Name = "workspace_attached"
	GlassBroken        Name = "break_glass"
	Imported           Name = "imported"
	AdminGained        Name = "administrator_gained"
	AdminLost          Name = "administrator_lost"
	AccountChanged     Name = "account_changed"
	OwnerGiven         Name = "service_account_owner_given"
	OwnerTaken         Name = "service_account_owner_taken"
	MakerNoted         Name = "maker_noted"
	MakerForgotten     Name = "maker_forgotten"
	GroupMade          Name = "group_made"
	GroupChanged       Name = "group_changed"
	GroupDeleted       Name = "group_deleted"
	MembershipGiven    Name = "membership_given"
	MembershipTaken    Name = "membership_taken"
	GrantGiven         Name = "grant_given"
	GrantChanged       Name = "grant_changed"
	GrantTaken         Name = "grant_taken"
	PatternGiven       Name = "pattern_given"
	PatternChanged     Name = "pattern_changed"
	PatternTaken       Name = "pattern_taken"
	RoleMade           Name = "role_made"
	RoleChanged        Name = "role_changed"
	RoleDeleted        Name = "role_deleted"
	RolePermGiven      Name = "role_permission_given"
	RolePermChanged    Name = "role_permission_changed"
	RolePermTaken      Name = "role_permission_taken"
	RoleAssigned       Name = "role_assigned"
	RoleUnassigned     Name = "role_unassigned"

	AccessRequested        Name = "access_requested"
	AccessRequestChanged   Name = "access_request_changed"
	AccessRequestApproved  Name = "access_request_approved"
	AccessRequestRefused   Name = "access_request_refused"
	AccessRequestReopened  Name = "access_request_reopened"
	AccessRequestWithdrawn Name = "access_request_withdrawn"
)

// meanings is the table of the documentation.
var meanings = []struct {
	name    Name
	meaning string
}{
	{SignedIn, "somebody signed in with a browser"},
	{SignInRefused, "a sign-in with a browser ended without a session; `reason` says why"},
	{SignInTried, "an administrator tried what would come of the sign-in of `account`, which made no session and changed nothing; `reason` says why it would be refused"},
	{CredentialRefused, "a password, access token or JWT was wrong, or of nobody; `token` is the beginning of the hash of an access token"},
	{RateLimited, "no attempt was made, since there were too many failed ones"},
	{RequestRefused, "a known subject asked for what it may not do, or what nobody may"},
	{WouldRefuse, "with `REPORT_ONLY`: a request was forwarded that would have been refused, or whose answer would have been narrowed; `reason` says why"},
	{SessionMade, "a browser got a session"},
	{SessionRenewed, "the identity provider stood by a session"},
	{SessionEnded, "`count` sessions ended; `cause` is owner, administrator, back-channel, front-channel, renewal, or replaced, by the next sign-in of its browser. That one ends by its age is no event"},
	{LogoutRefused, "a logout that said it came from an identity provider was refused"},
	{TokenMade, "an access token with a name was made"},
	{TokenRotated, "the access token without a name was made, in place of the one before"},
	{TokenRevoked, "an access token was revoked; without `token`, every one of the account"},
	{TerminalAnswered, "somebody approved or denied, as `cause` says, that a program at a terminal is signed in"},
	{TerminalSignedIn, "a program at a terminal got the tokens that were approved"},
	{TerminalReused, "a refresh token of a terminal was shown a second time, and its sign-in ended"},
	{TokenExchanged, "an issuer's token was exchanged for one of ours, of which `token` is the number; `actor` is who acts with it"},
	{ExchangeRefused, "no token was given for another one; `reason` says why"},
	{PasswordUpgraded, "a predecessor's slow hash was replaced by that of an access token"},
	{PasswordChanged, "a local account got a password in place of the one before"},
	{RolesChanged, "a role of MLflow's API, its permissions, who has it, or a direct permission of `account` was changed; `cause` says how"},
	{ServiceMade, "a service account was made"},
	{ServiceBound, "by what a service account is known was changed"},
	{IdentityLinked, "an account got one more identity"},
	{IdentityUnlinked, "an account lost an identity"},
	{AccountMade, "an account was made: by an administrator, or, where `cause` is provider, for a person whom a provider vouches for"},
	{AccountDeleted, "an account was deleted"},
	{AccountDeactivated, "an administrator deactivated an account; its sessions and tokens ended"},
	{AccountActivated, "an administrator activated an account again"},
	{AccountHandedOver, "an administrator said which source, `provider`, manages an account"},
	{TrashRestored, "an administrator took what `route` names out of the trash"},
	{TrashCleaned, "an administrator deleted `count` experiments and runs of the trash for good"},
	{WebhookMade, "an administrator made the webhook that `route` names"},
	{WebhookChanged, "an administrator changed the webhook that `route` names"},
	{WebhookDeleted, "an administrator deleted the webhook that `route` names"},
	{RuleSaved, "an administrator made or changed the workspace rule that `route` names"},
	{RuleDeleted, "an administrator deleted the workspace rule that `route` names"},
	{WorkspaceAttached, "a rule gave or took, as `cause` says, the level of the group `account` in the workspace `route`; `by` is who or what had it do so"},
	{GlassBroken, "somebody on the machine made an administrator's token of the account break-glass, for a while; `reason` says why. The command itself writes it"},
	{Imported, "`count` things were taken over from the database of the predecessor that `cause` names; `reason` says how many of what. The command, or serve when it starts, writes it"},
	{AdminGained, "an account became an administrator: by another one, or, where `cause` is provider, by a group that a provider names"},
	{AdminLost, "an account is no administrator any more, in the same ways"},
	{AccountChanged, "an account got another name, display name or source, or became a service account or a person"},
	{OwnerGiven, "somebody looks after a service account from now on"},
	{OwnerTaken, "nobody looks after a service account any more, or somebody else does"},
	{MakerNoted, "somebody has made a job or a review queue, and has the rights of who made it"},
	{MakerForgotten, "nobody has the rights of who made a job or a review queue any more"},
	{GroupMade, "a group was made: by an administrator, or since a provider named it first"},
	{GroupChanged, "a group got another name"},
	{GroupDeleted, "a group was deleted"},
	{MembershipGiven, "an account became a member of a group, by the word of the source that `after` names"},
	{MembershipTaken, "an account is no member of a group any more, by the word of the source that `before` names"},
	{GrantGiven, "a user or a group got a level on a resource: from somebody who may give it, by a workspace rule, or as its creator"},
	{GrantChanged, "a level on a resource was changed, or its resource was renamed"},
	{GrantTaken, "a level on a resource was taken, or its resource or who held it was deleted"},
	{PatternGiven, "a user or a group got a level on all names that a pattern matches"},
	{PatternChanged, "a pattern, its priority or its level was changed"},
	{PatternTaken, "a pattern was taken"},
	{RoleMade, "a role was made; a user's own has that `account`"},
	{RoleChanged, "a role got another name or description"},
	{RoleDeleted, "a role was deleted"},
	{RolePermGiven, "a role got a permission"},
	{RolePermChanged, "a permission of a role was changed"},
	{RolePermTaken, "a role lost a permission"},
	{RoleAssigned, "a user was assigned a role"},
	{RoleUnassigned, "a role was taken from a user"},
	{AccessRequested, "`account` asked for a level on a resource, which need not exist; `after` has why"},
	{AccessRequestChanged, "what a request is about was renamed, or is no more: then it is `lapsed`, and nobody decides on it"},
	{AccessRequestApproved, "a request was approved; what was given for it is an event of its own"},
	{AccessRequestRefused, "a request was refused; `answer` is the word of why"},
	{AccessRequestReopened, "a request is to be decided on anew. What it has given is not taken by that"},
	{AccessRequestWithdrawn, "a request was withdrawn, or another one came in its place, or its account was deleted"},
}

// Event is one thing that happened. What is empty is not recorded. No field may hold a secret: of a token its number, or Hint.
type Event struct {
	Name       Name
	By         string // the username of who did it
	Account    string // the username of whom it is about, or who was claimed to be
	Group      string // the group that it is about
	UserID     int64
	Kind       string // of the resource
	Resource   string // as grants hold it
	Workspace  string // that the resource is in; "" is the default one, or none
	Provider   string
	Subject    string // by which the provider knows the person
	Credential string
	Token      string
	Route      string
	Cause      string
	Reason     string
	Count      int
	Actor      string // who acts for whom it is about, or for who did it
	Before     State  // what was there; of a change what differs alone
	After      State  // what is there now
}

// State is what can be seen of something: texts, numbers and truths by their names.
type State map[string]any

// text is a field of an event that holds one.
type text struct{ name, value string }

// texts gives the fields of an event, in the order of a line.
func (e Event) texts() []text {
	return []text{{"by", e.By}, {"account", e.Account}, {"group", e.Group}, {"kind", e.Kind}, {"resource", e.Resource}, {"workspace", e.Workspace},
		{"provider", e.Provider}, {"subject", e.Subject}, {"credential", e.Credential}, {"token", e.Token}, {"actor", e.Actor}, {"route", e.Route},
		{"cause", e.Cause}, {"reason", e.Reason}}
}

// Recorder keeps events.
type Recorder interface {
	Record(ctx context.Context, e Event)
}

// Log records events as lines of a log.
type Log struct{ log *slog.Logger }

// NewLog makes the lines of a log.
func NewLog(log *slog.Logger) *Log { return &Log{log} }

// refusals are what anybody can have happen as often as they like.
var refusals = map[Name]bool{SignInRefused: true, CredentialRefused: true, RateLimited: true, RequestRefused: true, WouldRefuse: true, LogoutRefused: true, ExchangeRefused: true}

// Record writes a line. Refusals are warnings where somebody may be guessing.
func (l *Log) Record(ctx context.Context, e Event) {
	level := slog.LevelInfo
	if refusals[e.Name] && e.Name != RequestRefused && e.Name != WouldRefuse || e.Name == TerminalReused {
		level = slog.LevelWarn
	}
	attributes := []slog.Attr{slog.Bool("audit", true)}
	origin := originOf(ctx)
	for _, field := range append(e.texts(), text{"client", origin.Client}, text{"agent", origin.Agent}, text{"request", origin.Request}, text{"path", origin.Path}) {
		if field.value != "" {
			attributes = append(attributes, slog.String(field.name, clean(field.value, most)))
		}
	}
	if e.UserID != 0 {
		attributes = append(attributes, slog.Int64("user_id", e.UserID))
	}
	if e.Count != 0 || e.Name == SessionEnded || e.Name == TrashCleaned {
		attributes = append(attributes, slog.Int("count", e.Count))
	}
	attributes = append(attributes, e.Before.attributes("before")...)
	l.log.LogAttrs(ctx, level, string(e.Name), append(attributes, e.After.attributes("after")...)...)
}

// attributes gives a state as a group of a line; none of what is nothing.
func (s State) attributes(name string) []slog.Attr {
	if len(s) == 0 {
		return nil
	}
	var all []any
	for _, field := range slices.Sorted(maps.Keys(s)) {
		all = append(all, slog.Any(field, cleaned(s[field], most)))
	}
	return []slog.Attr{slog.Group(name, all...)}
}

// cleaned gives a value of a state as it is recorded.
func cleaned(value any, most int) any {
	switch v := value.(type) {
	case bool, int, int64, float64:
		return v
	case string:
		return clean(v, most)
	}
	return clean(fmt.Sprint(value), most)
}

// Line gives what others have sent as one short line.
func Line(value string) string { return clean(value, most) }

const most = 200 // characters of a value of a line

// clean gives a value as one short line of characters that can be seen: others send part of it, and it must not look like
// another line, nor push anything out of sight.
func clean(value string, most int) string {
	var b strings.Builder
	n := 0
	for _, r := range value {
		if n++; n > most {
			b.WriteString("…")
			break
		}
		if r != ' ' && !unicode.IsGraphic(r) || unicode.In(r, unicode.Zl, unicode.Zp) {
			r = unicode.ReplacementChar
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Hint gives the beginning of the hash of a secret, by which its owner can tell it, and nobody can use it.
func Hint(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:4])
}

// Origin is where a request came from.
type Origin struct {
	Client, Agent string
	Request       string // the same in all events of one request
	Path          string // method and path, without the query: that can have secrets
}

type originKey struct{}

// With returns a context whose events say where the request came from. It is asked when there is one: most requests have none.
func With(ctx context.Context, from func() Origin) context.Context {
	return context.WithValue(ctx, originKey{}, from)
}

func originOf(ctx context.Context) Origin {
	if from, ok := ctx.Value(originKey{}).(func() Origin); ok {
		return from()
	}
	return Origin{}
}

// RequestOf is the name of the request that the context is of; "" where it is of none.
func RequestOf(ctx context.Context) string { return originOf(ctx).Request }

// Names are those of all events.
func Names() []string {
	all := make([]string, len(meanings))
	for i, m := range meanings {
		all[i] = string(m.name)
	}
	return all
}

// Author is who has changes happen, and why.
type Author struct {
	By       string // the username; of a program of the machine "local:" and who runs it
	Actor    string // who acts for them
	Cause    string // where nobody does it: what it follows from
	Provider string // whose word it follows from
}

type authorKey struct{}

// By returns a context whose changes have an author.
func By(ctx context.Context, author Author) context.Context {
	return context.WithValue(ctx, authorKey{}, author)
}

// Authored says in an event who its context's author is, where the event does not say it itself.
func Authored(ctx context.Context, e Event) Event {
	author, _ := ctx.Value(authorKey{}).(Author)
	if e.By == "" {
		e.By, e.Actor = author.By, author.Actor
	}
	if e.Cause == "" {
		e.Cause = author.Cause
	}
	if e.Provider == "" {
		e.Provider = author.Provider
	}
	return e
}

// Markdown writes the table of the events.
func Markdown(w io.Writer) error {
	text := "| event | when |\n|---|---|\n"
	for _, m := range meanings {
		text += fmt.Sprintf("| `%s` | %s |\n", m.name, m.meaning)
	}
	_, err := io.WriteString(w, text)
	return err
}
