-- What was published and never consumed. Contracts: outrider/core/sweep.py; source: spec/outbox.md OB-41, OB-74, OB-75.

-- fragment: unconsumed
SELECT expected.name FROM {outrider_route} AS route
CROSS JOIN LATERAL jsonb_array_elements_text(route.consumers_here) AS expected (name)
LEFT JOIN {inbox_consumer} AS c ON c.name = expected.name
WHERE route.type = m.type
  AND NOT EXISTS (SELECT FROM {inbox_receipt} AS r WHERE r.consumer_id = c.id AND r.message_id = m.message_id)
  AND NOT EXISTS (SELECT FROM {inbox_delivery} AS i WHERE i.consumer_id = c.id AND i.message_id = m.message_id)

-- name: sweep_expected
SELECT count(*) FROM {outrider_route} WHERE jsonb_array_length(consumers_here) > 0

-- name: sweep_places
SELECT lane, CAST(done AS text), CAST(target AS text), last_id, floor_id, cluster FROM {outbox_cursor}
WHERE subscription_id = :subscription_id ORDER BY lane

-- name: insert_sweep_lane
INSERT INTO {outbox_cursor} (subscription_id, lane, done, target, last_id, floor_id, cluster)
VALUES (:subscription_id, :lane, CAST(:done AS pg_snapshot), CAST(:target AS pg_snapshot), :last_id, :floor_id, :cluster)
ON CONFLICT DO NOTHING

-- name: delete_sweep_lanes
DELETE FROM {outbox_cursor} WHERE subscription_id = :subscription_id AND lane >= :lanes

-- name: set_sweep_lanes
UPDATE {outbox_subscription} SET lanes = :lanes WHERE id = :subscription_id

-- name: write_sweep_place
UPDATE {outbox_cursor}
SET done = CAST(:done AS pg_snapshot), target = CAST(:target AS pg_snapshot), last_id = :last_id,
    high_id = greatest(high_id, :last_id), floor_id = :floor_id, advanced_at = clock_timestamp()
WHERE subscription_id = :subscription_id AND lane = :lane

-- name: sweep_target
-- The journal has a row a second while the lane moves; a lane that stands has its cursor.
SELECT CAST(done AS text), CAST(target AS text), last_id, floor_id FROM (
    (SELECT done, target, last_id, floor_id, 0 AS rank FROM {outbox_cursor}
    WHERE subscription_id = :subscription_id AND lane = :lane
      AND advanced_at <= clock_timestamp() - CAST(:redeliver_after AS interval))
    UNION ALL
    (SELECT done, target, last_id, floor_id, 1 FROM {outbox_advance}
    WHERE subscription_id = :subscription_id AND lane = :lane
      AND at <= clock_timestamp() - CAST(:redeliver_after AS interval)
    ORDER BY seq DESC LIMIT 1)
) AS stood ORDER BY rank LIMIT 1

-- name: sweep_window
SELECT CAST(xid AS text), id FROM (
    SELECT xid, id FROM {outbox_message}
    WHERE (xid, id) > (CAST(:after_xid AS xid8), CAST(:after_id AS bigint)) AND xid < CAST(:until_xid AS xid8)
    ORDER BY xid, id LIMIT :limit
) AS behind
ORDER BY behind.xid DESC, behind.id DESC LIMIT 1

-- name: insert_misses
INSERT INTO {outbox_delivery} (
    subscription_id, log_id, message_id, topic, message_key, key_hash, status, cause, max_retry, next_retry_at,
    first_failed_at)
SELECT :sweeper_id, m.id, m.message_id, m.topic, m.message_key, m.key_hash, 'waiting', 'missing', :max_resends,
    clock_timestamp(), clock_timestamp()
FROM {outbox_message} AS m
WHERE (m.xid, m.id) > (CAST(:after_xid AS xid8), CAST(:after_id AS bigint))
  AND (m.xid, m.id) <= (CAST(:upto_xid AS xid8), CAST(:upto_id AS bigint))
  AND m.key_hash % CAST(:lanes AS integer) = CAST(:lane AS integer) AND m.id > :start_floor_id
  AND NOT (pg_visible_in_snapshot(m.xid, CAST(:start_done AS pg_snapshot))
      OR (m.id <= :start_last_id AND pg_visible_in_snapshot(m.xid, CAST(:start_target AS pg_snapshot))))
  AND (m.id <= :end_floor_id OR pg_visible_in_snapshot(m.xid, CAST(:end_done AS pg_snapshot))
      OR (m.id <= :end_last_id AND pg_visible_in_snapshot(m.xid, CAST(:end_target AS pg_snapshot))))
  AND EXISTS ({unconsumed})
ON CONFLICT (subscription_id, log_id) DO NOTHING
RETURNING log_id

