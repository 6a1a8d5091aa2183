-- What is in PostgreSQL beside the registry's and the commands' tables (those have migrations of their own). Version 1,
-- made in one transaction where the last of these tables is not there.

-- position: who appends holds a lock until its transaction is visible, so positions become visible in their order.
-- The key begins with the gateway, so the table can be partitioned by it; for that the index on position is not unique.
CREATE TABLE frames (
    position BIGINT GENERATED ALWAYS AS IDENTITY,
    gateway TEXT NOT NULL,
    epoch TEXT NOT NULL,
    lane TEXT NOT NULL,
    seq BIGINT NOT NULL,
    received_ms BIGINT NOT NULL,
    payload BYTEA NOT NULL,
    PRIMARY KEY (gateway, epoch, lane, seq)
);
ALTER TABLE frames ALTER COLUMN payload SET STORAGE EXTERNAL; -- frames are compressed already
CREATE INDEX frames_position ON frames (position);

CREATE TABLE coverage (
    gateway TEXT NOT NULL,
    epoch TEXT NOT NULL,
    lane TEXT NOT NULL,
    first_seq BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    samples BIGINT NOT NULL,
    samples_before BIGINT NOT NULL,
    PRIMARY KEY (gateway, epoch, lane, first_seq)
);

CREATE TABLE conflicts (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gateway TEXT NOT NULL,
    epoch TEXT NOT NULL,
    lane TEXT NOT NULL,
    seq BIGINT NOT NULL,
    received_ms BIGINT NOT NULL,
    payload BYTEA NOT NULL
);
CREATE INDEX conflicts_gateway ON conflicts (gateway);

CREATE TABLE drops (
    gateway TEXT NOT NULL,
    epoch TEXT NOT NULL,
    lane TEXT NOT NULL,
    first_seq BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    samples BIGINT NOT NULL,
    reason TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (gateway, epoch, lane, first_seq, last_seq)
);

CREATE TABLE quarantine (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,
    gateway TEXT NOT NULL,
    origin TEXT NOT NULL,
    topic TEXT NOT NULL,
    profile TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    head BYTEA NOT NULL,
    size_bytes BIGINT NOT NULL,
    count BIGINT NOT NULL,
    payload BYTEA
);
CREATE INDEX quarantine_gateway ON quarantine (gateway, number);

CREATE TABLE cursors (
    projection TEXT PRIMARY KEY,
    position BIGINT NOT NULL
);
