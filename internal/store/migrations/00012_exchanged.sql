-- +goose Up
-- Tokens that came of an exchange: of an issuer's token, or of one that came of an exchange itself. The parent is no reference, since
-- a token whose parent is gone must not become one that came of none: it is good for nothing then. The chain says who acts for the
-- owner, as JSON; it is empty for the owner alone.
CREATE TABLE gw_exchanged (
    token_id INTEGER PRIMARY KEY,
    parent_id INTEGER NOT NULL,
    chain TEXT NOT NULL,
    FOREIGN KEY (token_id) REFERENCES gw_tokens (id) ON DELETE CASCADE
);
-- +goose Down
DROP TABLE gw_exchanged;
