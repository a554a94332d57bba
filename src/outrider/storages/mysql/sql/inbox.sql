-- Receipts and rows of the inbox. Contracts: outrider/core/inbox.py. Statements over many run once a message.

-- name: find_consumer
SELECT id, receipts_from FROM {inbox_consumer} WHERE name = :name

-- name: make_consumer
INSERT INTO {inbox_consumer} (id, name)
SELECT COALESCE(MAX(c.id), 0) + 1, :name FROM {inbox_consumer} AS c
ON DUPLICATE KEY UPDATE {inbox_consumer}.id = {inbox_consumer}.id

-- name: lock_consumer
SELECT id FROM {inbox_consumer} WHERE id = :consumer_id FOR UPDATE

-- name: record_receipt
-- LAST_INSERT_ID(n) keeps n for the next statement: 1 where the receipt is new, 2 where it was there. How many rows a statement
-- affected says it not, since drivers differ in what they ask to be counted.
INSERT INTO {inbox_receipt} (consumer_id, message_id, fingerprint, consumed_at)
VALUES (:consumer_id, :message_id, :fingerprint + 0 * LAST_INSERT_ID(1), UTC_TIMESTAMP(6))
ON DUPLICATE KEY UPDATE fingerprint = fingerprint + 0 * LAST_INSERT_ID(2);
SELECT CAST(:message_id AS BINARY(16)) AS message_id, EXISTS (SELECT 1 FROM {inbox_delivery} WHERE consumer_id = :consumer_id) AS has_rows
FROM DUAL WHERE LAST_INSERT_ID() = 1

-- name: withdraw_receipts
DELETE FROM {inbox_receipt} WHERE consumer_id = :consumer_id AND message_id = :message_id

-- name: find_receipts
-- The receipt may be younger than the transaction's snapshot.
SELECT message_id, fingerprint FROM {inbox_receipt} WHERE consumer_id = :consumer_id AND message_id = :message_id
LOCK IN SHARE MODE

-- name: find_inbox_rows
SELECT message_id, id, status, fingerprint, resolution FROM {inbox_delivery}
WHERE consumer_id = :consumer_id AND message_id = :message_id

-- name: find_inbox_keys
SELECT :topic AS topic, :message_key AS message_key,
    EXISTS (
        SELECT 1 FROM {inbox_delivery}
        WHERE consumer_id = :consumer_id AND topic = :topic AND message_key = :message_key
            AND status IN ('retrying', 'parked')
    ) AS blocked,
    (
        SELECT group_concat(DISTINCT type) FROM {inbox_delivery}
        WHERE consumer_id = :consumer_id AND topic = :topic AND message_key = :message_key AND status = 'dead'
    ) AS dead_types

-- name: close_inbox_rows
UPDATE {inbox_delivery}
SET status = 'done', resolution = 'delivered', next_retry_at = NULL, done_at = UTC_TIMESTAMP(6), updated_at = UTC_TIMESTAMP(6)
WHERE consumer_id = :consumer_id AND message_id = :message_id
    AND status IN ('waiting', 'retrying', 'parked', 'dead')

-- name: insert_inbox_row
INSERT INTO {inbox_delivery} (
    consumer_id, message_id, origin, topic, message_key, key_hash, sequence, fingerprint, type, version, content_type,
    headers, body, received_at, status, cause, attempts, max_retry, generation, next_retry_at, error_code, last_error,
    first_failed_at, updated_at
) VALUES (
    :consumer_id, :message_id, :origin, :topic, :message_key, :key_hash, :sequence, :fingerprint, :type, :version,
    :content_type, CONVERT(:headers USING utf8mb4), :body, UTC_TIMESTAMP(6), :status, :cause, :attempts, :max_retry,
    :generation, UTC_TIMESTAMP(6) + INTERVAL :delay MICROSECOND, :error_code, :last_error,
    CASE WHEN :failed THEN UTC_TIMESTAMP(6) END, UTC_TIMESTAMP(6)
)
ON DUPLICATE KEY UPDATE id = id + LAST_INSERT_ID(0);
SELECT LAST_INSERT_ID() AS id FROM DUAL WHERE LAST_INSERT_ID() > 0

-- name: promote_inbox_key
SET @outrider_head = (
    SELECT i.id FROM {inbox_delivery} AS i
    WHERE i.consumer_id = :consumer_id AND i.topic = :topic AND i.message_key = :message_key
        AND i.status IN ('retrying', 'parked')
    ORDER BY i.status = 'parked', i.id LIMIT 1
    FOR UPDATE);
