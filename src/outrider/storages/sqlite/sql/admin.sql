-- What operators look at and change. Filters are optional: NULL means any. Source: spec/outbox.md sections 5 and 13.

-- name: list_messages
SELECT message_id, log_id, type, topic, key, state, retry_count, max_retry, next_retry_at, error_code, last_error,
       published_at, consumed_at, created_at, updated_at, resolution
FROM {outbox_status} AS s
WHERE (CAST(:before AS INTEGER) IS NULL OR log_id < :before)
  AND (CAST(:id AS BLOB) IS NULL OR message_id = :id)
  AND (CAST(:log_id AS INTEGER) IS NULL OR log_id = :log_id)
  AND (CAST(:state AS TEXT) IS NULL OR state = :state)
  AND (CAST(:type AS TEXT) IS NULL OR type = :type)
  AND (CAST(:destination AS TEXT) IS NULL OR topic = :destination)
  AND (CAST(:message_key AS TEXT) IS NULL OR key = :message_key)
  AND (CAST(:code AS TEXT) IS NULL OR error_code = :code)
  AND (CAST(:since AS INTEGER) IS NULL OR created_at >= :since)
  AND (CAST(:until AS INTEGER) IS NULL OR created_at < :until)
  AND (CAST(:min_attempts AS INTEGER) IS NULL OR retry_count >= :min_attempts)
  AND (CAST(:consumer AS TEXT) IS NULL OR EXISTS (
      SELECT 1 FROM {inbox_consumer} AS c
      LEFT JOIN {inbox_receipt} AS r ON r.consumer_id = c.id AND r.message_id = s.message_id
      LEFT JOIN {inbox_delivery} AS i ON i.consumer_id = c.id AND i.message_id = s.message_id
      WHERE c.name = :consumer AND (r.message_id IS NOT NULL OR i.message_id IS NOT NULL)))
  AND (CAST(:cause AS TEXT) IS NULL OR EXISTS (
      SELECT 1 FROM {outbox_delivery} AS d WHERE d.message_id = s.message_id AND d.cause = :cause))
ORDER BY log_id DESC LIMIT :limit

-- fragment: wanted_row
instr(:statuses, ',' || o.status || ',') > 0
      AND (CAST(:state AS TEXT) IS NULL OR o.status = :state)
      AND (CAST(:id AS BLOB) IS NULL OR o.message_id = :id)
      AND (CAST(:destination AS TEXT) IS NULL OR o.topic = :destination)
      AND (CAST(:message_key AS TEXT) IS NULL OR o.message_key = :message_key)
      AND (CAST(:code AS TEXT) IS NULL OR o.error_code = :code)
      AND (CAST(:cause AS TEXT) IS NULL OR o.cause = :cause)
      AND (CAST(:since AS INTEGER) IS NULL OR o.updated_at >= :since)
      AND (CAST(:until AS INTEGER) IS NULL OR o.updated_at < :until)
      AND (CAST(:min_attempts AS INTEGER) IS NULL OR o.attempts >= :min_attempts)

-- fragment: receipts
FROM {inbox_consumer} AS c CROSS JOIN {inbox_receipt} AS r ON r.consumer_id = c.id AND r.message_id = f.message_id

-- name: list_exceptions
-- Each table is walked along an index from the place on, so that a page of a hundred thousand rows costs as much as one of a few.
-- Whether a message is consumed is asked of the page alone, and as the view says it, without what else the view looks at.
SELECT f.*, CASE f.place
    WHEN 0 THEN f.type <> '' AND EXISTS (SELECT 1 {receipts}) AND NOT EXISTS (
        SELECT 1 FROM {outrider_route} AS route, json_each(route.consumers_here) AS e
        WHERE route.type = f.type AND NOT EXISTS (SELECT 1 {receipts} WHERE c.name = e.value))
    ELSE EXISTS (SELECT 1 FROM {inbox_receipt} AS r WHERE r.consumer_id = f.owner_id AND r.message_id = f.message_id)
