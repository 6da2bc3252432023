package gateway

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/rewrite"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/workspace"
)

// Sealer encrypts what clients keep for us, and opens it again for the same purpose alone.
type Sealer interface {
	Seal(purpose string, plain []byte) ([]byte, error)
	Open(purpose string, sealed []byte) ([]byte, error)
}

// asked are the fields that say which rows a search has, and in which order.
var asked = []string{"filter", "order_by", "view_type", "filter_string", "server_version", "server_alias"}

// tokenPurpose binds a page token to the caller and to what is searched for. MLflow's own token is an offset among all rows,
// also those that the caller may not read: who could see it, choose it, or carry it to another filter, could count them, and
// so learn what they are called.
func (c *call) tokenPurpose(list rewrite.List) (string, error) {
	all := []any{c.subject.UserID, c.subject.Scope, list.Path, workspace.Of(c.r.Context()).Name}
	for _, field := range asked {
		var value any = c.read.Query[field]
		if c.read.Body != nil {
			o, err := httpx.ParseObject([]byte("{}"))
			if err != nil {
				return "", err
			}
			given, _ := c.read.Body.Get(field)
			o.Set(field, given)
			value = string(o.Encode())
		}
		all = append(all, value)
	}
	encoded, err := json.Marshal(all)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(encoded)
	return "page token " + hex.EncodeToString(sum[:]), nil
}

// openToken puts MLflow's own token in place of ours.
func (c *call) openToken(purpose string) error {
	token := c.read.Query.Get("page_token")
	if c.read.Body != nil {
		var err error
		if token, _, err = c.read.Body.Text("page_token"); err != nil {
			return err
		}
	}
	if token == "" {
		return nil
	}
	sealed, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return errToken
	}
	plain, err := c.gateway.Sealer.Open(purpose, sealed)
	if err != nil || len(plain) != 8 {
		return errToken
	}
	offset := binary.BigEndian.Uint64(plain)
	if offset > 1<<62 {
		return errToken
	}
	if token = rewrite.Token(int(offset)); c.read.Body != nil {
		c.read.Body.Set("page_token", token)
	} else {
		c.read.Query.Set("page_token", token)
	}
	return nil
}

var errToken = errs.New(errs.Invalid, "page_token is not one that this server gave you for this search")

// sealToken makes the token of the next page; "" when there is none. All have one length, whatever the offset.
func (c *call) sealToken(purpose string, next int) (string, error) {
	if next < 0 {
		return "", nil
	}
	sealed, err := c.gateway.Sealer.Seal(purpose, binary.BigEndian.AppendUint64(nil, uint64(next)))
	return base64.RawURLEncoding.EncodeToString(sealed), err
}
