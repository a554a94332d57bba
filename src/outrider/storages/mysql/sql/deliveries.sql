-- name: due_deliveries
SELECT {row_columns},
    NULLIF(JSON_MERGE_PATCH('{}', JSON_OBJECT(
        {row_extra},
        'generation', NULLIF(due.generation, 0)
    ), COALESCE(m.trace, '{}')), '{}') AS extra,
    due.status, due.attempts, due.cause, due.failing
FROM (
    (SELECT log_id, status, attempts, cause, generation,
        COALESCE(TIMESTAMPDIFF(MICROSECOND, first_failed_at, UTC_TIMESTAMP(6)), 0) AS failing
    FROM {outbox_delivery}
    WHERE subscription_id = :subscription_id AND status = 'retrying' AND next_retry_at <= UTC_TIMESTAMP(6)
      AND key_hash % :lanes = :lane
    ORDER BY next_retry_at, log_id LIMIT :limit)
    UNION ALL
    (SELECT log_id, status, attempts, cause, generation,
        COALESCE(TIMESTAMPDIFF(MICROSECOND, first_failed_at, UTC_TIMESTAMP(6)), 0)
    FROM {outbox_delivery}
    WHERE subscription_id = :subscription_id AND status = 'waiting' AND next_retry_at <= UTC_TIMESTAMP(6)
      AND key_hash % :lanes = :lane
    ORDER BY next_retry_at, log_id LIMIT :limit)
    LIMIT :limit
) AS due STRAIGHT_JOIN {outbox_message} AS m ON m.id = due.log_id

-- name: blocked_keys
SELECT DISTINCT topic, message_key FROM {outbox_delivery}
WHERE subscription_id = :subscription_id AND message_key IS NOT NULL
  AND key_hash % :lanes = :lane
  AND (status IN ('retrying', 'parked') OR (status = 'dead' AND cause = 'hold'))

-- name: parked_topics
SELECT DISTINCT topic FROM {outbox_delivery}
WHERE subscription_id = :subscription_id AND status = 'parked'
  AND key_hash % :lanes = :lane
ORDER BY topic

-- name: count_parked
SELECT count(*) FROM (
    SELECT 1 FROM {outbox_delivery} WHERE subscription_id = :subscription_id AND status = 'parked' LIMIT :limit
) AS parked

-- name: release_heads
-- The lane is locked, so both statements find the same rows.
{free_heads};
UPDATE {outbox_delivery} AS d JOIN ({free_heads}) AS free ON free.log_id = d.log_id
SET d.status = 'retrying', d.cause = 'released', d.next_retry_at = UTC_TIMESTAMP(6), d.updated_at = UTC_TIMESTAMP(6)
WHERE d.subscription_id = :subscription_id AND d.status = 'parked'

-- name: insert_delivery
-- The row stands for the message from now on, so its side row goes.
INSERT INTO {outbox_delivery} (
    subscription_id, log_id, message_id, topic, message_key, key_hash, status, cause, attempts, max_retry,
    next_retry_at, error_code, last_error, first_failed_at, updated_at)
VALUES (
    :subscription_id, :log_id, :message_id, :topic, :message_key, :key_hash, :status, :cause, :attempts, :max_retry,
    COALESCE(:due_at, UTC_TIMESTAMP(6) + INTERVAL :delay MICROSECOND), :error_code, :last_error,
    CASE WHEN :failed THEN UTC_TIMESTAMP(6) END, UTC_TIMESTAMP(6))
ON DUPLICATE KEY UPDATE
    status = :status, cause = :cause, attempts = :attempts,
    next_retry_at = COALESCE(:due_at, UTC_TIMESTAMP(6) + INTERVAL :delay MICROSECOND), error_code = :error_code,
    last_error = :last_error, first_failed_at = COALESCE(first_failed_at, CASE WHEN :failed THEN UTC_TIMESTAMP(6) END),
    updated_at = UTC_TIMESTAMP(6), done_at = NULL, resolution = NULL;
DELETE FROM {outbox_pending} WHERE subscription_id = :subscription_id AND log_id = :log_id

-- name: finish_delivery
UPDATE {outbox_delivery}
SET status = 'done', resolution = 'delivered', next_retry_at = NULL, done_at = UTC_TIMESTAMP(6), updated_at = UTC_TIMESTAMP(6)
WHERE subscription_id = :subscription_id AND log_id = :log_id

-- name: retry_delivery
UPDATE {outbox_delivery}
SET status = 'retrying', cause = :cause, attempts = :attempts, next_retry_at = UTC_TIMESTAMP(6) + INTERVAL :delay MICROSECOND,
    error_code = coalesce(:error_code, error_code), last_error = coalesce(:last_error, last_error),
    first_failed_at = CASE WHEN :failed THEN coalesce(first_failed_at, UTC_TIMESTAMP(6)) ELSE first_failed_at END,
    updated_at = UTC_TIMESTAMP(6)
