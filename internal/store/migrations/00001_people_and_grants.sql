-- +goose Up
-- AUTOINCREMENT: sessions name a user by id, and an id that was used again would make them somebody else's.
CREATE TABLE gw_users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    username VARCHAR(255) NOT NULL UNIQUE,
    display_name VARCHAR(255) NOT NULL,
    is_admin BOOLEAN NOT NULL,
    active BOOLEAN NOT NULL,
    is_service BOOLEAN NOT NULL,
    managed_by VARCHAR(255) NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
CREATE TABLE gw_groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name VARCHAR(255) NOT NULL UNIQUE,
    external_id VARCHAR(255) NOT NULL DEFAULT ''
);
CREATE TABLE gw_memberships (
    user_id INTEGER NOT NULL,
    group_id INTEGER NOT NULL,
    managed_by VARCHAR(255) NOT NULL,
    PRIMARY KEY (user_id, group_id),
    FOREIGN KEY (user_id) REFERENCES gw_users (id) ON DELETE CASCADE,
    FOREIGN KEY (group_id) REFERENCES gw_groups (id) ON DELETE CASCADE
);
CREATE INDEX gw_memberships_group ON gw_memberships (group_id);
CREATE TABLE gw_identities (
    provider VARCHAR(255) NOT NULL,
    subject VARCHAR(255) NOT NULL,
    user_id INTEGER NOT NULL,
    last_login_at TIMESTAMP NOT NULL,
    PRIMARY KEY (provider, subject),
    FOREIGN KEY (user_id) REFERENCES gw_users (id) ON DELETE CASCADE
);
CREATE INDEX gw_identities_user ON gw_identities (user_id);
CREATE TABLE gw_access_tokens (
    user_id INTEGER PRIMARY KEY,
    hash VARCHAR(64) NOT NULL UNIQUE,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    FOREIGN KEY (user_id) REFERENCES gw_users (id) ON DELETE CASCADE
);
-- A principal is a user or a group, never both. SQL lets NULL repeat in a unique key, so each key holds for its own kind of principal.
CREATE TABLE gw_grants (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER,
    group_id INTEGER,
    kind VARCHAR(64) NOT NULL,
    workspace VARCHAR(63) NOT NULL DEFAULT '',
    resource VARCHAR(512) NOT NULL,
    level VARCHAR(32) NOT NULL,
    CHECK ((user_id IS NULL) <> (group_id IS NULL)),
    UNIQUE (user_id, kind, workspace, resource),
    UNIQUE (group_id, kind, workspace, resource),
    FOREIGN KEY (user_id) REFERENCES gw_users (id) ON DELETE CASCADE,
    FOREIGN KEY (group_id) REFERENCES gw_groups (id) ON DELETE CASCADE
);
CREATE INDEX gw_grants_resource ON gw_grants (kind, workspace, resource);
CREATE TABLE gw_patterns (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER,
    group_id INTEGER,
    kind VARCHAR(64) NOT NULL,
    workspace VARCHAR(63) NOT NULL DEFAULT '',
    pattern VARCHAR(255) NOT NULL,
    priority INTEGER NOT NULL,
    level VARCHAR(32) NOT NULL,
    CHECK ((user_id IS NULL) <> (group_id IS NULL)),
    UNIQUE (user_id, kind, workspace, pattern),
    UNIQUE (group_id, kind, workspace, pattern),
    FOREIGN KEY (user_id) REFERENCES gw_users (id) ON DELETE CASCADE,
    FOREIGN KEY (group_id) REFERENCES gw_groups (id) ON DELETE CASCADE
);
CREATE TABLE gw_change (
    id INTEGER PRIMARY KEY,
    value INTEGER NOT NULL
);
INSERT INTO gw_change (id, value) VALUES (1, 1);
-- +goose Down
DROP TABLE gw_change;
DROP TABLE gw_patterns;
DROP TABLE gw_grants;
DROP TABLE gw_access_tokens;
DROP TABLE gw_identities;
DROP TABLE gw_memberships;
DROP TABLE gw_groups;
DROP TABLE gw_users;
