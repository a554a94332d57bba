-- The tables of one service. Times are microseconds since 1970 UTC, given by the caller. Source: spec/outbox.md section 5.
CREATE TABLE {outrider_meta} (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE {outbox_message} (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id BLOB NOT NULL,
    type TEXT NOT NULL CHECK (length(type) BETWEEN 1 AND 128),
    version INTEGER NOT NULL,
    topic TEXT NOT NULL CHECK (length(topic) BETWEEN 1 AND 200),
    message_key TEXT CHECK (length(message_key) BETWEEN 1 AND 255),
    key_hash INTEGER NOT NULL CHECK (key_hash >= 0),
    subject TEXT CHECK (length(subject) BETWEEN 1 AND 255),
    payload BLOB NOT NULL,
    content_type TEXT NOT NULL CHECK (length(content_type) BETWEEN 1 AND 127),
    headers TEXT,
    deliver_at INTEGER,
    max_retry INTEGER NOT NULL,
    trace TEXT,
    correlation_id TEXT CHECK (length(correlation_id) BETWEEN 1 AND 128),
    causation_id TEXT CHECK (length(causation_id) BETWEEN 1 AND 128),
    created_at INTEGER NOT NULL,
    CONSTRAINT "{p}outbox_message_message_id_key" UNIQUE (message_id)
);

CREATE TABLE {outbox_subscription} (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    broker TEXT,
    lanes INTEGER NOT NULL CHECK (lanes > 0),
    types TEXT
);

CREATE TABLE {outbox_cursor} (
    subscription_id INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    last_id INTEGER NOT NULL DEFAULT 0,
    high_id INTEGER NOT NULL DEFAULT 0,
    floor_id INTEGER NOT NULL DEFAULT 0,
    cluster TEXT NOT NULL,
    owner TEXT,
    epoch INTEGER NOT NULL DEFAULT 0,
    lease_until INTEGER,
    starts INTEGER NOT NULL DEFAULT 0,
    marked_id INTEGER,
    passed INTEGER NOT NULL DEFAULT 0,
    advanced_at INTEGER NOT NULL,
    PRIMARY KEY (subscription_id, lane)
);

CREATE TABLE {outbox_advance} (
    subscription_id INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    last_id INTEGER NOT NULL,
    floor_id INTEGER NOT NULL,
    passed INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (subscription_id, lane, seq)
);
CREATE INDEX "{p}outbox_advance_at" ON {outbox_advance} (at);

CREATE TABLE {outbox_delivery} (
    subscription_id INTEGER NOT NULL,
    log_id INTEGER NOT NULL,
    message_id BLOB NOT NULL,
    topic TEXT NOT NULL,
    message_key TEXT,
    key_hash INTEGER NOT NULL,
    status TEXT NOT NULL,
    cause TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    max_retry INTEGER NOT NULL,
    generation INTEGER NOT NULL DEFAULT 0,
    next_retry_at INTEGER,
    error_code TEXT,
    last_error TEXT,
    first_failed_at INTEGER,
    updated_at INTEGER NOT NULL,
    done_at INTEGER,
    resolution TEXT,
    PRIMARY KEY (subscription_id, log_id)
);
CREATE INDEX "{p}outbox_delivery_due" ON {outbox_delivery} (subscription_id, status, next_retry_at, log_id);
CREATE INDEX "{p}outbox_delivery_key" ON {outbox_delivery} (subscription_id, topic, message_key, log_id);
CREATE INDEX "{p}outbox_delivery_message" ON {outbox_delivery} (message_id);

CREATE TABLE {outbox_pause} (
    kind TEXT NOT NULL,
    broker TEXT NOT NULL DEFAULT '',
    topic TEXT NOT NULL DEFAULT '',
    subject TEXT NOT NULL DEFAULT '',
    automatic INTEGER NOT NULL,
    code TEXT,
    reason TEXT,
    actor TEXT,
    paused_at INTEGER NOT NULL,
    until INTEGER,
    PRIMARY KEY (kind, broker, topic, subject)
);

CREATE TABLE {inbox_consumer} (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    receipts_from INTEGER,
    starts TEXT NOT NULL DEFAULT '{}'
);

CREATE TABLE {inbox_key} (
    consumer_id INTEGER NOT NULL,
    topic TEXT NOT NULL,
    message_key TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (consumer_id, topic, message_key)
);

CREATE TABLE {inbox_receipt} (
    consumer_id INTEGER NOT NULL,
    message_id BLOB NOT NULL,
    fingerprint INTEGER NOT NULL,
    consumed_at INTEGER NOT NULL,
    PRIMARY KEY (consumer_id, message_id)
) WITHOUT ROWID;
CREATE INDEX "{p}inbox_receipt_consumed_at" ON {inbox_receipt} (consumed_at);

CREATE TABLE {inbox_delivery} (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    consumer_id INTEGER NOT NULL,
    message_id BLOB NOT NULL,
    origin TEXT NOT NULL,
    topic TEXT NOT NULL,
    message_key TEXT,
    key_hash INTEGER NOT NULL,
    sequence INTEGER,
    fingerprint INTEGER NOT NULL,
    type TEXT NOT NULL,
    version INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    headers TEXT,
    body BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    cause TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    max_retry INTEGER NOT NULL,
    generation INTEGER NOT NULL DEFAULT 0,
    next_retry_at INTEGER,
    error_code TEXT,
    last_error TEXT,
    first_failed_at INTEGER,
    updated_at INTEGER NOT NULL,
    done_at INTEGER,
    resolution TEXT,
    CONSTRAINT "{p}inbox_delivery_message_key" UNIQUE (consumer_id, message_id)
);
CREATE INDEX "{p}inbox_delivery_due" ON {inbox_delivery} (consumer_id, status, next_retry_at, id);
CREATE INDEX "{p}inbox_delivery_key" ON {inbox_delivery} (consumer_id, topic, message_key, id);

CREATE TABLE {outrider_route} (
    type TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    topic TEXT NOT NULL,
    producers TEXT NOT NULL,
    consumers TEXT NOT NULL,
    consumers_here TEXT NOT NULL,
    version_max INTEGER NOT NULL,
    on_dead TEXT NOT NULL,
    late TEXT NOT NULL,
    max_bytes INTEGER,
    hash TEXT NOT NULL,
    updated_at INTEGER NOT NULL
);

CREATE TABLE {outrider_process} (
    owner TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    version TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
);

CREATE TABLE {outrider_audit} (
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    verb TEXT NOT NULL,
    filter TEXT NOT NULL,
    affected INTEGER NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX "{p}outrider_audit_at" ON {outrider_audit} (at);
