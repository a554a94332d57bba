-- What operators look at and change. Filters are optional: NULL means any. Source: spec/outbox.md sections 5 and 13.

-- name: list_messages
SELECT message_id, log_id, type, topic, key, state, retry_count, max_retry, next_retry_at, error_code, last_error,
       published_at, consumed_at, created_at, updated_at, resolution
FROM {outbox_status} AS s
WHERE (CAST(:before AS bigint) IS NULL OR log_id < :before)
  AND (CAST(:id AS uuid) IS NULL OR message_id = :id)
  AND (CAST(:log_id AS bigint) IS NULL OR log_id = :log_id)
  AND (CAST(:state AS text) IS NULL OR state = :state)
  AND (CAST(:type AS text) IS NULL OR type = :type)
  AND (CAST(:destination AS text) IS NULL OR topic = :destination)
  AND (CAST(:message_key AS text) IS NULL OR key = :message_key)
  AND (CAST(:code AS text) IS NULL OR error_code = :code)
  AND (CAST(:since AS timestamptz) IS NULL OR created_at >= :since)
  AND (CAST(:until AS timestamptz) IS NULL OR created_at < :until)
  AND (CAST(:min_attempts AS integer) IS NULL OR retry_count >= :min_attempts)
  AND (CAST(:consumer AS text) IS NULL OR EXISTS (
      SELECT FROM {inbox_consumer} AS c
      LEFT JOIN {inbox_receipt} AS r ON r.consumer_id = c.id AND r.message_id = s.message_id
      LEFT JOIN {inbox_delivery} AS i ON i.consumer_id = c.id AND i.message_id = s.message_id
      WHERE c.name = :consumer AND (r.message_id IS NOT NULL OR i.message_id IS NOT NULL)))
  AND (CAST(:cause AS text) IS NULL OR EXISTS (
      SELECT FROM {outbox_delivery} AS d WHERE d.message_id = s.message_id AND d.cause = :cause))
ORDER BY log_id DESC LIMIT :limit

-- fragment: wanted_row
-- `coalesce` keeps the planner from an index on the status, which would give the rows out of order.
position(',' || o.status || ',' IN CAST(:statuses AS text)) > 0
      AND (CAST(:state AS text) IS NULL OR coalesce(o.status = :state, FALSE))
      AND (CAST(:id AS uuid) IS NULL OR o.message_id = :id)
      AND (CAST(:destination AS text) IS NULL OR o.topic = :destination)
      AND (CAST(:message_key AS text) IS NULL OR o.message_key = :message_key)
      AND (CAST(:code AS text) IS NULL OR o.error_code = :code)
      AND (CAST(:cause AS text) IS NULL OR o.cause = :cause)
      AND (CAST(:since AS timestamptz) IS NULL OR o.updated_at >= :since)
      AND (CAST(:until AS timestamptz) IS NULL OR o.updated_at < :until)
      AND (CAST(:min_attempts AS integer) IS NULL OR o.attempts >= :min_attempts)

-- name: list_exceptions
-- Each table is walked along its key from the place on, so that a page of a hundred thousand rows costs as much as one of a few.
-- Whether a message is consumed is asked of the page alone, and as the view says it, without what else the view looks at.
SELECT f.*, CASE f.place
    WHEN 0 THEN f.type <> '' AND (
        SELECT bool_or(got.receipt) AND count(*) FILTER (WHERE got.receipt AND got.expected) = coalesce(max(got.names), 0)
        FROM (
            SELECT (SELECT TRUE FROM {inbox_receipt} AS r WHERE r.consumer_id = c.id AND r.message_id = f.message_id) AS receipt,
                   route.consumers_here @> to_jsonb(c.name) AS expected, jsonb_array_length(route.consumers_here) AS names
            FROM {inbox_consumer} AS c LEFT JOIN {outrider_route} AS route ON route.type = f.type
        ) AS got
    )
    ELSE (SELECT TRUE FROM {inbox_receipt} AS r WHERE r.consumer_id = f.owner_id AND r.message_id = f.message_id) IS NOT NULL
