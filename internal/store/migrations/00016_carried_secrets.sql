-- +goose Up
-- The hash of a secret as a predecessor made it, also after ours has taken its place: by it an import sees that nobody has changed it here.
ALTER TABLE gw_access_tokens ADD COLUMN carried VARCHAR(255) NOT NULL DEFAULT '';
-- +goose Down
ALTER TABLE gw_access_tokens DROP COLUMN carried;
