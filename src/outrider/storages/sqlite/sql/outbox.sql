-- What an outbox does in the caller's transaction. One writer, so no other transaction can come between two statements.
-- Source: spec/outbox.md OB-8 to OB-11, OB-99.

-- name: add_message
INSERT INTO {outbox_message} (
    message_id, type, version, topic, message_key, key_hash, subject, payload, content_type, headers, deliver_at,
    max_retry, trace, correlation_id, causation_id, created_at
) VALUES (
    :message_id, :type, :version, :topic, :message_key, :key_hash, :subject, :payload, :content_type, :headers,
    :deliver_at, :max_retry, :trace, :correlation_id, :causation_id, :now
) ON CONFLICT (message_id) DO NOTHING
RETURNING id

-- name: add_messages
INSERT INTO {outbox_message} (
    message_id, type, version, topic, message_key, key_hash, subject, payload, content_type, headers, deliver_at,
    max_retry, trace, correlation_id, causation_id, created_at
) VALUES (
    :message_id, :type, :version, :topic, :message_key, :key_hash, :subject, :payload, :content_type, :headers,
    :deliver_at, :max_retry, :trace, :correlation_id, :causation_id, :now
) ON CONFLICT (message_id) DO NOTHING
RETURNING message_id, id

-- name: stored_messages
SELECT message_id, id, type, version, topic, message_key, payload
FROM {outbox_message}
WHERE message_id = :message_id

-- name: withdraw_messages
DELETE FROM {outbox_message} WHERE id = :log_id

-- name: get_message
SELECT
    message_id, type, version, topic, message_key, key_hash, subject, payload, content_type, headers, deliver_at,
    max_retry, trace, correlation_id, causation_id, id, created_at
FROM {outbox_message}
WHERE message_id = :message_id

-- name: get_message_at
SELECT
    message_id, type, version, topic, message_key, key_hash, subject, payload, content_type, headers, deliver_at,
    max_retry, trace, correlation_id, causation_id, id, created_at
FROM {outbox_message}
WHERE id = :log_id

-- name: tables_exist
SELECT count(*) = 2 AS tables_exist FROM sqlite_master
WHERE type = 'table' AND name IN ('{p}outrider_meta', '{p}outbox_message')

-- name: read_route_hashes
SELECT type, hash FROM {outrider_route}

-- name: read_meta
SELECT name, value FROM {outrider_meta}
