-- +goose Up
-- Who asks for a level on a resource. "asked" is what they called it, and "resource" what it is called now: they may not learn of
-- a new name. What is lapsed is about something that is no more, and is shown to nobody but who asked, as if it were open.
CREATE TABLE gw_requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL,
    kind VARCHAR(64) NOT NULL,
    workspace VARCHAR(63) NOT NULL DEFAULT '',
    resource VARCHAR(512) NOT NULL,
    asked VARCHAR(512) NOT NULL,
    level VARCHAR(32) NOT NULL,
    reason TEXT NOT NULL,
    wanted_until TIMESTAMP,
    asked_at TIMESTAMP NOT NULL,
    status VARCHAR(16) NOT NULL,
    lapsed BOOLEAN NOT NULL,
    decided_by VARCHAR(255) NOT NULL DEFAULT '',
    decided_at TIMESTAMP,
    answer TEXT NOT NULL,
    given_level VARCHAR(32) NOT NULL DEFAULT '',
    given_until TIMESTAMP,
    UNIQUE (user_id, kind, workspace, asked),
    FOREIGN KEY (user_id) REFERENCES gw_users (id) ON DELETE CASCADE
);
CREATE INDEX gw_requests_resource ON gw_requests (kind, workspace, resource);
CREATE INDEX gw_requests_status ON gw_requests (status, id);
-- +goose Down
DROP TABLE gw_requests;
