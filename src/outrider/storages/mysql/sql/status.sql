-- Where a message is, by what is written of it; no body is read. Source: spec/outbox.md OB-23, OB-24.

-- name: status_message
SELECT
    message.id AS log_id, message.message_id, message.type, message.topic, message.message_key, message.max_retry,
    message.created_at, route.consumers_here
FROM {outbox_message} AS message LEFT JOIN {outrider_route} AS route ON route.type = message.type
WHERE message.message_id = :message_id

-- name: status_message_at
SELECT
    message.id AS log_id, message.message_id, message.type, message.topic, message.message_key, message.max_retry,
    message.created_at, route.consumers_here
FROM {outbox_message} AS message LEFT JOIN {outrider_route} AS route ON route.type = message.type
WHERE message.id = :log_id

-- name: status_subscriptions
-- The journal is entered at the time the message was added and read on to the first row past it. What was read has no side row.
SELECT
    line.name, line.kind, line.passed,
    CASE WHEN line.passed AND line.status IS NULL THEN COALESCE((
        SELECT advance.at FROM {outbox_advance} AS advance
        WHERE advance.subscription_id = line.subscription_id AND advance.lane = line.lane
            AND advance.at >= line.created_at
            AND (line.log_id <= advance.floor_id OR line.log_id <= advance.last_id)
        ORDER BY advance.at LIMIT 1
    ), line.advanced_at) END AS passed_at,
    line.status, line.attempts, line.max_retry, line.next_retry_at, line.error_code, line.last_error, line.updated_at,
    line.done_at, line.resolution
FROM (
    SELECT
        subscription.id AS subscription_id, subscription.name, subscription.kind, place.lane, place.advanced_at,
        message.id AS log_id, message.created_at,
        place.lane IS NOT NULL AND pending.log_id IS NULL AS passed,
        delivery.status, delivery.attempts, delivery.max_retry, delivery.next_retry_at, delivery.error_code,
        delivery.last_error, delivery.updated_at, delivery.done_at, delivery.resolution
    FROM {outbox_message} AS message
    CROSS JOIN {outbox_subscription} AS subscription
    LEFT JOIN {outbox_cursor} AS place
        ON place.subscription_id = subscription.id AND place.lane = message.key_hash % subscription.lanes
    LEFT JOIN {outbox_pending} AS pending
        ON pending.subscription_id = subscription.id AND pending.log_id = message.id
    LEFT JOIN {outbox_delivery} AS delivery
        ON delivery.subscription_id = subscription.id AND delivery.log_id = message.id
    WHERE message.id = :log_id AND subscription.kind IN ('relay', 'handler')
        AND (subscription.types IS NULL
            OR JSON_CONTAINS(subscription.types, JSON_QUOTE(CONVERT(message.type USING utf8mb4))))
) AS line
ORDER BY line.subscription_id

-- name: status_consumers
SELECT
    consumer.name, receipt.consumed_at, delivery.status, delivery.attempts, delivery.max_retry, delivery.next_retry_at,
    delivery.error_code, delivery.last_error, delivery.updated_at, delivery.done_at, delivery.resolution
FROM {inbox_consumer} AS consumer
LEFT JOIN {inbox_receipt} AS receipt ON receipt.consumer_id = consumer.id AND receipt.message_id = :message_id
LEFT JOIN {inbox_delivery} AS delivery ON delivery.consumer_id = consumer.id AND delivery.message_id = :message_id
WHERE receipt.message_id IS NOT NULL OR delivery.message_id IS NOT NULL
ORDER BY consumer.id

-- name: due_messages
SELECT
    message.id AS log_id, message.message_id, message.type, message.topic, message.message_key, due.due_at, due.attempts,
    message.max_retry, due.error_code, due.last_error, message.created_at
FROM (
    SELECT unread.id, COALESCE(unread.deliver_at, unread.created_at) AS due_at, 0 AS attempts, NULL AS error_code,
        NULL AS last_error
    FROM {outbox_message} AS unread
    WHERE (unread.deliver_at IS NULL OR unread.deliver_at <= UTC_TIMESTAMP(6))
        AND NOT EXISTS (SELECT 1 FROM {outbox_delivery} AS delivery WHERE delivery.message_id = unread.message_id)
        AND (
            NOT EXISTS (SELECT 1 FROM {outbox_subscription} AS o WHERE o.kind IN ('relay', 'handler'))
            OR unread.id IN (
                SELECT pending.log_id FROM {outbox_subscription} AS subscription
                JOIN {outbox_pending} AS pending ON pending.subscription_id = subscription.id
                WHERE (subscription.kind = 'relay' OR (subscription.kind = 'handler' AND NOT EXISTS (
                        SELECT 1 FROM {outbox_subscription} AS o WHERE o.kind = 'relay')))
                    AND (subscription.types IS NULL
                        OR JSON_CONTAINS(subscription.types, JSON_QUOTE(CONVERT(unread.type USING utf8mb4))))
            )
        )
    UNION ALL
    SELECT delivery.log_id, delivery.next_retry_at, delivery.attempts, delivery.error_code, delivery.last_error
    FROM {outbox_delivery} AS delivery
    WHERE delivery.status IN ('waiting', 'retrying') AND delivery.next_retry_at <= UTC_TIMESTAMP(6)
) AS due
JOIN {outbox_message} AS message ON message.id = due.id
ORDER BY due.due_at, message.id
LIMIT :limit
