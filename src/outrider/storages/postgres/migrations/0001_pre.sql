-- The tables of one service. Source: spec/outbox.md section 5. `{table}` stands for a quoted, qualified name.
CREATE TABLE {outrider_meta} (
    name text COLLATE "C" PRIMARY KEY,
    value text NOT NULL
);

-- Lengths by varchar, which the plan checks: a CHECK is parsed anew for every statement, and the seven of them were a third of
-- an insert. That none is empty is checked before: `core.limits`.
CREATE TABLE {outbox_message} (
    id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    message_id uuid NOT NULL,
    type varchar(128) COLLATE "C" NOT NULL,
    version smallint NOT NULL,
    topic varchar(200) COLLATE "C" NOT NULL,
    message_key varchar(255) COLLATE "C",
    key_hash integer NOT NULL CHECK (key_hash >= 0),
    subject varchar(255) COLLATE "C",
    payload bytea NOT NULL,
    content_type varchar(127) COLLATE "C" NOT NULL,
    headers jsonb,
    deliver_at timestamptz,
    max_retry smallint NOT NULL,
    trace jsonb,
    correlation_id varchar(128) COLLATE "C",
    causation_id varchar(128) COLLATE "C",
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT "{p}outbox_message_message_id_key" UNIQUE (message_id)
);
CREATE INDEX "{p}outbox_message_xid" ON {outbox_message} (xid, id);
-- A log filled by few large transactions must not persuade the planner that a walk of the primary key finds a late one soon.
ALTER TABLE {outbox_message} ALTER COLUMN xid SET (n_distinct = -0.5);

CREATE TABLE {outbox_subscription} (
    id smallint PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    kind text COLLATE "C" NOT NULL,
    broker text COLLATE "C",
    lanes smallint NOT NULL CHECK (lanes > 0),
    types jsonb
);

CREATE TABLE {outbox_cursor} (
    subscription_id smallint NOT NULL REFERENCES {outbox_subscription} (id),
    lane smallint NOT NULL,
    done pg_snapshot NOT NULL,
    target pg_snapshot NOT NULL,
    last_id bigint NOT NULL DEFAULT 0,
    high_id bigint NOT NULL DEFAULT 0,
    floor_id bigint NOT NULL DEFAULT 0,
    cluster text COLLATE "C" NOT NULL,
    owner text COLLATE "C",
    epoch bigint NOT NULL DEFAULT 0,
    lease_until timestamptz,
    starts smallint NOT NULL DEFAULT 0,
    marked_id bigint,
    passed bigint NOT NULL DEFAULT 0,
    advanced_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (subscription_id, lane)
) WITH (fillfactor = 50);

CREATE TABLE {outbox_advance} (
    subscription_id smallint NOT NULL,
    lane smallint NOT NULL,
    seq bigint NOT NULL,
    done pg_snapshot NOT NULL,
    target pg_snapshot NOT NULL,
    last_id bigint NOT NULL,
    floor_id bigint NOT NULL,
    passed bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (subscription_id, lane, seq)
);
CREATE INDEX "{p}outbox_advance_at" ON {outbox_advance} (at);

