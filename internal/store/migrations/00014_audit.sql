-- +goose Up
-- What happened, newest last. Times are milliseconds since 1970. Names are kept as they were: of what is deleted too.
CREATE TABLE gw_audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms BIGINT NOT NULL,
    name VARCHAR(64) NOT NULL,
    by_name VARCHAR(255) NOT NULL,
    account VARCHAR(255) NOT NULL,
    group_name VARCHAR(255) NOT NULL,
    kind VARCHAR(64) NOT NULL,
    resource VARCHAR(512) NOT NULL,
    workspace VARCHAR(64) NOT NULL,
    request_id VARCHAR(64) NOT NULL,
    client VARCHAR(64) NOT NULL,
    details TEXT NOT NULL
);
CREATE INDEX gw_audit_at ON gw_audit (at_ms, id);
CREATE INDEX gw_audit_name ON gw_audit (name, at_ms);
CREATE INDEX gw_audit_by ON gw_audit (by_name, at_ms);
CREATE INDEX gw_audit_account ON gw_audit (account, at_ms);
CREATE INDEX gw_audit_resource ON gw_audit (kind, resource);
CREATE INDEX gw_audit_request ON gw_audit (request_id);

-- +goose Down
DROP TABLE gw_audit;
