-- +goose Up
-- Programs at a terminal that ask to be signed in as whoever approves it. They hold a code, of which the SHA-256 is here; the
-- user code is what the approver types, and good for nothing else.
CREATE TABLE gw_asks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    secret_hash VARCHAR(64) NOT NULL UNIQUE,
    user_code VARCHAR(16) UNIQUE,
    name VARCHAR(64) NOT NULL,
    place VARCHAR(64) NOT NULL,
    scope VARCHAR(16) NOT NULL,
    redirect VARCHAR(255) NOT NULL,
    challenge VARCHAR(64) NOT NULL,
    state VARCHAR(16) NOT NULL,
    user_id INTEGER,
    token_id INTEGER,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    polled_at TIMESTAMP,
    pause INTEGER NOT NULL,
    FOREIGN KEY (user_id) REFERENCES gw_users (id) ON DELETE CASCADE,
    FOREIGN KEY (token_id) REFERENCES gw_tokens (id) ON DELETE CASCADE
);
CREATE INDEX gw_asks_place ON gw_asks (place, state);
CREATE INDEX gw_asks_expires ON gw_asks (expires_at);
-- Programs that are signed in: each has one token, which it renews. All of its refresh tokens begin with one key; the newest
-- is good, and any other of the key ends the sign-in, as the end of the token does.
CREATE TABLE gw_terminals (
    token_id INTEGER PRIMARY KEY,
    key_hash VARCHAR(64) NOT NULL UNIQUE,
    refresh_hash VARCHAR(64) NOT NULL,
    last_hash VARCHAR(64) NOT NULL,
    last_until TIMESTAMP,
    expires_at TIMESTAMP NOT NULL,
    FOREIGN KEY (token_id) REFERENCES gw_tokens (id) ON DELETE CASCADE
);
CREATE INDEX gw_terminals_last ON gw_terminals (last_hash);
CREATE INDEX gw_terminals_expires ON gw_terminals (expires_at);
-- +goose Down
DROP TABLE gw_terminals;
DROP TABLE gw_asks;
