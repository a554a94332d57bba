-- How the log is read: OB-18. The `+ 0` and MATERIALIZED keep the planner off a walk of the primary key; no predicate
-- of read_fresh but `id >` can use an index, and the CASE is guessed to pass half of the rows (three filters would be
-- guessed to pass one in a thousand), so that the walk along the primary key is the cheapest plan whatever is analysed.

-- name: open_tick
SELECT CAST(pg_current_snapshot() AS text),
    (SELECT min(id + 0) FROM {outbox_message} WHERE xid >= CAST(:done_xmax AS xid8) AND id > :floor_id),
    EXISTS (SELECT 1 FROM {outbox_message} WHERE xid = ANY (CAST(:late AS xid8[])) AND id > :floor_id)

-- name: resume_tick
SELECT (SELECT min(id + 0) FROM {outbox_message} WHERE xid >= CAST(:done_xmax AS xid8) AND id > :floor_id)

-- name: read_late
WITH late AS MATERIALIZED (
    SELECT id FROM {outbox_message}
    WHERE xid = ANY (CAST(:late AS xid8[])) AND id > :from_id AND id < :first_id
      AND pg_visible_in_snapshot(xid, CAST(:target AS pg_snapshot))
      AND key_hash % CAST(:lanes AS integer) = CAST(:lane AS integer)
    ORDER BY id LIMIT :limit
)
SELECT m.id, CAST(m.message_id AS text),
    m.type || chr(31) || m.version || chr(31) || m.topic || chr(31) || m.content_type || chr(31) || m.max_retry,
    m.message_key, m.payload, to_char(m.created_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
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
    m.message_key, m.payload, to_char(m.created_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
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
  AND CASE WHEN pg_visible_in_snapshot(m.xid, CAST(:target AS pg_snapshot))
        AND NOT pg_visible_in_snapshot(m.xid, CAST(:done AS pg_snapshot))
        AND m.key_hash % CAST(:lanes AS integer) = CAST(:lane AS integer) THEN true ELSE false END
ORDER BY m.id LIMIT :limit

-- name: read_late_unseen
WITH late AS MATERIALIZED (
    SELECT id FROM {outbox_message}
    WHERE xid = ANY (CAST(:late AS xid8[])) AND id > :from_id AND id < :first_id
      AND pg_visible_in_snapshot(xid, CAST(:target AS pg_snapshot))
      AND key_hash % CAST(:lanes AS integer) = CAST(:lane AS integer)
    ORDER BY id LIMIT :limit
)
SELECT m.id, CAST(m.message_id AS text),
    m.type || chr(31) || m.version || chr(31) || m.topic || chr(31) || m.content_type || chr(31) || m.max_retry,
    m.message_key, m.payload, to_char(m.created_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
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
    m.message_key, m.payload, to_char(m.created_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
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
  AND CASE WHEN pg_visible_in_snapshot(m.xid, CAST(:target AS pg_snapshot))
        AND NOT pg_visible_in_snapshot(m.xid, CAST(:done AS pg_snapshot))
        AND m.key_hash % CAST(:lanes AS integer) = CAST(:lane AS integer) THEN true ELSE false END
  AND NOT EXISTS (
    SELECT 1 FROM {outbox_delivery} AS d WHERE d.subscription_id = :subscription_id AND d.log_id = m.id)
ORDER BY m.id LIMIT :limit