END AS consumed
FROM (
    SELECT 0 AS place, d.log_id AS row_id, CAST(d.subscription_id AS integer) AS owner_id, s.name AS reader, d.message_id,
           d.type, d.topic, d.message_key, d.key_hash, d.status, d.cause, d.attempts, d.max_retry, d.generation,
           d.next_retry_at, d.error_code, d.last_error, d.first_failed_at, d.updated_at, d.resolution
    FROM {outbox_subscription} AS s
    CROSS JOIN LATERAL (
        SELECT o.*, coalesce(m.type, '') AS type FROM {outbox_delivery} AS o
        LEFT JOIN {outbox_message} AS m ON m.id = o.log_id AND m.id >= :after_id
        WHERE o.subscription_id = s.id AND o.log_id >= :after_id AND (o.log_id, o.subscription_id) > (:after_id, :after_owner)
          AND {wanted_row}
          AND (CAST(:log_id AS bigint) IS NULL OR o.log_id = :log_id)
          AND (CAST(:type AS text) IS NULL OR m.type = :type)
        ORDER BY o.log_id LIMIT :limit
    ) AS d
    WHERE :after_place < 1 AND (CAST(:consumer AS text) IS NULL OR s.name = :consumer)
    UNION ALL
    SELECT 1, i.id, CAST(i.consumer_id AS integer), c.name, i.message_id, i.type, i.topic, i.message_key, i.key_hash,
           i.status, i.cause, i.attempts, i.max_retry, i.generation, i.next_retry_at, i.error_code, i.last_error,
           i.first_failed_at, i.updated_at, i.resolution
    FROM {inbox_consumer} AS c
    JOIN (
        SELECT o.id, o.consumer_id, o.message_id, o.type, o.topic, o.message_key, o.key_hash, o.status, o.cause, o.attempts,
               o.max_retry, o.generation, o.next_retry_at, o.error_code, o.last_error, o.first_failed_at, o.updated_at,
               o.resolution
        FROM {inbox_delivery} AS o
        WHERE o.id > CASE WHEN :after_place < 1 THEN -1 ELSE :after_id END
          AND {wanted_row}
          AND (CAST(:log_id AS bigint) IS NULL
               OR o.message_id = (SELECT m.message_id FROM {outbox_message} AS m WHERE m.id = :log_id))
          AND (CAST(:type AS text) IS NULL OR o.type = :type)
          AND (CAST(:consumer AS text) IS NULL
               OR o.consumer_id = (SELECT k.id FROM {inbox_consumer} AS k WHERE k.name = :consumer))
        ORDER BY o.id LIMIT :limit
    ) AS i ON i.consumer_id = c.id
    ORDER BY place, row_id, owner_id LIMIT :limit
) AS f
ORDER BY f.place, f.row_id, f.owner_id

-- name: message_receipts
SELECT c.name, r.consumed_at FROM {inbox_consumer} AS c
JOIN {inbox_receipt} AS r ON r.consumer_id = c.id AND r.message_id = :message_id
ORDER BY r.consumed_at, c.name

-- name: message_body
SELECT payload, content_type, CAST(headers AS text) FROM {outbox_message} WHERE message_id = :message_id
UNION ALL
SELECT body, content_type, CAST(headers AS text) FROM {inbox_delivery} WHERE message_id = :message_id
LIMIT 1

-- name: lock_cursor_of
SELECT c.lane, s.broker FROM {outbox_cursor} AS c
JOIN {outbox_subscription} AS s ON s.id = c.subscription_id
WHERE c.subscription_id = :subscription_id AND c.lane = CAST(:key_hash AS integer) % s.lanes
FOR UPDATE OF c

-- name: replay_delivery
UPDATE {outbox_delivery}
SET status = 'retrying', cause = 'replayed', attempts = 0, generation = generation + 1, next_retry_at = clock_timestamp(),
    first_failed_at = NULL, done_at = NULL, resolution = NULL, updated_at = clock_timestamp()
