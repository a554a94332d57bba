-- What was published and never consumed. Contracts: outrider/core/sweep.py; source: spec/outbox.md OB-41, OB-74, OB-75.

-- fragment: unconsumed
SELECT expected.value AS name FROM {outrider_route} AS route
JOIN json_each(route.consumers_here) AS expected
LEFT JOIN {inbox_consumer} AS c ON c.name = expected.value
WHERE route.type = m.type
  AND NOT EXISTS (SELECT 1 FROM {inbox_receipt} AS r WHERE r.consumer_id = c.id AND r.message_id = m.message_id)
  AND NOT EXISTS (SELECT 1 FROM {inbox_delivery} AS i WHERE i.consumer_id = c.id AND i.message_id = m.message_id)

-- name: sweep_expected
SELECT count(*) FROM {outrider_route} WHERE json_array_length(consumers_here) > 0

-- name: sweep_places
SELECT lane, NULL, NULL, last_id, floor_id, cluster FROM {outbox_cursor}
WHERE subscription_id = :subscription_id ORDER BY lane

-- name: insert_sweep_lane
INSERT INTO {outbox_cursor} (subscription_id, lane, last_id, floor_id, cluster, advanced_at)
VALUES (:subscription_id, :lane, :last_id, :floor_id, :cluster, :now)
ON CONFLICT DO NOTHING

-- name: delete_sweep_lanes
DELETE FROM {outbox_cursor} WHERE subscription_id = :subscription_id AND lane >= :lanes

-- name: set_sweep_lanes
UPDATE {outbox_subscription} SET lanes = :lanes WHERE id = :subscription_id

-- name: write_sweep_place
UPDATE {outbox_cursor}
SET last_id = :last_id, high_id = max(high_id, :last_id), floor_id = :floor_id, advanced_at = :now
WHERE subscription_id = :subscription_id AND lane = :lane

-- name: sweep_target
-- The journal has a row a second while the lane moves; a lane that stands has its cursor.
SELECT NULL, NULL, last_id, floor_id FROM (
    SELECT last_id, floor_id, 0 AS rank, 0 AS seq FROM {outbox_cursor}
    WHERE subscription_id = :subscription_id AND lane = :lane AND advanced_at <= :now - :redeliver_after
    UNION ALL
    SELECT last_id, floor_id, 1, seq FROM {outbox_advance}
    WHERE subscription_id = :subscription_id AND lane = :lane AND at <= :now - :redeliver_after
) ORDER BY rank, seq DESC LIMIT 1

-- name: sweep_window
SELECT '0', max(behind.id) FROM (
    SELECT id FROM {outbox_message} WHERE id > :after_id AND id <= :end_id ORDER BY id LIMIT :limit
) AS behind
HAVING max(behind.id) IS NOT NULL

-- name: insert_misses
INSERT INTO {outbox_delivery} (
    subscription_id, log_id, message_id, topic, message_key, key_hash, status, cause, max_retry, next_retry_at,
    first_failed_at, updated_at)
SELECT :sweeper_id, m.id, m.message_id, m.topic, m.message_key, m.key_hash, 'waiting', 'missing', :max_resends, :now, :now,
    :now
FROM {outbox_message} AS m
WHERE m.id > :after_id AND m.id <= :upto_id AND m.key_hash % :lanes = :lane
  AND m.id > max(:start_last_id, :start_floor_id) AND m.id <= max(:end_last_id, :end_floor_id)
  AND EXISTS ({unconsumed})
ON CONFLICT (subscription_id, log_id) DO NOTHING
RETURNING log_id

-- name: count_swept
SELECT count(*) FROM (
    SELECT 1 FROM {outbox_delivery}
    WHERE subscription_id = :sweeper_id AND status IN ('waiting', 'retrying') LIMIT :limit
)

-- name: close_swept
UPDATE {outbox_delivery} SET status = 'done', resolution = 'delivered', done_at = :now, updated_at = :now
WHERE subscription_id = :sweeper_id AND log_id IN (
    SELECT d.log_id FROM {outbox_delivery} AS d JOIN {outbox_message} AS m ON m.id = d.log_id
    WHERE d.subscription_id = :sweeper_id AND d.status = 'dead' AND NOT EXISTS ({unconsumed})
    LIMIT :limit)
