-- +goose Up
-- Times are in milliseconds since 1970; user_id is no reference, since who a session is of is asked anew at each request.
CREATE TABLE gw_sessions (
    id VARCHAR(64) PRIMARY KEY,
    version BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    provider VARCHAR(255) NOT NULL,
    subject VARCHAR(255) NOT NULL,
    at_issuer VARCHAR(255) NOT NULL,
    expires_at BIGINT NOT NULL,
    record TEXT NOT NULL
);
CREATE INDEX gw_sessions_user ON gw_sessions (user_id);
CREATE INDEX gw_sessions_subject ON gw_sessions (provider, subject);
CREATE INDEX gw_sessions_at_issuer ON gw_sessions (provider, at_issuer);
CREATE INDEX gw_sessions_expiry ON gw_sessions (expires_at);
-- +goose Down
DROP TABLE gw_sessions;
