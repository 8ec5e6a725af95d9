//! The schema and its migrations: each step leads from one version to the next, in one transaction.

/// Tells our files from others: `PRAGMA application_id`.
pub(super) const APPLICATION_ID: i32 = 0x5042_4F58;

/// Steps from version n to n + 1. A step that was released is never changed.
pub(super) const MIGRATIONS: [&str; 1] = ["
CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO counter VALUES ('modseq', 0), ('uid_validity', 0);

CREATE TABLE account (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name BLOB NOT NULL UNIQUE
);

-- Counters stand beside the mailbox, so that STATUS reads one row.
CREATE TABLE mailbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid_validity INTEGER NOT NULL,
    uid_next INTEGER NOT NULL,
    highest_modseq INTEGER NOT NULL,
    recent_from INTEGER NOT NULL,
    messages INTEGER NOT NULL DEFAULT 0,
    unseen INTEGER NOT NULL DEFAULT 0,
    deleted INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL DEFAULT 0,
    special_uses TEXT NOT NULL,
    keywords BLOB NOT NULL
);

-- Names of the hierarchy; one without mailbox only has mailboxes below it.
CREATE TABLE name (
    account INTEGER NOT NULL,
    name BLOB NOT NULL,
    mailbox INTEGER,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;

CREATE TABLE subscription (
    account INTEGER NOT NULL,
    name BLOB NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;

CREATE TABLE message (
    mailbox INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    blob INTEGER NOT NULL,
    size INTEGER NOT NULL,
    plain INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    keywords BLOB,
    modseq INTEGER NOT NULL,
    date_ms INTEGER NOT NULL,
    zone INTEGER NOT NULL,
    save_ms INTEGER NOT NULL,
    PRIMARY KEY (mailbox, uid)
) WITHOUT ROWID;

CREATE TABLE blob (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    size INTEGER NOT NULL,
    uses INTEGER NOT NULL,
    index_octets BLOB NOT NULL
);
CREATE INDEX blob_unused ON blob (id) WHERE uses = 0;

-- Blobs that are coming in pieces, or were when the process ended.
CREATE TABLE staged (blob INTEGER PRIMARY KEY);

-- Octets of blobs: id is blob * 2^20 + number of the chunk.
CREATE TABLE chunk (
    id INTEGER PRIMARY KEY,
    sum INTEGER NOT NULL,
    octets BLOB NOT NULL
);
"];
