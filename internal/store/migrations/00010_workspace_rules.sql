-- +goose Up
-- Rules that give groups a level in a workspace by their names. What a rule has given bears its id; what people have given has none.
CREATE TABLE gw_workspace_rules (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name VARCHAR(255) NOT NULL UNIQUE,
    pattern VARCHAR(255) NOT NULL,
    level VARCHAR(32) NOT NULL,
    enforced BOOLEAN NOT NULL,
    enabled BOOLEAN NOT NULL,
    created_by VARCHAR(255) NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
ALTER TABLE gw_grants ADD COLUMN rule_id INTEGER;
-- +goose Down
ALTER TABLE gw_grants DROP COLUMN rule_id;
DROP TABLE gw_workspace_rules;