END AS consumed
FROM (
    SELECT * FROM (
        SELECT 0 AS place, o.log_id AS row_id, CAST(o.subscription_id AS INTEGER) AS owner_id, s.name AS reader, o.message_id,
               coalesce(m.type, '') AS type, o.topic, o.message_key, o.key_hash, o.status, o.cause, o.attempts, o.max_retry,
               o.generation, o.next_retry_at, o.error_code, o.last_error, o.first_failed_at, o.updated_at, o.resolution
        FROM {outbox_delivery} AS o
        CROSS JOIN {outbox_subscription} AS s ON s.id = o.subscription_id
        LEFT JOIN {outbox_message} AS m ON m.id = o.log_id
        WHERE :after_place < 1
          AND (o.log_id, o.subscription_id) > (CASE WHEN :after_place < 0 THEN -1 ELSE :after_id END, :after_owner)
          AND {wanted_row}
          AND (CAST(:log_id AS INTEGER) IS NULL OR o.log_id = :log_id)
          AND (CAST(:type AS TEXT) IS NULL OR m.type = :type)
          AND (CAST(:consumer AS TEXT) IS NULL OR s.name = :consumer)
        ORDER BY o.log_id, o.subscription_id LIMIT :limit
    )
    UNION ALL
    SELECT * FROM (
        SELECT 1, o.id, CAST(o.consumer_id AS INTEGER), c.name, o.message_id, o.type, o.topic, o.message_key, o.key_hash,
               o.status, o.cause, o.attempts, o.max_retry, o.generation, o.next_retry_at, o.error_code, o.last_error,
               o.first_failed_at, o.updated_at, o.resolution
        FROM {inbox_delivery} AS o
        CROSS JOIN {inbox_consumer} AS c ON c.id = o.consumer_id
        WHERE o.id > CASE WHEN :after_place < 1 THEN -1 ELSE :after_id END
          AND {wanted_row}
          AND (CAST(:log_id AS INTEGER) IS NULL
               OR o.message_id = (SELECT m.message_id FROM {outbox_message} AS m WHERE m.id = :log_id))
          AND (CAST(:type AS TEXT) IS NULL OR o.type = :type)
          AND (CAST(:consumer AS TEXT) IS NULL OR c.name = :consumer)
        ORDER BY o.id LIMIT :limit
    )
    ORDER BY place, row_id, owner_id LIMIT :limit
) AS f
ORDER BY f.place, f.row_id, f.owner_id

-- name: message_receipts
SELECT c.name, r.consumed_at FROM {inbox_consumer} AS c
JOIN {inbox_receipt} AS r ON r.consumer_id = c.id AND r.message_id = :message_id
ORDER BY r.consumed_at, c.name

-- name: message_body
SELECT payload, content_type, headers FROM {outbox_message} WHERE message_id = :message_id
UNION ALL
SELECT body, content_type, headers FROM {inbox_delivery} WHERE message_id = :message_id
LIMIT 1

-- name: lock_cursor_of
SELECT c.lane, s.broker FROM {outbox_cursor} AS c
JOIN {outbox_subscription} AS s ON s.id = c.subscription_id
WHERE c.subscription_id = :subscription_id AND c.lane = CAST(:key_hash AS INTEGER) % s.lanes

-- name: replay_delivery
UPDATE {outbox_delivery}
SET status = 'retrying', cause = 'replayed', attempts = 0, generation = generation + 1, next_retry_at = :now,
    first_failed_at = NULL, done_at = NULL, resolution = NULL, updated_at = :now
WHERE subscription_id = :subscription_id AND log_id = :log_id AND status = :status AND generation = :generation
RETURNING log_id

-- name: discard_delivery
UPDATE {outbox_delivery}
SET status = 'done', resolution = 'discarded', next_retry_at = NULL, done_at = :now,
    updated_at = :now
WHERE subscription_id = :subscription_id AND log_id = :log_id AND status = :status AND generation = :generation
RETURNING log_id

-- name: replay_inbox
UPDATE {inbox_delivery} AS i
SET status = 'retrying', cause = 'replayed', attempts = 0, generation = generation + 1, next_retry_at = :now,
    first_failed_at = NULL, done_at = NULL, resolution = NULL, updated_at = :now
WHERE id = :id AND status = :status AND generation = :generation
  AND NOT EXISTS (SELECT 1 FROM {inbox_receipt} AS r WHERE r.consumer_id = i.consumer_id AND r.message_id = i.message_id)
RETURNING id

-- name: discard_inbox
UPDATE {inbox_delivery}
SET status = 'done', resolution = 'discarded', next_retry_at = NULL, done_at = :now,
    updated_at = :now
WHERE id = :id AND status = :status AND generation = :generation
RETURNING id

-- name: insert_audit
INSERT INTO {outrider_audit} (at, actor, verb, filter, affected, reason)
VALUES (:now, :actor, :verb, :filter, :affected, :reason)

-- name: list_audit
SELECT at, actor, verb, filter, affected, reason FROM {outrider_audit}
WHERE (:before IS NULL OR at <= :before)
  AND (:verb IS NULL OR verb = :verb)
  AND (:actor IS NULL OR actor = :actor)
  AND (:since IS NULL OR at >= :since)
  AND (:until IS NULL OR at < :until)
ORDER BY at DESC, verb, actor, reason, filter, affected LIMIT :limit OFFSET :skip

