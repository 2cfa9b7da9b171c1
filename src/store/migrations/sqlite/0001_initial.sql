-- Documents are JSON text in `doc`; the other columns are the keys by which they are found.
CREATE TABLE users (
    id TEXT PRIMARY KEY,
    folded TEXT NOT NULL UNIQUE,
    email TEXT,
    search TEXT NOT NULL,
    admin BIGINT NOT NULL,
    enabled BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE INDEX users_email ON users (email);

CREATE TABLE user_groups (name TEXT PRIMARY KEY);
CREATE TABLE user_group_members (
    group_name TEXT NOT NULL REFERENCES user_groups (name) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (group_name, user_id)
);
CREATE INDEX user_group_members_user ON user_group_members (user_id);

CREATE TABLE apps (
    id TEXT PRIMARY KEY,
    entity_id TEXT NOT NULL UNIQUE,
    revision BIGINT NOT NULL,
    doc TEXT NOT NULL
);

CREATE TABLE signing_keys (id TEXT PRIMARY KEY, kid TEXT NOT NULL UNIQUE, state TEXT NOT NULL, doc TEXT NOT NULL);

CREATE TABLE api_keys (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, digest TEXT NOT NULL UNIQUE, doc TEXT NOT NULL);

-- No reference to users: what was once given to an SP is never given to somebody else. `folded` because persistent
-- identifiers may not differ by case only (Core 8.3.7).
CREATE TABLE name_ids (
    user_id TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    value TEXT NOT NULL,
    folded TEXT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (user_id, qualifier),
    UNIQUE (qualifier, folded)
);

CREATE TABLE audit (seq INTEGER PRIMARY KEY, at BIGINT NOT NULL, doc TEXT NOT NULL);
-- How far the records that wait in the journal of an embedded lively store have been moved to `audit`.
CREATE TABLE audit_spool (moved BIGINT NOT NULL);
INSERT INTO audit_spool (moved) VALUES (0);

CREATE TABLE traces (
    reference TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    app TEXT,
    user_name TEXT,
    doc TEXT NOT NULL
);
CREATE INDEX traces_at ON traces (at);
CREATE INDEX traces_app ON traces (app, at);
CREATE INDEX traces_user ON traces (user_name, at);

CREATE TABLE setup_links (token TEXT PRIMARY KEY, expires BIGINT NOT NULL);

CREATE TABLE changes (seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL);
