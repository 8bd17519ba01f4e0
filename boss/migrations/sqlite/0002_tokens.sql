-- By which users of the REST interface are known. migrations/postgres has the same table.
CREATE TABLE tokens (
    -- SHA-256 of the token: who reads this table has none.
    digest TEXT NOT NULL PRIMARY KEY,
    login TEXT NOT NULL REFERENCES users (login) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    -- Never, if NULL.
    expires_at BIGINT,
    note TEXT NOT NULL DEFAULT ''
);
CREATE INDEX tokens_by_login ON tokens (login);
