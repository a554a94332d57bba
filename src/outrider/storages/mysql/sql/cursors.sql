-- A lane's cursor. Source: spec/outbox.md OB-19, OB-35, OB-41.

-- name: read_cluster
-- Side rows travel with the messages, so a restored dump is read on as it stands.
SELECT 'mysql', NULL

-- name: take_lane
SET @outrider_lane = (
    SELECT free.lane FROM {outbox_cursor} AS free
    WHERE free.subscription_id = :subscription_id AND (:lane IS NULL OR free.lane = :lane)
      AND (free.lease_until IS NULL OR free.lease_until < UTC_TIMESTAMP(6)
        OR (free.owner = :over_owner AND free.epoch = :over_epoch))
    ORDER BY free.lane LIMIT 1
    FOR UPDATE SKIP LOCKED);
UPDATE {outbox_cursor}
SET starts = CASE WHEN owner <=> :owner THEN 1 ELSE starts + 1 END,
    marked_id = CASE WHEN owner <=> :owner THEN NULL ELSE marked_id END,
    owner = :owner, epoch = epoch + 1, lease_until = UTC_TIMESTAMP(6) + INTERVAL :lease MICROSECOND
WHERE subscription_id = :subscription_id AND lane = @outrider_lane;
SELECT c.lane, s.lanes, NULL AS done, NULL AS target, c.last_id, c.high_id, c.floor_id, c.cluster, c.epoch, c.starts,
    c.marked_id, c.passed
FROM {outbox_cursor} AS c JOIN {outbox_subscription} AS s ON s.id = c.subscription_id
WHERE c.subscription_id = :subscription_id AND c.lane = @outrider_lane

-- fragment: held_lane
SELECT 1 FROM {outbox_cursor}
WHERE subscription_id = :subscription_id AND lane = :lane AND epoch = :epoch
FOR UPDATE

-- name: renew_lane
{held_lane};
UPDATE {outbox_cursor}
SET lease_until = UTC_TIMESTAMP(6) + INTERVAL :lease MICROSECOND, starts = CASE WHEN :idle THEN 0 ELSE starts END,
    marked_id = CASE WHEN :idle THEN NULL ELSE marked_id END
WHERE subscription_id = :subscription_id AND lane = :lane AND epoch = :epoch

-- name: release_lane
{held_lane};
UPDATE {outbox_cursor} SET owner = NULL, lease_until = NULL, starts = 0, marked_id = NULL
WHERE subscription_id = :subscription_id AND lane = :lane AND epoch = :epoch

-- name: lock_lane
{held_lane}

-- name: write_position
-- A pass begins anew at the lowest id, so only `high_id` rises.
{held_lane};
UPDATE {outbox_cursor}
SET last_id = :last_id, high_id = GREATEST(high_id, :high_id), passed = :passed, starts = 0, marked_id = NULL,
    advanced_at = UTC_TIMESTAMP(6)
WHERE subscription_id = :subscription_id AND lane = :lane AND epoch = :epoch

-- name: delete_pending_run
-- Every id of the range is there, so nothing lies in between that is not committed yet, and the limit ends the walk before it
-- looks at the next row, which may not be. Half the price of looking each row up.
DELETE FROM {outbox_pending}
WHERE subscription_id = :subscription_id AND log_id >= :first AND log_id < :end
ORDER BY log_id LIMIT :rows

-- name: delete_pending
-- Each row by its key, in order: a range would wait for rows in between that are not committed yet.
DELETE p FROM JSON_TABLE(CONVERT(:log_ids USING utf8mb4), '$[*]' COLUMNS (log_id BIGINT PATH '$')) AS t
STRAIGHT_JOIN {outbox_pending} AS p ON p.subscription_id = :subscription_id AND p.log_id = t.log_id

-- name: insert_advance
INSERT INTO {outbox_advance} (subscription_id, lane, seq, last_id, floor_id, passed, at)
SELECT :subscription_id, :lane, COALESCE(MAX(a.seq), 0) + 1,
    (SELECT c.high_id FROM {outbox_cursor} AS c WHERE c.subscription_id = :subscription_id AND c.lane = :lane),
    :floor_id, :passed, UTC_TIMESTAMP(6)
FROM {outbox_advance} AS a WHERE a.subscription_id = :subscription_id AND a.lane = :lane

-- name: read_leases
SELECT lane, owner, epoch, lease_until IS NOT NULL AND lease_until >= UTC_TIMESTAMP(6) AS held
FROM {outbox_cursor} WHERE subscription_id = :subscription_id
ORDER BY lane

-- name: mark_lane
{held_lane};
UPDATE {outbox_cursor} SET marked_id = :marked_id, starts = :starts
WHERE subscription_id = :subscription_id AND lane = :lane AND epoch = :epoch
