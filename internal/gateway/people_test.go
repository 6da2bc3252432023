package gateway_test

import (
	"testing"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/test/world"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/token"
)

func person(name string) directory.User {
	return directory.User{Username: name, DisplayName: name, ManagedBy: "manual"}
}

// accessToken gives a user a token without a sign-in.
func accessToken(t *testing.T, w *world.World, userID int64) string {
	t.Helper()
	secret, hash := token.NewSecret()
	err := w.App.Store.SetAccessToken(t.Context(), directory.AccessToken{UserID: userID, Hash: hash, CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}
