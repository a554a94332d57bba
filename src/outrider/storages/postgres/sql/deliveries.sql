-- name: due_deliveries
WITH due AS MATERIALIZED (
    (SELECT log_id, status, attempts, cause, generation, first_failed_at FROM {outbox_delivery}
    WHERE subscription_id = :subscription_id AND status = 'retrying' AND next_retry_at <= clock_timestamp()
      AND key_hash % CAST(:lanes AS integer) = CAST(:lane AS integer)
    ORDER BY next_retry_at, log_id LIMIT :limit)
    UNION ALL
    (SELECT log_id, status, attempts, cause, generation, first_failed_at FROM {outbox_delivery}
    WHERE subscription_id = :subscription_id AND status = 'waiting' AND next_retry_at <= clock_timestamp()
      AND key_hash % CAST(:lanes AS integer) = CAST(:lane AS integer)
    ORDER BY next_retry_at, log_id LIMIT :limit)
    LIMIT :limit
)
SELECT m.id, CAST(m.message_id AS text),
    m.type || chr(31) || m.version || chr(31) || m.topic || chr(31) || m.content_type || chr(31) || m.max_retry,
    m.message_key, m.payload, to_char(m.created_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    nullif(CAST(jsonb_strip_nulls(jsonb_build_object(
        'headers', m.headers, 'subject', nullif(m.subject, m.message_key),
        'deliver_at', to_char(m.deliver_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'correlation_id', m.correlation_id, 'causation_id', m.causation_id, 'generation', nullif(due.generation, 0)
    ) || coalesce(m.trace, CAST('{}' AS jsonb))) AS text), '{}'),
    due.status, due.attempts, due.cause,
    CAST(coalesce(extract(epoch FROM clock_timestamp() - due.first_failed_at) * 1000000, 0) AS bigint)
FROM due JOIN {outbox_message} AS m ON m.id = due.log_id

-- name: blocked_keys
SELECT DISTINCT topic, message_key FROM {outbox_delivery}
WHERE subscription_id = :subscription_id AND message_key IS NOT NULL
  AND key_hash % CAST(:lanes AS integer) = CAST(:lane AS integer)
  AND (status IN ('retrying', 'parked') OR (status = 'dead' AND cause = 'hold'))

-- name: parked_topics
SELECT DISTINCT topic FROM {outbox_delivery}
WHERE subscription_id = :subscription_id AND status = 'parked'
  AND key_hash % CAST(:lanes AS integer) = CAST(:lane AS integer)
ORDER BY topic

-- name: count_parked
SELECT count(*) FROM (
    SELECT 1 FROM {outbox_delivery} WHERE subscription_id = :subscription_id AND status = 'parked' LIMIT :limit
) AS parked

-- name: release_heads
WITH held AS MATERIALIZED (
    SELECT DISTINCT message_key FROM {outbox_delivery}
    WHERE subscription_id = :subscription_id AND topic = :topic AND message_key IS NOT NULL
      AND (status = 'retrying' OR (status = 'dead' AND cause = 'hold'))
    UNION
    SELECT subject FROM {outbox_pause}
    WHERE kind = 'key' AND topic = :topic AND broker IN ('', :broker) AND (until IS NULL OR until > clock_timestamp())
), heads AS MATERIALIZED (
    SELECT message_key, min(log_id) AS log_id FROM {outbox_delivery}
    WHERE subscription_id = :subscription_id AND topic = :topic AND status = 'parked' AND message_key IS NOT NULL
      AND key_hash % CAST(:lanes AS integer) = CAST(:lane AS integer)
    GROUP BY message_key
), free AS MATERIALIZED (
    SELECT log_id FROM heads WHERE message_key NOT IN (SELECT message_key FROM held)
    UNION ALL
    SELECT log_id FROM {outbox_delivery}
    WHERE subscription_id = :subscription_id AND topic = :topic AND status = 'parked' AND message_key IS NULL
      AND key_hash % CAST(:lanes AS integer) = CAST(:lane AS integer)
    ORDER BY log_id LIMIT :limit
)
UPDATE {outbox_delivery} SET status = 'retrying', cause = 'released', next_retry_at = now(), updated_at = now()
WHERE subscription_id = :subscription_id AND log_id IN (SELECT log_id FROM free)
  AND NOT EXISTS (
    SELECT 1 FROM {outbox_pause} WHERE kind = 'destination' AND topic = :topic AND broker IN ('', :broker)
      AND (until IS NULL OR until > clock_timestamp()))
RETURNING log_id

-- name: insert_delivery
INSERT INTO {outbox_delivery} AS d (
    subscription_id, log_id, message_id, topic, message_key, key_hash, status, cause, attempts, max_retry,
    next_retry_at, error_code, last_error, first_failed_at)
VALUES (
    :subscription_id, :log_id, :message_id, :topic, :message_key, :key_hash, :status, :cause, :attempts, :max_retry,
    coalesce(CAST(:due_at AS timestamptz), clock_timestamp() + CAST(:delay AS interval)), :error_code, :last_error,
    CASE WHEN :failed THEN clock_timestamp() END)
ON CONFLICT (subscription_id, log_id) DO UPDATE SET
    status = excluded.status, cause = excluded.cause, attempts = excluded.attempts,
    next_retry_at = excluded.next_retry_at, error_code = excluded.error_code, last_error = excluded.last_error,
    first_failed_at = coalesce(d.first_failed_at, excluded.first_failed_at), updated_at = excluded.updated_at,
    done_at = NULL, resolution = NULL

-- name: finish_delivery
UPDATE {outbox_delivery}
SET status = 'done', resolution = 'delivered', next_retry_at = NULL, done_at = now(), updated_at = now()
WHERE subscription_id = :subscription_id AND log_id = :log_id

-- name: retry_delivery
UPDATE {outbox_delivery}
SET status = 'retrying', cause = :cause, attempts = :attempts, next_retry_at = clock_timestamp() + :delay,
    error_code = coalesce(:error_code, error_code), last_error = coalesce(:last_error, last_error),
    first_failed_at = CASE WHEN :failed THEN coalesce(first_failed_at, clock_timestamp()) ELSE first_failed_at END,
    updated_at = clock_timestamp()
WHERE subscription_id = :subscription_id AND log_id = :log_id

-- name: bury_delivery
UPDATE {outbox_delivery}
SET status = 'dead', cause = :cause, attempts = :attempts, next_retry_at = NULL, error_code = :error_code,
    last_error = :last_error, first_failed_at = coalesce(first_failed_at, clock_timestamp()),
    updated_at = clock_timestamp()
WHERE subscription_id = :subscription_id AND log_id = :log_id

-- name: park_delivery
UPDATE {outbox_delivery} SET status = 'parked', cause = :cause, next_retry_at = NULL, updated_at = clock_timestamp()
WHERE subscription_id = :subscription_id AND log_id = :log_id

-- name: park_followers
UPDATE {outbox_delivery} SET status = 'parked', cause = 'key', next_retry_at = NULL, updated_at = clock_timestamp()
WHERE subscription_id = :subscription_id AND topic = :topic AND message_key = :message_key AND status = 'retrying'
  AND log_id > :log_id

-- name: key_queues
-- Only the index by key gives the order (status, log_id) of a status that is a range, not a constant: with `=` the planner
-- walks the primary key past every row of the pile.
SELECT asked.topic, asked.message_key,
    (SELECT d.log_id FROM {outbox_delivery} AS d WHERE d.subscription_id = :subscription_id AND d.topic = asked.topic
        AND d.message_key = asked.message_key AND d.status BETWEEN 'retrying' AND 'retrying'
        ORDER BY d.status, d.log_id LIMIT 1) IS NOT NULL
    OR (SELECT d.log_id FROM {outbox_delivery} AS d WHERE d.subscription_id = :subscription_id AND d.topic = asked.topic
        AND d.message_key = asked.message_key AND d.status BETWEEN 'dead' AND 'dead' AND d.cause = 'hold'
        ORDER BY d.status, d.log_id LIMIT 1) IS NOT NULL
    OR EXISTS (
        SELECT 1 FROM {outbox_pause} AS p WHERE p.topic = asked.topic AND p.broker IN ('', :broker)
          AND (p.kind = 'destination' OR (p.kind = 'key' AND p.subject = asked.message_key))
          AND (p.until IS NULL OR p.until > clock_timestamp())),
    (SELECT d.log_id FROM {outbox_delivery} AS d WHERE d.subscription_id = :subscription_id AND d.topic = asked.topic
        AND d.message_key = asked.message_key AND d.status BETWEEN 'parked' AND 'parked'
        ORDER BY d.status, d.log_id LIMIT 1) IS NOT NULL
FROM (SELECT CAST(:topic AS text) AS topic, CAST(:message_key AS text) AS message_key) AS asked

-- name: promote_parked
UPDATE {outbox_delivery} SET status = 'retrying', cause = 'released', next_retry_at = now(), updated_at = now()
WHERE subscription_id = :subscription_id AND log_id IN (
    SELECT log_id FROM {outbox_delivery}
    WHERE subscription_id = :subscription_id AND topic = :topic AND message_key = :message_key
      AND status BETWEEN 'parked' AND 'parked'
    ORDER BY status, log_id LIMIT :limit)
RETURNING log_id

-- name: find_suspect
SELECT m.id, CAST(m.message_id AS text),
    m.type || chr(31) || m.version || chr(31) || m.topic || chr(31) || m.content_type || chr(31) || m.max_retry,
    m.message_key, d.status, d.attempts, d.cause
FROM {outbox_message} AS m
LEFT JOIN {outbox_delivery} AS d ON d.subscription_id = :subscription_id AND d.log_id = m.id
WHERE m.id = :log_id
