package directory

import "time"

// Role is a named bundle of permissions in a workspace, assigned to users, as MLflow's own access control has them.
type Role struct {
	ID          int64
	Workspace   string
	Name        string
	Description *string
	Permissions []RolePermission
}

// RolePermission is one permission of a role.
type RolePermission struct {
	ID         int64
	RoleID     int64
	Type       string // the kind, or a part of one, as MLflow calls it
	Pattern    string // the resource as MLflow's API calls it, or * for all
	Resource   string // the resource as grants hold it, or * for all
	Permission string // the name of a level, or Deny
}

// Deny is the permission that wins over all others.
const Deny = "DENY"

// Assignment is a role that a user has.
type Assignment struct {
	ID, UserID, RoleID int64
	ExpiresAt          time.Time // zero: it has no end
}

// RoleMember is somebody who has a role.
type RoleMember struct {
	RoleID    int64
	Username  string
	Service   bool
	ExpiresAt time.Time // zero: it has no end
}
