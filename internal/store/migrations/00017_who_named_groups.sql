-- +goose Up
-- The provider whose word made a group; empty for administrators, SCIM, files and imports. Whose name a group without members bears is known by it.
ALTER TABLE gw_groups ADD COLUMN named_by VARCHAR(255) NOT NULL DEFAULT '';
-- +goose Down
ALTER TABLE gw_groups DROP COLUMN named_by;