WHERE subscription_id = :subscription_id AND log_id = :log_id AND status = :status AND generation = :generation
RETURNING log_id

-- name: discard_delivery
UPDATE {outbox_delivery}
SET status = 'done', resolution = 'discarded', next_retry_at = NULL, done_at = clock_timestamp(),
    updated_at = clock_timestamp()
WHERE subscription_id = :subscription_id AND log_id = :log_id AND status = :status AND generation = :generation
RETURNING log_id

-- name: replay_inbox
UPDATE {inbox_delivery} AS i
SET status = 'retrying', cause = 'replayed', attempts = 0, generation = generation + 1, next_retry_at = clock_timestamp(),
    first_failed_at = NULL, done_at = NULL, resolution = NULL, updated_at = clock_timestamp()
WHERE id = :id AND status = :status AND generation = :generation
  AND NOT EXISTS (SELECT FROM {inbox_receipt} AS r WHERE r.consumer_id = i.consumer_id AND r.message_id = i.message_id)
RETURNING id

-- name: discard_inbox
UPDATE {inbox_delivery}
SET status = 'done', resolution = 'discarded', next_retry_at = NULL, done_at = clock_timestamp(),
    updated_at = clock_timestamp()
WHERE id = :id AND status = :status AND generation = :generation
RETURNING id

-- name: insert_audit
INSERT INTO {outrider_audit} (actor, verb, filter, affected, reason)
VALUES (:actor, :verb, CAST(:filter AS jsonb), :affected, :reason)

-- name: list_audit
SELECT at, actor, verb, CAST(filter AS text), affected, reason FROM {outrider_audit}
WHERE (CAST(:before AS timestamptz) IS NULL OR at <= :before)
  AND (CAST(:verb AS text) IS NULL OR verb = :verb)
  AND (CAST(:actor AS text) IS NULL OR actor = :actor)
  AND (CAST(:since AS timestamptz) IS NULL OR at >= :since)
  AND (CAST(:until AS timestamptz) IS NULL OR at < :until)
ORDER BY at DESC, verb, actor, reason, CAST(filter AS text), affected LIMIT :limit OFFSET :skip

-- name: audit_of_message
SELECT at, actor, verb, CAST(filter AS text), affected, reason FROM {outrider_audit}
WHERE filter->>'id' = :id OR filter->>'log_id' = :log_id
ORDER BY at DESC, verb LIMIT :limit

-- name: insert_pause
INSERT INTO {outbox_pause} AS p (kind, broker, topic, subject, automatic, reason, actor, until)
VALUES (:kind, :broker, :topic, :subject, FALSE, :reason, :actor, :until)
ON CONFLICT (kind, broker, topic, subject) DO UPDATE SET
    automatic = FALSE, code = NULL, reason = excluded.reason, actor = excluded.actor, until = excluded.until,
    paused_at = excluded.paused_at

-- name: delete_pause
DELETE FROM {outbox_pause} WHERE kind = :kind AND topic = :topic AND subject = :subject RETURNING 1

-- name: list_lanes
SELECT CAST(s.id AS integer), s.name, s.kind, s.broker, c.lane, s.lanes, c.owner, c.epoch,
       CAST(extract(epoch FROM c.lease_until - clock_timestamp()) * 1000000 AS bigint) AS lease_left,
       CAST(c.done AS text), CAST(c.target AS text), c.last_id, c.floor_id, c.passed, c.cluster, c.advanced_at,
       ahead.backlog, ahead.oldest_at
FROM {outbox_cursor} AS c
JOIN {outbox_subscription} AS s ON s.id = c.subscription_id
CROSS JOIN LATERAL (
    SELECT count(*) AS backlog, min(m.created_at) AS oldest_at FROM (
        SELECT created_at FROM {outbox_message} AS m
        WHERE m.xid >= pg_snapshot_xmin(c.done) AND m.id > c.floor_id AND m.key_hash % s.lanes = c.lane
          AND NOT pg_visible_in_snapshot(m.xid, c.done)
          AND NOT (m.id <= c.last_id AND pg_visible_in_snapshot(m.xid, c.target))
          AND (s.types IS NULL OR s.types @> to_jsonb(m.type))
        ORDER BY m.xid, m.id LIMIT :limit
    ) AS m
) AS ahead
ORDER BY s.id, c.lane

