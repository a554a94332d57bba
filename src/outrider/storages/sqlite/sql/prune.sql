-- What may be deleted, and nothing else. Every guard stands in the deleting statement. Source: spec/outbox.md OB-76, OB-77.

-- name: take_prune_lease
INSERT INTO {outrider_meta} AS m (name, value)
VALUES ('prune_lease', :owner || ' ' || (:now + :lease))
ON CONFLICT (name) DO UPDATE SET value = excluded.value
WHERE substr(m.value, 1, instr(m.value, ' ') - 1) = :owner
   OR CAST(substr(m.value, instr(m.value, ' ') + 1) AS INTEGER) < :now
RETURNING 1

-- name: release_prune_lease
DELETE FROM {outrider_meta} WHERE name = 'prune_lease' AND substr(value, 1, instr(value, ' ') - 1) = :owner

-- name: prune_window
SELECT max(w.id), coalesce(max(w.created_at < :now - :keep), 0)
FROM (SELECT id, created_at FROM {outbox_message} WHERE id > :after ORDER BY id LIMIT :limit) AS w

-- name: lock_cursors
SELECT 1 FROM {outbox_cursor} ORDER BY subscription_id, lane

-- fragment: journal_bounds
WITH bounds AS MATERIALIZED (
    SELECT c.lane, s.lanes, (
        SELECT max(a.last_id, a.floor_id) FROM {outbox_advance} AS a
        WHERE a.subscription_id = c.subscription_id AND a.lane = c.lane AND a.at <= :now - :keep
        ORDER BY a.seq DESC LIMIT 1) AS last_id
    FROM {outbox_cursor} AS c
    JOIN {outbox_subscription} AS s ON s.id = c.subscription_id AND s.kind <> 'sweeper'
)

-- fragment: given_up
-- Dead or quarantined for longer than such rows are kept; of no row where they are kept for ever.
(status IN ('dead', 'quarantined') AND coalesce(updated_at < :now - :dead_keep, FALSE))

-- fragment: prunable
WHERE m.id > :after AND m.id <= :upper
  AND (EXISTS (SELECT 1 FROM {outbox_subscription}) OR m.created_at < :now - :keep)
  AND NOT EXISTS (
      SELECT 1 FROM bounds AS b WHERE b.lane = m.key_hash % b.lanes AND (b.last_id IS NULL OR m.id > b.last_id))
  AND NOT EXISTS (
      SELECT 1 FROM {outbox_delivery} AS d
      WHERE d.message_id = m.message_id AND d.log_id = m.id AND d.status <> 'done' AND NOT {given_up})
  AND NOT EXISTS (
      SELECT 1 FROM {outrider_route} AS route
      JOIN json_each(route.consumers_here) AS expected
      LEFT JOIN {inbox_consumer} AS c ON c.name = expected.value
      WHERE route.type = m.type
        AND NOT EXISTS (
            SELECT 1 FROM {inbox_receipt} AS r WHERE r.consumer_id = c.id AND r.message_id = m.message_id)
        AND NOT EXISTS (
            SELECT 1 FROM {inbox_delivery} AS i
            WHERE i.consumer_id = c.id AND i.message_id = m.message_id AND (i.resolution = 'discarded' OR {given_up}))
        AND NOT EXISTS (
            SELECT 1 FROM {outbox_delivery} AS d
            WHERE d.message_id = m.message_id AND d.log_id = m.id AND (d.resolution = 'discarded' OR {given_up})))

-- name: prune_messages
{journal_bounds}
DELETE FROM {outbox_message} AS m
{prunable}
RETURNING id

-- name: prunable_messages
{journal_bounds}
SELECT count(*) FROM {outbox_message} AS m
{prunable}

-- name: prune_deliveries
DELETE FROM {outbox_delivery} AS d
WHERE d.log_id > :after AND d.log_id <= :upper AND d.status IN ('done', 'dead', 'quarantined')
  AND NOT EXISTS (SELECT 1 FROM {outbox_message} AS m WHERE m.id = d.log_id)
RETURNING 1

-- name: prune_receipts
DELETE FROM {inbox_receipt} AS r
WHERE (r.consumer_id, r.message_id) IN (
    SELECT old.consumer_id, old.message_id FROM {inbox_receipt} AS old
    WHERE old.consumed_at < :now - :receipts_keep
      AND NOT EXISTS (SELECT 1 FROM {outbox_message} AS m WHERE m.message_id = old.message_id)
    LIMIT :limit)
RETURNING consumer_id, consumed_at

-- name: prune_inbox
DELETE FROM {inbox_delivery} AS i
WHERE i.id IN (
    SELECT old.id FROM {inbox_delivery} AS old
    WHERE old.status = 'done' AND old.done_at < :now - :receipts_keep
      AND NOT EXISTS (SELECT 1 FROM {outbox_message} AS m WHERE m.message_id = old.message_id)
    ORDER BY old.id LIMIT :limit)
RETURNING consumer_id, done_at

-- name: raise_receipts_from
UPDATE {inbox_consumer} SET receipts_from = max(coalesce(receipts_from, :at), :at) WHERE id = :consumer_id

-- name: prune_dead_inbox
DELETE FROM {inbox_delivery} AS i
WHERE i.id IN (
    SELECT old.id FROM {inbox_delivery} AS old
    WHERE old.status IN ('dead', 'quarantined') AND old.updated_at < :now - :dead_keep
      AND NOT EXISTS (SELECT 1 FROM {outbox_message} AS m WHERE m.message_id = old.message_id)
    ORDER BY old.id LIMIT :limit)
RETURNING 1

-- name: prune_journal
DELETE FROM {outbox_advance} AS a
WHERE (a.subscription_id, a.lane, a.seq) IN (
    SELECT old.subscription_id, old.lane, old.seq FROM {outbox_advance} AS old
    WHERE old.at < :now - :keep
      AND EXISTS (
          SELECT 1 FROM {outbox_advance} AS later
          WHERE later.subscription_id = old.subscription_id AND later.lane = old.lane AND later.seq > old.seq
            AND later.at <= :now - :keep)
    ORDER BY old.at LIMIT :limit)
RETURNING 1

-- name: prune_audit
DELETE FROM {outrider_audit} WHERE at < :now - :audit_keep RETURNING 1

-- name: prune_processes
DELETE FROM {outrider_process} WHERE seen_at < :now - 86400000000 RETURNING 1
