-- The outbox file. Version 2 (PRAGMA user_version).
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- The last one is the living one. again_after_*: frames of an ended epoch with a greater seq are framed again in the
-- living one before they are sent (the cloud holds other frames under these numbers); -1: sent as they are.
CREATE TABLE IF NOT EXISTS epochs (
    number INTEGER PRIMARY KEY,
    epoch TEXT NOT NULL UNIQUE,
    again_after_urgent INTEGER NOT NULL DEFAULT -1,
    again_after_bulk INTEGER NOT NULL DEFAULT -1
);

-- A frame a row. acked: the cloud holds it; it stays while there is room, in case the cloud asks again.
-- unsure: the number of the run in which the clock was not known; its times are moved once it is.
CREATE TABLE IF NOT EXISTS frames (
    epoch INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    samples INTEGER NOT NULL,
    born_ms INTEGER NOT NULL,
    acked INTEGER NOT NULL DEFAULT 0,
    unsure INTEGER NOT NULL DEFAULT 0,
    payload BLOB NOT NULL,
    PRIMARY KEY (epoch, lane, seq)
);
CREATE INDEX IF NOT EXISTS frames_unacked ON frames (lane, epoch, seq) WHERE acked = 0;
CREATE INDEX IF NOT EXISTS frames_unsure ON frames (epoch, lane, seq) WHERE unsure > 0;

-- Where each lane stands. Counted in samples, over the whole epoch.
CREATE TABLE IF NOT EXISTS lanes (
    epoch INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    produced INTEGER NOT NULL,
    dropped INTEGER NOT NULL,
    PRIMARY KEY (epoch, lane)
) WITHOUT ROWID;

-- The last deliveries of the local broker, a commit a row: (packet id, digest) pairs of 10 bytes.
CREATE TABLE IF NOT EXISTS deliveries (commit_number INTEGER PRIMARY KEY, packed BLOB NOT NULL);

CREATE TABLE IF NOT EXISTS devices (
    device TEXT PRIMARY KEY, profile TEXT NOT NULL, profile_version INTEGER NOT NULL, kind TEXT NOT NULL,
    verbs TEXT NOT NULL, name TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS commands (
    command_id TEXT PRIMARY KEY, state TEXT NOT NULL, reason TEXT NOT NULL, at_ms INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS quarantine (
    number INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload BLOB NOT NULL, reason TEXT NOT NULL, at_ms INTEGER NOT NULL
);
