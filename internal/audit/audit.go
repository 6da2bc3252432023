// Package audit records who signed in, what was refused, and what was done about accounts, tokens and sessions.
package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode"
)

// Name says what happened. A name stays as it is: whoever watches the log looks for it.
type Name string

// The names.
const (
	SignedIn           Name = "sign_in_succeeded"
	SignInRefused      Name = "sign_in_refused"
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
	AdminGained        Name = "administrator_gained"
	AdminLost          Name = "administrator_lost"
)

// meanings is the table of the documentation.
var meanings = []struct {
	name    Name
	meaning string
}{
	{SignedIn, "somebody signed in with a browser"},
	{SignInRefused, "a sign-in with a browser ended without a session; `reason` says why"},
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
	{AdminGained, "an account became an administrator: by another one, or, where `cause` is provider, by a group that a provider names"},
	{AdminLost, "an account is no administrator any more, in the same ways"},
}

// Event is one thing that happened. What is empty is not recorded. No field may hold a secret: of a token its number, or Hint.
type Event struct {
	Name       Name
	By         string // the username of who did it
	Account    string // the username of whom it is about, or who was claimed to be
	UserID     int64
	Provider   string
	Subject    string // by which the provider knows the person
	Credential string
	Token      string
	Route      string
	Cause      string
	Reason     string
	Count      int
	Actor      string // who acts for whom it is about, or for who did it
}

// Recorder keeps events.
type Recorder interface {
	Record(ctx context.Context, e Event)
}

// Log records events as lines of a log.
type Log struct{ log *slog.Logger }

// NewLog makes the lines of a log.
func NewLog(log *slog.Logger) *Log { return &Log{log} }

// Record writes a line. Refusals are warnings where somebody may be guessing.
func (l *Log) Record(ctx context.Context, e Event) {
	level := slog.LevelInfo
	switch e.Name {
	case SignInRefused, CredentialRefused, RateLimited, LogoutRefused, TerminalReused, ExchangeRefused:
		level = slog.LevelWarn
	}
	attributes := []slog.Attr{slog.Bool("audit", true)}
	var origin Origin
	if from, ok := ctx.Value(originKey{}).(func() Origin); ok {
		origin = from()
	}
	for _, field := range []struct{ name, value string }{{"by", e.By}, {"account", e.Account}, {"provider", e.Provider}, {"subject", e.Subject},
		{"credential", e.Credential}, {"token", e.Token}, {"actor", e.Actor}, {"route", e.Route}, {"cause", e.Cause}, {"reason", e.Reason},
		{"client", origin.Client}, {"agent", origin.Agent}, {"request", origin.Request}} {
		if field.value != "" {
			attributes = append(attributes, slog.String(field.name, clean(field.value)))
		}
	}
	if e.UserID != 0 {
		attributes = append(attributes, slog.Int64("user_id", e.UserID))
	}
	if e.Name == SessionEnded || e.Name == TrashCleaned {
		attributes = append(attributes, slog.Int("count", e.Count))
	}
	l.log.LogAttrs(ctx, level, string(e.Name), attributes...)
}

const most = 200 // characters of a value

// clean gives a value as one short line of characters that can be seen: others send part of it, and it must not look like
// another line, nor push anything out of sight.
func clean(value string) string {
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
type Origin struct{ Client, Agent, Request string }

type originKey struct{}

// With returns a context whose events say where the request came from. It is asked when there is one: most requests have none.
func With(ctx context.Context, from func() Origin) context.Context {
	return context.WithValue(ctx, originKey{}, from)
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
