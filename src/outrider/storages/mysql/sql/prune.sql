-- What may be deleted, and nothing else. Every guard stands in the deleting statement. Source: spec/outbox.md OB-76, OB-77.

-- name: take_prune_lease
INSERT INTO {outrider_meta} (name, value) VALUES ('prune_lease', CONCAT(CONVERT(:owner USING utf8mb4), ' 0'))
ON DUPLICATE KEY UPDATE name = name;
SELECT 1 FROM {outrider_meta}
WHERE name = 'prune_lease' AND (SUBSTRING_INDEX(value, ' ', 1) = CONVERT(:owner USING utf8mb4)
    OR CAST(SUBSTRING_INDEX(value, ' ', -1) AS SIGNED) < TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)))
FOR UPDATE;
UPDATE {outrider_meta}
SET value = CONCAT(CONVERT(:owner USING utf8mb4), ' ',
    TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6) + INTERVAL :lease MICROSECOND))
WHERE name = 'prune_lease' AND (SUBSTRING_INDEX(value, ' ', 1) = CONVERT(:owner USING utf8mb4)
    OR CAST(SUBSTRING_INDEX(value, ' ', -1) AS SIGNED) < TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)))

-- name: release_prune_lease
DELETE FROM {outrider_meta}
WHERE name = 'prune_lease' AND SUBSTRING_INDEX(value, ' ', 1) = CONVERT(:owner USING utf8mb4)

-- name: prune_window
SELECT MAX(w.id), COALESCE(MAX(w.created_at < UTC_TIMESTAMP(6) - INTERVAL :keep MICROSECOND), 0)
FROM (SELECT id, created_at FROM {outbox_message} WHERE id > :after ORDER BY id LIMIT :limit) AS w

-- name: lock_cursors
SELECT 1 FROM {outbox_cursor} ORDER BY subscription_id, lane FOR UPDATE

-- name: prune_messages
-- The cursors are locked, so what the first statement finds may go by the second.
SELECT m.id {prunable};
DELETE m {prunable}

-- name: prunable_messages
SELECT COUNT(*) {prunable}

-- name: prune_deliveries
DELETE FROM {outbox_delivery}
WHERE log_id > :after AND log_id <= :upper AND status IN ('done', 'dead', 'quarantined')
  AND NOT EXISTS (SELECT 1 FROM {outbox_message} AS m WHERE m.id = {outbox_delivery}.log_id)

-- name: prune_receipts
SET @outrider_cutoff = UTC_TIMESTAMP(6) - INTERVAL :receipts_keep MICROSECOND;
SELECT consumer_id, consumed_at FROM {inbox_receipt}
WHERE consumed_at < @outrider_cutoff
  AND NOT EXISTS (SELECT 1 FROM {outbox_message} AS m WHERE m.message_id = {inbox_receipt}.message_id)
ORDER BY consumed_at, consumer_id, message_id LIMIT :limit
FOR UPDATE;
DELETE FROM {inbox_receipt}
WHERE consumed_at < @outrider_cutoff
  AND NOT EXISTS (SELECT 1 FROM {outbox_message} AS m WHERE m.message_id = {inbox_receipt}.message_id)
ORDER BY consumed_at, consumer_id, message_id LIMIT :limit

-- name: prune_inbox
SET @outrider_cutoff = UTC_TIMESTAMP(6) - INTERVAL :receipts_keep MICROSECOND;
SELECT consumer_id, done_at FROM {inbox_delivery}
WHERE status = 'done' AND done_at < @outrider_cutoff
  AND NOT EXISTS (SELECT 1 FROM {outbox_message} AS m WHERE m.message_id = {inbox_delivery}.message_id)
ORDER BY id LIMIT :limit
FOR UPDATE;
DELETE FROM {inbox_delivery}
WHERE status = 'done' AND done_at < @outrider_cutoff
  AND NOT EXISTS (SELECT 1 FROM {outbox_message} AS m WHERE m.message_id = {inbox_delivery}.message_id)
ORDER BY id LIMIT :limit

-- name: raise_receipts_from
UPDATE {inbox_consumer} SET receipts_from = GREATEST(COALESCE(receipts_from, :at), :at) WHERE id = :consumer_id

-- name: prune_dead_inbox
SET @outrider_cutoff = UTC_TIMESTAMP(6) - INTERVAL :dead_keep MICROSECOND;
SELECT 1 FROM {inbox_delivery}
WHERE status IN ('dead', 'quarantined') AND updated_at < @outrider_cutoff
  AND NOT EXISTS (SELECT 1 FROM {outbox_message} AS m WHERE m.message_id = {inbox_delivery}.message_id)
