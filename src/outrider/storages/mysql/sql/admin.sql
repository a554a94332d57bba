-- What operators look at and change. Filters are optional: NULL means any. Source: spec/outbox.md sections 5 and 13.

-- name: list_messages
SELECT message_id, log_id, type, topic, `key`, state, retry_count, max_retry, next_retry_at, error_code, last_error,
       published_at, consumed_at, created_at, updated_at, resolution
FROM {outbox_status} AS s
WHERE (:before IS NULL OR log_id < :before)
  AND (:id IS NULL OR message_id = :id)
  AND (:log_id IS NULL OR log_id = :log_id)
  AND (:state IS NULL OR state = :state)
  AND (:type IS NULL OR type = :type)
  AND (:destination IS NULL OR topic = :destination)
  AND (:message_key IS NULL OR `key` = :message_key)
  AND (:code IS NULL OR error_code = :code)
  AND (:since IS NULL OR created_at >= :since)
  AND (:until IS NULL OR created_at < :until)
  AND (:min_attempts IS NULL OR retry_count >= :min_attempts)
  AND (:consumer IS NULL OR EXISTS (
      SELECT 1 FROM {inbox_consumer} AS c
      LEFT JOIN {inbox_receipt} AS r ON r.consumer_id = c.id AND r.message_id = s.message_id
      LEFT JOIN {inbox_delivery} AS i ON i.consumer_id = c.id AND i.message_id = s.message_id
      WHERE c.name = :consumer AND (r.message_id IS NOT NULL OR i.message_id IS NOT NULL)))
  AND (:cause IS NULL OR EXISTS (
      SELECT 1 FROM {outbox_delivery} AS d WHERE d.message_id = s.message_id AND d.cause = :cause))
ORDER BY log_id DESC LIMIT :limit

-- fragment: wanted_row
INSTR(:statuses, CONCAT(',', o.status, ',')) > 0
          AND (:state IS NULL OR o.status = :state)
          AND (:id IS NULL OR o.message_id = :id)
          AND (:destination IS NULL OR o.topic = :destination)
          AND (:message_key IS NULL OR o.message_key = :message_key)
          AND (:code IS NULL OR o.error_code = :code)
          AND (:cause IS NULL OR o.cause = :cause)
          AND (:since IS NULL OR o.updated_at >= :since)
          AND (:until IS NULL OR o.updated_at < :until)
          AND (:min_attempts IS NULL OR o.attempts >= :min_attempts)

-- fragment: receipts
FROM {inbox_consumer} AS c STRAIGHT_JOIN {inbox_receipt} AS r ON r.consumer_id = c.id AND r.message_id = f.message_id

-- name: list_exceptions
-- Each table is walked along an index from the place on, so that a page of a hundred thousand rows costs as much as one of a few.
-- Whether a message is consumed is asked of the page alone, and as the view says it, without what else the view looks at.
SELECT f.*, CASE f.place
    WHEN 0 THEN f.type <> '' AND (SELECT COUNT(*) > 0 {receipts})
        AND (SELECT COUNT(*) {receipts} JOIN {outrider_route} AS route
             ON route.type = f.type AND JSON_CONTAINS(route.consumers_here, JSON_QUOTE(CONVERT(c.name USING utf8mb4))))
            = COALESCE((SELECT JSON_LENGTH(route.consumers_here) FROM {outrider_route} AS route WHERE route.type = f.type), 0)
    ELSE EXISTS (SELECT 1 FROM {inbox_receipt} AS r WHERE r.consumer_id = f.owner_id AND r.message_id = f.message_id)
