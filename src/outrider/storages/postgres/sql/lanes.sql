-- The number of lanes changes. Source: spec/outbox.md OB-45; outrider/core/lane_change.py.

-- name: lock_lanes
SELECT lane, coalesce(lease_until >= clock_timestamp(), false), CAST(done AS text), CAST(target AS text), last_id, high_id,
    floor_id, cluster, epoch, passed
FROM {outbox_cursor} WHERE subscription_id = :subscription_id
ORDER BY lane FOR UPDATE

-- name: read_end
SELECT CAST(pg_current_snapshot() AS text)

-- name: delete_lanes
DELETE FROM {outbox_cursor} WHERE subscription_id = :subscription_id

-- name: insert_lane
INSERT INTO {outbox_cursor}
    (subscription_id, lane, done, target, last_id, high_id, floor_id, cluster, epoch, passed)
VALUES (:subscription_id, :lane, CAST(:done AS pg_snapshot), CAST(:target AS pg_snapshot), :last_id, :high_id, :floor_id,
    :cluster, :epoch, :passed)

-- name: set_lanes
UPDATE {outbox_subscription} SET lanes = :lanes WHERE id = :subscription_id

-- name: delete_advances
DELETE FROM {outbox_advance} WHERE subscription_id = :subscription_id
