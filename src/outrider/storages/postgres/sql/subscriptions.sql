-- name: find_subscription
SELECT id, name, kind, broker, lanes FROM {outbox_subscription} WHERE name = :name

-- name: insert_subscription
INSERT INTO {outbox_subscription} (id, name, kind, broker, lanes)
SELECT coalesce(max(id), 0) + 1, :name, :kind, :broker, :lanes FROM {outbox_subscription}
ON CONFLICT DO NOTHING

-- name: insert_cursors
INSERT INTO {outbox_cursor} (subscription_id, lane, done, target, high_id, cluster)
SELECT :subscription_id, :lane, start.at, start.at,
    CASE WHEN :beginning THEN 0 ELSE coalesce((SELECT max(id) FROM {outbox_message}), 0) END,
    CAST((SELECT system_identifier FROM pg_control_system()) AS text)
FROM (SELECT CASE WHEN :beginning THEN CAST('1:1:' AS pg_snapshot) ELSE pg_current_snapshot() END AS at) AS start
ON CONFLICT DO NOTHING

-- name: is_active
SELECT EXISTS (SELECT 1 FROM {outbox_cursor} WHERE subscription_id = :subscription_id)

-- name: fill_subscription
-- The log itself is read: there are no side rows.
SELECT 1 WHERE FALSE
