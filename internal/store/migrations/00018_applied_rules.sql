-- +goose Up
-- One row at most: the hash of the workspace rules by which all groups were last given what they want. Other rules are still to be applied.
CREATE TABLE gw_applied_rules (
    rules VARCHAR(64) NOT NULL,
    PRIMARY KEY (rules)
);
-- +goose Down
DROP TABLE gw_applied_rules;
