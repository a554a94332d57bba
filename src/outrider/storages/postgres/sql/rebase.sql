-- Positions are made anew in another cluster. Source: spec/outbox.md OB-20; outrider/core/rebase.py.

-- name: lock_log
LOCK TABLE {outbox_message} IN SHARE ROW EXCLUSIVE MODE

-- name: lock_readers
SELECT s.id, s.name, s.kind, c.lane, s.lanes
FROM {outbox_cursor} AS c JOIN {outbox_subscription} AS s ON s.id = c.subscription_id
ORDER BY s.id, c.lane FOR UPDATE OF c

-- fragment: undelivered
c.subscription_id = :subscription_id AND c.lane = :lane
AND m.key_hash % CAST(:lanes AS integer) = CAST(:lane AS integer) AND m.id > c.floor_id
AND CASE WHEN CAST(:from_id AS bigint) IS NOT NULL THEN m.id >= CAST(:from_id AS bigint)
    ELSE m.id > c.high_id OR NOT (pg_visible_in_snapshot(m.xid, c.done)
        OR (m.id <= c.last_id AND pg_visible_in_snapshot(m.xid, c.target))) END
AND NOT EXISTS (
    SELECT FROM {outbox_delivery} AS has WHERE has.subscription_id = c.subscription_id AND has.log_id = m.id)

-- name: count_undelivered
SELECT count(*) FROM {outbox_cursor} AS c, {outbox_message} AS m WHERE {undelivered}

-- name: park_undelivered
INSERT INTO {outbox_delivery} (
    subscription_id, log_id, message_id, topic, message_key, key_hash, status, cause, max_retry, next_retry_at)
SELECT :subscription_id, left_over.id, message_id, topic, message_key, key_hash, status,
    CASE status WHEN 'waiting' THEN 'deliver_at' WHEN 'parked' THEN 'key' ELSE 'released' END, max_retry,
    CASE status WHEN 'waiting' THEN deliver_at WHEN 'retrying' THEN clock_timestamp() END
FROM (
    SELECT m.id, m.message_id, m.topic, m.message_key, m.key_hash, m.max_retry, m.deliver_at,
        CASE WHEN m.deliver_at > clock_timestamp() THEN 'waiting'
            WHEN m.message_key IS NULL THEN 'retrying'
            WHEN row_number() OVER (PARTITION BY m.topic, m.message_key, m.deliver_at > clock_timestamp() ORDER BY m.id) > 1
            THEN 'parked'
            WHEN EXISTS (SELECT FROM {outbox_delivery} AS head WHERE head.subscription_id = :subscription_id
                AND head.topic = m.topic AND head.message_key = m.message_key
                AND (head.status IN ('retrying', 'parked', 'quarantined') OR (head.status = 'dead' AND head.cause = 'hold')))
            THEN 'parked' ELSE 'retrying' END AS status
    FROM {outbox_cursor} AS c, {outbox_message} AS m WHERE {undelivered}
) AS left_over

-- name: rebase_lane
UPDATE {outbox_cursor} AS c
SET done = here.at, target = here.at, last_id = 0, high_id = greatest(c.high_id, here.newest),
    floor_id = greatest(c.floor_id, here.newest),
    cluster = CAST((SELECT system_identifier FROM pg_control_system()) AS text), owner = NULL, lease_until = NULL,
    epoch = c.epoch + 1, starts = 0, marked_id = NULL, advanced_at = clock_timestamp()
FROM (SELECT pg_current_snapshot() AS at, (SELECT coalesce(max(id), 0) FROM {outbox_message}) AS newest) AS here
WHERE c.subscription_id = :subscription_id AND c.lane = :lane
RETURNING CAST(c.done AS text), CAST(c.target AS text), c.last_id, c.floor_id, c.passed
