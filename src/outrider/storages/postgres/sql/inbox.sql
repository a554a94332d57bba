-- Receipts and rows of the inbox. Contracts: outrider/core/inbox.py.

-- name: find_consumer
SELECT id, receipts_from FROM {inbox_consumer} WHERE name = CAST(:name AS text)

-- name: make_consumer
INSERT INTO {inbox_consumer} (id, name)
SELECT coalesce(max(id), 0) + 1, CAST(:name AS text) FROM {inbox_consumer}
ON CONFLICT DO NOTHING

-- name: lock_consumer
SELECT id FROM {inbox_consumer} WHERE id = CAST(:consumer_id AS smallint) FOR UPDATE

-- name: record_receipts
WITH new AS (
    INSERT INTO {inbox_receipt} (consumer_id, message_id, fingerprint)
    SELECT CAST(:consumer_id AS smallint), t.message_id, t.fingerprint
    FROM unnest(
        CAST(CAST(:message_ids AS text) AS uuid[]), CAST(CAST(:fingerprints AS text) AS integer[])
    ) AS t (message_id, fingerprint)
    ORDER BY t.message_id
    ON CONFLICT DO NOTHING
    RETURNING message_id
)
SELECT count(*),
    EXISTS (SELECT 1 FROM {inbox_delivery} WHERE consumer_id = CAST(:consumer_id AS smallint)),
    CASE WHEN count(*) < CAST(:messages AS integer) THEN array_agg(message_id) END
FROM new

-- name: withdraw_receipts
DELETE FROM {inbox_receipt}
WHERE consumer_id = CAST(:consumer_id AS smallint) AND message_id = ANY (CAST(:message_ids AS uuid[]))

-- name: find_receipts
SELECT message_id, fingerprint FROM {inbox_receipt}
WHERE consumer_id = CAST(:consumer_id AS smallint) AND message_id = ANY (CAST(:message_ids AS uuid[]))

-- name: find_inbox_rows
SELECT message_id, id, status, fingerprint, resolution FROM {inbox_delivery}
WHERE consumer_id = CAST(:consumer_id AS smallint) AND message_id = ANY (CAST(:message_ids AS uuid[]))

-- name: find_inbox_keys
SELECT k.topic, k.message_key,
    EXISTS (
        SELECT 1 FROM {inbox_delivery} AS d
        WHERE d.consumer_id = CAST(:consumer_id AS smallint) AND d.topic = k.topic AND d.message_key = k.message_key
            AND d.status IN ('retrying', 'parked')
    ),
    (
        SELECT string_agg(DISTINCT d.type, ',') FROM {inbox_delivery} AS d
        WHERE d.consumer_id = CAST(:consumer_id AS smallint) AND d.topic = k.topic AND d.message_key = k.message_key
            AND d.status = 'dead'
    )
FROM unnest(CAST(:topics AS text[]), CAST(:message_keys AS text[])) AS k (topic, message_key)

-- name: close_inbox_rows
UPDATE {inbox_delivery}
SET status = 'done', resolution = 'delivered', next_retry_at = NULL,
    done_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE consumer_id = CAST(:consumer_id AS smallint) AND message_id = ANY (CAST(:message_ids AS uuid[]))
    AND status IN ('waiting', 'retrying', 'parked', 'dead')

-- name: insert_inbox_row
INSERT INTO {inbox_delivery} (
    consumer_id, message_id, origin, topic, message_key, key_hash, sequence, fingerprint, type, version, content_type,
    headers, body, status, cause, attempts, max_retry, generation, next_retry_at, error_code, last_error,
    first_failed_at
) VALUES (
    CAST(:consumer_id AS smallint), CAST(:message_id AS uuid), CAST(:origin AS text), CAST(:topic AS text),
    CAST(:message_key AS text), CAST(:key_hash AS integer), CAST(:sequence AS bigint), CAST(:fingerprint AS integer),
    CAST(:type AS text), CAST(:version AS integer), CAST(:content_type AS text), CAST(:headers AS jsonb),
    CAST(:body AS bytea), CAST(:status AS text), CAST(:cause AS text), CAST(:attempts AS smallint),
    CAST(:max_retry AS smallint), CAST(:generation AS smallint), clock_timestamp() + CAST(:delay AS interval),
    CAST(:error_code AS text), CAST(:last_error AS text),
    CASE WHEN CAST(:failed AS boolean) THEN clock_timestamp() END
)
ON CONFLICT (consumer_id, message_id) DO NOTHING
RETURNING id

-- name: promote_inbox_key
UPDATE {inbox_delivery}
SET status = 'retrying', next_retry_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE status = 'parked' AND id = (
    SELECT id FROM {inbox_delivery}
    WHERE consumer_id = CAST(:consumer_id AS smallint) AND topic = CAST(:topic AS text)
        AND message_key = CAST(:message_key AS text) AND status IN ('retrying', 'parked')
    ORDER BY status = 'parked', id LIMIT 1
)
RETURNING id

