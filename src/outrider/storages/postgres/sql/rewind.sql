-- A subscription goes back to where it stood. Source: spec/outbox.md section 13; outrider/core/rewind.py.

-- name: lanes_at
SELECT c.lane, s.lanes, CAST(c.done AS text), CAST(c.target AS text), c.last_id, c.high_id, c.floor_id, c.cluster, c.epoch,
       c.starts, c.marked_id, c.passed, coalesce(a.seq, 0), a.at AS stood_at, coalesce(CAST(a.done AS text), '1:1:'),
       coalesce(CAST(a.target AS text), '1:1:'), coalesce(a.last_id, 0), coalesce(a.passed, 0)
FROM {outbox_cursor} AS c
JOIN {outbox_subscription} AS s ON s.id = c.subscription_id
LEFT JOIN LATERAL (
    SELECT seq, at, done, target, last_id, passed FROM {outbox_advance} AS a
    WHERE a.subscription_id = c.subscription_id AND a.lane = c.lane AND a.at <= :to
    ORDER BY a.seq DESC LIMIT 1
) AS a ON TRUE
WHERE c.subscription_id = :subscription_id
ORDER BY c.lane FOR UPDATE OF c

-- fragment: before_then
(m.id <= c.floor_id OR pg_visible_in_snapshot(m.xid, CAST(:then_done AS pg_snapshot))
    OR (m.id <= :then_last_id AND pg_visible_in_snapshot(m.xid, CAST(:then_target AS pg_snapshot))))

-- name: count_again
SELECT count(*) FROM (
    SELECT FROM {outbox_cursor} AS c, {outbox_message} AS m
    WHERE c.subscription_id = :subscription_id AND c.lane = :lane AND m.key_hash % CAST(:lanes AS integer) = c.lane
      AND m.xid >= pg_snapshot_xmin(CAST(:then_done AS pg_snapshot)) AND NOT {before_then}
      AND (pg_visible_in_snapshot(m.xid, c.done) OR (m.id <= c.last_id AND pg_visible_in_snapshot(m.xid, c.target)))
    LIMIT :limit
) AS again

-- name: rewind_lane
UPDATE {outbox_cursor} AS c
SET done = CAST(:then_done AS pg_snapshot), target = CAST(:then_target AS pg_snapshot), last_id = :then_last_id,
    passed = :then_passed, owner = NULL, lease_until = NULL, epoch = c.epoch + 1, starts = 0, marked_id = NULL,
    advanced_at = clock_timestamp()
WHERE c.subscription_id = :subscription_id AND c.lane = :lane

-- name: cut_advances
DELETE FROM {outbox_advance} WHERE subscription_id = :subscription_id AND lane = :lane AND seq > :seq

-- name: forget_delivered
DELETE FROM {outbox_delivery} AS d
USING {outbox_cursor} AS c, {outbox_message} AS m
WHERE d.subscription_id = :subscription_id AND d.status = 'done' AND d.resolution = 'delivered'
  AND d.key_hash % CAST(:lanes AS integer) = CAST(:lane AS integer)
  AND c.subscription_id = d.subscription_id AND c.lane = :lane AND m.id = d.log_id AND NOT {before_then}