CREATE TABLE {outbox_delivery} (
    subscription_id smallint NOT NULL,
    log_id bigint NOT NULL,
    message_id uuid NOT NULL,
    topic text COLLATE "C" NOT NULL,
    message_key text COLLATE "C",
    key_hash integer NOT NULL,
    status text COLLATE "C" NOT NULL,
    cause text COLLATE "C" NOT NULL,
    attempts smallint NOT NULL DEFAULT 0,
    max_retry smallint NOT NULL,
    generation smallint NOT NULL DEFAULT 0,
    next_retry_at timestamptz,
    error_code text COLLATE "C",
    last_error text,
    first_failed_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at timestamptz,
    resolution text COLLATE "C",
    PRIMARY KEY (subscription_id, log_id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX "{p}outbox_delivery_due" ON {outbox_delivery} (subscription_id, status, next_retry_at, log_id);
CREATE INDEX "{p}outbox_delivery_key" ON {outbox_delivery} (subscription_id, topic, message_key, status, log_id);
CREATE INDEX "{p}outbox_delivery_message" ON {outbox_delivery} (message_id);

CREATE TABLE {outbox_pause} (
    kind text COLLATE "C" NOT NULL,
    broker text COLLATE "C" NOT NULL DEFAULT '',
    topic text COLLATE "C" NOT NULL DEFAULT '',
    subject text COLLATE "C" NOT NULL DEFAULT '',
    automatic boolean NOT NULL,
    code text COLLATE "C",
    reason text,
    actor text,
    paused_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    until timestamptz,
    PRIMARY KEY (kind, broker, topic, subject)
);

CREATE TABLE {inbox_consumer} (
    id smallint PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    receipts_from timestamptz,
    starts jsonb NOT NULL DEFAULT '{}'
);

CREATE TABLE {inbox_key} (
    consumer_id smallint NOT NULL,
    topic text COLLATE "C" NOT NULL,
    message_key text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (consumer_id, topic, message_key)
);

CREATE TABLE {inbox_receipt} (
    consumer_id smallint NOT NULL,
    message_id uuid NOT NULL,
    fingerprint integer NOT NULL,
    consumed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer_id, message_id)
);
CREATE INDEX "{p}inbox_receipt_consumed_at" ON {inbox_receipt} USING brin (consumed_at);

CREATE TABLE {inbox_delivery} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer_id smallint NOT NULL,
    message_id uuid NOT NULL,
    origin text COLLATE "C" NOT NULL,
    topic text COLLATE "C" NOT NULL,
    message_key text COLLATE "C",
    key_hash integer NOT NULL,
    sequence bigint,
    fingerprint integer NOT NULL,
    type text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    content_type text COLLATE "C" NOT NULL,
    headers jsonb,
    body bytea NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    status text COLLATE "C" NOT NULL,
    cause text COLLATE "C" NOT NULL,
    attempts smallint NOT NULL DEFAULT 0,
    max_retry smallint NOT NULL,
    generation smallint NOT NULL DEFAULT 0,
    next_retry_at timestamptz,
    error_code text COLLATE "C",
    last_error text,
    first_failed_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at timestamptz,
    resolution text COLLATE "C",
    CONSTRAINT "{p}inbox_delivery_message_key" UNIQUE (consumer_id, message_id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX "{p}inbox_delivery_due" ON {inbox_delivery} (consumer_id, status, next_retry_at, id);
CREATE INDEX "{p}inbox_delivery_key" ON {inbox_delivery} (consumer_id, topic, message_key, id);

CREATE TABLE {outrider_route} (
    type text COLLATE "C" PRIMARY KEY,
    owner text COLLATE "C" NOT NULL,
    topic text COLLATE "C" NOT NULL,
    producers jsonb NOT NULL,
    consumers jsonb NOT NULL,
    consumers_here jsonb NOT NULL,
    version_max smallint NOT NULL,
    on_dead text COLLATE "C" NOT NULL,
    late text COLLATE "C" NOT NULL,
    max_bytes integer,
    hash text COLLATE "C" NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE {outrider_process} (
    owner text COLLATE "C" PRIMARY KEY,
    role text COLLATE "C" NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE {outrider_audit} (
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    verb text NOT NULL,
    filter jsonb NOT NULL,
    affected bigint NOT NULL,
    reason text NOT NULL
);
CREATE INDEX "{p}outrider_audit_at" ON {outrider_audit} (at);

-- One row a message, its state derived (OB-17, OB-23, OB-24). `decisive` is the exception row that decides the state: dead or
-- given up first, then what the carrier (the relay; where there is none, a handler's subscription) has not finished.
CREATE VIEW {outbox_status} AS
SELECT
    m.message_id, m.id AS log_id, (SELECT value FROM {outrider_meta} WHERE name = 'service') AS service,
    m.type, m.topic, m.message_key AS key,
    CASE
        WHEN got.consumed THEN 'consumed'
        WHEN decisive.rank = 0 THEN 'dead'
        WHEN decisive.rank = 1 OR COALESCE(carried.ahead, TRUE) THEN 'pending'
        ELSE 'published'
    END AS state,
    COALESCE(decisive.attempts, 0) AS retry_count, COALESCE(decisive.max_retry, m.max_retry) AS max_retry,
    decisive.next_retry_at, decisive.error_code, decisive.last_error,
    CASE WHEN decisive.rank = 2 THEN decisive.done_at END AS published_at,
    got.consumed_at, m.created_at, GREATEST(m.created_at, decisive.updated_at, got.consumed_at) AS updated_at,
    decisive.resolution
FROM {outbox_message} AS m
LEFT JOIN {outrider_route} AS route ON route.type = m.type
CROSS JOIN LATERAL (
    SELECT
        max(r.consumed_at) AS consumed_at,
        CASE COALESCE(jsonb_array_length(route.consumers_here), 0)
            WHEN 0 THEN count(*) > 0
            ELSE count(*) FILTER (WHERE route.consumers_here @> to_jsonb(c.name)) = jsonb_array_length(route.consumers_here)
        END AS consumed
    FROM {inbox_consumer} AS c
    JOIN {inbox_receipt} AS r ON r.consumer_id = c.id AND r.message_id = m.message_id
) AS got
CROSS JOIN LATERAL (
    SELECT bool_or(NOT (
        m.id <= c.floor_id OR pg_visible_in_snapshot(m.xid, c.done)
        OR (m.id <= c.last_id AND pg_visible_in_snapshot(m.xid, c.target))
    )) AS ahead
    FROM {outbox_subscription} AS s
    JOIN {outbox_cursor} AS c ON c.subscription_id = s.id AND c.lane = m.key_hash % s.lanes
    WHERE s.kind = 'relay' OR (
        s.kind = 'handler' AND (s.types IS NULL OR s.types @> to_jsonb(m.type))
        AND NOT EXISTS (SELECT FROM {outbox_subscription} AS relay WHERE relay.kind = 'relay')
    )
) AS carried
LEFT JOIN LATERAL (
    SELECT ranked.* FROM (
        SELECT
            CASE
                WHEN row.status = 'dead' OR row.resolution = 'discarded' THEN 0
                WHEN row.carries AND row.status IN ('waiting', 'retrying', 'parked') THEN 1
                WHEN row.carries AND row.status = 'done' THEN 2
            END AS rank,
            row.*
        FROM (
            SELECT
                d.status, d.attempts, d.max_retry, d.next_retry_at, d.error_code, d.last_error, d.updated_at, d.done_at,
                d.resolution,
                s.kind = 'relay'
                    OR NOT EXISTS (SELECT FROM {outbox_subscription} AS relay WHERE relay.kind = 'relay') AS carries
            FROM {outbox_delivery} AS d
            JOIN {outbox_subscription} AS s ON s.id = d.subscription_id AND s.kind <> 'sweeper'
            WHERE d.message_id = m.message_id AND d.log_id = m.id
            UNION ALL
            SELECT
                i.status, i.attempts, i.max_retry, i.next_retry_at, i.error_code, i.last_error, i.updated_at, i.done_at,
                i.resolution, FALSE
            FROM {inbox_consumer} AS c
            JOIN {inbox_delivery} AS i ON i.consumer_id = c.id AND i.message_id = m.message_id
            WHERE route.consumers @> to_jsonb(c.name)
        ) AS row
    ) AS ranked
    WHERE ranked.rank IS NOT NULL
    ORDER BY ranked.rank
    LIMIT 1
) AS decisive ON TRUE;
