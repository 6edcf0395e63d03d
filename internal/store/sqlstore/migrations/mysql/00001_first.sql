-- Columns named ..._at are Unix microseconds of the database's clock, 0 for never;
-- ..._ms are Unix milliseconds. What must compare byte for byte is VARBINARY: every
-- collation, even a binary one, takes no notice of spaces at the end.
-- DDL is not transactional here: every statement may be run again.

-- +goose NO TRANSACTION
-- +goose Up
CREATE TABLE IF NOT EXISTS meta (
  name  VARBINARY(64) NOT NULL PRIMARY KEY,
  value VARBINARY(255) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS users (
  id            BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  email         VARBINARY(254) UNIQUE,
  handle        VARBINARY(32) NOT NULL UNIQUE,
  name          VARCHAR(64) NOT NULL,
  name_fold     VARBINARY(256) NOT NULL,
  avatar        VARBINARY(64) NOT NULL DEFAULT '',
  bio           VARCHAR(500) NOT NULL DEFAULT '',
  password_hash VARBINARY(255) NOT NULL,
  inbox_id      BIGINT NOT NULL DEFAULT 0,
  created_at    BIGINT NOT NULL,
  disabled_at   BIGINT NOT NULL DEFAULT 0,
  deleted_at    BIGINT NOT NULL DEFAULT 0,
  KEY users_name (name_fold),
  KEY users_avatar (avatar)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS avatars (
  sha256  VARBINARY(64) NOT NULL PRIMARY KEY,
  type    VARBINARY(32) NOT NULL,
  bytes   MEDIUMBLOB NOT NULL,
  used_at BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS logins (
  id             BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  user_id        BIGINT NOT NULL,
  device_id      VARBINARY(64) NOT NULL,
  device_name    VARCHAR(64) NOT NULL,
  platform       VARCHAR(32) NOT NULL,
  access_hash    BINARY(32) NOT NULL UNIQUE,
  access_expires_at BIGINT NOT NULL,
  access_used_at BIGINT NOT NULL,
  refresh_hash   BINARY(32) NOT NULL,
  refresh_from   BINARY(32),
  refresh_expires_at BIGINT NOT NULL,
  created_at     BIGINT NOT NULL,
  seen_at        BIGINT NOT NULL,
  revoked_at     BIGINT NOT NULL DEFAULT 0,
  live           TINYINT DEFAULT 1,
  UNIQUE KEY logins_device (user_id, device_id, live)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS refresh_tokens (
  hash        BINARY(32) NOT NULL PRIMARY KEY,
  login_id    BIGINT NOT NULL,
  created_at  BIGINT NOT NULL,
  replaced_at BIGINT NOT NULL DEFAULT 0,
  KEY refresh_tokens_login (login_id),
  KEY refresh_tokens_age (created_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS revocations (
  id       BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  login_id BIGINT NOT NULL,
  at       BIGINT NOT NULL,
  KEY revocations_at (at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS login_tries (
  name  BINARY(32) NOT NULL PRIMARY KEY,
  tries INT NOT NULL,
  at    BIGINT NOT NULL,
  KEY login_tries_at (at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS codes (
  request    VARBINARY(64) NOT NULL PRIMARY KEY,
  purpose    VARBINARY(16) NOT NULL,
  email      VARBINARY(254) NOT NULL,
  ip         VARBINARY(64) NOT NULL,
  mac        BINARY(32) NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  tries      INT NOT NULL DEFAULT 0,
  dead       TINYINT NOT NULL DEFAULT 0,
  used_at    BIGINT NOT NULL DEFAULT 0,
  KEY codes_email (email, created_at),
  KEY codes_ip (ip, created_at),
  KEY codes_age (created_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS code_locks (
  name VARBINARY(260) NOT NULL PRIMARY KEY,
  at   BIGINT NOT NULL,
  KEY code_locks_at (at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS friend_requests (
  from_id     BIGINT NOT NULL,
  to_id       BIGINT NOT NULL,
  greeting    VARCHAR(200) NOT NULL,
  remark      VARCHAR(64) NOT NULL,
  state       VARBINARY(16) NOT NULL,
  asked_at    BIGINT NOT NULL,
  answered_at BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (from_id, to_id),
  KEY friend_requests_to (to_id, state, from_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS friends (
  user_id   BIGINT NOT NULL,
  friend_id BIGINT NOT NULL,
  remark    VARCHAR(64) NOT NULL,
  conv_id   BIGINT NOT NULL,
  since_at  BIGINT NOT NULL,
  PRIMARY KEY (user_id, friend_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS blocks (
  user_id    BIGINT NOT NULL,
  blocked_id BIGINT NOT NULL,
  at         BIGINT NOT NULL,
  PRIMARY KEY (user_id, blocked_id),
  KEY blocks_blocked (blocked_id, user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS conversations (
  id             BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  kind           VARBINARY(16) NOT NULL,
  title          VARCHAR(64) NOT NULL DEFAULT '',
  notice         VARCHAR(2000) NOT NULL DEFAULT '',
  head           BIGINT NOT NULL DEFAULT 0,
  head_ms        BIGINT NOT NULL,
  moved          BIGINT NOT NULL,
  member_version BIGINT NOT NULL DEFAULT 0,
  member_count   INT NOT NULL DEFAULT 0,
  muted          TINYINT NOT NULL DEFAULT 0,
  members_add    TINYINT NOT NULL DEFAULT 0,
  direct_key     VARBINARY(40) UNIQUE,
  created_by     BIGINT,
  create_key     VARBINARY(64),
  created_at     BIGINT NOT NULL,
  UNIQUE KEY conversations_made (created_by, create_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS members (
  conv_id    BIGINT NOT NULL,
  user_id    BIGINT NOT NULL,
  role       TINYINT NOT NULL DEFAULT 1,
  may_send   TINYINT NOT NULL,
  joined_seq BIGINT NOT NULL,
  left_seq   BIGINT NOT NULL DEFAULT 0,
  left_title VARCHAR(64) NOT NULL DEFAULT '',
  read_seq   BIGINT NOT NULL DEFAULT 0,
  moved      BIGINT NOT NULL,
  since_at   BIGINT NOT NULL,
  PRIMARY KEY (conv_id, user_id),
  KEY members_user (user_id, conv_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS messages (
  conv_id   BIGINT NOT NULL,
  seq       BIGINT NOT NULL,
  sender_id BIGINT NOT NULL,
  send_key  VARBINARY(64),
  kind      VARBINARY(64) NOT NULL,
  content   MEDIUMBLOB NOT NULL,
  at_ms     BIGINT NOT NULL,
  checksum  BIGINT NOT NULL,
  PRIMARY KEY (conv_id, seq),
  UNIQUE KEY messages_key (conv_id, sender_id, send_key)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