-- name: find_headless_keys
SELECT topic, message_key FROM {inbox_delivery}
WHERE consumer_id = CAST(:consumer_id AS smallint) AND status IN ('retrying', 'parked') AND message_key IS NOT NULL
GROUP BY topic, message_key
HAVING bool_and(status = 'parked')
ORDER BY min(id)

-- name: find_quarantined_kinds
SELECT DISTINCT type, version FROM {inbox_delivery}
WHERE consumer_id = CAST(:consumer_id AS smallint) AND status = 'quarantined'
    AND error_code IN ('type.unknown', 'version.unknown')

-- name: release_inbox_rows
UPDATE {inbox_delivery}
SET status = CASE WHEN message_key IS NULL THEN 'retrying' ELSE 'parked' END,
    next_retry_at = CASE WHEN message_key IS NULL THEN clock_timestamp() END,
    updated_at = clock_timestamp()
WHERE consumer_id = CAST(:consumer_id AS smallint) AND status = 'quarantined'
    AND error_code IN ('type.unknown', 'version.unknown')
    AND type = CAST(:type AS text) AND version = CAST(:version AS integer)
RETURNING message_id, type, topic

-- name: due_inbox_heads
SELECT id, topic, message_key, cause FROM {inbox_delivery}
WHERE consumer_id = CAST(:consumer_id AS smallint) AND status = 'retrying' AND next_retry_at <= clock_timestamp()
ORDER BY next_retry_at, id
LIMIT CAST(:limit AS integer)

-- name: next_inbox_due
SELECT CAST(extract(epoch FROM min(next_retry_at) - clock_timestamp()) AS double precision) FROM {inbox_delivery}
WHERE consumer_id = CAST(:consumer_id AS smallint) AND status = 'retrying'

-- name: lock_inbox_head
SELECT id, message_id, origin, topic, message_key, sequence, fingerprint, type, version, content_type,
    CAST(headers AS text), body, attempts, max_retry, generation,
    CAST(extract(epoch FROM clock_timestamp() - first_failed_at) AS double precision)
FROM {inbox_delivery}
WHERE id = CAST(:id AS bigint) AND status = 'retrying'
    AND (next_retry_at <= clock_timestamp() OR CAST(:armed AS boolean))
FOR UPDATE SKIP LOCKED

-- name: finish_inbox_row
UPDATE {inbox_delivery}
SET status = 'done', resolution = 'delivered', next_retry_at = NULL,
    done_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE id = CAST(:id AS bigint)

-- name: fail_inbox_row
UPDATE {inbox_delivery}
SET status = CAST(:status AS text), cause = CAST(:cause AS text), attempts = CAST(:attempts AS smallint),
    next_retry_at = clock_timestamp() + CAST(:delay AS interval), error_code = CAST(:error_code AS text),
    last_error = CAST(:last_error AS text), first_failed_at = coalesce(first_failed_at, clock_timestamp()),
    updated_at = clock_timestamp()
WHERE id = CAST(:id AS bigint) AND status = 'retrying'
RETURNING id

-- name: arm_inbox_row
UPDATE {inbox_delivery}
SET cause = CAST(:cause AS text), next_retry_at = clock_timestamp() + CAST(:delay AS interval),
    updated_at = clock_timestamp()
WHERE id = (
    SELECT id FROM {inbox_delivery}
    WHERE id = CAST(:id AS bigint) AND status = 'retrying' AND cause = CAST(:before AS text)
        AND next_retry_at <= clock_timestamp()
    FOR UPDATE SKIP LOCKED)
RETURNING id

-- name: read_starts
SELECT CAST(starts AS text) FROM {inbox_consumer} WHERE id = CAST(:consumer_id AS smallint) FOR UPDATE

-- name: write_starts
UPDATE {inbox_consumer} SET starts = CAST(:starts AS jsonb) WHERE id = CAST(:consumer_id AS smallint)

-- name: find_key_sequences
SELECT k.topic, k.message_key, k.sequence
FROM {inbox_key} AS k
JOIN unnest(CAST(:topics AS text[]), CAST(:message_keys AS text[])) AS w (topic, message_key)
    ON k.topic = w.topic AND k.message_key = w.message_key
WHERE k.consumer_id = CAST(:consumer_id AS smallint)

-- name: raise_key_sequence
INSERT INTO {inbox_key} AS k (consumer_id, topic, message_key, sequence)
VALUES (
    CAST(:consumer_id AS smallint), CAST(:topic AS text), CAST(:message_key AS text), CAST(:sequence AS bigint)
)
ON CONFLICT (consumer_id, topic, message_key) DO UPDATE SET sequence = greatest(k.sequence, excluded.sequence)