END AS consumed
FROM (
    (
        SELECT 0 AS place, o.log_id AS row_id, o.subscription_id AS owner_id, s.name AS reader, o.message_id,
               COALESCE(m.type, '') AS type, o.topic, o.message_key, o.key_hash, o.status, o.cause, o.attempts, o.max_retry,
               o.generation, o.next_retry_at, o.error_code, o.last_error, o.first_failed_at, o.updated_at, o.resolution
        FROM {outbox_delivery} AS o FORCE INDEX (by_log)
        STRAIGHT_JOIN {outbox_subscription} AS s ON s.id = o.subscription_id
        LEFT JOIN {outbox_message} AS m ON m.id = o.log_id
        WHERE :after_place < 1 AND o.log_id >= IF(:after_place < 0, -1, :after_id)
          AND (o.log_id, o.subscription_id) > (IF(:after_place < 0, -1, :after_id), :after_owner)
          AND {wanted_row}
          AND (:log_id IS NULL OR o.log_id = :log_id)
          AND (:type IS NULL OR m.type = :type)
          AND (:consumer IS NULL OR s.name = :consumer)
        ORDER BY o.log_id, o.subscription_id LIMIT :limit
    ) UNION ALL (
        SELECT 1, o.id, o.consumer_id, c.name, o.message_id, o.type, o.topic, o.message_key, o.key_hash,
               o.status, o.cause, o.attempts, o.max_retry, o.generation, o.next_retry_at, o.error_code, o.last_error,
               o.first_failed_at, o.updated_at, o.resolution
        FROM {inbox_delivery} AS o FORCE INDEX (PRIMARY)
        STRAIGHT_JOIN {inbox_consumer} AS c ON c.id = o.consumer_id
        WHERE o.id > IF(:after_place < 1, -1, :after_id)
          AND {wanted_row}
          AND (:log_id IS NULL OR o.message_id = (SELECT m.message_id FROM {outbox_message} AS m WHERE m.id = :log_id))
          AND (:type IS NULL OR o.type = :type)
          AND (:consumer IS NULL OR c.name = :consumer)
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
SELECT c.lane, (SELECT s.broker FROM {outbox_subscription} AS s WHERE s.id = :subscription_id) AS broker
FROM {outbox_cursor} AS c
WHERE c.subscription_id = :subscription_id
  AND c.lane = :key_hash % (SELECT s.lanes FROM {outbox_subscription} AS s WHERE s.id = :subscription_id)
FOR UPDATE

-- name: replay_delivery
SELECT log_id FROM {outbox_delivery}
WHERE subscription_id = :subscription_id AND log_id = :log_id AND status = :status AND generation = :generation
FOR UPDATE;
UPDATE {outbox_delivery}
SET status = 'retrying', cause = 'replayed', attempts = 0, generation = generation + 1, next_retry_at = UTC_TIMESTAMP(6),
    first_failed_at = NULL, done_at = NULL, resolution = NULL, updated_at = UTC_TIMESTAMP(6)
WHERE subscription_id = :subscription_id AND log_id = :log_id AND status = :status AND generation = :generation

-- name: discard_delivery
SELECT log_id FROM {outbox_delivery}
WHERE subscription_id = :subscription_id AND log_id = :log_id AND status = :status AND generation = :generation
FOR UPDATE;
UPDATE {outbox_delivery}
SET status = 'done', resolution = 'discarded', next_retry_at = NULL, done_at = UTC_TIMESTAMP(6),
    updated_at = UTC_TIMESTAMP(6)
WHERE subscription_id = :subscription_id AND log_id = :log_id AND status = :status AND generation = :generation

-- name: replay_inbox
SELECT id FROM {inbox_delivery} AS i
WHERE id = :id AND status = :status AND generation = :generation
  AND NOT EXISTS (SELECT 1 FROM {inbox_receipt} AS r WHERE r.consumer_id = i.consumer_id AND r.message_id = i.message_id)
FOR UPDATE;
UPDATE {inbox_delivery} AS i
SET status = 'retrying', cause = 'replayed', attempts = 0, generation = generation + 1, next_retry_at = UTC_TIMESTAMP(6),
    first_failed_at = NULL, done_at = NULL, resolution = NULL, updated_at = UTC_TIMESTAMP(6)
WHERE id = :id AND status = :status AND generation = :generation
  AND NOT EXISTS (SELECT 1 FROM {inbox_receipt} AS r WHERE r.consumer_id = i.consumer_id AND r.message_id = i.message_id)

-- name: discard_inbox
SELECT id FROM {inbox_delivery}
WHERE id = :id AND status = :status AND generation = :generation
FOR UPDATE;
UPDATE {inbox_delivery}
SET status = 'done', resolution = 'discarded', next_retry_at = NULL, done_at = UTC_TIMESTAMP(6),
    updated_at = UTC_TIMESTAMP(6)
WHERE id = :id AND status = :status AND generation = :generation

-- name: insert_audit
INSERT INTO {outrider_audit} (at, actor, verb, filter, affected, reason)
VALUES (UTC_TIMESTAMP(6), :actor, :verb, :filter, :affected, :reason)

-- name: insert_pause
INSERT INTO {outbox_pause} (kind, broker, topic, subject, automatic, reason, actor, paused_at, `until`)
VALUES (:kind, :broker, :topic, :subject, FALSE, :reason, :actor, UTC_TIMESTAMP(6), :until)
ON DUPLICATE KEY UPDATE
    automatic = FALSE, code = NULL, reason = :reason, actor = :actor, `until` = :until, paused_at = UTC_TIMESTAMP(6)

-- name: delete_pause
SELECT 1 FROM {outbox_pause}
WHERE kind = :kind AND topic = :topic AND subject = :subject
FOR UPDATE;
DELETE FROM {outbox_pause}
WHERE kind = :kind AND topic = :topic AND subject = :subject

-- name: list_lanes
SELECT s.id, s.name, s.kind, s.broker, c.lane, s.lanes, c.owner, c.epoch,
    TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), c.lease_until) AS lease_left, NULL AS done, NULL AS target, c.last_id,
    c.floor_id, c.passed, c.cluster, c.advanced_at,
    LEAST((SELECT COUNT(*) {ahead_of_lane}), :limit) AS backlog,
    (SELECT m.created_at FROM {outbox_message} AS m WHERE m.id = (SELECT MIN(p.log_id) {ahead_of_lane})) AS oldest_at
