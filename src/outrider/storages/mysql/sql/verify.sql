-- What must never be found (the invariants I1 to I8, as far as the tables tell). Each row names one subject. Source:
-- reference/hazards.md section 1; spec/outbox.md section 13, `verify`.

-- name: verify_lost
SELECT CONCAT('message ', d.log_id, ' of ', s.name, ', ', d.status) AS subject FROM {outbox_delivery} AS d
JOIN {outbox_subscription} AS s ON s.id = d.subscription_id
WHERE d.status <> 'done' AND NOT EXISTS (SELECT 1 FROM {outbox_message} AS m WHERE m.id = d.log_id)
ORDER BY d.log_id LIMIT :limit

-- name: verify_unconsumed
SELECT CONCAT('message ', v.log_id, ', ', v.type) AS subject FROM {outbox_status} AS v
JOIN {outrider_route} AS route ON route.type = v.type
WHERE v.state = 'published' AND JSON_LENGTH(route.consumers_here) > 0
  AND v.created_at < UTC_TIMESTAMP(6) - INTERVAL :redeliver_after MICROSECOND
  AND NOT EXISTS (
      SELECT 1 FROM {inbox_consumer} AS c JOIN {inbox_delivery} AS i ON i.consumer_id = c.id AND i.message_id = v.message_id
      WHERE i.status <> 'done')
  AND NOT EXISTS (SELECT 1 FROM {outbox_delivery} AS d WHERE d.message_id = v.message_id AND d.status <> 'done')
ORDER BY v.log_id LIMIT :limit

-- name: verify_strangers
SELECT CONCAT('row of message ', d.log_id, ' in ', s.name) AS subject FROM {outbox_delivery} AS d
JOIN {outbox_subscription} AS s ON s.id = d.subscription_id
JOIN {outbox_message} AS m ON m.id = d.log_id
WHERE m.message_id <> d.message_id OR m.topic <> d.topic OR NOT (m.message_key <=> d.message_key)
   OR m.key_hash <> d.key_hash
ORDER BY d.log_id LIMIT :limit

-- name: verify_order
SELECT CONCAT(name, ': message ', id, ' before an earlier one of key ', message_key) AS subject FROM (
    SELECT c.name, m.id, m.message_key, r.consumed_at,
           lag(r.consumed_at) OVER (PARTITION BY r.consumer_id, m.topic, m.message_key ORDER BY m.id) AS earlier_at
    FROM {inbox_receipt} AS r
    JOIN {inbox_consumer} AS c ON c.id = r.consumer_id
    JOIN {outbox_message} AS m ON m.message_id = r.message_id
    WHERE m.message_key IS NOT NULL AND m.deliver_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM {outbox_delivery} AS d WHERE d.message_id = m.message_id AND d.log_id = m.id)
      AND NOT EXISTS (
          SELECT 1 FROM {inbox_delivery} AS i WHERE i.consumer_id = r.consumer_id AND i.message_id = m.message_id)
) AS effects
WHERE consumed_at < earlier_at
ORDER BY id LIMIT :limit

-- name: verify_overtaken
SELECT CONCAT('message ', d.log_id, ' of key ', d.message_key) AS subject FROM {outbox_delivery} AS d
WHERE d.status = 'parked' AND EXISTS (
    SELECT 1 FROM {outbox_delivery} AS later
    WHERE later.subscription_id = d.subscription_id AND later.topic = d.topic AND later.message_key = d.message_key
      AND later.log_id > d.log_id AND later.status = 'retrying' AND later.generation = 0)
ORDER BY d.log_id LIMIT :limit

-- name: verify_unreceipted
SELECT CONCAT(c.name, ': message ', lower(hex(i.message_id))) AS subject FROM {inbox_delivery} AS i
JOIN {inbox_consumer} AS c ON c.id = i.consumer_id
WHERE i.status = 'done' AND coalesce(i.resolution, '') <> 'discarded'
  AND i.done_at > UTC_TIMESTAMP(6) - INTERVAL :keep MICROSECOND
  AND NOT EXISTS (SELECT 1 FROM {inbox_receipt} AS r WHERE r.consumer_id = i.consumer_id AND r.message_id = i.message_id)
ORDER BY i.id LIMIT :limit

-- name: verify_abandoned
SELECT CONCAT('message ', d.log_id, ' of ', s.name, ', parked for ', d.cause) AS subject FROM {outbox_delivery} AS d
JOIN {outbox_subscription} AS s ON s.id = d.subscription_id
WHERE d.status = 'parked' AND d.updated_at < UTC_TIMESTAMP(6) - INTERVAL :patience MICROSECOND
  AND NOT EXISTS (
      SELECT 1 FROM {outbox_delivery} AS o
      WHERE o.subscription_id = d.subscription_id AND o.topic = d.topic AND o.message_key = d.message_key
        AND (o.status = 'retrying' OR (o.status = 'dead' AND o.cause = 'hold')))
  AND NOT EXISTS (
      SELECT 1 FROM {outbox_pause} AS p WHERE (p.`until` IS NULL OR p.`until` > UTC_TIMESTAMP(6))
        AND ((p.kind = 'destination' AND p.topic = d.topic)
          OR (p.kind = 'key' AND p.topic = d.topic AND p.subject = d.message_key)
          OR (p.kind = 'subscription' AND p.subject = s.name)))
