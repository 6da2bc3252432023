-- +goose Up
-- A group is held from each provider that gives it: what one takes away, another may give still.
CREATE TABLE gw_memberships_by_provider (
    user_id INTEGER NOT NULL,
    group_id INTEGER NOT NULL,
    managed_by VARCHAR(255) NOT NULL,
    PRIMARY KEY (user_id, group_id, managed_by),
    FOREIGN KEY (user_id) REFERENCES gw_users (id) ON DELETE CASCADE,
    FOREIGN KEY (group_id) REFERENCES gw_groups (id) ON DELETE CASCADE
);
INSERT INTO gw_memberships_by_provider (user_id, group_id, managed_by) SELECT user_id, group_id, managed_by FROM gw_memberships;
DROP TABLE gw_memberships;
ALTER TABLE gw_memberships_by_provider RENAME TO gw_memberships;
CREATE INDEX gw_memberships_group ON gw_memberships (group_id);
-- What an identity's provider says: whether it makes an administrator, and when it said so last.
ALTER TABLE gw_identities ADD COLUMN is_admin BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE gw_identities ADD COLUMN said_at TIMESTAMP NOT NULL DEFAULT '1970-01-01 00:00:00';
UPDATE gw_identities SET said_at = last_login_at, is_admin = (SELECT u.is_admin FROM gw_users AS u WHERE u.id = gw_identities.user_id);

-- +goose Down
ALTER TABLE gw_identities DROP COLUMN said_at;
ALTER TABLE gw_identities DROP COLUMN is_admin;
CREATE TABLE gw_memberships_of_one (
    user_id INTEGER NOT NULL,
    group_id INTEGER NOT NULL,
    managed_by VARCHAR(255) NOT NULL,
    PRIMARY KEY (user_id, group_id),
    FOREIGN KEY (user_id) REFERENCES gw_users (id) ON DELETE CASCADE,
    FOREIGN KEY (group_id) REFERENCES gw_groups (id) ON DELETE CASCADE
);
INSERT INTO gw_memberships_of_one (user_id, group_id, managed_by) SELECT user_id, group_id, MIN(managed_by) FROM gw_memberships GROUP BY user_id, group_id;
DROP TABLE gw_memberships;
ALTER TABLE gw_memberships_of_one RENAME TO gw_memberships;
CREATE INDEX gw_memberships_group ON gw_memberships (group_id);
