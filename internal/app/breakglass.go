package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/config"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/token"
)

// emergency is the account of an administrator for when nobody can sign in. It is a service account: nobody signs in to it
// with a browser, and no provider can name it.
const emergency = "break-glass"

// MostOfEmergency is the longest time for which BreakGlass makes an administrator.
const MostOfEmergency = 24 * time.Hour

// BreakGlass makes an access token of an administrator that is good for a while, for when the identity provider is down. Who
// may do so is who reads the settings and the users database on this machine. Tokens that it made before end.
func BreakGlass(ctx context.Context, c *config.Config, reason string, lasts time.Duration, output, log io.Writer) error {
	if reason = strings.TrimSpace(reason); reason == "" {
		return errors.New("--reason is missing: it is recorded why an administrator was made")
	}
	if lasts < time.Minute || lasts > MostOfEmergency {
		return fmt.Errorf("--for is %v; it must be between a minute and %v", lasts, MostOfEmergency)
	}
	return changing(ctx, c, log, func(ctx context.Context, db *store.DB, events audit.Recorder) error {
		account, err := emergencyAccount(ctx, db)
		if err != nil {
			return err
		}
		if _, err := db.DeleteTokens(ctx, account.ID); err != nil {
			return err
		}
		secret, hash := token.NewSecret()
		now := time.Now().UTC().Truncate(time.Second)
		made, err := db.CreateToken(ctx, directory.Token{UserID: account.ID, Name: "until " + now.Add(lasts).Format(time.RFC3339), Prefix: token.Prefix(secret), Hash: hash,
			CreatedAt: now, CreatedBy: operator(), ExpiresAt: now.Add(lasts)})
		if err != nil {
			return err
		}
		events.Record(ctx, audit.Event{Name: audit.GlassBroken, By: operator(), Account: account.Username, UserID: account.ID,
			Token: strconv.FormatInt(made.ID, 10), Reason: reason})
		_, err = fmt.Fprintf(output, "MLFLOW_TRACKING_USERNAME=%s\nMLFLOW_TRACKING_PASSWORD=%s\n# an administrator's, until %s; end it before with: mlflow-oidc-auth break-glass --end\n",
			account.Username, secret, made.ExpiresAt.Format(time.RFC3339))
		return err
	})
}

// EndBreakGlass revokes the tokens that BreakGlass made, and deletes its account, where there is another administrator: the last
// one is never deleted.
func EndBreakGlass(ctx context.Context, c *config.Config, output, log io.Writer) error {
	return changing(ctx, c, log, func(ctx context.Context, db *store.DB, events audit.Recorder) error {
		account, err := db.User(ctx, emergency)
		if err == nil && !account.Service {
			return errNotOurs
		}
		if errs.Is(err, errs.NotFound) {
			return errors.New("there is none to end")
		}
		if err == nil {
			_, err = db.DeleteTokens(ctx, account.ID)
		}
		if err != nil {
			return err
		}
		events.Record(ctx, audit.Event{Name: audit.TokenRevoked, By: operator(), Account: emergency, UserID: account.ID})
		err = db.DeleteUser(ctx, emergency)
		if errs.Is(err, errs.Conflict) {
			_, err = fmt.Fprintln(output, "the tokens are revoked; the account stays, without any, until there is another administrator")
			return err
		}
		return err
	})
}

var errNotOurs = fmt.Errorf("there is an account %q that is a person's; rename or delete it first", emergency)

// emergencyAccount gives the account, and makes it where it is not there, or is not what it was made as.
func emergencyAccount(ctx context.Context, db *store.DB) (directory.User, error) {
	account, err := db.User(ctx, emergency)
	if errs.Is(err, errs.NotFound) {
		return db.CreateUser(ctx, directory.User{Username: emergency, DisplayName: "Break glass", Admin: true, Service: true, ManagedBy: directory.Manual})
	}
	if err != nil {
		return account, err
	}
	if !account.Service {
		return account, errNotOurs
	}
	if known, err := db.Identities(ctx, emergency); err != nil || len(known) > 0 {
		return account, errors.Join(err, errNotOurs)
	}
	if err := db.SetRoles(ctx, emergency, true, true); err != nil {
		return account, err
	}
	return account, db.SetActive(ctx, emergency, true)
}

func withStore(ctx context.Context, c *config.Config, do func(db *store.DB) error) error {
	db, err := store.Connect(ctx, databaseOptions(c))
	if err != nil {
		return inDatabase(c, err)
	}
	return errors.Join(do(db), db.Close())
}

// changing opens the users database for a command that changes it. What the store changes with the context that it gives is recorded
// as of who runs the command; events are for what the store does not record itself.
func changing(ctx context.Context, c *config.Config, log io.Writer, do func(ctx context.Context, db *store.DB, events audit.Recorder) error) error {
	return withStore(ctx, c, func(db *store.DB) error {
		lines := audit.NewLog(Logger(c, log))
		db.OnEvent(lines.Record)
		ctx := audit.By(ctx, audit.Author{By: operator()})
		if c.AuditDays == 0 {
			return do(ctx, db, lines)
		}
		journal := audit.NewJournal(Logger(c, log), db, time.Now)
		running, stop := context.WithCancel(context.WithoutCancel(ctx))
		written := make(chan struct{})
		go func() { defer close(written); journal.Run(running) }()
		defer func() { stop(); <-written }() // it keeps what waits then
		return do(ctx, db, journal)
	})
}

// operator is who runs this program, as the machine knows them; behind sudo it is who called that. No account can have such a name.
func operator() string { return "local:" + operatingUser() }

func operatingUser() string {
	if name := os.Getenv("SUDO_USER"); name != "" {
		return name + " (sudo)"
	}
	if who, err := user.Current(); err == nil {
		return who.Username
	}
	return "uid " + strconv.Itoa(os.Getuid())
}