WHERE subscription_id = :subscription_id AND log_id = :log_id

-- name: bury_delivery
UPDATE {outbox_delivery}
SET status = 'dead', cause = :cause, attempts = :attempts, next_retry_at = NULL, error_code = :error_code,
    last_error = :last_error, first_failed_at = coalesce(first_failed_at, UTC_TIMESTAMP(6)),
    updated_at = UTC_TIMESTAMP(6)
WHERE subscription_id = :subscription_id AND log_id = :log_id

-- name: park_delivery
UPDATE {outbox_delivery} SET status = 'parked', cause = :cause, next_retry_at = NULL, updated_at = UTC_TIMESTAMP(6)
WHERE subscription_id = :subscription_id AND log_id = :log_id

-- name: park_followers
UPDATE {outbox_delivery} SET status = 'parked', cause = 'key', next_retry_at = NULL, updated_at = UTC_TIMESTAMP(6)
WHERE subscription_id = :subscription_id AND topic = :topic AND message_key = :message_key AND status = 'retrying'
  AND log_id > :log_id

-- name: key_queues
SELECT asked.topic, asked.message_key,
    EXISTS (
        SELECT 1 FROM {outbox_delivery} AS d WHERE d.subscription_id = :subscription_id AND d.topic = asked.topic
          AND d.message_key = asked.message_key
          AND (d.status = 'retrying' OR (d.status = 'dead' AND d.cause = 'hold')))
    OR EXISTS (
        SELECT 1 FROM {outbox_pause} AS p WHERE p.topic = asked.topic AND p.broker IN ('', :broker)
          AND (p.kind = 'destination' OR (p.kind = 'key' AND p.subject = asked.message_key))
          AND (p.`until` IS NULL OR p.`until` > UTC_TIMESTAMP(6))) AS blocked,
    EXISTS (
        SELECT 1 FROM {outbox_delivery} AS d WHERE d.subscription_id = :subscription_id AND d.topic = asked.topic
          AND d.message_key = asked.message_key AND d.status = 'parked') AS parked
FROM (SELECT :topic AS topic, :message_key AS message_key) AS asked

-- name: promote_parked
SELECT log_id FROM {outbox_delivery}
WHERE subscription_id = :subscription_id AND topic = :topic AND message_key = :message_key AND status = 'parked'
ORDER BY log_id LIMIT :limit
FOR UPDATE;
UPDATE {outbox_delivery}
SET status = 'retrying', cause = 'released', next_retry_at = UTC_TIMESTAMP(6), updated_at = UTC_TIMESTAMP(6)
WHERE subscription_id = :subscription_id AND topic = :topic AND message_key = :message_key AND status = 'parked'
ORDER BY log_id LIMIT :limit

-- fragment: free_heads
SELECT f.log_id FROM (
    SELECT h.log_id FROM (
        SELECT d.message_key, MIN(d.log_id) AS log_id FROM {outbox_delivery} AS d
        WHERE d.subscription_id = :subscription_id AND d.topic = :topic AND d.status = 'parked'
          AND d.message_key IS NOT NULL AND d.key_hash % :lanes = :lane
        GROUP BY d.message_key
    ) AS h
    WHERE h.message_key NOT IN (
        SELECT o.message_key FROM {outbox_delivery} AS o
        WHERE o.subscription_id = :subscription_id AND o.topic = :topic AND o.message_key IS NOT NULL
          AND (o.status = 'retrying' OR (o.status = 'dead' AND o.cause = 'hold')))
      AND h.message_key NOT IN (
        SELECT p.subject FROM {outbox_pause} AS p
        WHERE p.kind = 'key' AND p.topic = :topic AND p.broker IN ('', :broker)
          AND (p.`until` IS NULL OR p.`until` > UTC_TIMESTAMP(6)))
    UNION ALL
    SELECT d.log_id FROM {outbox_delivery} AS d
    WHERE d.subscription_id = :subscription_id AND d.topic = :topic AND d.status = 'parked' AND d.message_key IS NULL
      AND d.key_hash % :lanes = :lane
) AS f
WHERE NOT EXISTS (
    SELECT 1 FROM {outbox_pause} AS p WHERE p.kind = 'destination' AND p.topic = :topic AND p.broker IN ('', :broker)
      AND (p.`until` IS NULL OR p.`until` > UTC_TIMESTAMP(6)))
ORDER BY f.log_id LIMIT :limit

-- name: find_suspect
SELECT {row_columns_short}, d.status, d.attempts, d.cause
FROM {outbox_message} AS m
LEFT JOIN {outbox_delivery} AS d ON d.subscription_id = :subscription_id AND d.log_id = m.id
WHERE m.id = :log_id
