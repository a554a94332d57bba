-- Due rows of a handler subscription, inside the handling transaction. Contracts: outrider/consumer/log_rows.py.

-- name: lock_delivery
SELECT attempts, coalesce(:now - first_failed_at, 0) AS failing FROM {outbox_delivery}
WHERE subscription_id = :subscription_id AND log_id = :log_id AND status IN ('retrying', 'waiting')
    AND (next_retry_at <= :now OR :armed)

-- name: next_delivery_due
SELECT (min(next_retry_at) - :now) / 1000000.0 AS seconds FROM {outbox_delivery}
WHERE subscription_id = :subscription_id AND status IN ('retrying', 'waiting') AND key_hash % :lanes = :lane

-- name: close_dead_deliveries
UPDATE {outbox_delivery}
SET status = 'done', resolution = 'delivered', next_retry_at = NULL, done_at = :now, updated_at = :now
WHERE message_id = :message_id AND status = 'dead'
    AND subscription_id IN (SELECT id FROM {outbox_subscription} WHERE kind = 'relay')
RETURNING log_id

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
UPDATE {outbox_delivery}
SET status = CASE WHEN message_key IS NULL THEN 'retrying' ELSE 'parked' END, cause = 'released',
    next_retry_at = CASE WHEN message_key IS NULL THEN :now END, updated_at = :now
WHERE subscription_id = :subscription_id AND status = 'quarantined'
    AND error_code IN ('type.unknown', 'version.unknown') AND key_hash % :lanes = :lane
    AND log_id IN (SELECT id FROM {outbox_message} WHERE type = :type AND version = :version)
RETURNING message_id, topic, message_key
