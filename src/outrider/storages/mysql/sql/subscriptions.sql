-- Subscriptions, and the side rows of those that are made. Source: spec/outbox.md OB-21, H54.

-- fragment: active_subscriptions
-- All that read side rows. Who adds reads them with LOCK IN SHARE MODE, so that a subscription made meanwhile sees all of the
-- transaction or none.
{outrider_meta} AS gate STRAIGHT_JOIN {outbox_subscription} AS s ON gate.name = 'subscriptions' AND s.kind <> 'sweeper'

-- name: find_subscription
SELECT id, name, kind, broker, lanes FROM {outbox_subscription} WHERE name = :name

-- name: insert_subscription
-- Whoever is adding a message by now is waited for; who adds one later sees the row.
SELECT name FROM {outrider_meta} WHERE name = 'subscriptions' FOR UPDATE;
INSERT INTO {outbox_subscription} (id, name, kind, broker, lanes)
SELECT COALESCE(MAX(s.id), 0) + 1, :name, :kind, :broker, :lanes FROM {outbox_subscription} AS s
ON DUPLICATE KEY UPDATE {outbox_subscription}.lanes = {outbox_subscription}.lanes

-- name: is_active
SELECT EXISTS (SELECT 1 FROM {outbox_cursor} WHERE subscription_id = :subscription_id)

-- name: fill_subscription
SET @outrider_upto = (
    SELECT MAX(w.id) FROM (SELECT id FROM {outbox_message} WHERE id > :after ORDER BY id LIMIT :limit) AS w);
INSERT INTO {outbox_pending} (subscription_id, log_id, key_hash)
SELECT :subscription_id, m.id, m.key_hash FROM {outbox_message} AS m
WHERE m.id > :after AND m.id <= @outrider_upto
ORDER BY m.id
ON DUPLICATE KEY UPDATE {outbox_pending}.key_hash = m.key_hash;
SELECT w.upto FROM (SELECT @outrider_upto AS upto) AS w WHERE w.upto IS NOT NULL

-- name: insert_cursors
INSERT INTO {outbox_cursor} (subscription_id, lane, high_id, cluster, advanced_at)
SELECT :subscription_id, :lane,
    CASE WHEN :beginning THEN 0 ELSE COALESCE((SELECT MAX(m.id) FROM {outbox_message} AS m), 0) END, 'mysql',
    UTC_TIMESTAMP(6)
ON DUPLICATE KEY UPDATE {outbox_cursor}.lane = {outbox_cursor}.lane