RETURNING log_id

-- name: sweep_due
WITH due AS MATERIALIZED (
    SELECT log_id, status, attempts, first_failed_at FROM {outbox_delivery}
    WHERE subscription_id = :sweeper_id AND status IN ('waiting', 'retrying') AND next_retry_at <= :now
    ORDER BY next_retry_at, log_id LIMIT :limit
)
SELECT m.id, m.message_id, m.type, m.topic, m.key_hash, due.status, due.attempts,
    (SELECT group_concat(missing.name, ',') FROM ({unconsumed}) AS missing) AS missing,
    d.status, d.resolution, d.generation, :now - d.done_at AS settled_for,
    :now - coalesce(due.first_failed_at, :now) AS found_for
FROM due JOIN {outbox_message} AS m ON m.id = due.log_id
LEFT JOIN {outbox_delivery} AS d ON d.subscription_id = :relay_id AND d.log_id = due.log_id

-- name: sweep_newest
WITH RECURSIVE lane (number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM lane WHERE number + 1 < :lanes)
SELECT name, number, id FROM (
    SELECT c.name, lane.number, (
        SELECT m.id FROM (
            SELECT id, message_id, key_hash FROM {outbox_message} WHERE id > :after ORDER BY id DESC LIMIT :limit
        ) AS m
        WHERE m.key_hash % :lanes = lane.number
          AND EXISTS (SELECT 1 FROM {inbox_receipt} AS r WHERE r.consumer_id = c.id AND r.message_id = m.message_id)
        ORDER BY m.id DESC LIMIT 1) AS id
    FROM {inbox_consumer} AS c CROSS JOIN lane
    WHERE EXISTS (
        SELECT 1 FROM {outrider_route} AS route JOIN json_each(route.consumers_here) AS expected
        WHERE expected.value = c.name)
) WHERE id IS NOT NULL

-- name: finish_sweep
UPDATE {outbox_delivery}
SET status = 'done', resolution = :resolution, next_retry_at = NULL, done_at = :now, updated_at = :now
WHERE subscription_id = :sweeper_id AND log_id = :log_id

-- name: bury_sweep
UPDATE {outbox_delivery}
SET status = 'dead', next_retry_at = NULL, error_code = :error_code, last_error = :last_error, updated_at = :now
WHERE subscription_id = :sweeper_id AND log_id = :log_id

-- name: defer_sweep
UPDATE {outbox_delivery}
SET status = 'waiting', attempts = :attempts, next_retry_at = :now + :delay,
    first_failed_at = coalesce(first_failed_at, :now), updated_at = :now
WHERE subscription_id = :sweeper_id AND log_id = :log_id

-- name: resend_delivery
INSERT INTO {outbox_delivery} AS d (
    subscription_id, log_id, message_id, topic, message_key, key_hash, status, cause, attempts, max_retry, generation,
    next_retry_at, updated_at)
SELECT s.id, m.id, m.message_id, m.topic, m.message_key, m.key_hash, 'retrying', :cause, 0, m.max_retry, 1, :now, :now
FROM {outbox_message} AS m
JOIN {outbox_subscription} AS s ON s.id = :subscription_id
JOIN {outbox_cursor} AS c ON c.subscription_id = s.id AND c.lane = m.key_hash % s.lanes
WHERE m.id = :log_id AND m.id <= max(c.last_id, c.floor_id)
ON CONFLICT (subscription_id, log_id) DO UPDATE SET
    status = 'retrying', cause = excluded.cause, attempts = 0, generation = d.generation + 1,
    next_retry_at = excluded.next_retry_at, first_failed_at = NULL, done_at = NULL, resolution = NULL,
    updated_at = excluded.updated_at
WHERE d.status IN ('done', 'dead', 'quarantined') AND d.generation = :generation
RETURNING log_id, generation
