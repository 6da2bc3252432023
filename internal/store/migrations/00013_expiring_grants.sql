-- +goose Up
-- What is given for a while. Without a time it has no end. What has ended is as what is not there; its row is deleted when its
-- holder is given something else.
ALTER TABLE gw_grants ADD COLUMN expires_at TIMESTAMP;
ALTER TABLE gw_patterns ADD COLUMN expires_at TIMESTAMP;
ALTER TABLE gw_role_assignments ADD COLUMN expires_at TIMESTAMP;
-- +goose Down
ALTER TABLE gw_role_assignments DROP COLUMN expires_at;
ALTER TABLE gw_patterns DROP COLUMN expires_at;
ALTER TABLE gw_grants DROP COLUMN expires_at;
