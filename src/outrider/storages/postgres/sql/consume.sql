-- Due rows of a handler subscription, inside the handling transaction. Contracts: outrider/consumer/log_rows.py.

-- name: lock_delivery
SELECT attempts, CAST(coalesce(extract(epoch FROM clock_timestamp() - first_failed_at) * 1000000, 0) AS bigint)
FROM {outbox_delivery}
WHERE subscription_id = CAST(:subscription_id AS smallint) AND log_id = CAST(:log_id AS bigint)
    AND status IN ('retrying', 'waiting')
    AND (next_retry_at <= clock_timestamp() OR CAST(:armed AS boolean))
FOR UPDATE SKIP LOCKED

-- name: next_delivery_due
SELECT CAST(extract(epoch FROM min(next_retry_at) - clock_timestamp()) AS double precision) FROM {outbox_delivery}
WHERE subscription_id = CAST(:subscription_id AS smallint) AND status IN ('retrying', 'waiting')
    AND key_hash % CAST(:lanes AS integer) = CAST(:lane AS integer)

-- name: close_dead_deliveries
UPDATE {outbox_delivery}
SET status = 'done', resolution = 'delivered', next_retry_at = NULL,
    done_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE message_id = ANY (CAST(:message_ids AS uuid[])) AND status = 'dead'
    AND subscription_id IN (SELECT id FROM {outbox_subscription} WHERE kind = 'relay')
RETURNING log_id

-- name: has_dead_deliveries
SELECT EXISTS (
    SELECT 1 FROM {outbox_delivery}
    WHERE status = 'dead' AND subscription_id IN (SELECT id FROM {outbox_subscription} WHERE kind = 'relay')
)

-- name: find_unread_kinds
SELECT DISTINCT m.type, m.version
FROM {outbox_delivery} AS d JOIN {outbox_message} AS m ON m.id = d.log_id
WHERE d.subscription_id = CAST(:subscription_id AS smallint) AND d.status = 'quarantined'
    AND d.error_code IN ('type.unknown', 'version.unknown')

-- name: release_unread
UPDATE {outbox_delivery} AS d
SET status = CASE WHEN d.message_key IS NULL THEN 'retrying' ELSE 'parked' END, cause = 'released',
    next_retry_at = CASE WHEN d.message_key IS NULL THEN clock_timestamp() END, updated_at = clock_timestamp()
FROM {outbox_message} AS m
WHERE m.id = d.log_id AND d.subscription_id = CAST(:subscription_id AS smallint) AND d.status = 'quarantined'
    AND d.error_code IN ('type.unknown', 'version.unknown')
    AND d.key_hash % CAST(:lanes AS integer) = CAST(:lane AS integer)
    AND m.type = CAST(:type AS text) AND m.version = CAST(:version AS integer)
RETURNING d.message_id, d.topic, d.message_key
