-- How the log is read: OB-18. Without statistics a third of the log would be guessed to be fresh; the upper bound makes it
-- a two-hundredth. Each search through the xid index is ordered as the index is, behind OFFSET 0: another plan would have to sort.
-- In read_fresh only `id >` can use an index, and the CASE is guessed to pass nearly all rows (three filters would be
-- guessed to pass one in a thousand): the walk along the primary key is the cheapest plan.

-- fragment: row
m.id, CAST(m.message_id AS text) AS message_id,
    m.type || chr(31) || m.version || chr(31) || m.topic || chr(31) || m.content_type || chr(31) || m.max_retry AS kind,
    m.message_key, m.payload, CAST(m.created_at AS text) AS time,
    CASE WHEN m.headers IS NULL AND m.deliver_at IS NULL AND m.correlation_id IS NULL AND m.causation_id IS NULL
        AND m.trace IS NULL AND (m.subject IS NULL OR m.subject = m.message_key) THEN NULL
    ELSE CAST(jsonb_strip_nulls(jsonb_build_object(
        'headers', m.headers, 'subject', nullif(m.subject, m.message_key),
        'deliver_at', to_char(m.deliver_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'ahead', CASE WHEN m.deliver_at > clock_timestamp() THEN true END,
        'correlation_id', m.correlation_id, 'causation_id', m.causation_id
    ) || coalesce(m.trace, CAST('{}' AS jsonb))) AS text) END AS extra

-- fragment: own
m.key_hash % CAST(:lanes AS integer) = CAST(:lane AS integer)

-- fragment: unseen
NOT EXISTS (
    SELECT 1 FROM {outbox_delivery} AS d WHERE d.subscription_id = :subscription_id AND d.log_id = m.id)

-- fragment: late
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
SELECT {row}
FROM {outbox_message} AS m
WHERE m.id IN (SELECT id FROM late)

-- fragment: fresh
SELECT {row}
FROM {outbox_message} AS m
WHERE m.id > :from_id
  AND CASE WHEN (m.xid < CAST(:target_xmin AS xid8) OR pg_visible_in_snapshot(m.xid, CAST(:target AS pg_snapshot)))
        AND (m.xid >= CAST(:done_xmax AS xid8) OR NOT pg_visible_in_snapshot(m.xid, CAST(:done AS pg_snapshot)))
        AND {own} THEN 1 END IS NOT NULL

-- fragment: server_run
-- Which run of the server this is (core/position.py): the postmaster's start tells a restart and a failover, and a crash that
-- the postmaster survives resets the statistics. Before 15 those are a file, too dear to ask for with every tick.
hashtextextended(concat_ws('/', extract(epoch FROM pg_postmaster_start_time()),
    CASE WHEN CAST(current_setting('server_version_num') AS integer) >= 150000
        THEN extract(epoch FROM pg_stat_get_bgwriter_stat_reset_time()) END), 0)

-- fragment: lowest
SELECT min(fresh.id) FROM (
    SELECT id FROM {outbox_message}
    WHERE xid >= CAST(:done_xmax AS xid8) AND xid < pg_snapshot_xmax(pg_current_snapshot()) AND id > :floor_id

-- fragment: first_id
-- Where the tick's new rows begin. Nearly always that is the row behind the highest id that was read: it is new, and the xid
-- index says that none lies below. Only where it is old (another lane's) is the lowest of all sought, by a look at each.
(SELECT CASE WHEN next.is_new IS FALSE THEN ({lowest} ORDER BY xid, id OFFSET 0) AS fresh)
    ELSE least(next.id, ({lowest} AND id <= :high_id ORDER BY xid, id OFFSET 0) AS fresh)) END
FROM (
    SELECT max(id) AS id, bool_and(is_new) AS is_new FROM (
        SELECT id, xid >= CAST(:done_xmax AS xid8) AS is_new FROM {outbox_message}
        WHERE id > :high_id ORDER BY id LIMIT 1) AS behind) AS next)

-- fragment: tick
-- What the statement itself sees is what `target` sees: it runs by itself, outside any transaction that writes.
WITH tick AS MATERIALIZED (
    SELECT {server_run} AS server_run, CAST(pg_current_snapshot() AS text) AS target,
        {first_id} AS first_id,
        EXISTS (
            SELECT 1 FROM unnest(CAST(:late AS xid8[])) AS running (xid)
            CROSS JOIN LATERAL (
                SELECT m.id FROM {outbox_message} AS m WHERE m.xid = running.xid AND m.id > :floor_id
                ORDER BY m.xid, m.id LIMIT 1) AS found) AS late
)
SELECT rows.*, tick.server_run, tick.target, tick.first_id, tick.late
FROM tick LEFT JOIN LATERAL (
    SELECT {row}
    FROM {outbox_message} AS m
    WHERE NOT tick.late AND m.id >= tick.first_id
      AND CASE WHEN (m.xid >= CAST(:done_xmax AS xid8) OR NOT pg_visible_in_snapshot(m.xid, CAST(:done AS pg_snapshot)))
            AND {own} THEN 1 END IS NOT NULL

-- fragment: tick_end
ORDER BY m.id LIMIT :limit
) AS rows ON true
ORDER BY rows.id

-- name: read_tick
-- Opens a tick and reads its first rows, where no late ones come before them; one row without a message where there is none.
{tick}
{tick_end}

-- name: read_tick_unseen
{tick}
AND {unseen}
{tick_end}

-- name: resume_tick
SELECT {first_id}

-- name: read_late
{late}
ORDER BY m.id

-- name: read_fresh
{fresh}
ORDER BY m.id LIMIT :limit

-- name: read_late_unseen
{late}
AND {unseen}
ORDER BY m.id

-- name: read_fresh_unseen
{fresh}
AND {unseen}
ORDER BY m.id LIMIT :limit
