-- Receipts and rows of the inbox. Contracts: outrider/core/inbox.py. Statements over many run once a message.

-- name: find_consumer
SELECT id, receipts_from FROM {inbox_consumer} WHERE name = :name

-- name: make_consumer
INSERT INTO {inbox_consumer} (id, name)
SELECT coalesce(max(id), 0) + 1, :name FROM {inbox_consumer} WHERE true
ON CONFLICT DO NOTHING

-- name: lock_consumer
SELECT id FROM {inbox_consumer} WHERE id = :consumer_id

-- name: record_receipt
INSERT INTO {inbox_receipt} (consumer_id, message_id, fingerprint, consumed_at)
VALUES (:consumer_id, :message_id, :fingerprint, :now)
ON CONFLICT DO NOTHING
RETURNING message_id, EXISTS (SELECT 1 FROM {inbox_delivery} WHERE consumer_id = :consumer_id) AS has_rows

-- name: withdraw_receipts
DELETE FROM {inbox_receipt} WHERE consumer_id = :consumer_id AND message_id = :message_id

-- name: find_receipts
SELECT message_id, fingerprint FROM {inbox_receipt} WHERE consumer_id = :consumer_id AND message_id = :message_id

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
SET status = 'done', resolution = 'delivered', next_retry_at = NULL, done_at = :now, updated_at = :now
WHERE consumer_id = :consumer_id AND message_id = :message_id
    AND status IN ('waiting', 'retrying', 'parked', 'dead')

-- name: insert_inbox_row
INSERT INTO {inbox_delivery} (
    consumer_id, message_id, origin, topic, message_key, key_hash, sequence, fingerprint, type, version, content_type,
    headers, body, received_at, status, cause, attempts, max_retry, generation, next_retry_at, error_code, last_error,
    first_failed_at, updated_at
) VALUES (
    :consumer_id, :message_id, :origin, :topic, :message_key, :key_hash, :sequence, :fingerprint, :type, :version,
    :content_type, :headers, :body, :now, :status, :cause, :attempts, :max_retry, :generation, :now + :delay,
    :error_code, :last_error, CASE WHEN :failed THEN :now END, :now
)
ON CONFLICT (consumer_id, message_id) DO NOTHING
RETURNING id

-- name: promote_inbox_key
UPDATE {inbox_delivery}
SET status = 'retrying', next_retry_at = :now, updated_at = :now
WHERE status = 'parked' AND id = (
    SELECT id FROM {inbox_delivery}
    WHERE consumer_id = :consumer_id AND topic = :topic AND message_key = :message_key
        AND status IN ('retrying', 'parked')
    ORDER BY status = 'parked', id LIMIT 1
)
RETURNING id

-- name: find_headless_keys
SELECT topic, message_key FROM {inbox_delivery}
WHERE consumer_id = :consumer_id AND status IN ('retrying', 'parked') AND message_key IS NOT NULL
GROUP BY topic, message_key
HAVING min(status = 'parked')
ORDER BY min(id)

-- name: find_quarantined_kinds
SELECT DISTINCT type, version FROM {inbox_delivery}
WHERE consumer_id = :consumer_id AND status = 'quarantined' AND error_code IN ('type.unknown', 'version.unknown')

-- name: release_inbox_rows
UPDATE {inbox_delivery}
SET status = CASE WHEN message_key IS NULL THEN 'retrying' ELSE 'parked' END,
    next_retry_at = CASE WHEN message_key IS NULL THEN :now END,
    updated_at = :now
WHERE consumer_id = :consumer_id AND status = 'quarantined' AND error_code IN ('type.unknown', 'version.unknown')
    AND type = :type AND version = :version
RETURNING message_id, type, topic

-- name: due_inbox_heads
SELECT id, topic, message_key, cause FROM {inbox_delivery}
WHERE consumer_id = :consumer_id AND status = 'retrying' AND next_retry_at <= :now
ORDER BY next_retry_at, id
LIMIT :limit

-- name: next_inbox_due
SELECT (min(next_retry_at) - :now) / 1000000.0 AS seconds FROM {inbox_delivery}
WHERE consumer_id = :consumer_id AND status = 'retrying'

-- name: lock_inbox_head
SELECT id, message_id, origin, topic, message_key, sequence, fingerprint, type, version, content_type, headers, body,
    attempts, max_retry, generation, (:now - first_failed_at) / 1000000.0 AS failing_seconds
FROM {inbox_delivery}
WHERE id = :id AND status = 'retrying' AND (next_retry_at <= :now OR :armed)

-- name: finish_inbox_row
UPDATE {inbox_delivery}
SET status = 'done', resolution = 'delivered', next_retry_at = NULL, done_at = :now, updated_at = :now
WHERE id = :id

-- name: fail_inbox_row
UPDATE {inbox_delivery}
SET status = :status, cause = :cause, attempts = :attempts, next_retry_at = :now + :delay, error_code = :error_code,
    last_error = :last_error, first_failed_at = coalesce(first_failed_at, :now), updated_at = :now
WHERE id = :id AND status = 'retrying'
RETURNING id

-- name: arm_inbox_row
UPDATE {inbox_delivery} SET cause = :cause, next_retry_at = :now + :delay, updated_at = :now
WHERE id = :id AND status = 'retrying' AND cause = :before AND next_retry_at <= :now
RETURNING id

-- name: read_starts
SELECT starts FROM {inbox_consumer} WHERE id = :consumer_id

-- name: write_starts
UPDATE {inbox_consumer} SET starts = :starts WHERE id = :consumer_id

-- name: find_key_sequences
SELECT topic, message_key, sequence FROM {inbox_key}
WHERE consumer_id = :consumer_id AND topic = :topic AND message_key = :message_key

-- name: raise_key_sequence
INSERT INTO {inbox_key} (consumer_id, topic, message_key, sequence)
VALUES (:consumer_id, :topic, :message_key, :sequence)
ON CONFLICT (consumer_id, topic, message_key) DO UPDATE SET sequence = max(sequence, excluded.sequence)