FROM {outbox_cursor} AS c
JOIN {outbox_subscription} AS s ON s.id = c.subscription_id
ORDER BY s.id, c.lane

-- name: list_pauses
SELECT kind, broker, topic, subject, automatic, code, reason, actor, paused_at, `until` FROM {outbox_pause}
WHERE `until` IS NULL OR `until` > UTC_TIMESTAMP(6)
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
WHERE seen_at > UTC_TIMESTAMP(6) - INTERVAL 300 SECOND ORDER BY role, started_at, owner

-- name: database_now
SELECT UTC_TIMESTAMP(6) AS at

-- name: server_facts
SELECT 'mysql' AS name, VERSION() AS value
UNION ALL SELECT 'read_only', CASE WHEN @@GLOBAL.read_only THEN 'on' ELSE 'off' END
UNION ALL SELECT 'auto_increment_increment', CAST(@@auto_increment_increment AS CHAR)
UNION ALL SELECT 'innodb_flush_log_at_trx_commit', CAST(@@GLOBAL.innodb_flush_log_at_trx_commit AS CHAR)
UNION ALL SELECT 'binary_log', CASE WHEN @@GLOBAL.log_bin AND @@GLOBAL.sync_binlog = 1 THEN 'on' ELSE 'off' END
UNION ALL SELECT 'database', {database_of_tables}

-- name: unknown_statuses
SELECT 'outbox_delivery', status, count(*) FROM {outbox_delivery}
WHERE status NOT IN ('waiting', 'parked', 'retrying', 'dead', 'quarantined', 'done') GROUP BY status
UNION ALL
SELECT 'inbox_delivery', status, count(*) FROM {inbox_delivery}
WHERE status NOT IN ('waiting', 'parked', 'retrying', 'dead', 'quarantined', 'done') GROUP BY status

-- fragment: ahead_of_lane
FROM {outbox_pending} AS p
    WHERE p.subscription_id = s.id AND p.key_hash % s.lanes = c.lane AND p.log_id > c.floor_id
      AND (s.types IS NULL OR EXISTS (
          SELECT 1 FROM {outbox_message} AS m
          WHERE m.id = p.log_id AND JSON_CONTAINS(s.types, JSON_QUOTE(CONVERT(m.type USING utf8mb4)))))

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
WHERE JSON_UNQUOTE(JSON_EXTRACT(filter, '$.id')) = CONVERT(:id USING utf8mb4)
   OR JSON_UNQUOTE(JSON_EXTRACT(filter, '$.log_id')) = CONVERT(:log_id USING utf8mb4)
ORDER BY at DESC, verb LIMIT :limit

-- name: measure_tables
SELECT 'newest_id' AS name, '' AS reader, COALESCE(MAX(id), 0) AS found FROM {outbox_message}
UNION ALL
SELECT 'table_bytes', '', CAST(COALESCE(SUM(DATA_LENGTH + INDEX_LENGTH), 0) AS SIGNED) FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN (
    '{p}outrider_meta', '{p}outbox_message', '{p}outbox_subscription', '{p}outbox_cursor',
    '{p}outbox_advance', '{p}outbox_delivery', '{p}outbox_pending', '{p}outbox_pause',
    '{p}inbox_consumer', '{p}inbox_key', '{p}inbox_receipt', '{p}inbox_delivery',
    '{p}outrider_route', '{p}outrider_process', '{p}outrider_audit')
UNION ALL
SELECT 'unconsumed_age_us', '', TIMESTAMPDIFF(MICROSECOND, MIN(m.created_at), UTC_TIMESTAMP(6))
FROM {outbox_delivery} AS d
JOIN {outbox_subscription} AS s ON s.id = d.subscription_id AND s.kind = 'sweeper'
JOIN {outbox_message} AS m ON m.id = d.log_id
WHERE d.status <> 'done' GROUP BY s.kind

-- name: count_suspects
SELECT 0, s.name, COUNT(*) FROM {outbox_delivery} AS d
JOIN {outbox_subscription} AS s ON s.id = d.subscription_id
WHERE d.status NOT IN ('done', 'dead') AND d.error_code IN ('suspect.crash', 'suspect.unknown') GROUP BY s.name
UNION ALL
SELECT 1, c.name, COUNT(*) FROM {inbox_delivery} AS i
JOIN {inbox_consumer} AS c ON c.id = i.consumer_id
WHERE i.status NOT IN ('done', 'dead') AND i.error_code IN ('suspect.crash', 'suspect.unknown') GROUP BY c.name

-- name: table_privileges
-- The tables of privileges leave out what a role grants.
SHOW GRANTS
