-- How the log is read: OB-18. Without statistics a third of the log would be guessed to be fresh; the upper bound makes it
-- a two-hundredth. Each search through the xid index is ordered as the index is, behind OFFSET 0: another plan would have to sort.
-- In read_fresh only `id >` can use an index, and the CASE is guessed to pass nearly all rows (three filters would be
-- guessed to pass one in a thousand): the walk along the primary key is the cheapest plan.

-- name: open_tick
SELECT CAST(pg_current_snapshot() AS text),
    (SELECT min(fresh.id) FROM (
        SELECT id FROM {outbox_message} WHERE xid >= CAST(:done_xmax AS xid8)
          AND xid < pg_snapshot_xmax(pg_current_snapshot()) AND id > :floor_id
        ORDER BY xid, id OFFSET 0) AS fresh),
    EXISTS (
        SELECT 1 FROM unnest(CAST(:late AS xid8[])) AS running (xid)
        CROSS JOIN LATERAL (
            SELECT m.id FROM {outbox_message} AS m WHERE m.xid = running.xid AND m.id > :floor_id
            ORDER BY m.xid, m.id LIMIT 1) AS found)

-- name: resume_tick
SELECT min(fresh.id) FROM (
    SELECT id FROM {outbox_message} WHERE xid >= CAST(:done_xmax AS xid8)
      AND xid < pg_snapshot_xmax(pg_current_snapshot()) AND id > :floor_id
    ORDER BY xid, id OFFSET 0) AS fresh

