-- Columns named ..._at are Unix microseconds of the database's clock, 0 for never;
-- ..._ms are Unix milliseconds. Text compares byte for byte (SQLite's default).
-- AUTOINCREMENT: an id is never given twice, whatever was deleted.

-- +goose Up
CREATE TABLE meta (
  name  TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  email         TEXT UNIQUE,              -- NULL once deleted: the address is free again
  handle        TEXT NOT NULL UNIQUE,     -- kept for ever, so that it is never given again
  name          TEXT NOT NULL,
  name_fold     TEXT NOT NULL,            -- lower case, for people who look for a name
  avatar        TEXT NOT NULL DEFAULT '', -- avatars.sha256
  bio           TEXT NOT NULL DEFAULT '',
  password_hash TEXT NOT NULL,
  inbox_id      INTEGER NOT NULL DEFAULT 0,
  created_at    INTEGER NOT NULL,
  disabled_at   INTEGER NOT NULL DEFAULT 0,
  deleted_at    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX users_name ON users (name_fold);
CREATE INDEX users_avatar ON users (avatar) WHERE avatar <> '';

CREATE TABLE avatars (
  sha256  TEXT NOT NULL PRIMARY KEY,
  type    TEXT NOT NULL,
  bytes   BLOB NOT NULL,
  used_at INTEGER NOT NULL                -- when somebody last took it
) STRICT;

CREATE TABLE logins (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id        INTEGER NOT NULL,
  device_id      TEXT NOT NULL,
  device_name    TEXT NOT NULL,
  platform       TEXT NOT NULL,
  access_hash    BLOB NOT NULL UNIQUE,
  access_expires_at INTEGER NOT NULL,
  access_used_at INTEGER NOT NULL,        -- first use of the access token of the last answer
  refresh_hash   BLOB NOT NULL,           -- the refresh token of the last answer
  refresh_from   BLOB,                    -- the refresh token which that answer was given for
  refresh_expires_at INTEGER NOT NULL,
  created_at     INTEGER NOT NULL,
  seen_at        INTEGER NOT NULL,
  revoked_at     INTEGER NOT NULL DEFAULT 0,
  live           INTEGER DEFAULT 1,       -- 1 or NULL: one live login per device
  UNIQUE (user_id, device_id, live)
) STRICT;

CREATE TABLE refresh_tokens (
  hash        BLOB NOT NULL PRIMARY KEY,
  login_id    INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  replaced_at INTEGER NOT NULL DEFAULT 0  -- first use, or when its answer became void
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_tokens_login ON refresh_tokens (login_id);
CREATE INDEX refresh_tokens_age ON refresh_tokens (created_at);

CREATE TABLE revocations (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  login_id INTEGER NOT NULL,
  at       INTEGER NOT NULL
) STRICT;
CREATE INDEX revocations_at ON revocations (at);

CREATE TABLE login_tries (
  name  BLOB NOT NULL PRIMARY KEY,
  tries INTEGER NOT NULL,
  at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX login_tries_at ON login_tries (at);

CREATE TABLE codes (
  request    TEXT NOT NULL PRIMARY KEY,
  purpose    TEXT NOT NULL,
  email      TEXT NOT NULL,
  ip         TEXT NOT NULL,
  mac        BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  tries      INTEGER NOT NULL DEFAULT 0,
  dead       INTEGER NOT NULL DEFAULT 0,  -- every try is taken
  used_at    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX codes_email ON codes (email, created_at);
CREATE INDEX codes_ip ON codes (ip, created_at);
CREATE INDEX codes_age ON codes (created_at);

-- What is locked while the codes of an address are counted.
CREATE TABLE code_locks (
  name TEXT NOT NULL PRIMARY KEY,
  at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX code_locks_at ON code_locks (at);

CREATE TABLE friend_requests (
  from_id     INTEGER NOT NULL,
  to_id       INTEGER NOT NULL,
  greeting    TEXT NOT NULL,
  remark      TEXT NOT NULL,
  state       TEXT NOT NULL,              -- waiting, swallowed, refused or accepted
  asked_at    INTEGER NOT NULL,
  answered_at INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (from_id, to_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX friend_requests_to ON friend_requests (to_id, state, from_id);

CREATE TABLE friends (
  user_id   INTEGER NOT NULL,
  friend_id INTEGER NOT NULL,
  remark    TEXT NOT NULL,
  conv_id   INTEGER NOT NULL,
  since_at  INTEGER NOT NULL,
  PRIMARY KEY (user_id, friend_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE blocks (
  user_id    INTEGER NOT NULL,
  blocked_id INTEGER NOT NULL,
  at         INTEGER NOT NULL,
  PRIMARY KEY (user_id, blocked_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX blocks_blocked ON blocks (blocked_id, user_id);

CREATE TABLE conversations (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  kind           TEXT NOT NULL,           -- direct, group or inbox
  title          TEXT NOT NULL DEFAULT '',
  notice         TEXT NOT NULL DEFAULT '',
  head           INTEGER NOT NULL DEFAULT 0,
  head_ms        INTEGER NOT NULL,        -- when the entry at head was appended, or this was made
  moved          INTEGER NOT NULL,
  member_version INTEGER NOT NULL DEFAULT 0,
  member_count   INTEGER NOT NULL DEFAULT 0,
  muted          INTEGER NOT NULL DEFAULT 0,
  members_add    INTEGER NOT NULL DEFAULT 0,
  direct_key     TEXT UNIQUE,             -- direct: lower user id, colon, higher user id
  created_by     INTEGER,
  create_key     TEXT,
  created_at     INTEGER NOT NULL,
  UNIQUE (created_by, create_key)
) STRICT;

CREATE TABLE members (
  conv_id    INTEGER NOT NULL,
  user_id    INTEGER NOT NULL,
  role       INTEGER NOT NULL DEFAULT 1,
  may_send   INTEGER NOT NULL,
  joined_seq INTEGER NOT NULL,            -- the first entry that this member may see
  left_seq   INTEGER NOT NULL DEFAULT 0,  -- the last one; 0: still a member
  left_title TEXT NOT NULL DEFAULT '',
  read_seq   INTEGER NOT NULL DEFAULT 0,
  moved      INTEGER NOT NULL,
  since_at   INTEGER NOT NULL,
  PRIMARY KEY (conv_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_user ON members (user_id, conv_id);

-- WITHOUT ROWID: the entries of a conversation lie side by side, as they are read.
CREATE TABLE messages (
  conv_id   INTEGER NOT NULL,
  seq       INTEGER NOT NULL,
  sender_id INTEGER NOT NULL,             -- 0: the server
  send_key  TEXT,                         -- NULL for what the server writes
  kind      TEXT NOT NULL,
  content   BLOB NOT NULL,
  at_ms     INTEGER NOT NULL,
  checksum  INTEGER NOT NULL,
  PRIMARY KEY (conv_id, seq),
  UNIQUE (conv_id, sender_id, send_key)
) STRICT, WITHOUT ROWID;
