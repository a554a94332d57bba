-- One writer: ids commit in order, so an id is a position (OB-21). Times are shown as RFC 3339 with six digits.

-- name: read_log
SELECT m.id,
    lower(substr(hex(m.message_id), 1, 8) || '-' || substr(hex(m.message_id), 9, 4) || '-'
        || substr(hex(m.message_id), 13, 4) || '-' || substr(hex(m.message_id), 17, 4) || '-'
        || substr(hex(m.message_id), 21)),
    m.type || char(31) || m.version || char(31) || m.topic || char(31) || m.content_type || char(31) || m.max_retry,
    m.message_key, m.payload,
    strftime('%Y-%m-%dT%H:%M:%S', m.created_at / 1000000, 'unixepoch') || printf('.%06dZ', m.created_at % 1000000),
    CASE WHEN m.headers IS NULL AND m.deliver_at IS NULL AND m.correlation_id IS NULL AND m.causation_id IS NULL
        AND m.trace IS NULL AND (m.subject IS NULL OR m.subject = m.message_key) THEN NULL
    ELSE json_patch(json_patch('{}', json_object(
        'headers', json(m.headers), 'subject', nullif(m.subject, m.message_key),
        'deliver_at', strftime('%Y-%m-%dT%H:%M:%S', m.deliver_at / 1000000, 'unixepoch')
            || printf('.%06dZ', m.deliver_at % 1000000),
        'ahead', CASE WHEN m.deliver_at > :now THEN json('true') END,
        'correlation_id', m.correlation_id, 'causation_id', m.causation_id
    )), coalesce(m.trace, '{}')) END
FROM {outbox_message} AS m
WHERE m.id > :from_id AND m.key_hash % :lanes = :lane
ORDER BY m.id LIMIT :limit

-- name: read_log_unseen
SELECT m.id,
    lower(substr(hex(m.message_id), 1, 8) || '-' || substr(hex(m.message_id), 9, 4) || '-'
        || substr(hex(m.message_id), 13, 4) || '-' || substr(hex(m.message_id), 17, 4) || '-'
        || substr(hex(m.message_id), 21)),
    m.type || char(31) || m.version || char(31) || m.topic || char(31) || m.content_type || char(31) || m.max_retry,
    m.message_key, m.payload,
    strftime('%Y-%m-%dT%H:%M:%S', m.created_at / 1000000, 'unixepoch') || printf('.%06dZ', m.created_at % 1000000),
    CASE WHEN m.headers IS NULL AND m.deliver_at IS NULL AND m.correlation_id IS NULL AND m.causation_id IS NULL
        AND m.trace IS NULL AND (m.subject IS NULL OR m.subject = m.message_key) THEN NULL
    ELSE json_patch(json_patch('{}', json_object(
        'headers', json(m.headers), 'subject', nullif(m.subject, m.message_key),
        'deliver_at', strftime('%Y-%m-%dT%H:%M:%S', m.deliver_at / 1000000, 'unixepoch')
            || printf('.%06dZ', m.deliver_at % 1000000),
        'ahead', CASE WHEN m.deliver_at > :now THEN json('true') END,
        'correlation_id', m.correlation_id, 'causation_id', m.causation_id
    )), coalesce(m.trace, '{}')) END
FROM {outbox_message} AS m
WHERE m.id > :from_id AND m.key_hash % :lanes = :lane
  AND NOT EXISTS (
    SELECT 1 FROM {outbox_delivery} AS d WHERE d.subscription_id = :subscription_id AND d.log_id = m.id)
ORDER BY m.id LIMIT :limit