SELECT id FROM {inbox_delivery} WHERE id = @outrider_head AND status = 'parked';
UPDATE {inbox_delivery}
SET status = 'retrying', next_retry_at = UTC_TIMESTAMP(6), updated_at = UTC_TIMESTAMP(6)
WHERE id = @outrider_head AND status = 'parked'

-- name: find_headless_keys
SELECT topic, message_key FROM {inbox_delivery}
WHERE consumer_id = :consumer_id AND status IN ('retrying', 'parked') AND message_key IS NOT NULL
GROUP BY topic, message_key
HAVING MIN(status = 'parked')
ORDER BY MIN(id)

-- name: find_quarantined_kinds
SELECT DISTINCT type, version FROM {inbox_delivery}
WHERE consumer_id = :consumer_id AND status = 'quarantined' AND error_code IN ('type.unknown', 'version.unknown')

-- name: release_inbox_rows
SELECT message_id, type, topic FROM {inbox_delivery}
WHERE consumer_id = :consumer_id AND status = 'quarantined' AND error_code IN ('type.unknown', 'version.unknown')
    AND type = :type AND version = :version
FOR UPDATE;
UPDATE {inbox_delivery}
SET status = CASE WHEN message_key IS NULL THEN 'retrying' ELSE 'parked' END,
    next_retry_at = CASE WHEN message_key IS NULL THEN UTC_TIMESTAMP(6) END,
    updated_at = UTC_TIMESTAMP(6)
WHERE consumer_id = :consumer_id AND status = 'quarantined' AND error_code IN ('type.unknown', 'version.unknown')
    AND type = :type AND version = :version

-- name: due_inbox_heads
SELECT id, topic, message_key, cause FROM {inbox_delivery}
WHERE consumer_id = :consumer_id AND status = 'retrying' AND next_retry_at <= UTC_TIMESTAMP(6)
ORDER BY next_retry_at, id
LIMIT :limit

-- name: next_inbox_due
SELECT TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), MIN(next_retry_at)) / 1e6 AS seconds FROM {inbox_delivery}
WHERE consumer_id = :consumer_id AND status = 'retrying'

-- name: lock_inbox_head
SELECT id, message_id, origin, topic, message_key, sequence, fingerprint, type, version, content_type, headers, body,
    attempts, max_retry, generation, TIMESTAMPDIFF(MICROSECOND, first_failed_at, UTC_TIMESTAMP(6)) / 1e6 AS failing_seconds
FROM {inbox_delivery}
WHERE id = :id AND status = 'retrying' AND (next_retry_at <= UTC_TIMESTAMP(6) OR :armed)
FOR UPDATE SKIP LOCKED

-- name: finish_inbox_row
UPDATE {inbox_delivery}
SET status = 'done', resolution = 'delivered', next_retry_at = NULL, done_at = UTC_TIMESTAMP(6), updated_at = UTC_TIMESTAMP(6)
WHERE id = :id

-- name: fail_inbox_row
SELECT id FROM {inbox_delivery}
WHERE id = :id AND status = 'retrying'
FOR UPDATE;
UPDATE {inbox_delivery}
SET status = :status, cause = :cause, attempts = :attempts, next_retry_at = UTC_TIMESTAMP(6) + INTERVAL :delay MICROSECOND, error_code = :error_code,
    last_error = :last_error, first_failed_at = coalesce(first_failed_at, UTC_TIMESTAMP(6)), updated_at = UTC_TIMESTAMP(6)
WHERE id = :id AND status = 'retrying'

-- name: arm_inbox_row
SELECT id FROM {inbox_delivery}
WHERE id = :id AND status = 'retrying' AND cause = :before AND next_retry_at <= UTC_TIMESTAMP(6)
FOR UPDATE SKIP LOCKED;
UPDATE {inbox_delivery}
SET cause = :cause, next_retry_at = UTC_TIMESTAMP(6) + INTERVAL :delay MICROSECOND, updated_at = UTC_TIMESTAMP(6)
WHERE id = :id AND status = 'retrying' AND cause = :before AND next_retry_at <= UTC_TIMESTAMP(6)

-- name: read_starts
SELECT starts FROM {inbox_consumer} WHERE id = :consumer_id FOR UPDATE

-- name: write_starts
UPDATE {inbox_consumer} SET starts = :starts WHERE id = :consumer_id

-- name: find_key_sequences
SELECT topic, message_key, sequence FROM {inbox_key}
WHERE consumer_id = :consumer_id AND topic = :topic AND message_key = :message_key

-- name: raise_key_sequence
INSERT INTO {inbox_key} (consumer_id, topic, message_key, sequence)
VALUES (:consumer_id, :topic, :message_key, :sequence)
ON DUPLICATE KEY UPDATE sequence = GREATEST(sequence, :sequence)
