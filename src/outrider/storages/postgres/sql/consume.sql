-- Due rows of a handler subscription, inside the handling transaction. Contracts: outrider/consumer/log_rows.py.

-- name: lock_delivery
SELECT attempts, CAST(coalesce(extract(epoch FROM clock_timestamp() - first_failed_at) * 1000000, 0) AS bigint)
FROM {outbox_delivery}
WHERE subscription_id = CAST(:subscription_id AS smallint) AND log_id = CAST(:log_id AS bigint)
    AND status IN ('retrying', 'waiting') AND next_retry_at <= clock_timestamp()
FOR UPDATE SKIP LOCKED

-- name: next_delivery_due
SELECT CAST(extract(epoch FROM min(next_retry_at) - clock_timestamp()) AS double precision) FROM {outbox_delivery}
WHERE subscription_id = CAST(:subscription_id AS smallint) AND status IN ('retrying', 'waiting')

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
