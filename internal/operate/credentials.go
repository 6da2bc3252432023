package operate

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/session"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/token"
)

// tokenRow is an access token as it is listed.
type tokenRow struct {
	ID        int64  `json:"id"`
	Name      string `json:"name"`
	Prefix    string `json:"prefix"`
	ExpiresAt string `json:"expires_at"`
	UsedAt    string `json:"last_used_at,omitempty"`
	CreatedBy string `json:"created_by"`
	Narrowed  bool   `json:"narrowed"`
}

func count(n int) string { return strconv.Itoa(n) }

func (d *desk) tokens() *cobra.Command {
	create := &cobra.Command{Use: "create USERNAME", Short: "Make an access token, and print it", Args: cobra.ExactArgs(1), RunE: d.run((*job).createToken)}
	create.Flags().String("name", "", "what it is for; each token of an account has another name")
	create.Flags().Duration("for", 0, "how long it is good; without it as long as the settings say")
	create.Flags().Bool("read-only", false, "it changes nothing")
	create.Flags().StringSlice("kind", nil, "it is about this kind alone, such as experiment; may be given several times")
	_ = create.MarkFlagRequired("name")
	revoke := &cobra.Command{Use: "revoke USERNAME [ID...]", Short: "Revoke access tokens of an account, or with --all every one", Args: cobra.MinimumNArgs(1), RunE: d.run((*job).revokeTokens)}
	revoke.Flags().Bool("all", false, "every one, also that without a name")
	return under("tokens", "Access tokens",
		listing(&cobra.Command{Use: "list USERNAME", Short: "List the access tokens of an account that have names", Args: cobra.ExactArgs(1), RunE: d.run((*job).listTokens)}), create, revoke)
}

func (j *job) listTokens(ctx context.Context) error {
	user, err := j.named(ctx, j.args[0])
	if err != nil {
		return err
	}
	tokens, err := j.db.Tokens(ctx, user.ID)
	if err != nil {
		return err
	}
	var rows []tokenRow
	for _, t := range tokens {
		rows = append(rows, tokenRow{t.ID, t.Name, t.Prefix, stamp(t.ExpiresAt), stamp(t.UsedAt), t.CreatedBy, t.Scope != nil})
	}
	return show(j.c, rows, column[tokenRow]{"ID", func(t tokenRow) string { return strconv.FormatInt(t.ID, 10) }}, column[tokenRow]{"NAME", func(t tokenRow) string { return t.Name }},
		column[tokenRow]{"BEGINS", func(t tokenRow) string { return t.Prefix }}, column[tokenRow]{"UNTIL", func(t tokenRow) string { return t.ExpiresAt }},
		column[tokenRow]{"LAST USED", func(t tokenRow) string { return t.UsedAt }}, column[tokenRow]{"MADE BY", func(t tokenRow) string { return t.CreatedBy }},
		column[tokenRow]{"NARROWED", func(t tokenRow) string { return yes(t.Narrowed) }})
}

func (j *job) createToken(ctx context.Context) error {
	user, err := j.named(ctx, j.args[0])
	if err != nil {
		return err
	}
	name := strings.TrimSpace(j.text("name"))
	if name == "" || len(name) > 255 || strings.ContainsFunc(name, func(r rune) bool { return unicode.Is(unicode.C, r) }) {
		return errs.New(errs.Invalid, "--name must not be empty, nor longer than 255 bytes, nor contain characters that cannot be seen")
	}
	lasts, _ := j.c.Flags().GetDuration("for")
	if lasts == 0 {
		lasts = j.settings.TokenLifetime
	}
	if most := j.settings.TokenLifetime + 24*time.Hour; lasts < time.Minute || lasts > most {
		return errs.New(errs.Invalid, "--for is %v; it must be between a minute and %v", lasts, most)
	}
	scope, err := j.scope()
	if err != nil {
		return err
	}
	secret, hash := token.NewSecret()
	now := j.Now().UTC().Truncate(time.Second)
	made, err := j.db.CreateToken(ctx, directory.Token{UserID: user.ID, Name: name, Prefix: token.Prefix(secret), Hash: hash, Scope: scope,
		CreatedAt: now, CreatedBy: j.Operator(), ExpiresAt: now.Add(lasts)})
	if err != nil {
		return err
	}
	j.record(ctx, audit.Event{Name: audit.TokenMade, Account: user.Username, UserID: user.ID, Token: strconv.FormatInt(made.ID, 10)})
	if !user.Active {
		fmt.Fprintf(j.c.ErrOrStderr(), "%s is deactivated, and so is the token, until users activate\n", user.Username)
	}
	_, err = fmt.Fprintln(j.c.OutOrStdout(), secret)
	return err
}

// scope is what a new token is narrowed to.
func (j *job) scope() (*authz.Scope, error) {
	kinds, _ := j.c.Flags().GetStringSlice("kind")
	if len(kinds) == 0 && !j.is("read-only") {
		return nil, nil
	}
	s := &authz.Scope{ReadOnly: j.is("read-only")}
	for _, k := range kinds {
		s.Kinds = append(s.Kinds, kind.Name(k))
	}
	if err := s.Check(); err != nil {
		return nil, errs.New(errs.Invalid, "%v", err)
	}
	return s, nil
}

