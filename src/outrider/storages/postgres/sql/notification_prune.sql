-- What is deleted of notifications, and how much there is. Contracts: outrider/notification/store, pruning.py and totals.py.

-- fragment: is_old
status IN ('sent', 'dead', 'skipped', 'merged', 'canceled', 'unknown')
    AND ended_at < (SELECT clock_timestamp() - CAST(:keep AS interval))

-- fragment: of_old
started_at < (SELECT clock_timestamp() - CAST(:keep AS interval))
    AND EXISTS (SELECT 1 FROM {record} AS r WHERE r.id = {attempt}.record_id AND {is_old})

-- fragment: has_texts
(title IS NOT NULL OR summary_text IS NOT NULL OR fallback_text IS NOT NULL OR data_json IS NOT NULL
    OR content_json IS NOT NULL)

-- name: prune_notification_texts
WITH old AS MATERIALIZED (
    SELECT id FROM {record}
    WHERE {is_old}
    AND {has_texts}
    ORDER BY ended_at, id LIMIT CAST(:limit AS integer)
    FOR UPDATE SKIP LOCKED
)
UPDATE {record} SET title = NULL, summary_text = NULL, fallback_text = NULL, data_json = NULL, content_json = NULL
WHERE id IN (SELECT id FROM old)
RETURNING id

-- name: prune_notification_bodies
WITH old AS MATERIALIZED (
    SELECT record_id, attempt_no FROM {attempt}
    WHERE {of_old}
    AND (request_json IS NOT NULL OR response_json IS NOT NULL)
    ORDER BY started_at, record_id, attempt_no LIMIT CAST(:limit AS integer)
    FOR UPDATE SKIP LOCKED
)
UPDATE {attempt} SET request_json = NULL, response_json = NULL
WHERE (record_id, attempt_no) IN (SELECT record_id, attempt_no FROM old)
RETURNING record_id

-- name: prune_notification_attempts
WITH old AS MATERIALIZED (
    SELECT record_id, attempt_no FROM {attempt}
    WHERE {of_old}
    ORDER BY started_at, record_id, attempt_no LIMIT CAST(:limit AS integer)
    FOR UPDATE SKIP LOCKED
)
DELETE FROM {attempt}
WHERE (record_id, attempt_no) IN (SELECT record_id, attempt_no FROM old)
RETURNING record_id

-- name: prune_notifications
WITH old AS MATERIALIZED (
    SELECT id FROM {record}
    WHERE {is_old}
    ORDER BY ended_at, id LIMIT CAST(:limit AS integer)
    FOR UPDATE SKIP LOCKED
)
DELETE FROM {record}
WHERE id IN (SELECT id FROM old)
RETURNING id

-- name: prune_digests
WITH old AS MATERIALIZED (
    SELECT id FROM {digest}
    WHERE open_flag IS NULL AND closes_at < (SELECT clock_timestamp() - CAST(:keep AS interval))
    ORDER BY closes_at, id LIMIT CAST(:limit AS integer)
    FOR UPDATE SKIP LOCKED
)
DELETE FROM {digest}
WHERE id IN (SELECT id FROM old)
RETURNING id

-- name: prune_inbox_items
WITH old AS MATERIALIZED (
    SELECT id FROM {inbox_item}
    WHERE archived_at < (SELECT clock_timestamp() - CAST(:keep AS interval))
    ORDER BY archived_at, id LIMIT CAST(:limit AS integer)
    FOR UPDATE SKIP LOCKED
)
DELETE FROM {inbox_item}
WHERE id IN (SELECT id FROM old)
RETURNING id

-- name: prune_notification_scopes
WITH old AS MATERIALIZED (
    SELECT scope_hash FROM {dedupe}
    WHERE expires_at < (SELECT clock_timestamp())
    ORDER BY expires_at, scope_hash LIMIT CAST(:limit AS integer)
    FOR UPDATE SKIP LOCKED
)
DELETE FROM {dedupe}
WHERE scope_hash IN (SELECT scope_hash FROM old)
RETURNING scope_hash

-- name: prune_notification_answers
WITH old AS MATERIALIZED (
    SELECT request_id FROM {request}
    WHERE expires_at < (SELECT clock_timestamp())
    ORDER BY expires_at, request_id LIMIT CAST(:limit AS integer)
    FOR UPDATE SKIP LOCKED
)
DELETE FROM {request}
WHERE request_id IN (SELECT request_id FROM old)
RETURNING request_id

-- name: notification_totals
SELECT channel, status, hold, count(*) AS n,
    min(CASE WHEN hold IS NULL THEN next_retry_at END) AS due_at, clock_timestamp()
FROM {record} GROUP BY channel, status, hold

-- name: destination_totals
SELECT channel, state, count(*) AS n FROM {destination} GROUP BY channel, state
