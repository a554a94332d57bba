-- What is deleted of notifications, and how much there is. Contracts: outrider/notification/store, pruning.py and totals.py.

-- fragment: is_old
status IN ('sent', 'dead', 'skipped', 'merged', 'canceled', 'unknown')
    AND ended_at < @outrider_cutoff

-- fragment: of_old
started_at < @outrider_cutoff
    AND EXISTS (SELECT 1 FROM {record} AS r WHERE r.id = {attempt}.record_id AND {is_old})

-- fragment: has_texts
(title IS NOT NULL OR summary_text IS NOT NULL OR fallback_text IS NOT NULL OR data_json IS NOT NULL
    OR content_json IS NOT NULL)

-- name: prune_notification_texts
SET @outrider_cutoff = UTC_TIMESTAMP(6) - INTERVAL :keep MICROSECOND;
SELECT id FROM {record}
WHERE {is_old}
    AND {has_texts}
ORDER BY ended_at, id LIMIT :limit
FOR UPDATE;
UPDATE {record} SET title = NULL, summary_text = NULL, fallback_text = NULL, data_json = NULL, content_json = NULL
WHERE {is_old}
    AND {has_texts}
ORDER BY ended_at, id LIMIT :limit

-- name: prune_notification_bodies
SET @outrider_cutoff = UTC_TIMESTAMP(6) - INTERVAL :keep MICROSECOND;
SELECT record_id FROM {attempt}
WHERE {of_old}
    AND (request_json IS NOT NULL OR response_json IS NOT NULL)
ORDER BY started_at, record_id, attempt_no LIMIT :limit
FOR UPDATE;
UPDATE {attempt} SET request_json = NULL, response_json = NULL
WHERE {of_old}
    AND (request_json IS NOT NULL OR response_json IS NOT NULL)
ORDER BY started_at, record_id, attempt_no LIMIT :limit

-- name: prune_notification_attempts
SET @outrider_cutoff = UTC_TIMESTAMP(6) - INTERVAL :keep MICROSECOND;
SELECT record_id FROM {attempt}
WHERE {of_old}
ORDER BY started_at, record_id, attempt_no LIMIT :limit
FOR UPDATE;
DELETE FROM {attempt}
WHERE {of_old}
ORDER BY started_at, record_id, attempt_no LIMIT :limit

-- name: prune_notifications
SET @outrider_cutoff = UTC_TIMESTAMP(6) - INTERVAL :keep MICROSECOND;
SELECT id FROM {record}
WHERE {is_old}
ORDER BY ended_at, id LIMIT :limit
FOR UPDATE;
DELETE FROM {record}
WHERE {is_old}
ORDER BY ended_at, id LIMIT :limit

-- name: prune_digests
SET @outrider_cutoff = UTC_TIMESTAMP(6) - INTERVAL :keep MICROSECOND;
SELECT id FROM {digest}
WHERE open_flag IS NULL AND closes_at < @outrider_cutoff
ORDER BY closes_at, id LIMIT :limit
FOR UPDATE;
DELETE FROM {digest}
WHERE open_flag IS NULL AND closes_at < @outrider_cutoff
ORDER BY closes_at, id LIMIT :limit

-- name: prune_inbox_items
SET @outrider_cutoff = UTC_TIMESTAMP(6) - INTERVAL :keep MICROSECOND;
SELECT id FROM {inbox_item}
WHERE archived_at < @outrider_cutoff
ORDER BY archived_at, id LIMIT :limit
FOR UPDATE;
DELETE FROM {inbox_item}
WHERE archived_at < @outrider_cutoff
ORDER BY archived_at, id LIMIT :limit

-- name: prune_notification_scopes
SET @outrider_cutoff = UTC_TIMESTAMP(6);
SELECT scope_hash FROM {dedupe}
WHERE expires_at < @outrider_cutoff
ORDER BY expires_at, scope_hash LIMIT :limit
FOR UPDATE;
DELETE FROM {dedupe}
WHERE expires_at < @outrider_cutoff
ORDER BY expires_at, scope_hash LIMIT :limit

-- name: prune_notification_answers
SET @outrider_cutoff = UTC_TIMESTAMP(6);
SELECT request_id FROM {request}
WHERE expires_at < @outrider_cutoff
ORDER BY expires_at, request_id LIMIT :limit
FOR UPDATE;
DELETE FROM {request}
WHERE expires_at < @outrider_cutoff
ORDER BY expires_at, request_id LIMIT :limit

-- name: notification_totals
SELECT channel, status, hold, count(*) AS n,
    min(CASE WHEN hold IS NULL THEN next_retry_at END) AS due_at, UTC_TIMESTAMP(6) AS clock_at
FROM {record} GROUP BY channel, status, hold

-- name: destination_totals
SELECT channel, state, count(*) AS n FROM {destination} GROUP BY channel, state
