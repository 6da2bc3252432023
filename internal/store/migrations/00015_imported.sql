-- +goose Up
-- What was taken over from predecessors' databases, and of each thing a hash of what it is known by and one of what was said of it.
CREATE TABLE gw_imports (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source VARCHAR(32) NOT NULL,
    address VARCHAR(512) NOT NULL,
    own BOOLEAN NOT NULL,
    revision VARCHAR(64) NOT NULL,
    done_by VARCHAR(255) NOT NULL,
    done_at TIMESTAMP NOT NULL,
    report TEXT NOT NULL
);
CREATE TABLE gw_imported (
    source VARCHAR(32) NOT NULL,
    item VARCHAR(64) NOT NULL,
    content VARCHAR(64) NOT NULL,
    PRIMARY KEY (source, item)
);
-- What a pattern was that could not be carried over. In its place is one that cannot be compiled, and so refuses every name.
CREATE TABLE gw_set_aside (
    pattern_id INTEGER PRIMARY KEY,
    pattern VARCHAR(255) NOT NULL,
    level VARCHAR(255) NOT NULL,
    reason TEXT NOT NULL,
    FOREIGN KEY (pattern_id) REFERENCES gw_patterns (id) ON DELETE CASCADE
);
-- The hash of a token as a predecessor made it. Until its first use the token has no other, and in its place something that is none.
ALTER TABLE gw_tokens ADD COLUMN carried VARCHAR(255) NOT NULL DEFAULT '';
-- +goose Down
ALTER TABLE gw_tokens DROP COLUMN carried;
DROP TABLE gw_set_aside;
DROP TABLE gw_imported;
DROP TABLE gw_imports;
