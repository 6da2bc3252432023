-- +goose Up
-- Who made what MLflow knows no owner of: jobs, review queues. Their ids are never used again.
CREATE TABLE gw_owners (
    kind VARCHAR(64) NOT NULL,
    resource VARCHAR(512) NOT NULL,
    user_id INTEGER NOT NULL,
    PRIMARY KEY (kind, resource),
    FOREIGN KEY (user_id) REFERENCES gw_users (id) ON DELETE CASCADE
);
CREATE INDEX gw_owners_user ON gw_owners (user_id, kind);
-- +goose Down
DROP TABLE gw_owners;
