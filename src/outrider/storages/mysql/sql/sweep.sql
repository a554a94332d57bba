-- What was published and never consumed. Contracts: outrider/core/sweep.py; source: spec/outbox.md OB-41, OB-74, OB-75. A lane's
-- place is the highest id that it has passed: what has a side row still is ahead of it.

-- fragment: unconsumed
FROM {outrider_route} AS route
    JOIN JSON_TABLE(route.consumers_here, '$[*]' COLUMNS (name VARCHAR(64) PATH '$')) AS expected
    LEFT JOIN {inbox_consumer} AS c ON c.name = expected.name
    WHERE route.type = m.type
      AND NOT EXISTS (SELECT 1 FROM {inbox_receipt} AS r WHERE r.consumer_id = c.id AND r.message_id = m.message_id)
      AND NOT EXISTS (SELECT 1 FROM {inbox_delivery} AS i WHERE i.consumer_id = c.id AND i.message_id = m.message_id)

-- name: sweep_expected
SELECT COUNT(*) FROM {outrider_route} WHERE JSON_LENGTH(consumers_here) > 0

-- name: sweep_places
SELECT lane, NULL AS done, NULL AS target, GREATEST(last_id, high_id) AS last_id, floor_id, cluster FROM {outbox_cursor}
WHERE subscription_id = :subscription_id ORDER BY lane

-- name: insert_sweep_lane
INSERT INTO {outbox_cursor} (subscription_id, lane, last_id, floor_id, cluster, advanced_at)
VALUES (:subscription_id, :lane, :last_id, :floor_id, :cluster, UTC_TIMESTAMP(6))
ON DUPLICATE KEY UPDATE lane = lane

-- name: delete_sweep_lanes
DELETE FROM {outbox_cursor} WHERE subscription_id = :subscription_id AND lane >= :lanes

-- name: set_sweep_lanes
UPDATE {outbox_subscription} SET lanes = :lanes WHERE id = :subscription_id

-- name: write_sweep_place
UPDATE {outbox_cursor}
SET last_id = :last_id, high_id = GREATEST(high_id, :last_id), floor_id = :floor_id, advanced_at = UTC_TIMESTAMP(6)
WHERE subscription_id = :subscription_id AND lane = :lane

-- name: sweep_target
-- The journal has a row a second while the lane moves; a lane that stands has its cursor.
SELECT NULL AS done, NULL AS target, stood.last_id, stood.floor_id FROM (
    SELECT GREATEST(last_id, high_id) AS last_id, floor_id, 0 AS place, 0 AS seq FROM {outbox_cursor}
    WHERE subscription_id = :subscription_id AND lane = :lane
      AND advanced_at <= UTC_TIMESTAMP(6) - INTERVAL :redeliver_after MICROSECOND
    UNION ALL
    SELECT last_id, floor_id, 1, seq FROM {outbox_advance}
    WHERE subscription_id = :subscription_id AND lane = :lane
      AND at <= UTC_TIMESTAMP(6) - INTERVAL :redeliver_after MICROSECOND
) AS stood ORDER BY stood.place, stood.seq DESC LIMIT 1

-- name: sweep_window
SELECT '0' AS xid, MAX(behind.id) AS id FROM (
    SELECT id FROM {outbox_message} WHERE id > :after_id AND id <= :end_id ORDER BY id LIMIT :limit
) AS behind
HAVING MAX(behind.id) IS NOT NULL

-- fragment: missed
FROM {outbox_message} AS m
WHERE m.id > :after_id AND m.id <= :upto_id AND m.key_hash % :lanes = :lane
  AND m.id > GREATEST(:start_last_id, :start_floor_id) AND m.id <= GREATEST(:end_last_id, :end_floor_id)
  AND NOT EXISTS (
      SELECT 1 FROM {outbox_pending} AS p JOIN {outbox_subscription} AS s ON s.id = p.subscription_id AND s.kind = 'relay'
      WHERE p.log_id = m.id)
  AND NOT EXISTS (SELECT 1 FROM {outbox_delivery} AS d WHERE d.subscription_id = :sweeper_id AND d.log_id = m.id)
  AND EXISTS (SELECT 1 {unconsumed})

-- name: insert_misses
-- The sweeper's lane is locked, so nobody else writes these rows.
SELECT m.id AS log_id {missed};
INSERT INTO {outbox_delivery} (
    subscription_id, log_id, message_id, topic, message_key, key_hash, status, cause, max_retry, next_retry_at,
    first_failed_at, updated_at)
SELECT :sweeper_id, m.id, m.message_id, m.topic, m.message_key, m.key_hash, 'waiting', 'missing', :max_resends,
    UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)
{missed}

-- name: count_swept
SELECT COUNT(*) FROM (
    SELECT 1 FROM {outbox_delivery}
    WHERE subscription_id = :sweeper_id AND status IN ('waiting', 'retrying') LIMIT :limit
) AS swept

-- fragment: consumed_since
SELECT d.log_id FROM {outbox_delivery} AS d JOIN {outbox_message} AS m ON m.id = d.log_id
WHERE d.subscription_id = :sweeper_id AND d.status = 'dead' AND NOT EXISTS (SELECT 1 {unconsumed})
ORDER BY d.log_id LIMIT :limit

