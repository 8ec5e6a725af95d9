//! The schema and its migrations: each step leads from one version to the next, in one transaction.

/// Tells our files from others: `PRAGMA application_id`.
pub(in super::super) const APPLICATION_ID: i32 = 0x5042_4F58;

/// Steps from version n to n + 1. A step that was released is never changed.
pub(in super::super) const MIGRATIONS: [&str; 9] =
    [FIRST, QUEUE, EXPUNGED, PROPERTY, COLLECTED, SHARED, SEARCH, ACCESS, DELETED];

const FIRST: &str = "
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
";

const QUEUE: &str = "
INSERT INTO counter VALUES
    ('queue_messages', 0), ('queue_tasks', 0), ('queue_held', 0), ('queue_latest', 0);

-- A message that waits to be relayed; its id is its blob's.
CREATE TABLE queue_message (
    id INTEGER PRIMARY KEY,
    size INTEGER NOT NULL,
    skip INTEGER NOT NULL,
    plain INTEGER NOT NULL,
    came_ms INTEGER NOT NULL,
    tasks INTEGER NOT NULL,
    detail TEXT NOT NULL
);

-- One row for each message and destination; rank is the priority turned round, so that the lowest goes first.
CREATE TABLE queue_task (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    message INTEGER NOT NULL,
    destination INTEGER NOT NULL,
    held INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    notice_ms INTEGER NOT NULL,
    recipients TEXT NOT NULL
);
CREATE INDEX queue_task_message ON queue_task (message);
CREATE INDEX queue_task_due ON queue_task (destination, rank, due_ms) WHERE held = 0;
CREATE INDEX queue_task_notice ON queue_task (destination, notice_ms) WHERE held = 0;

-- Where tasks go, as long as there are any. A host that cannot be reached blocks one row, not all of its tasks.
CREATE TABLE queue_destination (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name BLOB NOT NULL UNIQUE,
    tasks INTEGER NOT NULL,
    next_ms INTEGER,
    blocked_ms INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    why BLOB NOT NULL DEFAULT x'',
    wake_ms INTEGER AS (max(next_ms, blocked_ms)) STORED
);
CREATE INDEX queue_destination_wake ON queue_destination (wake_ms, name) WHERE wake_ms IS NOT NULL;
";

const EXPUNGED: &str = "
-- RFC 7162: which UIDs went, and when. Of what went at or before forgotten_modseq nothing is known.
CREATE TABLE expunged (
    mailbox INTEGER NOT NULL,
    modseq INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (mailbox, modseq, first)
) WITHOUT ROWID;
ALTER TABLE mailbox ADD COLUMN expunged_runs INTEGER NOT NULL DEFAULT 0;
ALTER TABLE mailbox ADD COLUMN forgotten_modseq INTEGER NOT NULL DEFAULT 0;
-- What went before this step was not written down.
UPDATE mailbox SET forgotten_modseq = highest_modseq;
";

const PROPERTY: &str = "
-- RFC 9208: what an account may use; NULL is not limited.
ALTER TABLE account ADD COLUMN quota_storage_kib INTEGER;
ALTER TABLE account ADD COLUMN quota_messages INTEGER;
ALTER TABLE account ADD COLUMN quota_mailboxes INTEGER;
ALTER TABLE mailbox ADD COLUMN deleted_size INTEGER NOT NULL DEFAULT 0;
UPDATE mailbox SET deleted_size = (
    SELECT coalesce(sum(message.size), 0) FROM message
    WHERE message.mailbox = mailbox.id AND message.flags & 4
) WHERE deleted > 0;
-- RFC 5464: annotations of mailboxes, and with mailbox 0 of the server; what is shared is account 0's.
CREATE TABLE annotation (
    mailbox INTEGER NOT NULL,
    account INTEGER NOT NULL,
    entry BLOB NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (mailbox, account, entry)
) WITHOUT ROWID;
";

const COLLECTED: &str = "
-- What an account took from elsewhere, so that nothing is taken twice.
CREATE TABLE collected (
    account INTEGER NOT NULL,
    source BLOB NOT NULL,
    key BLOB NOT NULL,
    PRIMARY KEY (account, source, key)
) WITHOUT ROWID;
";

const SHARED: &str = "
-- RFC 5465: whose a mailbox is that something happened to.
CREATE INDEX name_mailbox ON name (mailbox) WHERE mailbox IS NOT NULL;
-- RFC 4314: what others than the owner may do, as bits.
CREATE TABLE acl (
    mailbox INTEGER NOT NULL,
    identifier BLOB NOT NULL,
    rights INTEGER NOT NULL,
    PRIMARY KEY (mailbox, identifier)
) WITHOUT ROWID;
CREATE INDEX acl_identifier ON acl (identifier);
";

const SEARCH: &str = "
-- By this the full-text index knows the store that it was made of.
INSERT INTO counter VALUES ('search_binding', 0);
";

const ACCESS: &str = "
-- RFC 4467: the keys by which accounts' URLs to mailboxes are authorized.
CREATE TABLE access_key (
    mailbox INTEGER NOT NULL,
    account INTEGER NOT NULL,
    key BLOB NOT NULL,
    PRIMARY KEY (mailbox, account)
) WITHOUT ROWID;
CREATE INDEX access_key_account ON access_key (account);
";

const DELETED: &str = "
-- What EXPUNGE removes, without the rest of a large mailbox.
CREATE INDEX message_deleted ON message (mailbox, uid) WHERE flags & 4 <> 0;
";
