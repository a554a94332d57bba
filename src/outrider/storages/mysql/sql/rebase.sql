-- Side rows travel with the messages, so a restored dump is read on as it stands; only an id that is named counts.
-- Source: spec/outbox.md OB-20; outrider/core/rebase.py.

-- name: lock_log
SELECT 1 AS locked

-- name: lock_readers
SELECT s.id, s.name, s.kind, c.lane, s.lanes
FROM {outbox_cursor} AS c JOIN {outbox_subscription} AS s ON s.id = c.subscription_id
ORDER BY s.id, c.lane FOR UPDATE

-- fragment: undelivered
m.key_hash % :lanes = :lane AND :from_id IS NOT NULL AND m.id >= :from_id
AND NOT EXISTS (SELECT 1 FROM {outbox_pending} AS p WHERE p.subscription_id = :subscription_id AND p.log_id = m.id)
AND NOT EXISTS (SELECT 1 FROM {outbox_delivery} AS has WHERE has.subscription_id = :subscription_id AND has.log_id = m.id)

-- name: count_undelivered
SELECT COUNT(*) AS messages FROM {outbox_message} AS m WHERE {undelivered}

-- name: park_undelivered
-- Read again with the others, by a side row each.
INSERT INTO {outbox_pending} (subscription_id, log_id, key_hash)
SELECT :subscription_id, m.id, m.key_hash FROM {outbox_message} AS m WHERE {undelivered}

-- name: rebase_lane
UPDATE {outbox_cursor}
SET last_id = 0, owner = NULL, lease_until = NULL, epoch = epoch + 1, starts = 0, marked_id = NULL,
    advanced_at = UTC_TIMESTAMP(6)
WHERE subscription_id = :subscription_id AND lane = :lane;
SELECT NULL AS done, NULL AS target, last_id, floor_id, passed FROM {outbox_cursor}
WHERE subscription_id = :subscription_id AND lane = :lane
