// Package terminal signs programs at a terminal in: the gateway is the OAuth authorization server of its own client. A
// session of a browser approves, and what the program gets is an access token with a name, which it renews.
package terminal

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/token"
)

// ClientID is the one client that there is. It has no secret: whatever a program that people install holds is known to all.
const ClientID = "mlflow-oidc-auth"

// Store keeps requests and sign-ins, where every replica finds them.
type Store interface {
	CreateAsk(ctx context.Context, ask directory.Ask) error
	AskByUserCode(ctx context.Context, code string, now time.Time) (directory.Ask, error)
	AnswerAsk(ctx context.Context, id, userID int64, state directory.AskState, now time.Time) error
	Redeem(ctx context.Context, secret [32]byte, decide func(directory.Ask) directory.Redemption) error
	Renew(ctx context.Context, key [32]byte, decide func(directory.Terminal, directory.User) directory.Renewal) error
	Exchange(ctx context.Context, e *directory.Exchanged) error
	EndTerminal(ctx context.Context, key, token [32]byte) error
}

// Sealer encrypts what a page keeps for us, and opens it again for the same purpose alone.
type Sealer interface {
	Seal(purpose string, plain []byte) ([]byte, error)
	Open(purpose string, sealed []byte) ([]byte, error)
}

// Failures counts user codes that do not exist, by address and account.
type Failures interface {
	Allowed(ctx context.Context, client, account string) error
	Note(ctx context.Context, client, account string)
}

// Options are what the authorization server is made of.
type Options struct {
	Store         Store
	Sealer        Sealer
	Failures      Failures
	Origin        *httpx.Origin
	Authenticate  func(*http.Request) (*identity.Subject, error)
	Prove         func(*http.Request, string) (token.Proof, error)
	ExchangeFor   time.Duration // how long an exchanged token is good; 0: none is given
	TokenLifetime time.Duration // of an access token
	Lifetime      time.Duration // of a sign-in, in all
	Audit         audit.Recorder
	Log           *slog.Logger
	Now           func() time.Time
}

// Server is the authorization server.
type Server struct{ Options }

// New makes the authorization server.
func New(o Options) *Server { return &Server{o} }

// Mount adds the endpoints to a mux.
func (s *Server) Mount(mux *http.ServeMux) {
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", s.metadata)
	mux.HandleFunc("POST /oauth/device_authorization", s.ask)
	mux.HandleFunc("POST /oauth/token", s.token)
	mux.HandleFunc("POST /oauth/revoke", s.revoke)
	mux.HandleFunc("GET /oauth/device", s.devicePage)
	mux.HandleFunc("POST /oauth/device", s.answerDevice)
	mux.HandleFunc("GET /oauth/authorize", s.authorizePage)
	mux.HandleFunc("POST /oauth/authorize", s.answerAuthorize)
}

const (
	grantCode     = "authorization_code"
	grantRefresh  = "refresh_token"
	grantExchange = "urn:ietf:params:oauth:grant-type:token-exchange" // RFC 8693 §2.1
	grantDevice   = "urn:ietf:params:oauth:grant-type:device_code"    // RFC 8628 §3.4

	readOnly = "read" // the only scope: the token changes nothing
)

// metadata says where everything is (RFC 8414). With a prefix it is below that, as all of the gateway is.
func (s *Server) metadata(w http.ResponseWriter, r *http.Request) {
	base, grants := s.Origin.Base(r), []string{grantCode, grantRefresh, grantDevice}
	if s.ExchangeFor > 0 {
		grants = append(grants, grantExchange)
	}
	httpx.WriteJSON(w, http.StatusOK, map[string]any{
		"issuer":                                         base,
		"authorization_endpoint":                         base + "/oauth/authorize",
		"token_endpoint":                                 base + "/oauth/token",
		"device_authorization_endpoint":                  base + "/oauth/device_authorization",
		"revocation_endpoint":                            base + "/oauth/revoke",
		"response_types_supported":                       []string{"code"},
		"response_modes_supported":                       []string{"query"},
		"grant_types_supported":                          grants,
		"code_challenge_methods_supported":               []string{"S256"},
		"token_endpoint_auth_methods_supported":          []string{"none"},
		"revocation_endpoint_auth_methods_supported":     []string{"none"},
		"scopes_supported":                               []string{readOnly},
		"authorization_response_iss_parameter_supported": true,
	})
}

// scope gives what a token of a request is narrowed to.
func scope(asked string) *authz.Scope {
	if asked == readOnly {
		return &authz.Scope{ReadOnly: true}
	}
	return nil
}
