-- name: read_cluster
SELECT CAST((SELECT system_identifier FROM pg_control_system()) AS text), CAST(pg_current_snapshot() AS text)

-- name: take_lane
UPDATE {outbox_cursor} AS c
SET owner = :owner, epoch = c.epoch + 1, lease_until = clock_timestamp() + :lease,
    starts = CASE WHEN c.owner = :owner THEN 1 ELSE c.starts + 1 END,
    marked_id = CASE WHEN c.owner = :owner THEN NULL ELSE c.marked_id END
FROM {outbox_subscription} AS s
WHERE s.id = c.subscription_id AND (c.subscription_id, c.lane) = (
    SELECT free.subscription_id, free.lane FROM {outbox_cursor} AS free
    WHERE free.subscription_id = :subscription_id
      AND (CAST(:lane AS smallint) IS NULL OR free.lane = :lane)
      AND (free.lease_until IS NULL OR free.lease_until < clock_timestamp()
        OR (free.owner = CAST(:over_owner AS text) AND free.epoch = CAST(:over_epoch AS bigint)))
    ORDER BY free.lane LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING c.lane, s.lanes, CAST(c.done AS text), CAST(c.target AS text), c.last_id, c.high_id, c.floor_id, c.cluster,
    c.epoch, c.starts, c.marked_id, c.passed

-- name: read_leases
SELECT lane, owner, epoch, lease_until IS NOT NULL AND lease_until >= clock_timestamp()
FROM {outbox_cursor} WHERE subscription_id = :subscription_id
ORDER BY lane

-- name: renew_lane
UPDATE {outbox_cursor}
SET lease_until = clock_timestamp() + :lease, starts = CASE WHEN :idle THEN 0 ELSE starts END,
    marked_id = CASE WHEN :idle THEN NULL ELSE marked_id END
WHERE subscription_id = :subscription_id AND lane = :lane AND epoch = :epoch
RETURNING 1

-- name: release_lane
UPDATE {outbox_cursor} SET owner = NULL, lease_until = NULL, starts = 0, marked_id = NULL
WHERE subscription_id = :subscription_id AND lane = :lane AND epoch = :epoch
RETURNING 1

-- name: lock_lane
SELECT 1 FROM {outbox_cursor}
WHERE subscription_id = :subscription_id AND lane = :lane AND epoch = :epoch
FOR UPDATE

-- name: write_position
-- Nobody waits for the disk for a position alone: whatever is decided on its strength is logged behind it (core/position.py).
UPDATE {outbox_cursor}
SET done = CAST(:done AS pg_snapshot), target = CAST(:target AS pg_snapshot), last_id = :last_id,
    high_id = greatest(high_id, :high_id), passed = :passed, starts = 0, marked_id = NULL,
    advanced_at = clock_timestamp()
WHERE subscription_id = :subscription_id AND lane = :lane AND epoch = :epoch
    AND (CAST(:server_run AS bigint) IS NULL OR CAST(:server_run AS bigint) = {server_run})
    AND (CAST(:durable AS boolean) OR (SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL)
RETURNING 1

-- name: mark_lane
UPDATE {outbox_cursor} SET marked_id = :marked_id, starts = :starts
WHERE subscription_id = :subscription_id AND lane = :lane AND epoch = :epoch
RETURNING 1

-- name: insert_advance
INSERT INTO {outbox_advance} (subscription_id, lane, seq, done, target, last_id, floor_id, passed)
SELECT :subscription_id, :lane, coalesce(max(seq), 0) + 1, CAST(:done AS pg_snapshot), CAST(:target AS pg_snapshot),
    :last_id, :floor_id, :passed
FROM {outbox_advance} WHERE subscription_id = :subscription_id AND lane = :lane