func (j *job) revokeTokens(ctx context.Context) error {
	user, err := j.named(ctx, j.args[0])
	if err != nil {
		return err
	}
	if j.is("all") == (len(j.args) > 1) {
		return errs.New(errs.Invalid, "name tokens by their ids, which tokens list shows, or all of them by --all")
	}
	revoked := audit.Event{Name: audit.TokenRevoked, Account: user.Username, UserID: user.ID}
	if j.is("all") {
		n, err := j.db.DeleteTokens(ctx, user.ID)
		if err == nil {
			j.record(ctx, revoked)
			_, err = fmt.Fprintf(j.c.OutOrStdout(), "%d revoked\n", n)
		}
		return err
	}
	for _, text := range j.args[1:] {
		id, err := strconv.ParseInt(text, 10, 64)
		if err == nil {
			err = j.db.DeleteToken(ctx, user.ID, id)
		}
		if err != nil {
			return errs.Wrap(errs.NotFound, err, "%s has no token %s; tokens list shows their ids", user.Username, text)
		}
		revoked.Token = text
		j.record(ctx, revoked)
	}
	return nil
}

// sessionRow is a browser that is signed in.
type sessionRow struct {
	ID        int64  `json:"id"`
	Client    string `json:"client"`
	CreatedAt string `json:"created_at"`
	SeenAt    string `json:"last_seen_at"`
	ExpiresAt string `json:"expires_at"`
}

// pruner is a store of sessions in which what has ended stays until it is removed.
type pruner interface {
	Prune(ctx context.Context) error
}

func (d *desk) sessions() *cobra.Command {
	end := &cobra.Command{Use: "end USERNAME [ID...]", Short: "Sign somebody out: of the sessions that are named, or with --all of every one", Args: cobra.MinimumNArgs(1),
		RunE: d.run(d.withSessions((*job).endSessions))}
	end.Flags().Bool("all", false, "every session")
	return under("sessions", "Browsers that are signed in",
		listing(&cobra.Command{Use: "list USERNAME", Short: "List the sessions of somebody", Args: cobra.ExactArgs(1), RunE: d.run(d.withSessions((*job).listSessions))}), end,
		&cobra.Command{Use: "prune", Short: "Remove what is left of sessions that have ended", Args: cobra.NoArgs, RunE: d.run(d.withSessions((*job).pruneSessions))})
}

// withSessions opens the store of sessions for a command.
func (d *desk) withSessions(do func(j *job, ctx context.Context, sessions session.Store) error) func(*job, context.Context) error {
	return func(j *job, ctx context.Context) error {
		sessions, err := d.Sessions(j.settings, j.db)
		if err != nil {
			return err
		}
		defer sessions.Close()
		return do(j, ctx, sessions)
	}
}

func (j *job) listSessions(ctx context.Context, sessions session.Store) error {
	user, err := j.named(ctx, j.args[0])
	if err != nil {
		return err
	}
	found, err := sessions.Find(ctx, session.Query{UserID: user.ID})
	if err != nil {
		return err
	}
	var rows []sessionRow
	for _, f := range found {
		rows = append(rows, sessionRow{f.Key.Number(), f.Record.Client, stamp(f.Record.CreatedAt), stamp(f.Record.SeenAt), stamp(f.Record.ExpiresAt)})
	}
	return show(j.c, rows, column[sessionRow]{"ID", func(s sessionRow) string { return strconv.FormatInt(s.ID, 10) }}, column[sessionRow]{"FROM", func(s sessionRow) string { return s.Client }},
		column[sessionRow]{"SINCE", func(s sessionRow) string { return s.CreatedAt }}, column[sessionRow]{"LAST SEEN", func(s sessionRow) string { return s.SeenAt }},
		column[sessionRow]{"UNTIL", func(s sessionRow) string { return s.ExpiresAt }})
}

func (j *job) endSessions(ctx context.Context, sessions session.Store) error {
	user, err := j.named(ctx, j.args[0])
	if err != nil {
		return err
	}
	if j.is("all") == (len(j.args) > 1) {
		return errs.New(errs.Invalid, "name sessions by their ids, which sessions list shows, or all of them by --all")
	}
	wanted := map[string]bool{}
	for _, id := range j.args[1:] {
		wanted[id] = true
	}
	n, err := j.end(ctx, sessions, session.Query{UserID: user.ID}, func(f session.Found) bool { return j.is("all") || wanted[strconv.FormatInt(f.Key.Number(), 10)] })
	if err == nil && n < len(wanted) {
		err = errs.New(errs.NotFound, "%d of the sessions are none of %s; sessions list shows their ids", len(wanted)-n, user.Username)
	}
	fmt.Fprintf(j.c.OutOrStdout(), "%d ended\n", n)
	return err
}

func (j *job) pruneSessions(ctx context.Context, sessions session.Store) error {
	store, ok := sessions.(pruner)
	if !ok {
		_, err := fmt.Fprintln(j.c.OutOrStdout(), "Redis removes sessions that have ended by itself")
		return err
	}
	return store.Prune(ctx)
}
