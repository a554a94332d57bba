-- A subscription goes back to where it stood. Source: spec/outbox.md section 13; outrider/core/rewind.py. A journal row's last_id is
-- the highest that was passed by then.

-- name: lanes_at
SELECT c.lane, s.lanes, NULL AS done, NULL AS target, c.last_id, c.high_id, c.floor_id, c.cluster, c.epoch, c.starts,
    c.marked_id, c.passed, COALESCE(a.seq, 0), a.at AS stood_at, NULL AS done_then, NULL AS target_then,
    COALESCE(a.last_id, 0), COALESCE(a.passed, 0)
FROM {outbox_cursor} AS c
JOIN {outbox_subscription} AS s ON s.id = c.subscription_id
LEFT JOIN {outbox_advance} AS a ON a.subscription_id = c.subscription_id AND a.lane = c.lane AND a.seq = (
    SELECT o.seq FROM {outbox_advance} AS o
    WHERE o.subscription_id = c.subscription_id AND o.lane = c.lane AND o.at <= :to
    ORDER BY o.seq DESC LIMIT 1)
WHERE c.subscription_id = :subscription_id
ORDER BY c.lane

-- fragment: again
-- Not what has a row of its own that stays.
FROM {outbox_cursor} AS c
JOIN {outbox_subscription} AS s ON s.id = c.subscription_id
JOIN {outbox_message} AS m ON m.id > GREATEST(:then_last_id, c.floor_id) AND m.id <= c.high_id
WHERE c.subscription_id = :subscription_id AND c.lane = :lane AND m.key_hash % s.lanes = c.lane
  AND NOT EXISTS (SELECT 1 FROM {outbox_pending} AS p WHERE p.subscription_id = :subscription_id AND p.log_id = m.id)
  AND NOT EXISTS (
      SELECT 1 FROM {outbox_delivery} AS d
      WHERE d.subscription_id = :subscription_id AND d.log_id = m.id AND NOT (d.status = 'done' AND d.resolution = 'delivered'))

-- name: count_again
SELECT COUNT(*) FROM (SELECT 1 {again} LIMIT :limit) AS again

-- name: rewind_lane
INSERT INTO {outbox_pending} (subscription_id, log_id, key_hash)
SELECT :subscription_id, m.id, m.key_hash {again};
UPDATE {outbox_cursor}
SET last_id = :then_last_id, high_id = GREATEST(floor_id, :then_last_id), passed = :then_passed, owner = NULL,
    lease_until = NULL, epoch = epoch + 1, starts = 0, marked_id = NULL, advanced_at = UTC_TIMESTAMP(6)
WHERE subscription_id = :subscription_id AND lane = :lane

-- name: cut_advances
DELETE FROM {outbox_advance} WHERE subscription_id = :subscription_id AND lane = :lane AND seq > :seq

-- name: forget_delivered
DELETE FROM {outbox_delivery}
WHERE subscription_id = :subscription_id AND status = 'done' AND resolution = 'delivered' AND key_hash % :lanes = :lane
  AND log_id > :then_last_id
