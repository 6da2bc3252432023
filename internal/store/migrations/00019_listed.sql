-- +goose Up
-- Groups are listed in the order of their names without regard to case, and searched so. Engines have different words for that, and know different
-- alphabets: the folded name is written with the name. Users' names are lower-cased already.
ALTER TABLE gw_groups ADD COLUMN folded VARCHAR(255) NOT NULL DEFAULT '';
UPDATE gw_groups SET folded = LOWER(name);
CREATE INDEX gw_groups_folded ON gw_groups (folded, name);
CREATE INDEX gw_users_listed ON gw_users (is_service, username);
-- Members are counted and listed from the index alone.
CREATE INDEX gw_memberships_members ON gw_memberships (group_id, user_id);
DROP INDEX gw_memberships_group ON gw_memberships;
-- +goose Down
CREATE INDEX gw_memberships_group ON gw_memberships (group_id);
DROP INDEX gw_memberships_members ON gw_memberships;
DROP INDEX gw_users_listed ON gw_users;
DROP INDEX gw_groups_folded ON gw_groups;
ALTER TABLE gw_groups DROP COLUMN folded;
