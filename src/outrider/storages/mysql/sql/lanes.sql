-- The number of lanes changes. Source: spec/outbox.md OB-45; outrider/core/lane_change.py.

-- name: lock_lanes
SELECT lane, lease_until IS NOT NULL AND lease_until >= UTC_TIMESTAMP(6) AS held, NULL AS done, NULL AS target, last_id,
    high_id, floor_id, cluster, epoch, passed
FROM {outbox_cursor} WHERE subscription_id = :subscription_id
ORDER BY lane FOR UPDATE

-- name: read_end
-- Side rows say what is left, whoever reads them: no common position is needed.
SELECT NULL AS goal

-- name: delete_lanes
DELETE FROM {outbox_cursor} WHERE subscription_id = :subscription_id

-- name: insert_lane
INSERT INTO {outbox_cursor} (subscription_id, lane, last_id, high_id, floor_id, cluster, epoch, passed, advanced_at)
VALUES (:subscription_id, :lane, :last_id, :high_id, :floor_id, :cluster, :epoch, :passed, UTC_TIMESTAMP(6))

-- name: set_lanes
UPDATE {outbox_subscription} SET lanes = :lanes WHERE id = :subscription_id

-- name: delete_advances
DELETE FROM {outbox_advance} WHERE subscription_id = :subscription_id