-- name: list_pauses
SELECT kind, broker, topic, subject, automatic, code, reason, actor, paused_at, until FROM {outbox_pause}
WHERE until IS NULL OR until > clock_timestamp()
ORDER BY kind, topic, subject, broker

-- name: count_exceptions
SELECT 0, s.name, d.status, count(*) FROM {outbox_delivery} AS d
JOIN {outbox_subscription} AS s ON s.id = d.subscription_id
WHERE d.status <> 'done' GROUP BY s.name, d.status
UNION ALL
SELECT 1, c.name, i.status, count(*) FROM {inbox_delivery} AS i
JOIN {inbox_consumer} AS c ON c.id = i.consumer_id
WHERE i.status <> 'done' GROUP BY c.name, i.status
ORDER BY 1, 2, 3

-- name: list_processes
SELECT owner, role, host, pid, version, started_at, seen_at FROM {outrider_process}
WHERE seen_at > clock_timestamp() - CAST('5 minutes' AS interval) ORDER BY role, started_at, owner

-- name: database_now
SELECT clock_timestamp() AS at

-- name: server_facts
SELECT 'version', current_setting('server_version_num')
UNION ALL SELECT 'replica', CAST(pg_is_in_recovery() AS text)
UNION ALL SELECT 'fsync', current_setting('fsync')
UNION ALL SELECT 'full_page_writes', current_setting('full_page_writes')
UNION ALL SELECT 'synchronous_commit', current_setting('synchronous_commit')
UNION ALL SELECT 'autovacuum', current_setting('autovacuum')
UNION ALL SELECT 'sequence_cache', CAST(q.seqcache AS text) FROM pg_sequence AS q
    WHERE q.seqrelid = CAST(pg_get_serial_sequence('{outbox_message}', 'id') AS regclass)
UNION ALL SELECT 'sees_sessions', CAST(pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS text)
UNION ALL SELECT 'connections', (SELECT sum(numbackends) FROM pg_stat_database) || ' ' || least(
    CAST(current_setting('max_connections') AS integer) - CAST(current_setting('superuser_reserved_connections') AS integer)
        - coalesce(CAST(current_setting('reserved_connections', TRUE) AS integer), 0),
    (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()),
    (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user))
UNION ALL (
    SELECT 'snapshot', a.pid || ' ' || coalesce(nullif(a.application_name, ''), a.usename, '?') || ', ' || coalesce(a.state, '?')
        -- a session that is only beginning has a snapshot and neither transaction nor query yet
        || ' ' || CAST(extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start, a.backend_start)) AS integer)
    FROM pg_stat_activity AS a
    WHERE a.backend_xmin IS NOT NULL AND a.pid <> pg_backend_pid() AND a.backend_type IN ('client backend', 'walsender')
    ORDER BY age(a.backend_xmin) DESC, a.xact_start, a.pid LIMIT 5)
UNION ALL (
    SELECT 'replication_slot', slot_name || ' ' || CAST(coalesce(pg_wal_lsn_diff(
        CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, restart_lsn), 0) AS bigint)
    FROM pg_replication_slots WHERE NOT active ORDER BY slot_name LIMIT 5)
UNION ALL (
    SELECT 'prepared_transaction', gid || ' ' || CAST(extract(epoch FROM clock_timestamp() - prepared) AS integer)
    FROM pg_prepared_xacts ORDER BY prepared LIMIT 1)

