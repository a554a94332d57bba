-- What is deleted of notifications, and how much there is. Contracts: outrider/notification/store, pruning.py and totals.py.

-- fragment: is_old
status IN ('sent', 'dead', 'skipped', 'merged', 'canceled', 'unknown')
    AND ended_at < :now - :keep

-- fragment: of_old
started_at < :now - :keep
    AND EXISTS (SELECT 1 FROM {record} AS r WHERE r.id = {attempt}.record_id AND {is_old})

-- fragment: has_texts
(title IS NOT NULL OR summary_text IS NOT NULL OR fallback_text IS NOT NULL OR data_json IS NOT NULL
    OR content_json IS NOT NULL)

-- name: prune_notification_texts
UPDATE {record} SET title = NULL, summary_text = NULL, fallback_text = NULL, data_json = NULL, content_json = NULL
WHERE id IN (
    SELECT id FROM {record}
    WHERE {is_old}
    AND {has_texts}
    ORDER BY ended_at, id LIMIT :limit
)
RETURNING id

-- name: prune_notification_bodies
UPDATE {attempt} SET request_json = NULL, response_json = NULL
WHERE (record_id, attempt_no) IN (
    SELECT record_id, attempt_no FROM {attempt}
    WHERE {of_old}
    AND (request_json IS NOT NULL OR response_json IS NOT NULL)
    ORDER BY started_at, record_id, attempt_no LIMIT :limit
)
RETURNING record_id

-- name: prune_notification_attempts
DELETE FROM {attempt}
WHERE (record_id, attempt_no) IN (
    SELECT record_id, attempt_no FROM {attempt}
    WHERE {of_old}
    ORDER BY started_at, record_id, attempt_no LIMIT :limit
)
RETURNING record_id

-- name: prune_notifications
DELETE FROM {record}
WHERE id IN (
    SELECT id FROM {record}
    WHERE {is_old}
    ORDER BY ended_at, id LIMIT :limit
)
RETURNING id

-- name: prune_digests
DELETE FROM {digest}
WHERE id IN (
    SELECT id FROM {digest}
    WHERE open_flag IS NULL AND closes_at < :now - :keep
    ORDER BY closes_at, id LIMIT :limit
)
RETURNING id

-- name: prune_inbox_items
DELETE FROM {inbox_item}
WHERE id IN (
    SELECT id FROM {inbox_item}
    WHERE archived_at < :now - :keep
    ORDER BY archived_at, id LIMIT :limit
)
RETURNING id

-- name: prune_notification_scopes
DELETE FROM {dedupe}
WHERE scope_hash IN (
    SELECT scope_hash FROM {dedupe}
    WHERE expires_at < :now
    ORDER BY expires_at, scope_hash LIMIT :limit
)
RETURNING scope_hash

-- name: prune_notification_answers
DELETE FROM {request}
WHERE request_id IN (
    SELECT request_id FROM {request}
    WHERE expires_at < :now
    ORDER BY expires_at, request_id LIMIT :limit
)
RETURNING request_id

-- name: notification_totals
SELECT channel, status, hold, count(*) AS n,
    min(CASE WHEN hold IS NULL THEN next_retry_at END) AS due_at, :now AS clock_at
FROM {record} GROUP BY channel, status, hold

-- name: destination_totals
SELECT channel, state, count(*) AS n FROM {destination} GROUP BY channel, state
