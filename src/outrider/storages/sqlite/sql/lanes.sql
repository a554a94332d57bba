-- The number of lanes changes. Source: spec/outbox.md OB-45; outrider/core/lane_change.py.

-- name: lock_lanes
SELECT lane, lease_until IS NOT NULL AND lease_until >= :now, NULL, NULL, last_id, high_id, floor_id, cluster, epoch, passed
FROM {outbox_cursor} WHERE subscription_id = :subscription_id
ORDER BY lane

-- name: read_end
SELECT CAST(coalesce(max(id), 0) AS text) FROM {outbox_message}

-- name: delete_lanes
DELETE FROM {outbox_cursor} WHERE subscription_id = :subscription_id

-- name: insert_lane
INSERT INTO {outbox_cursor} (subscription_id, lane, last_id, high_id, floor_id, cluster, epoch, passed, advanced_at)
VALUES (:subscription_id, :lane, :last_id, :high_id, :floor_id, :cluster, :epoch, :passed, :now)

-- name: set_lanes
UPDATE {outbox_subscription} SET lanes = :lanes WHERE id = :subscription_id

-- name: delete_advances
DELETE FROM {outbox_advance} WHERE subscription_id = :subscription_id