-- name: audit_of_message
SELECT at, actor, verb, filter, affected, reason FROM {outrider_audit}
WHERE json_extract(filter, '$.id') = :id OR json_extract(filter, '$.log_id') = :log_id
ORDER BY at DESC, verb LIMIT :limit

-- name: insert_pause
INSERT INTO {outbox_pause} AS p (kind, broker, topic, subject, automatic, reason, actor, paused_at, until)
VALUES (:kind, :broker, :topic, :subject, FALSE, :reason, :actor, :now, :until)
ON CONFLICT (kind, broker, topic, subject) DO UPDATE SET
    automatic = FALSE, code = NULL, reason = excluded.reason, actor = excluded.actor, until = excluded.until,
    paused_at = excluded.paused_at

-- name: delete_pause
DELETE FROM {outbox_pause} WHERE kind = :kind AND topic = :topic AND subject = :subject RETURNING 1

-- name: list_lanes
SELECT s.id, s.name, s.kind, s.broker, c.lane, s.lanes, c.owner, c.epoch, c.lease_until - :now AS lease_left,
       NULL AS done, NULL AS target, c.last_id, c.floor_id, c.passed, c.cluster, c.advanced_at,
       (SELECT count(*) FROM (
            SELECT 1 FROM {outbox_message} AS m
            WHERE m.id > max(c.last_id, c.floor_id) AND m.key_hash % s.lanes = c.lane
              AND (s.types IS NULL OR EXISTS (SELECT 1 FROM json_each(s.types) AS e WHERE e.value = m.type))
            ORDER BY m.id LIMIT :limit)) AS backlog,
       (SELECT m.created_at FROM {outbox_message} AS m
        WHERE m.id > max(c.last_id, c.floor_id) AND m.key_hash % s.lanes = c.lane
          AND (s.types IS NULL OR EXISTS (SELECT 1 FROM json_each(s.types) AS e WHERE e.value = m.type))
        ORDER BY m.id LIMIT 1) AS oldest_at
FROM {outbox_cursor} AS c
JOIN {outbox_subscription} AS s ON s.id = c.subscription_id
ORDER BY s.id, c.lane

-- name: list_pauses
SELECT kind, broker, topic, subject, automatic, code, reason, actor, paused_at, until FROM {outbox_pause}
WHERE until IS NULL OR until > :now
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
WHERE seen_at > :now - 300000000 ORDER BY role, started_at, owner

-- name: database_now
SELECT CAST(:now AS INTEGER) AS at

-- name: server_facts
SELECT 'version', sqlite_version()
UNION ALL SELECT 'journal_mode', journal_mode FROM pragma_journal_mode
UNION ALL SELECT 'synchronous', CASE synchronous WHEN 0 THEN 'off' WHEN 1 THEN 'normal' WHEN 2 THEN 'full' ELSE 'extra' END
FROM pragma_synchronous

-- name: table_privileges
-- A file has no privileges of tables.
SELECT '', '' WHERE FALSE

-- name: unknown_statuses
SELECT 'outbox_delivery', status, count(*) FROM {outbox_delivery}
WHERE status NOT IN ('waiting', 'parked', 'retrying', 'dead', 'quarantined', 'done') GROUP BY status
UNION ALL
SELECT 'inbox_delivery', status, count(*) FROM {inbox_delivery}
WHERE status NOT IN ('waiting', 'parked', 'retrying', 'dead', 'quarantined', 'done') GROUP BY status

-- name: measure_tables
SELECT 'newest_id', '', coalesce(max(id), 0) FROM {outbox_message}
UNION ALL
SELECT 'table_bytes', '', p.page_count * z.page_size FROM pragma_page_count AS p, pragma_page_size AS z
UNION ALL
SELECT 'unconsumed_age_us', '', :now - min(m.created_at)
FROM {outbox_delivery} AS d
JOIN {outbox_subscription} AS s ON s.id = d.subscription_id AND s.kind = 'sweeper'
JOIN {outbox_message} AS m ON m.id = d.log_id
WHERE d.status <> 'done' GROUP BY s.kind

-- name: count_suspects
SELECT 0, s.name, count(*) FROM {outbox_delivery} AS d
JOIN {outbox_subscription} AS s ON s.id = d.subscription_id
WHERE d.status NOT IN ('done', 'dead') AND d.error_code IN ('suspect.crash', 'suspect.unknown') GROUP BY s.name
UNION ALL
SELECT 1, c.name, count(*) FROM {inbox_delivery} AS i
JOIN {inbox_consumer} AS c ON c.id = i.consumer_id
WHERE i.status NOT IN ('done', 'dead') AND i.error_code IN ('suspect.crash', 'suspect.unknown') GROUP BY c.name
