-- Who may sign in to the pages, and who has. migrations/sqlite has the same tables.

-- Argon2 of the password in the form of PHC; who has none can't sign in.
ALTER TABLE users ADD COLUMN password TEXT;
-- A name of the time zone data base; empty: as the browser has it.
ALTER TABLE users ADD COLUMN time_zone TEXT NOT NULL DEFAULT '';

CREATE TABLE sessions (
    -- SHA-256 of what the cookie holds: who reads this table has no session.
    digest TEXT NOT NULL PRIMARY KEY,
    login TEXT NOT NULL REFERENCES users (login) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    -- When the last page was asked for.
    seen_at BIGINT NOT NULL,
    -- What the next page is to say: what the last form has done.
    notice TEXT NOT NULL DEFAULT ''
);
CREATE INDEX sessions_by_login ON sessions (login);
