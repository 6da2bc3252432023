package app

import (
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
)

var namesOfChanges = map[directory.Became]audit.Name{
	directory.Made:        audit.AccountMade,
	directory.GainedAdmin: audit.AdminGained,
	directory.LostAdmin:   audit.AdminLost,
}

// became is the event of what an account became by a provider's word.
func became(change directory.PersonChange) audit.Event {
	return audit.Event{Name: namesOfChanges[change.What], Account: change.User.Username, UserID: change.User.ID, Provider: change.Provider, Cause: "provider"}
}
