-- The tables of one service. Source: spec/outbox.md section 5. `{table}` stands for a quoted, qualified name.
-- Words that are compared are VARBINARY, four bytes a character: a collation would ignore trailing blanks (S11). Times are
-- DATETIME(6) in UTC, whatever the session's time zone (H21). DDL commits by itself here, so every statement may run again.
CREATE TABLE IF NOT EXISTS {outrider_meta} (
    name VARBINARY(256) PRIMARY KEY,
    value TEXT NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

-- Who adds a message holds this row in share mode, who makes a subscription alone: so it sees all of a transaction or none,
-- also where it is the first (H54).
INSERT IGNORE INTO {outrider_meta} (name, value) VALUES ('subscriptions', '');

CREATE TABLE IF NOT EXISTS {outbox_message} (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    message_id BINARY(16) NOT NULL,
    type VARBINARY(512) NOT NULL,
    version SMALLINT NOT NULL,
    topic VARBINARY(800) NOT NULL,
    message_key VARBINARY(1020),
    key_hash INT NOT NULL CHECK (key_hash >= 0),
    subject VARBINARY(1020),
    payload LONGBLOB NOT NULL,
    content_type VARBINARY(508) NOT NULL,
    headers JSON,
    deliver_at DATETIME(6),
    max_retry SMALLINT NOT NULL,
    trace JSON,
    correlation_id VARBINARY(512),
    causation_id VARBINARY(512),
    created_at DATETIME(6) NOT NULL,
    UNIQUE KEY by_message (message_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {outbox_subscription} (
    id SMALLINT PRIMARY KEY,
    name VARBINARY(256) NOT NULL UNIQUE,
    kind VARBINARY(64) NOT NULL,
    broker VARBINARY(128),
    lanes SMALLINT NOT NULL CHECK (lanes > 0),
    types JSON
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {outbox_cursor} (
    subscription_id SMALLINT NOT NULL,
    lane SMALLINT NOT NULL,
    last_id BIGINT NOT NULL DEFAULT 0,
    high_id BIGINT NOT NULL DEFAULT 0,
    floor_id BIGINT NOT NULL DEFAULT 0,
    cluster VARBINARY(256) NOT NULL,
    owner VARBINARY(512),
    epoch BIGINT NOT NULL DEFAULT 0,
    lease_until DATETIME(6),
    starts SMALLINT NOT NULL DEFAULT 0,
    marked_id BIGINT,
    passed BIGINT NOT NULL DEFAULT 0,
    advanced_at DATETIME(6) NOT NULL,
    PRIMARY KEY (subscription_id, lane)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {outbox_advance} (
    subscription_id SMALLINT NOT NULL,
    lane SMALLINT NOT NULL,
    seq BIGINT NOT NULL,
    last_id BIGINT NOT NULL,
    floor_id BIGINT NOT NULL,
    passed BIGINT NOT NULL,
    at DATETIME(6) NOT NULL,
    PRIMARY KEY (subscription_id, lane, seq),
    KEY by_at (at)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {outbox_delivery} (
    subscription_id SMALLINT NOT NULL,
    log_id BIGINT NOT NULL,
    message_id BINARY(16) NOT NULL,
    topic VARBINARY(800) NOT NULL,
    message_key VARBINARY(1020),
    key_hash INT NOT NULL,
    status VARBINARY(64) NOT NULL,
    cause VARBINARY(128) NOT NULL,
    attempts SMALLINT NOT NULL DEFAULT 0,
    max_retry SMALLINT NOT NULL,
    generation SMALLINT NOT NULL DEFAULT 0,
    next_retry_at DATETIME(6),
    error_code VARBINARY(256),
    last_error TEXT,
    first_failed_at DATETIME(6),
    updated_at DATETIME(6) NOT NULL,
    done_at DATETIME(6),
    resolution VARBINARY(64),
    PRIMARY KEY (subscription_id, log_id),
    KEY by_due (subscription_id, status, next_retry_at, log_id),
    KEY by_key (subscription_id, topic, message_key, status, log_id),
    KEY by_message (message_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

-- One row a message and subscription, written with the message and visible exactly when it is; the lane's owner deletes it with
-- its advance (OB-21). A subscription without cursors is not active yet: its rows for the past are being filled in.
CREATE TABLE IF NOT EXISTS {outbox_pending} (
    subscription_id SMALLINT NOT NULL,
    log_id BIGINT NOT NULL,
    key_hash INT NOT NULL,
    PRIMARY KEY (subscription_id, log_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {outbox_pause} (
    kind VARBINARY(64) NOT NULL,
    broker VARBINARY(128) NOT NULL DEFAULT '',
    topic VARBINARY(800) NOT NULL DEFAULT '',
    subject VARBINARY(1020) NOT NULL DEFAULT '',
    automatic BOOLEAN NOT NULL,
    code VARBINARY(256),
    reason TEXT,
    actor VARBINARY(512),
    paused_at DATETIME(6) NOT NULL,
    `until` DATETIME(6),
    PRIMARY KEY (kind, broker, topic, subject)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {inbox_consumer} (
    id SMALLINT PRIMARY KEY,
    name VARBINARY(256) NOT NULL UNIQUE,
    receipts_from DATETIME(6),
    starts JSON NOT NULL DEFAULT ('{}')
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {inbox_key} (
    consumer_id SMALLINT NOT NULL,
    topic VARBINARY(800) NOT NULL,
    message_key VARBINARY(1020) NOT NULL,
    sequence BIGINT NOT NULL,
    PRIMARY KEY (consumer_id, topic, message_key)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {inbox_receipt} (
    consumer_id SMALLINT NOT NULL,
    message_id BINARY(16) NOT NULL,
    fingerprint BIGINT NOT NULL,
    consumed_at DATETIME(6) NOT NULL,
    PRIMARY KEY (consumer_id, message_id),
    KEY by_consumed_at (consumed_at)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {inbox_delivery} (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    consumer_id SMALLINT NOT NULL,
    message_id BINARY(16) NOT NULL,
    origin VARBINARY(1020) NOT NULL,
    topic VARBINARY(800) NOT NULL,
    message_key VARBINARY(1020),
    key_hash INT NOT NULL,
    sequence BIGINT,
    fingerprint BIGINT NOT NULL,
    type VARBINARY(2048) NOT NULL,
    version INT NOT NULL,
    content_type VARBINARY(2048) NOT NULL,
    headers JSON,
    body LONGBLOB NOT NULL,
    received_at DATETIME(6) NOT NULL,
    status VARBINARY(64) NOT NULL,
    cause VARBINARY(128) NOT NULL,
    attempts SMALLINT NOT NULL DEFAULT 0,
    max_retry SMALLINT NOT NULL,
    generation SMALLINT NOT NULL DEFAULT 0,
    next_retry_at DATETIME(6),
    error_code VARBINARY(256),
    last_error TEXT,
    first_failed_at DATETIME(6),
    updated_at DATETIME(6) NOT NULL,
    done_at DATETIME(6),
    resolution VARBINARY(64),
    UNIQUE KEY by_message (consumer_id, message_id),
    KEY by_due (consumer_id, status, next_retry_at, id),
    KEY by_key (consumer_id, topic, message_key, id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {outrider_route} (
    type VARBINARY(512) PRIMARY KEY,
    owner VARBINARY(128) NOT NULL,
    topic VARBINARY(800) NOT NULL,
    producers JSON NOT NULL,
    consumers JSON NOT NULL,
    consumers_here JSON NOT NULL,
    version_max SMALLINT NOT NULL,
    on_dead VARBINARY(64) NOT NULL,
    late VARBINARY(64) NOT NULL,
    max_bytes INT,
    hash VARBINARY(256) NOT NULL,
    updated_at DATETIME(6) NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {outrider_process} (
    owner VARBINARY(512) PRIMARY KEY,
    role VARBINARY(128) NOT NULL,
    host VARBINARY(1020) NOT NULL,
    pid INT NOT NULL,
    version VARBINARY(128) NOT NULL,
    started_at DATETIME(6) NOT NULL,
    seen_at DATETIME(6) NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS {outrider_audit} (
    at DATETIME(6) NOT NULL,
    actor VARBINARY(512) NOT NULL,
    verb VARBINARY(256) NOT NULL,
    filter TEXT NOT NULL,
    affected BIGINT NOT NULL,
    reason TEXT NOT NULL,
    KEY by_at (at)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin;

-- One row a message, its state derived (OB-17, OB-23, OB-24). `d` and `i` are the exception rows that decide the state: dead or
-- given up first, then what the carrier (the relay; where there is none, a handler's subscription) has not finished.
CREATE OR REPLACE VIEW {outbox_status} AS
WITH carriers AS (
    SELECT s.id, s.kind, s.types FROM {outbox_subscription} AS s
    WHERE s.kind = 'relay'
        OR (s.kind = 'handler' AND NOT EXISTS (SELECT 1 FROM {outbox_subscription} AS o WHERE o.kind = 'relay'))
),
known AS (
    SELECT
        m.*, route.consumers,
        (SELECT MAX(r.consumed_at) FROM {inbox_consumer} AS c
         JOIN {inbox_receipt} AS r ON r.consumer_id = c.id AND r.message_id = m.message_id) AS consumed_at,
        COALESCE(JSON_LENGTH(route.consumers_here), 0) - (
            SELECT COUNT(*) FROM {inbox_consumer} AS c
            JOIN {inbox_receipt} AS r ON r.consumer_id = c.id AND r.message_id = m.message_id
            WHERE JSON_CONTAINS(route.consumers_here, JSON_QUOTE(CONVERT(c.name USING utf8mb4)))) AS missing,
        CASE WHEN EXISTS (SELECT 1 FROM carriers) THEN EXISTS (
            SELECT 1 FROM carriers AS s
            JOIN {outbox_pending} AS p ON p.subscription_id = s.id AND p.log_id = m.id
            WHERE s.kind = 'relay' OR s.types IS NULL
                OR JSON_CONTAINS(s.types, JSON_QUOTE(CONVERT(m.type USING utf8mb4))))
        END AS ahead
    FROM {outbox_message} AS m
    LEFT JOIN {outrider_route} AS route ON route.type = m.type
),
ranked AS (
    SELECT
        d.*,
        CASE
            WHEN d.status = 'dead' OR d.resolution = 'discarded' THEN 0
            WHEN d.status IN ('waiting', 'retrying', 'parked') AND s.id IN (SELECT c.id FROM carriers AS c) THEN 1
            WHEN d.status = 'done' AND s.id IN (SELECT c.id FROM carriers AS c) THEN 2
        END AS place
    FROM {outbox_delivery} AS d
    JOIN {outbox_subscription} AS s ON s.id = d.subscription_id AND s.kind <> 'sweeper'
)
SELECT
    m.message_id, m.id AS log_id,
    (SELECT CONVERT(f.value USING utf8mb4) FROM {outrider_meta} AS f WHERE f.name = 'service') AS service,
    m.type, m.topic, m.message_key AS `key`,
    CASE
        WHEN m.consumed_at IS NOT NULL AND m.missing = 0 THEN 'consumed'
        WHEN d.place = 0 OR i.id IS NOT NULL THEN 'dead'
        WHEN d.place = 1 OR COALESCE(m.ahead, 1) THEN 'pending'
        ELSE 'published'
    END AS state,
    COALESCE(CASE WHEN d.place = 0 OR i.id IS NULL THEN d.attempts ELSE i.attempts END, 0) AS retry_count,
    COALESCE(CASE WHEN d.place = 0 OR i.id IS NULL THEN d.max_retry ELSE i.max_retry END, m.max_retry) AS max_retry,
    CASE WHEN d.place = 0 OR i.id IS NULL THEN d.next_retry_at ELSE i.next_retry_at END AS next_retry_at,
    CASE WHEN d.place = 0 OR i.id IS NULL THEN d.error_code ELSE i.error_code END AS error_code,
    CASE WHEN d.place = 0 OR i.id IS NULL THEN d.last_error ELSE i.last_error END AS last_error,
    CASE WHEN d.place = 2 THEN d.done_at END AS published_at,
    m.consumed_at, m.created_at,
    GREATEST(m.created_at, COALESCE(d.updated_at, m.created_at), COALESCE(i.updated_at, m.created_at),
        COALESCE(m.consumed_at, m.created_at)) AS updated_at,
    CASE WHEN d.place = 0 OR i.id IS NULL THEN d.resolution ELSE i.resolution END AS resolution
FROM known AS m
LEFT JOIN ranked AS d ON d.log_id = m.id AND d.message_id = m.message_id AND d.subscription_id = (
    SELECT e.subscription_id FROM ranked AS e
    WHERE e.log_id = m.id AND e.message_id = m.message_id AND e.place IS NOT NULL ORDER BY e.place LIMIT 1)
LEFT JOIN {inbox_delivery} AS i ON i.id = (
    SELECT e.id FROM {inbox_delivery} AS e
    JOIN {inbox_consumer} AS c ON c.id = e.consumer_id
    WHERE e.message_id = m.message_id AND (e.status = 'dead' OR e.resolution = 'discarded')
        AND JSON_CONTAINS(m.consumers, JSON_QUOTE(CONVERT(c.name USING utf8mb4)))
    LIMIT 1);