-- name: read_late
WITH late AS MATERIALIZED (
    SELECT found.id FROM unnest(CAST(:late AS xid8[])) AS running (xid)
    CROSS JOIN LATERAL (
        SELECT m.id, m.key_hash FROM {outbox_message} AS m
        WHERE m.xid = running.xid AND m.id > :from_id AND m.id < :first_id
        ORDER BY m.xid, m.id OFFSET 0) AS found
    WHERE pg_visible_in_snapshot(running.xid, CAST(:target AS pg_snapshot))
      AND found.key_hash % CAST(:lanes AS integer) = CAST(:lane AS integer)
    ORDER BY found.id LIMIT :limit
)
SELECT m.id, CAST(m.message_id AS text),
    m.type || chr(31) || m.version || chr(31) || m.topic || chr(31) || m.content_type || chr(31) || m.max_retry,
    m.message_key, m.payload, CAST(m.created_at AS text),
    CASE WHEN m.headers IS NULL AND m.deliver_at IS NULL AND m.correlation_id IS NULL AND m.causation_id IS NULL
        AND m.trace IS NULL AND (m.subject IS NULL OR m.subject = m.message_key) THEN NULL
    ELSE CAST(jsonb_strip_nulls(jsonb_build_object(
        'headers', m.headers, 'subject', nullif(m.subject, m.message_key),
        'deliver_at', to_char(m.deliver_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'ahead', CASE WHEN m.deliver_at > clock_timestamp() THEN true END,
        'correlation_id', m.correlation_id, 'causation_id', m.causation_id
    ) || coalesce(m.trace, CAST('{}' AS jsonb))) AS text) END
FROM {outbox_message} AS m
WHERE m.id IN (SELECT id FROM late)
ORDER BY m.id

-- name: read_fresh
SELECT m.id, CAST(m.message_id AS text),
    m.type || chr(31) || m.version || chr(31) || m.topic || chr(31) || m.content_type || chr(31) || m.max_retry,
    m.message_key, m.payload, CAST(m.created_at AS text),
    CASE WHEN m.headers IS NULL AND m.deliver_at IS NULL AND m.correlation_id IS NULL AND m.causation_id IS NULL
        AND m.trace IS NULL AND (m.subject IS NULL OR m.subject = m.message_key) THEN NULL
    ELSE CAST(jsonb_strip_nulls(jsonb_build_object(
        'headers', m.headers, 'subject', nullif(m.subject, m.message_key),
        'deliver_at', to_char(m.deliver_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'ahead', CASE WHEN m.deliver_at > clock_timestamp() THEN true END,
        'correlation_id', m.correlation_id, 'causation_id', m.causation_id
    ) || coalesce(m.trace, CAST('{}' AS jsonb))) AS text) END
FROM {outbox_message} AS m
WHERE m.id > :from_id
  AND CASE WHEN (m.xid < CAST(:target_xmin AS xid8) OR pg_visible_in_snapshot(m.xid, CAST(:target AS pg_snapshot)))
        AND (m.xid >= CAST(:done_xmax AS xid8) OR NOT pg_visible_in_snapshot(m.xid, CAST(:done AS pg_snapshot)))
        AND m.key_hash % CAST(:lanes AS integer) = CAST(:lane AS integer) THEN 1 END IS NOT NULL
ORDER BY m.id LIMIT :limit

-- name: read_late_unseen
WITH late AS MATERIALIZED (
    SELECT found.id FROM unnest(CAST(:late AS xid8[])) AS running (xid)
    CROSS JOIN LATERAL (
        SELECT m.id, m.key_hash FROM {outbox_message} AS m
        WHERE m.xid = running.xid AND m.id > :from_id AND m.id < :first_id
        ORDER BY m.xid, m.id OFFSET 0) AS found
    WHERE pg_visible_in_snapshot(running.xid, CAST(:target AS pg_snapshot))
      AND found.key_hash % CAST(:lanes AS integer) = CAST(:lane AS integer)
    ORDER BY found.id LIMIT :limit
)
SELECT m.id, CAST(m.message_id AS text),
    m.type || chr(31) || m.version || chr(31) || m.topic || chr(31) || m.content_type || chr(31) || m.max_retry,
    m.message_key, m.payload, CAST(m.created_at AS text),
    CASE WHEN m.headers IS NULL AND m.deliver_at IS NULL AND m.correlation_id IS NULL AND m.causation_id IS NULL
        AND m.trace IS NULL AND (m.subject IS NULL OR m.subject = m.message_key) THEN NULL
    ELSE CAST(jsonb_strip_nulls(jsonb_build_object(
        'headers', m.headers, 'subject', nullif(m.subject, m.message_key),
        'deliver_at', to_char(m.deliver_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'ahead', CASE WHEN m.deliver_at > clock_timestamp() THEN true END,
        'correlation_id', m.correlation_id, 'causation_id', m.causation_id
    ) || coalesce(m.trace, CAST('{}' AS jsonb))) AS text) END
FROM {outbox_message} AS m
WHERE m.id IN (SELECT id FROM late)
  AND NOT EXISTS (
    SELECT 1 FROM {outbox_delivery} AS d WHERE d.subscription_id = :subscription_id AND d.log_id = m.id)
ORDER BY m.id

-- name: read_fresh_unseen
SELECT m.id, CAST(m.message_id AS text),
    m.type || chr(31) || m.version || chr(31) || m.topic || chr(31) || m.content_type || chr(31) || m.max_retry,
    m.message_key, m.payload, CAST(m.created_at AS text),
    CASE WHEN m.headers IS NULL AND m.deliver_at IS NULL AND m.correlation_id IS NULL AND m.causation_id IS NULL
        AND m.trace IS NULL AND (m.subject IS NULL OR m.subject = m.message_key) THEN NULL
    ELSE CAST(jsonb_strip_nulls(jsonb_build_object(
        'headers', m.headers, 'subject', nullif(m.subject, m.message_key),
        'deliver_at', to_char(m.deliver_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'ahead', CASE WHEN m.deliver_at > clock_timestamp() THEN true END,
        'correlation_id', m.correlation_id, 'causation_id', m.causation_id
    ) || coalesce(m.trace, CAST('{}' AS jsonb))) AS text) END
FROM {outbox_message} AS m
WHERE m.id > :from_id
  AND CASE WHEN (m.xid < CAST(:target_xmin AS xid8) OR pg_visible_in_snapshot(m.xid, CAST(:target AS pg_snapshot)))
        AND (m.xid >= CAST(:done_xmax AS xid8) OR NOT pg_visible_in_snapshot(m.xid, CAST(:done AS pg_snapshot)))
        AND m.key_hash % CAST(:lanes AS integer) = CAST(:lane AS integer) THEN 1 END IS NOT NULL
  AND NOT EXISTS (
    SELECT 1 FROM {outbox_delivery} AS d WHERE d.subscription_id = :subscription_id AND d.log_id = m.id)
ORDER BY m.id LIMIT :limit
