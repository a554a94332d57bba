-- name: read_cluster
SELECT 'sqlite', NULL

-- name: take_lane
UPDATE {outbox_cursor}
SET owner = :owner, epoch = epoch + 1, lease_until = :now + :lease,
    starts = CASE WHEN owner = :owner THEN 1 ELSE starts + 1 END,
    marked_id = CASE WHEN owner = :owner THEN NULL ELSE marked_id END
WHERE subscription_id = :subscription_id AND lane = (
    SELECT free.lane FROM {outbox_cursor} AS free
    WHERE free.subscription_id = :subscription_id AND (:lane IS NULL OR free.lane = :lane)
      AND (free.lease_until IS NULL OR free.lease_until < :now
        OR (free.owner = :over_owner AND free.epoch = :over_epoch))
    ORDER BY free.lane LIMIT 1
)
RETURNING lane, (SELECT s.lanes FROM {outbox_subscription} AS s WHERE s.id = subscription_id), NULL, NULL, last_id,
    high_id, floor_id, cluster, epoch, starts, marked_id, passed

-- name: read_leases
SELECT lane, owner, epoch, lease_until IS NOT NULL AND lease_until >= :now
FROM {outbox_cursor} WHERE subscription_id = :subscription_id
ORDER BY lane

-- name: renew_lane
UPDATE {outbox_cursor} SET lease_until = :now + :lease, starts = CASE WHEN :idle THEN 0 ELSE starts END,
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

-- name: write_position
UPDATE {outbox_cursor}
SET last_id = :last_id, high_id = max(high_id, :high_id), passed = :passed, starts = 0, marked_id = NULL,
    advanced_at = :now
WHERE subscription_id = :subscription_id AND lane = :lane AND epoch = :epoch
RETURNING 1

-- name: mark_lane
UPDATE {outbox_cursor} SET marked_id = :marked_id, starts = :starts
WHERE subscription_id = :subscription_id AND lane = :lane AND epoch = :epoch
RETURNING 1

-- name: insert_advance
INSERT INTO {outbox_advance} (subscription_id, lane, seq, last_id, floor_id, passed, at)
SELECT :subscription_id, :lane, coalesce(max(seq), 0) + 1, :last_id, :floor_id, :passed, :now
FROM {outbox_advance} WHERE subscription_id = :subscription_id AND lane = :lane
