-- The frame log file. Version 1.
CREATE TABLE IF NOT EXISTS frames (
    position INTEGER PRIMARY KEY,
    gateway TEXT NOT NULL,
    epoch TEXT NOT NULL,
    lane TEXT NOT NULL,
    seq INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    payload BLOB NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS frames_key ON frames (gateway, epoch, lane, seq);

CREATE TABLE IF NOT EXISTS coverage (
    gateway TEXT NOT NULL,
    epoch TEXT NOT NULL,
    lane TEXT NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    samples INTEGER NOT NULL,
    samples_before INTEGER NOT NULL,
    PRIMARY KEY (gateway, epoch, lane, first_seq)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS conflicts (
    number INTEGER PRIMARY KEY,
    gateway TEXT NOT NULL,
    epoch TEXT NOT NULL,
    lane TEXT NOT NULL,
    seq INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    payload BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS conflicts_gateway ON conflicts (gateway, number);
