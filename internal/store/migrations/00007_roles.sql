-- +goose Up
-- Roles are those of MLflow: named bundles of permissions in a workspace, here by its name, "default" too. One with an owner
-- holds what that user alone is given and what grants have no place for.
CREATE TABLE gw_roles (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace VARCHAR(63) NOT NULL,
    name VARCHAR(255) NOT NULL,
    description VARCHAR(1024),
    owner_id INTEGER,
    UNIQUE (workspace, name),
    FOREIGN KEY (owner_id) REFERENCES gw_users (id) ON DELETE CASCADE
);
CREATE INDEX gw_roles_owner ON gw_roles (owner_id);
-- The pattern is what MLflow's API calls the resource, the resource what grants hold of it; both are * for all of a type.
CREATE TABLE gw_role_permissions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    role_id INTEGER NOT NULL,
    resource_type VARCHAR(64) NOT NULL,
    resource_pattern VARCHAR(512) NOT NULL,
    resource VARCHAR(512) NOT NULL,
    permission VARCHAR(32) NOT NULL,
    UNIQUE (role_id, resource_type, resource_pattern),
    FOREIGN KEY (role_id) REFERENCES gw_roles (id) ON DELETE CASCADE
);
CREATE INDEX gw_role_permissions_resource ON gw_role_permissions (resource_type, resource);
CREATE TABLE gw_role_assignments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL,
    role_id INTEGER NOT NULL,
    UNIQUE (user_id, role_id),
    FOREIGN KEY (user_id) REFERENCES gw_users (id) ON DELETE CASCADE,
    FOREIGN KEY (role_id) REFERENCES gw_roles (id) ON DELETE CASCADE
);
CREATE INDEX gw_role_assignments_role ON gw_role_assignments (role_id);
-- A password that its owner keeps is a local account's: it has no end, no access token takes its place, and it is never
-- stored by a fast hash.
ALTER TABLE gw_passwords ADD COLUMN kept BOOLEAN NOT NULL DEFAULT FALSE;
-- +goose Down
ALTER TABLE gw_passwords DROP COLUMN kept;
DROP TABLE gw_role_assignments;
DROP TABLE gw_role_permissions;
DROP TABLE gw_roles;