-- name: count_swept
SELECT count(*) FROM (
    SELECT 1 FROM {outbox_delivery}
    WHERE subscription_id = :sweeper_id AND status IN ('waiting', 'retrying') LIMIT :limit
) AS undecided

-- name: close_swept
UPDATE {outbox_delivery}
SET status = 'done', resolution = 'delivered', done_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE subscription_id = :sweeper_id AND log_id IN (
    SELECT d.log_id FROM {outbox_delivery} AS d JOIN {outbox_message} AS m ON m.id = d.log_id
    WHERE d.subscription_id = :sweeper_id AND d.status = 'dead' AND NOT EXISTS ({unconsumed})
    LIMIT :limit)
RETURNING log_id

-- name: sweep_due
WITH due AS MATERIALIZED (
    SELECT log_id, status, attempts, first_failed_at FROM {outbox_delivery}
    WHERE subscription_id = :sweeper_id AND status IN ('waiting', 'retrying') AND next_retry_at <= clock_timestamp()
    ORDER BY next_retry_at, log_id LIMIT :limit
)
SELECT m.id, m.message_id, m.type, m.topic, m.key_hash, due.status, due.attempts,
    (SELECT string_agg(missing.name, ',') FROM ({unconsumed}) AS missing),
    d.status, d.resolution, d.generation,
    CAST(extract(epoch FROM clock_timestamp() - d.done_at) * 1000000 AS bigint),
    CAST(coalesce(extract(epoch FROM clock_timestamp() - due.first_failed_at), 0) * 1000000 AS bigint)
FROM due JOIN {outbox_message} AS m ON m.id = due.log_id
LEFT JOIN {outbox_delivery} AS d ON d.subscription_id = :relay_id AND d.log_id = due.log_id

-- name: sweep_newest
SELECT c.name, l.lane, newest.id
FROM {inbox_consumer} AS c
CROSS JOIN generate_series(0, CAST(:lanes AS integer) - 1) AS l (lane)
CROSS JOIN LATERAL (
    SELECT m.id FROM (
        SELECT id, message_id, key_hash FROM {outbox_message} WHERE id > :after ORDER BY id DESC LIMIT :limit
    ) AS m
    WHERE m.key_hash % CAST(:lanes AS integer) = l.lane
      AND EXISTS (SELECT FROM {inbox_receipt} AS r WHERE r.consumer_id = c.id AND r.message_id = m.message_id)
    ORDER BY m.id DESC LIMIT 1
) AS newest
WHERE EXISTS (SELECT FROM {outrider_route} AS route WHERE route.consumers_here @> to_jsonb(c.name))

-- name: finish_sweep
UPDATE {outbox_delivery}
SET status = 'done', resolution = :resolution, next_retry_at = NULL, done_at = clock_timestamp(),
    updated_at = clock_timestamp()
WHERE subscription_id = :sweeper_id AND log_id = :log_id

-- name: bury_sweep
UPDATE {outbox_delivery}
SET status = 'dead', next_retry_at = NULL, error_code = :error_code, last_error = :last_error,
    updated_at = clock_timestamp()
WHERE subscription_id = :sweeper_id AND log_id = :log_id

-- name: defer_sweep
UPDATE {outbox_delivery}
SET status = 'waiting', attempts = :attempts, next_retry_at = clock_timestamp() + CAST(:delay AS interval),
    first_failed_at = coalesce(first_failed_at, clock_timestamp()), updated_at = clock_timestamp()
WHERE subscription_id = :sweeper_id AND log_id = :log_id

-- name: resend_delivery
INSERT INTO {outbox_delivery} AS d (
    subscription_id, log_id, message_id, topic, message_key, key_hash, status, cause, max_retry, generation,
    next_retry_at)
SELECT s.id, m.id, m.message_id, m.topic, m.message_key, m.key_hash, 'retrying', :cause, m.max_retry, 1,
    clock_timestamp()
FROM {outbox_message} AS m
JOIN {outbox_subscription} AS s ON s.id = :subscription_id
JOIN {outbox_cursor} AS c ON c.subscription_id = s.id AND c.lane = m.key_hash % s.lanes
WHERE m.id = :log_id
  AND (m.id <= c.floor_id OR pg_visible_in_snapshot(m.xid, c.done)
      OR (m.id <= c.last_id AND pg_visible_in_snapshot(m.xid, c.target)))
ON CONFLICT (subscription_id, log_id) DO UPDATE SET
    status = 'retrying', cause = excluded.cause, attempts = 0, generation = d.generation + 1,
    next_retry_at = excluded.next_retry_at, first_failed_at = NULL, done_at = NULL, resolution = NULL,
    updated_at = excluded.next_retry_at
WHERE d.status IN ('done', 'dead', 'quarantined') AND d.generation = :generation
RETURNING log_id, generation
