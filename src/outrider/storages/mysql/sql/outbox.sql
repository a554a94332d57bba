-- What an outbox does in the caller's transaction: the message, then its row for each subscription. Nothing here reads the log
-- under a lock but what was found there already: under REPEATABLE READ the gap behind its end would be locked, and all who add
-- would wait for one another. Words are sent as bytes; JSON as text. Source: spec/outbox.md OB-8 to OB-11, OB-21, OB-99.

-- name: add_message
INSERT INTO {outbox_message} (
    message_id, type, version, topic, message_key, key_hash, subject, payload, content_type, headers, deliver_at, max_retry,
    trace, correlation_id, causation_id, created_at
) VALUES (
    :message_id, :type, :version, :topic, :message_key, :key_hash, :subject, :payload, :content_type,
    CONVERT(:headers USING utf8mb4), :deliver_at, :max_retry, CONVERT(:trace USING utf8mb4), :correlation_id, :causation_id,
    UTC_TIMESTAMP(6)
);
INSERT INTO {outbox_pending} (subscription_id, log_id, key_hash)
SELECT s.id, LAST_INSERT_ID(), :key_hash FROM {active_subscriptions} LOCK IN SHARE MODE

-- name: add_messages
-- The ids of one insert of a known number of rows follow one another (innodb_autoinc_lock_mode 0, 1 and 2), if the session
-- counts by ones; where it does not, the second statement fails.
INSERT INTO {outbox_message} (
    message_id, type, version, topic, message_key, key_hash, subject, payload, content_type, headers, deliver_at, max_retry,
    trace, correlation_id, causation_id, created_at
) VALUES
-- each
(
    :message_id, :type, :version, :topic, :message_key, :key_hash, :subject, :payload, :content_type,
    CONVERT(:headers USING utf8mb4), :deliver_at, :max_retry, CONVERT(:trace USING utf8mb4), :correlation_id, :causation_id,
    UTC_TIMESTAMP(6)
);
INSERT INTO {outbox_pending} (subscription_id, log_id, key_hash)
SELECT s.id, IF(@@auto_increment_increment = 1, LAST_INSERT_ID() + added.place - 1, NULL), added.key_hash
FROM {active_subscriptions} STRAIGHT_JOIN JSON_TABLE(
    CONVERT(:key_hashes USING utf8mb4), '$[*]' COLUMNS (place FOR ORDINALITY, key_hash INT PATH '$')
) AS added
LOCK IN SHARE MODE

-- name: stored_messages
-- As committed by now, whatever the transaction's snapshot shows: the insert has just met them.
SELECT message_id, id, type, version, topic, message_key, payload
FROM {outbox_message}
WHERE message_id IN :message_ids
LOCK IN SHARE MODE

-- name: withdraw_messages
DELETE pending FROM {outbox_pending} AS pending JOIN {outbox_subscription} AS s ON s.id = pending.subscription_id
WHERE pending.log_id IN :log_ids;
DELETE FROM {outbox_message} WHERE id IN :log_ids

-- name: get_message
SELECT
    message_id, type, version, topic, message_key, key_hash, subject, payload, content_type, headers, deliver_at, max_retry,
    trace, correlation_id, causation_id, id, created_at
FROM {outbox_message}
WHERE message_id = :message_id

-- name: get_message_at
SELECT
    message_id, type, version, topic, message_key, key_hash, subject, payload, content_type, headers, deliver_at, max_retry,
    trace, correlation_id, causation_id, id, created_at
FROM {outbox_message}
WHERE id = :log_id

-- fragment: database_of_tables
IF('{outrider_meta}' LIKE '%.%', SUBSTRING_INDEX(SUBSTRING('{outrider_meta}', 2), '`', 1), DATABASE())

-- name: tables_exist
SELECT COUNT(*) = 2 AS tables_exist FROM information_schema.TABLES
WHERE TABLE_NAME IN ('{p}outrider_meta', '{p}outbox_message') AND TABLE_SCHEMA = {database_of_tables}

-- name: read_route_hashes
SELECT type, hash FROM {outrider_route}

-- name: read_meta
SELECT name, value FROM {outrider_meta}
