-- Due rows of a handler subscription, inside the handling transaction. Contracts: outrider/consumer/log_rows.py.

-- name: lock_delivery
SELECT attempts, COALESCE(TIMESTAMPDIFF(MICROSECOND, first_failed_at, UTC_TIMESTAMP(6)), 0) AS failing FROM {outbox_delivery}
WHERE subscription_id = :subscription_id AND log_id = :log_id AND status IN ('retrying', 'waiting')
    AND (next_retry_at <= UTC_TIMESTAMP(6) OR :armed)
FOR UPDATE SKIP LOCKED

-- name: next_delivery_due
SELECT TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), MIN(next_retry_at)) / 1e6 AS seconds FROM {outbox_delivery}
WHERE subscription_id = :subscription_id AND status IN ('retrying', 'waiting') AND key_hash % :lanes = :lane

-- name: close_dead_deliveries
SELECT log_id FROM {outbox_delivery}
WHERE message_id = :message_id AND status = 'dead'
    AND subscription_id IN (SELECT id FROM {outbox_subscription} WHERE kind = 'relay')
FOR UPDATE;
UPDATE {outbox_delivery}
SET status = 'done', resolution = 'delivered', next_retry_at = NULL, done_at = UTC_TIMESTAMP(6), updated_at = UTC_TIMESTAMP(6)
WHERE message_id = :message_id AND status = 'dead'
    AND subscription_id IN (SELECT id FROM {outbox_subscription} WHERE kind = 'relay')

-- name: has_dead_deliveries
SELECT EXISTS (
    SELECT 1 FROM {outbox_delivery}
    WHERE status = 'dead' AND subscription_id IN (SELECT id FROM {outbox_subscription} WHERE kind = 'relay')
) AS found

-- name: find_unread_kinds
SELECT DISTINCT m.type, m.version
FROM {outbox_delivery} AS d JOIN {outbox_message} AS m ON m.id = d.log_id
WHERE d.subscription_id = :subscription_id AND d.status = 'quarantined'
    AND d.error_code IN ('type.unknown', 'version.unknown')

-- name: release_unread
SELECT message_id, topic, message_key FROM {outbox_delivery}
WHERE subscription_id = :subscription_id AND status = 'quarantined'
    AND error_code IN ('type.unknown', 'version.unknown') AND key_hash % :lanes = :lane
    AND log_id IN (SELECT id FROM {outbox_message} WHERE type = :type AND version = :version)
FOR UPDATE;
UPDATE {outbox_delivery}
SET status = CASE WHEN message_key IS NULL THEN 'retrying' ELSE 'parked' END, cause = 'released',
    next_retry_at = CASE WHEN message_key IS NULL THEN UTC_TIMESTAMP(6) END, updated_at = UTC_TIMESTAMP(6)
WHERE subscription_id = :subscription_id AND status = 'quarantined'
    AND error_code IN ('type.unknown', 'version.unknown') AND key_hash % :lanes = :lane
    AND log_id IN (SELECT id FROM {outbox_message} WHERE type = :type AND version = :version)
