-- A subscription goes back to where it stood. Source: spec/outbox.md section 13; outrider/core/rewind.py.

-- fragment: then_row
(SELECT a.seq FROM {outbox_advance} AS a
 WHERE a.subscription_id = c.subscription_id AND a.lane = c.lane AND a.at <= :to
 ORDER BY a.seq DESC LIMIT 1)

-- name: lanes_at
SELECT c.lane, s.lanes, NULL, NULL, c.last_id, c.high_id, c.floor_id, c.cluster, c.epoch, c.starts, c.marked_id, c.passed,
       coalesce(a.seq, 0), a.at AS stood_at, NULL, NULL, coalesce(a.last_id, 0), coalesce(a.passed, 0)
FROM {outbox_cursor} AS c
JOIN {outbox_subscription} AS s ON s.id = c.subscription_id
LEFT JOIN {outbox_advance} AS a ON a.subscription_id = c.subscription_id AND a.lane = c.lane AND a.seq = {then_row}
WHERE c.subscription_id = :subscription_id
ORDER BY c.lane

-- name: count_again
SELECT count(*) FROM (
    SELECT 1 FROM {outbox_cursor} AS c, {outbox_message} AS m
    WHERE c.subscription_id = :subscription_id AND c.lane = :lane AND m.key_hash % :lanes = c.lane
      AND m.id > max(:then_last_id, c.floor_id) AND m.id <= c.last_id
    LIMIT :limit
) AS again

-- name: rewind_lane
UPDATE {outbox_cursor}
SET last_id = :then_last_id, passed = :then_passed, owner = NULL,
    lease_until = NULL, epoch = epoch + 1, starts = 0, marked_id = NULL, advanced_at = :now
WHERE subscription_id = :subscription_id AND lane = :lane

-- name: cut_advances
DELETE FROM {outbox_advance} WHERE subscription_id = :subscription_id AND lane = :lane AND seq > :seq

-- name: forget_delivered
DELETE FROM {outbox_delivery}
WHERE subscription_id = :subscription_id AND status = 'done' AND resolution = 'delivered' AND key_hash % :lanes = :lane
  AND log_id > :then_last_id
