-- Documents are JSON text in `doc`; the other columns are the keys by which they are found.
-- Collation "C" orders names as SQLite and Rust do.
CREATE TABLE users (
    id TEXT COLLATE "C" PRIMARY KEY,
    folded TEXT COLLATE "C" NOT NULL UNIQUE,
    email TEXT COLLATE "C",
    search TEXT NOT NULL,
    admin BIGINT NOT NULL,
    enabled BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE INDEX users_email ON users (email);

CREATE TABLE user_groups (name TEXT COLLATE "C" PRIMARY KEY);
CREATE TABLE user_group_members (
    group_name TEXT COLLATE "C" NOT NULL REFERENCES user_groups (name) ON DELETE CASCADE,
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (group_name, user_id)
);
CREATE INDEX user_group_members_user ON user_group_members (user_id);

CREATE TABLE apps (
    id TEXT COLLATE "C" PRIMARY KEY,
    entity_id TEXT COLLATE "C" NOT NULL UNIQUE,
    revision BIGINT NOT NULL,
    doc TEXT NOT NULL
);

CREATE TABLE signing_keys (id TEXT COLLATE "C" PRIMARY KEY, kid TEXT COLLATE "C" NOT NULL UNIQUE, state TEXT COLLATE "C" NOT NULL, doc TEXT NOT NULL);

CREATE TABLE api_keys (id TEXT COLLATE "C" PRIMARY KEY, name TEXT COLLATE "C" NOT NULL UNIQUE, digest TEXT COLLATE "C" NOT NULL UNIQUE, doc TEXT NOT NULL);

-- No reference to users: what was once given to an SP is never given to somebody else. `folded` because persistent
-- identifiers may not differ by case only (Core 8.3.7).
CREATE TABLE name_ids (
    user_id TEXT COLLATE "C" NOT NULL,
    qualifier TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    folded TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (user_id, qualifier),
    UNIQUE (qualifier, folded)
);

CREATE TABLE audit (seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at BIGINT NOT NULL, doc TEXT NOT NULL);

CREATE TABLE traces (
    reference TEXT COLLATE "C" PRIMARY KEY,
    at BIGINT NOT NULL,
    app TEXT COLLATE "C",
    user_name TEXT COLLATE "C",
    doc TEXT NOT NULL
);
CREATE INDEX traces_at ON traces (at);
CREATE INDEX traces_app ON traces (app, at);
CREATE INDEX traces_user ON traces (user_name, at);

CREATE TABLE setup_links (token TEXT COLLATE "C" PRIMARY KEY, expires BIGINT NOT NULL);

CREATE TABLE changes (seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind TEXT COLLATE "C" NOT NULL, id TEXT COLLATE "C" NOT NULL);
