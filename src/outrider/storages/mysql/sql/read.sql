-- The rows that a subscription has to read, by their side rows, in passes (OB-21). A log row's columns are one fragment: words
-- are handed out as text, so that nothing is left to convert.

-- fragment: row_columns_short
m.id,
    LOWER(INSERT(INSERT(INSERT(INSERT(HEX(m.message_id), 9, 0, '-'), 14, 0, '-'), 19, 0, '-'), 24, 0, '-')) AS id_text,
    CONVERT(CONCAT_WS(CHAR(31), m.type, m.version, m.topic, m.content_type, m.max_retry) USING utf8mb4) AS sort,
    CONVERT(m.message_key USING utf8mb4) AS key_text

-- fragment: row_columns
{row_columns_short}, m.payload, CONCAT(m.created_at, '+00') AS time

-- fragment: row_extra
'headers', JSON_EXTRACT(m.headers, '$'), 'subject', CONVERT(NULLIF(m.subject, m.message_key) USING utf8mb4),
        'deliver_at', DATE_FORMAT(m.deliver_at, '%Y-%m-%dT%H:%i:%s.%fZ'),
        'correlation_id', CONVERT(m.correlation_id USING utf8mb4), 'causation_id', CONVERT(m.causation_id USING utf8mb4)

-- fragment: pass_rows
{row_columns},
    CASE WHEN m.headers IS NULL AND m.deliver_at IS NULL AND m.correlation_id IS NULL AND m.causation_id IS NULL
        AND m.trace IS NULL AND (m.subject IS NULL OR m.subject <=> m.message_key) THEN NULL
    ELSE JSON_MERGE_PATCH('{}', JSON_OBJECT(
        {row_extra},
        'ahead', CASE WHEN m.deliver_at > UTC_TIMESTAMP(6) THEN JSON_EXTRACT('true', '$') END
    ), COALESCE(m.trace, '{}')) END AS extra
FROM {outbox_pending} AS p STRAIGHT_JOIN {outbox_message} AS m ON m.id = p.log_id
WHERE p.subscription_id = :subscription_id AND p.log_id > :from_id AND p.log_id <= :upto AND p.key_hash % :lanes = :lane

-- name: open_pass
SELECT MAX(log_id) FROM {outbox_pending} WHERE subscription_id = :subscription_id

-- name: read_pass
SELECT {pass_rows}
ORDER BY p.log_id LIMIT :limit

-- name: read_pass_beside
-- Some of them are in flight. The sum keeps the planner from making a range of each.
SELECT {pass_rows}
    AND p.log_id + 0 NOT IN :taken
ORDER BY p.log_id LIMIT :limit
