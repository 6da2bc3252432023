-- +goose Up
-- Tokens with names. The hash is the SHA-256 of 256 random bits; an empty scope narrows nothing.
CREATE TABLE gw_tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL,
    name VARCHAR(255) NOT NULL,
    prefix VARCHAR(32) NOT NULL,
    hash VARCHAR(64) NOT NULL UNIQUE,
    scope TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    created_by VARCHAR(255) NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    last_used_at TIMESTAMP,
    UNIQUE (user_id, name),
    FOREIGN KEY (user_id) REFERENCES gw_users (id) ON DELETE CASCADE
);
-- Secrets that came from a predecessor, as it hashed them. Each goes away when its owner makes an access token, and those
-- that nobody can guess with their first use.
CREATE TABLE gw_passwords (
    user_id INTEGER PRIMARY KEY,
    hash VARCHAR(255) NOT NULL,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    FOREIGN KEY (user_id) REFERENCES gw_users (id) ON DELETE CASCADE
);
-- Who looks after a service account, and so handles its tokens beside administrators.
CREATE TABLE gw_service_owners (
    user_id INTEGER PRIMARY KEY,
    owner_id INTEGER NOT NULL,
    FOREIGN KEY (user_id) REFERENCES gw_users (id) ON DELETE CASCADE,
    FOREIGN KEY (owner_id) REFERENCES gw_users (id) ON DELETE CASCADE
);
CREATE INDEX gw_service_owners_owner ON gw_service_owners (owner_id);
-- +goose Down
DROP TABLE gw_service_owners;
DROP TABLE gw_passwords;
DROP TABLE gw_tokens;
