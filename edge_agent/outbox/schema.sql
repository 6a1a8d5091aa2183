-- The outbox file. Version 1.
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- A frame a row. acked: the cloud holds it; it stays while there is room, in case the cloud asks again.
CREATE TABLE IF NOT EXISTS frames (
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    samples INTEGER NOT NULL,
    born_ms INTEGER NOT NULL,
    acked INTEGER NOT NULL DEFAULT 0,
    payload BLOB NOT NULL,
    PRIMARY KEY (lane, seq)
);
CREATE INDEX IF NOT EXISTS frames_unacked ON frames (lane, seq) WHERE acked = 0;

-- Where each lane stands. Counted in samples, over the whole epoch.
CREATE TABLE IF NOT EXISTS lanes (
    lane INTEGER PRIMARY KEY,
    last_seq INTEGER NOT NULL,
    produced INTEGER NOT NULL,
    dropped INTEGER NOT NULL
);

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