-- name: close_swept
{consumed_since};
UPDATE {outbox_delivery} AS o JOIN ({consumed_since}) AS found ON found.log_id = o.log_id
SET o.status = 'done', o.resolution = 'delivered', o.done_at = UTC_TIMESTAMP(6), o.updated_at = UTC_TIMESTAMP(6)
WHERE o.subscription_id = :sweeper_id AND o.status = 'dead'

-- name: sweep_due
SELECT m.id AS log_id, m.message_id, m.type, m.topic, m.key_hash, due.status, due.attempts,
    (SELECT GROUP_CONCAT(expected.name) {unconsumed}) AS missing,
    d.status, d.resolution, d.generation, TIMESTAMPDIFF(MICROSECOND, d.done_at, UTC_TIMESTAMP(6)) AS settled_for,
    COALESCE(TIMESTAMPDIFF(MICROSECOND, due.first_failed_at, UTC_TIMESTAMP(6)), 0) AS found_for
FROM (
    SELECT log_id, status, attempts, first_failed_at FROM {outbox_delivery}
    WHERE subscription_id = :sweeper_id AND status IN ('waiting', 'retrying') AND next_retry_at <= UTC_TIMESTAMP(6)
    ORDER BY next_retry_at, log_id LIMIT :limit
) AS due JOIN {outbox_message} AS m ON m.id = due.log_id
LEFT JOIN {outbox_delivery} AS d ON d.subscription_id = :relay_id AND d.log_id = due.log_id

-- name: sweep_newest
WITH RECURSIVE lane (number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM lane WHERE number + 1 < :lanes)
SELECT found.name, found.number, found.id FROM (
    SELECT c.name, lane.number, (
        SELECT m.id FROM (
            SELECT id, message_id, key_hash FROM {outbox_message} WHERE id > :after ORDER BY id DESC LIMIT :limit
        ) AS m
        WHERE m.key_hash % :lanes = lane.number
          AND EXISTS (SELECT 1 FROM {inbox_receipt} AS r WHERE r.consumer_id = c.id AND r.message_id = m.message_id)
        ORDER BY m.id DESC LIMIT 1) AS id
    FROM {inbox_consumer} AS c CROSS JOIN lane
    WHERE EXISTS (
        SELECT 1 FROM {outrider_route} AS route
        WHERE JSON_CONTAINS(route.consumers_here, JSON_QUOTE(CONVERT(c.name USING utf8mb4))))
) AS found WHERE found.id IS NOT NULL

-- name: finish_sweep
UPDATE {outbox_delivery}
SET status = 'done', resolution = :resolution, next_retry_at = NULL, done_at = UTC_TIMESTAMP(6), updated_at = UTC_TIMESTAMP(6)
WHERE subscription_id = :sweeper_id AND log_id = :log_id

-- name: bury_sweep
UPDATE {outbox_delivery}
SET status = 'dead', next_retry_at = NULL, error_code = :error_code, last_error = :last_error, updated_at = UTC_TIMESTAMP(6)
WHERE subscription_id = :sweeper_id AND log_id = :log_id

-- name: defer_sweep
UPDATE {outbox_delivery}
SET status = 'waiting', attempts = :attempts, next_retry_at = UTC_TIMESTAMP(6) + INTERVAL :delay MICROSECOND,
    first_failed_at = COALESCE(first_failed_at, UTC_TIMESTAMP(6)), updated_at = UTC_TIMESTAMP(6)
WHERE subscription_id = :sweeper_id AND log_id = :log_id

-- name: resend_delivery
-- The generation that it gets, none where it may not be sent again: its lane has not passed it, or its row says otherwise.
SET @outrider_generation = (
    SELECT CASE WHEN d.log_id IS NULL THEN 1
        WHEN d.status IN ('done', 'dead', 'quarantined') AND d.generation = :generation THEN d.generation + 1 END
    FROM {outbox_message} AS m
    JOIN {outbox_subscription} AS s ON s.id = :subscription_id
    JOIN {outbox_cursor} AS c ON c.subscription_id = s.id AND c.lane = m.key_hash % s.lanes
    LEFT JOIN {outbox_delivery} AS d ON d.subscription_id = s.id AND d.log_id = m.id
    WHERE m.id = :log_id
      AND NOT EXISTS (SELECT 1 FROM {outbox_pending} AS p WHERE p.subscription_id = s.id AND p.log_id = m.id));
INSERT INTO {outbox_delivery} (
    subscription_id, log_id, message_id, topic, message_key, key_hash, status, cause, attempts, max_retry, generation,
    next_retry_at, updated_at)
SELECT :subscription_id, m.id, m.message_id, m.topic, m.message_key, m.key_hash, 'retrying', :cause, 0, m.max_retry,
    @outrider_generation, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)
FROM {outbox_message} AS m
WHERE m.id = :log_id AND @outrider_generation IS NOT NULL
ON DUPLICATE KEY UPDATE
    status = 'retrying', cause = :cause, attempts = 0, generation = @outrider_generation,
    next_retry_at = UTC_TIMESTAMP(6), first_failed_at = NULL, done_at = NULL, resolution = NULL,
    updated_at = UTC_TIMESTAMP(6);
SELECT :log_id AS log_id, @outrider_generation AS generation FROM DUAL WHERE @outrider_generation IS NOT NULL
