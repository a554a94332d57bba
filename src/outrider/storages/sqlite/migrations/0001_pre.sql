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
CREATE INDEX "{p}outbox_delivery_key" ON {outbox_delivery} (subscription_id, topic, message_key, status, log_id);
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

-- One row a message, its state derived (OB-17, OB-23, OB-24). `d` and `i` are the exception rows that decide the state: dead or
-- given up first, then what the carrier (the relay; where there is none, a handler's subscription) has not finished.
CREATE VIEW {outbox_status} AS
WITH carriers AS (
    SELECT s.id, s.lanes, s.kind, s.types FROM {outbox_subscription} AS s
    WHERE s.kind = 'relay'
        OR (s.kind = 'handler' AND NOT EXISTS (SELECT 1 FROM {outbox_subscription} WHERE kind = 'relay'))
),
known AS (
    SELECT
        m.*, route.consumers,
        (SELECT max(r.consumed_at) FROM {inbox_consumer} AS c
         JOIN {inbox_receipt} AS r ON r.consumer_id = c.id AND r.message_id = m.message_id) AS consumed_at,
        (SELECT count(*) FROM json_each(COALESCE(route.consumers_here, '[]')) AS e WHERE NOT EXISTS (
            SELECT 1 FROM {inbox_consumer} AS c
            JOIN {inbox_receipt} AS r ON r.consumer_id = c.id AND r.message_id = m.message_id
            WHERE c.name = e.value)) AS missing,
        (SELECT max(m.id > c.floor_id AND m.id > c.last_id) FROM carriers AS s
         JOIN {outbox_cursor} AS c ON c.subscription_id = s.id AND c.lane = m.key_hash % s.lanes
         WHERE s.kind = 'relay' OR s.types IS NULL
            OR EXISTS (SELECT 1 FROM json_each(s.types) AS e WHERE e.value = m.type)) AS ahead
    FROM {outbox_message} AS m
    LEFT JOIN {outrider_route} AS route ON route.type = m.type
),
ranked AS (
    SELECT
        d.*,
        CASE
            WHEN d.status = 'dead' OR d.resolution = 'discarded' THEN 0
            WHEN d.status IN ('waiting', 'retrying', 'parked') AND s.id IN (SELECT id FROM carriers) THEN 1
            WHEN d.status = 'done' AND s.id IN (SELECT id FROM carriers) THEN 2
        END AS rank
    FROM {outbox_delivery} AS d
    JOIN {outbox_subscription} AS s ON s.id = d.subscription_id AND s.kind <> 'sweeper'
)
SELECT
    m.message_id, m.id AS log_id, (SELECT value FROM {outrider_meta} WHERE name = 'service') AS service,
    m.type, m.topic, m.message_key AS key,
    CASE
        WHEN m.consumed_at IS NOT NULL AND m.missing = 0 THEN 'consumed'
        WHEN d.rank = 0 OR i.id IS NOT NULL THEN 'dead'
        WHEN d.rank = 1 OR COALESCE(m.ahead, 1) THEN 'pending'
        ELSE 'published'
    END AS state,
    COALESCE(CASE WHEN d.rank = 0 OR i.id IS NULL THEN d.attempts ELSE i.attempts END, 0) AS retry_count,
    COALESCE(CASE WHEN d.rank = 0 OR i.id IS NULL THEN d.max_retry ELSE i.max_retry END, m.max_retry) AS max_retry,
    CASE WHEN d.rank = 0 OR i.id IS NULL THEN d.next_retry_at ELSE i.next_retry_at END AS next_retry_at,
    CASE WHEN d.rank = 0 OR i.id IS NULL THEN d.error_code ELSE i.error_code END AS error_code,
    CASE WHEN d.rank = 0 OR i.id IS NULL THEN d.last_error ELSE i.last_error END AS last_error,
    CASE WHEN d.rank = 2 THEN d.done_at END AS published_at,
    m.consumed_at, m.created_at,
    max(m.created_at, COALESCE(d.updated_at, 0), COALESCE(i.updated_at, 0), COALESCE(m.consumed_at, 0)) AS updated_at,
    CASE WHEN d.rank = 0 OR i.id IS NULL THEN d.resolution ELSE i.resolution END AS resolution
FROM known AS m
LEFT JOIN ranked AS d ON d.log_id = m.id AND d.message_id = m.message_id AND d.subscription_id = (
    SELECT e.subscription_id FROM ranked AS e
    WHERE e.log_id = m.id AND e.message_id = m.message_id AND e.rank IS NOT NULL ORDER BY e.rank LIMIT 1)
LEFT JOIN {inbox_delivery} AS i ON i.id = (
    SELECT e.id FROM {inbox_delivery} AS e
    JOIN {inbox_consumer} AS c ON c.id = e.consumer_id
    WHERE e.message_id = m.message_id AND (e.status = 'dead' OR e.resolution = 'discarded')
        AND EXISTS (SELECT 1 FROM json_each(COALESCE(m.consumers, '[]')) AS x WHERE x.value = c.name)
    LIMIT 1);