ORDER BY d.log_id LIMIT :limit

-- name: verify_overdue
SELECT CONCAT('message ', d.log_id, ' of ', s.name, ', ', d.status) AS subject FROM {outbox_delivery} AS d
JOIN {outbox_subscription} AS s ON s.id = d.subscription_id
WHERE d.status IN ('retrying', 'waiting') AND d.next_retry_at < UTC_TIMESTAMP(6) - INTERVAL :patience MICROSECOND
  AND NOT EXISTS (
      SELECT 1 FROM {outbox_pause} AS p WHERE (p.`until` IS NULL OR p.`until` > UTC_TIMESTAMP(6))
        AND ((p.kind = 'destination' AND p.topic = d.topic)
          OR (p.kind = 'key' AND p.topic = d.topic AND p.subject = d.message_key)
          OR (p.kind = 'subscription' AND p.subject = s.name)))
ORDER BY d.log_id LIMIT :limit

-- name: verify_overdue_inbox
SELECT CONCAT(c.name, ': message ', lower(hex(i.message_id)), ', ', i.status) AS subject FROM {inbox_delivery} AS i
JOIN {inbox_consumer} AS c ON c.id = i.consumer_id
WHERE i.status IN ('retrying', 'waiting') AND i.next_retry_at < UTC_TIMESTAMP(6) - INTERVAL :patience MICROSECOND
  AND NOT EXISTS (
      SELECT 1 FROM {outbox_pause} AS p WHERE p.kind = 'subscription' AND p.subject = c.name
        AND (p.`until` IS NULL OR p.`until` > UTC_TIMESTAMP(6)))
ORDER BY i.id LIMIT :limit

-- name: verify_incomplete
SELECT CONCAT('message ', log_id, ' in the log''s rows') AS subject FROM {outbox_delivery}
WHERE status = 'dead' AND (error_code IS NULL OR last_error IS NULL OR first_failed_at IS NULL)
UNION ALL
SELECT CONCAT('message ', lower(hex(message_id)), ' in the inbox') AS subject FROM {inbox_delivery}
WHERE status IN ('dead', 'quarantined') AND error_code IS NULL
LIMIT :limit

-- name: verify_dead_consumed
SELECT CONCAT('message ', d.log_id, ' of ', s.name) AS subject FROM {outbox_delivery} AS d
JOIN {outbox_subscription} AS s ON s.id = d.subscription_id
JOIN {outbox_status} AS v ON v.log_id = d.log_id
WHERE d.status = 'dead' AND v.state = 'consumed'
UNION ALL
SELECT CONCAT('message ', lower(hex(i.message_id)), ' of ', c.name) AS subject FROM {inbox_delivery} AS i
JOIN {inbox_consumer} AS c ON c.id = i.consumer_id
JOIN {inbox_receipt} AS r ON r.consumer_id = i.consumer_id AND r.message_id = i.message_id
WHERE i.status = 'dead'
LIMIT :limit

-- name: verify_positions
SELECT CONCAT(s.name, ', lane ', c.lane) AS subject FROM {outbox_cursor} AS c
JOIN {outbox_subscription} AS s ON s.id = c.subscription_id
WHERE c.passed < coalesce((
    SELECT max(a.passed) FROM {outbox_advance} AS a
    WHERE a.subscription_id = c.subscription_id AND a.lane = c.lane), 0)
UNION ALL
SELECT CONCAT(s.name, ', lane ', a.lane, ', journal row ', a.seq) AS subject FROM (
    SELECT subscription_id, lane, seq, passed, floor_id, last_id,
           lag(passed) OVER w AS passed_before, lag(floor_id) OVER w AS floor_before, lag(last_id) OVER w AS last_before
    FROM {outbox_advance} WINDOW w AS (PARTITION BY subscription_id, lane ORDER BY seq)
) AS a
JOIN {outbox_subscription} AS s ON s.id = a.subscription_id
WHERE a.passed < a.passed_before OR a.floor_id < a.floor_before OR a.last_id < a.last_before
LIMIT :limit

-- name: verify_repeated
-- Ids leave gaps and are never used twice, and rewound lanes count anew: what passed once each is at most the highest id.
SELECT CONCAT(s.name, ': ', SUM(c.passed), ' passed, the highest id is ', MAX(c.high_id)) AS subject
FROM {outbox_cursor} AS c
JOIN {outbox_subscription} AS s ON s.id = c.subscription_id
GROUP BY s.id, s.name HAVING SUM(c.passed) > MAX(c.high_id)
ORDER BY s.id LIMIT :limit

-- name: verify_done
SELECT CONCAT('message ', log_id, ' in the log''s rows') AS subject FROM {outbox_delivery}
WHERE status = 'done' AND (done_at IS NULL OR resolution IS NULL)
UNION ALL
SELECT CONCAT('message ', lower(hex(message_id)), ' in the inbox') AS subject FROM {inbox_delivery} WHERE status = 'done' AND done_at IS NULL
LIMIT :limit

-- name: verify_hashes
SELECT id, message_id, message_key, key_hash FROM {outbox_message} WHERE id > :after ORDER BY id LIMIT :limit

-- name: count_messages
SELECT count(*) FROM {outbox_message}