ORDER BY id LIMIT :limit
FOR UPDATE;
DELETE FROM {inbox_delivery}
WHERE status IN ('dead', 'quarantined') AND updated_at < @outrider_cutoff
  AND NOT EXISTS (SELECT 1 FROM {outbox_message} AS m WHERE m.message_id = {inbox_delivery}.message_id)
ORDER BY id LIMIT :limit

-- name: prune_journal
SET @outrider_cutoff = UTC_TIMESTAMP(6) - INTERVAL :keep MICROSECOND;
{old_journal};
DELETE j FROM {outbox_advance} AS j
JOIN ({old_journal}) AS old ON old.subscription_id = j.subscription_id AND old.lane = j.lane AND old.seq = j.seq

-- name: prune_audit
SET @outrider_cutoff = UTC_TIMESTAMP(6) - INTERVAL :audit_keep MICROSECOND;
SELECT 1 FROM {outrider_audit}
WHERE at < @outrider_cutoff
ORDER BY at
FOR UPDATE;
DELETE FROM {outrider_audit}
WHERE at < @outrider_cutoff
ORDER BY at

-- name: prune_processes
SET @outrider_cutoff = UTC_TIMESTAMP(6) - INTERVAL 1 DAY;
SELECT 1 FROM {outrider_process}
WHERE seen_at < @outrider_cutoff
ORDER BY owner
FOR UPDATE;
DELETE FROM {outrider_process}
WHERE seen_at < @outrider_cutoff
ORDER BY owner

-- fragment: given_up
-- Dead or quarantined for longer than such rows are kept; of no row where they are kept for ever.
(status IN ('dead', 'quarantined') AND COALESCE(updated_at < UTC_TIMESTAMP(6) - INTERVAL :dead_keep MICROSECOND, FALSE))

-- fragment: prunable
-- The bounds are found once: the limit keeps them from being merged into the search.
FROM {outbox_message} AS m
WHERE m.id > :after AND m.id <= :upper
  AND (EXISTS (SELECT 1 FROM {outbox_subscription} AS s)
    OR m.created_at < UTC_TIMESTAMP(6) - INTERVAL :keep MICROSECOND)
  AND NOT EXISTS (
      SELECT 1 FROM (
          SELECT c.lane, s.lanes, (
              SELECT GREATEST(a.last_id, a.floor_id) FROM {outbox_advance} AS a
              WHERE a.subscription_id = c.subscription_id AND a.lane = c.lane
                AND a.at <= UTC_TIMESTAMP(6) - INTERVAL :keep MICROSECOND
              ORDER BY a.at DESC, a.seq DESC LIMIT 1) AS last_id
          FROM {outbox_cursor} AS c
          JOIN {outbox_subscription} AS s ON s.id = c.subscription_id AND s.kind <> 'sweeper'
          LIMIT 1000000
      ) AS b WHERE b.lane = m.key_hash % b.lanes AND (b.last_id IS NULL OR m.id > b.last_id))
  AND NOT EXISTS (SELECT 1 FROM {outbox_pending} AS p JOIN {outbox_subscription} AS s ON s.id = p.subscription_id
      WHERE p.log_id = m.id)
  AND NOT EXISTS (
      SELECT 1 FROM {outbox_delivery} AS d
      WHERE d.message_id = m.message_id AND d.log_id = m.id AND d.status <> 'done' AND NOT {given_up})
  AND (EXISTS (
      SELECT 1 FROM {outbox_delivery} AS d
      WHERE d.message_id = m.message_id AND d.log_id = m.id AND (d.resolution = 'discarded' OR {given_up}))
    OR NOT EXISTS (
      SELECT 1 FROM {outrider_route} AS route
      WHERE route.type = m.type AND JSON_LENGTH(route.consumers_here) > (
          SELECT COUNT(*) FROM {inbox_consumer} AS c
          WHERE JSON_CONTAINS(route.consumers_here, JSON_QUOTE(CONVERT(c.name USING utf8mb4)))
            AND (EXISTS (
                SELECT 1 FROM {inbox_receipt} AS r WHERE r.consumer_id = c.id AND r.message_id = m.message_id)
              OR EXISTS (
                SELECT 1 FROM {inbox_delivery} AS i
                WHERE i.consumer_id = c.id AND i.message_id = m.message_id
                  AND (i.resolution = 'discarded' OR {given_up}))))))

-- fragment: old_journal
SELECT a.subscription_id, a.lane, a.seq FROM {outbox_advance} AS a
JOIN (
    SELECT b.subscription_id, b.lane, MAX(b.seq) AS seq FROM {outbox_advance} AS b
    WHERE b.at <= @outrider_cutoff GROUP BY b.subscription_id, b.lane
) AS bound ON bound.subscription_id = a.subscription_id AND bound.lane = a.lane AND a.seq < bound.seq
WHERE a.at < @outrider_cutoff
ORDER BY a.at, a.subscription_id, a.lane, a.seq LIMIT :limit
