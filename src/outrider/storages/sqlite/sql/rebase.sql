-- Positions are made anew. Source: spec/outbox.md OB-20; outrider/core/rebase.py.

-- name: lock_log
-- The transaction is the one writer.
SELECT 1

-- name: lock_readers
SELECT s.id, s.name, s.kind, c.lane, s.lanes
FROM {outbox_cursor} AS c JOIN {outbox_subscription} AS s ON s.id = c.subscription_id
ORDER BY s.id, c.lane

-- fragment: undelivered
c.subscription_id = :subscription_id AND c.lane = :lane AND m.key_hash % :lanes = :lane AND m.id > c.floor_id
AND CASE WHEN :from_id IS NOT NULL THEN m.id >= :from_id ELSE m.id > c.last_id END
AND NOT EXISTS (
    SELECT 1 FROM {outbox_delivery} AS has WHERE has.subscription_id = c.subscription_id AND has.log_id = m.id)

-- name: count_undelivered
SELECT count(*) FROM {outbox_cursor} AS c, {outbox_message} AS m WHERE {undelivered}

-- name: park_undelivered
INSERT INTO {outbox_delivery} (
    subscription_id, log_id, message_id, topic, message_key, key_hash, status, cause, max_retry, next_retry_at, updated_at)
SELECT :subscription_id, id, message_id, topic, message_key, key_hash, status,
    CASE status WHEN 'waiting' THEN 'deliver_at' WHEN 'parked' THEN 'key' ELSE 'released' END, max_retry,
    CASE status WHEN 'waiting' THEN deliver_at WHEN 'retrying' THEN :now END, :now
FROM (
    SELECT m.id, m.message_id, m.topic, m.message_key, m.key_hash, m.max_retry, m.deliver_at,
        CASE WHEN m.deliver_at > :now THEN 'waiting'
            WHEN m.message_key IS NULL THEN 'retrying'
            WHEN row_number() OVER (PARTITION BY m.topic, m.message_key, m.deliver_at > :now ORDER BY m.id) > 1 THEN 'parked'
            WHEN EXISTS (SELECT 1 FROM {outbox_delivery} AS head WHERE head.subscription_id = :subscription_id
                AND head.topic = m.topic AND head.message_key = m.message_key
                AND (head.status IN ('retrying', 'parked', 'quarantined') OR (head.status = 'dead' AND head.cause = 'hold')))
            THEN 'parked' ELSE 'retrying' END AS status
    FROM {outbox_cursor} AS c, {outbox_message} AS m WHERE {undelivered}
) AS left_over

-- name: rebase_lane
UPDATE {outbox_cursor}
SET last_id = (SELECT coalesce(max(id), 0) FROM {outbox_message}), high_id = (SELECT coalesce(max(id), 0) FROM {outbox_message}),
    floor_id = (SELECT coalesce(max(id), 0) FROM {outbox_message}), owner = NULL, lease_until = NULL, epoch = epoch + 1,
    starts = 0, marked_id = NULL, advanced_at = :now
WHERE subscription_id = :subscription_id AND lane = :lane
RETURNING NULL, NULL, last_id, floor_id, passed