-- name: table_privileges
-- What is granted on columns counts: who adds may not write `id` and `xid`. An owner's privilege is OWNER, too.
SELECT t.name, p.name FROM (VALUES
    ('outbox_message', '{outbox_message}'), ('outbox_subscription', '{outbox_subscription}'), ('outbox_cursor', '{outbox_cursor}'),
    ('outbox_advance', '{outbox_advance}'), ('outbox_delivery', '{outbox_delivery}'), ('outbox_pause', '{outbox_pause}'),
    ('inbox_consumer', '{inbox_consumer}'), ('inbox_key', '{inbox_key}'), ('inbox_receipt', '{inbox_receipt}'),
    ('inbox_delivery', '{inbox_delivery}'), ('outrider_route', '{outrider_route}'), ('outrider_meta', '{outrider_meta}'),
    ('outrider_process', '{outrider_process}'), ('outrider_audit', '{outrider_audit}'), ('record', '{record}'),
    ('dedupe', '{dedupe}'), ('request', '{request}'), ('attempt', '{attempt}'), ('address', '{address}'),
    ('preference', '{preference}'), ('destination', '{destination}'), ('digest', '{digest}'), ('inbox_item', '{inbox_item}')
) AS t (name, place)
JOIN pg_class AS c ON c.oid = to_regclass(t.place)
CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE'), ('OWNER')) AS p (name)
WHERE CASE p.name
    WHEN 'OWNER' THEN pg_has_role(c.relowner, 'USAGE')
    WHEN 'DELETE' THEN has_table_privilege(c.oid, 'DELETE')
    ELSE has_any_column_privilege(c.oid, p.name)
END

-- name: unknown_statuses
SELECT 'outbox_delivery', status, count(*) FROM {outbox_delivery}
WHERE status NOT IN ('waiting', 'parked', 'retrying', 'dead', 'quarantined', 'done') GROUP BY status
UNION ALL
SELECT 'inbox_delivery', status, count(*) FROM {inbox_delivery}
WHERE status NOT IN ('waiting', 'parked', 'retrying', 'dead', 'quarantined', 'done') GROUP BY status

-- name: measure_tables
SELECT 'newest_id', '', CAST(coalesce(max(id), 0) AS bigint) FROM {outbox_message}
UNION ALL
SELECT 'table_bytes', '', CAST(sum(pg_total_relation_size(CAST(t.name AS regclass))) AS bigint)
FROM (VALUES ('{outrider_meta}'), ('{outbox_message}'), ('{outbox_subscription}'), ('{outbox_cursor}'),
        ('{outbox_advance}'), ('{outbox_delivery}'), ('{outbox_pause}'), ('{inbox_consumer}'),
        ('{inbox_key}'), ('{inbox_receipt}'), ('{inbox_delivery}'), ('{outrider_route}'),
        ('{outrider_process}'), ('{outrider_audit}')) AS t (name)
UNION ALL (
    SELECT 'snapshot_age_us', '',
           CAST(extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.query_start, a.backend_start)) * 1000000 AS bigint)
    FROM pg_stat_activity AS a
    WHERE a.backend_xmin IS NOT NULL AND a.pid <> pg_backend_pid() AND a.backend_type = 'client backend'
    ORDER BY age(a.backend_xmin) DESC, a.pid LIMIT 1)
UNION ALL
SELECT 'unconsumed_age_us', '', CAST(extract(epoch FROM clock_timestamp() - min(m.created_at)) * 1000000 AS bigint)
FROM {outbox_delivery} AS d
JOIN {outbox_subscription} AS s ON s.id = d.subscription_id AND s.kind = 'sweeper'
JOIN {outbox_message} AS m ON m.id = d.log_id
WHERE d.status <> 'done' HAVING count(*) > 0

-- name: count_suspects
SELECT 0, s.name, count(*) FROM {outbox_delivery} AS d
JOIN {outbox_subscription} AS s ON s.id = d.subscription_id
WHERE d.status NOT IN ('done', 'dead') AND d.error_code IN ('suspect.crash', 'suspect.unknown') GROUP BY s.name
UNION ALL
SELECT 1, c.name, count(*) FROM {inbox_delivery} AS i
JOIN {inbox_consumer} AS c ON c.id = i.consumer_id
WHERE i.status NOT IN ('done', 'dead') AND i.error_code IN ('suspect.crash', 'suspect.unknown') GROUP BY c.name
