-- What may be deleted, and nothing else. Every guard stands in the deleting statement. Source: spec/outbox.md OB-76, OB-77.

-- name: take_prune_lease
INSERT INTO {outrider_meta} AS m (name, value)
VALUES ('prune_lease', CAST(:owner AS text) || ' '
        || CAST(extract(epoch FROM clock_timestamp() + CAST(:lease AS interval)) * 1000000 AS bigint))
ON CONFLICT (name) DO UPDATE SET value = excluded.value
WHERE split_part(m.value, ' ', 1) = CAST(:owner AS text)
   OR CAST(split_part(m.value, ' ', 2) AS bigint) < extract(epoch FROM clock_timestamp()) * 1000000
RETURNING 1

-- name: release_prune_lease
DELETE FROM {outrider_meta} WHERE name = 'prune_lease' AND split_part(value, ' ', 1) = CAST(:owner AS text)

-- name: prune_window
SELECT max(w.id), coalesce(bool_or(w.created_at < clock_timestamp() - CAST(:keep AS interval)), FALSE)
FROM (SELECT id, created_at FROM {outbox_message} WHERE id > :after ORDER BY id LIMIT :limit) AS w

-- name: lock_cursors
SELECT 1 FROM {outbox_cursor} ORDER BY subscription_id, lane FOR UPDATE

-- fragment: journal_bounds
WITH bounds AS MATERIALIZED (
    SELECT c.lane, s.lanes, a.done, a.target, a.last_id, a.floor_id
    FROM {outbox_cursor} AS c
    JOIN {outbox_subscription} AS s ON s.id = c.subscription_id AND s.kind <> 'sweeper'
    LEFT JOIN LATERAL (
        SELECT done, target, last_id, floor_id FROM {outbox_advance} AS a
        WHERE a.subscription_id = c.subscription_id AND a.lane = c.lane
          AND a.at <= clock_timestamp() - CAST(:keep AS interval)
        ORDER BY a.seq DESC LIMIT 1
    ) AS a ON TRUE
)

-- fragment: given_up
-- Dead or quarantined for longer than such rows are kept; of no row where they are kept for ever.
(status IN ('dead', 'quarantined') AND coalesce(updated_at < clock_timestamp() - CAST(:dead_keep AS interval), FALSE))

-- fragment: prunable
WHERE m.id > :after AND m.id <= :upper
  AND (EXISTS (SELECT FROM {outbox_subscription}) OR m.created_at < clock_timestamp() - CAST(:keep AS interval))
  AND NOT EXISTS (
      SELECT FROM bounds AS b WHERE b.lane = m.key_hash % b.lanes AND (b.done IS NULL OR NOT (
          m.id <= b.floor_id OR pg_visible_in_snapshot(m.xid, b.done)
          OR (m.id <= b.last_id AND pg_visible_in_snapshot(m.xid, b.target)))))
  AND NOT EXISTS (
      SELECT FROM {outbox_delivery} AS d
      WHERE d.message_id = m.message_id AND d.log_id = m.id AND d.status <> 'done' AND NOT {given_up})
  AND NOT EXISTS (
      SELECT FROM {outrider_route} AS route
      CROSS JOIN LATERAL jsonb_array_elements_text(route.consumers_here) AS expected (name)
      LEFT JOIN {inbox_consumer} AS c ON c.name = expected.name
      WHERE route.type = m.type
        AND NOT EXISTS (
            SELECT FROM {inbox_receipt} AS r WHERE r.consumer_id = c.id AND r.message_id = m.message_id)
        AND NOT EXISTS (
            SELECT FROM {inbox_delivery} AS i
            WHERE i.consumer_id = c.id AND i.message_id = m.message_id AND (i.resolution = 'discarded' OR {given_up}))
        AND NOT EXISTS (
            SELECT FROM {outbox_delivery} AS d
            WHERE d.message_id = m.message_id AND d.log_id = m.id AND (d.resolution = 'discarded' OR {given_up})))

-- name: prune_messages
{journal_bounds}
DELETE FROM {outbox_message} AS m
{prunable}
RETURNING m.id

-- name: prunable_messages
{journal_bounds}
SELECT count(*) FROM {outbox_message} AS m
{prunable}

-- name: prune_deliveries
DELETE FROM {outbox_delivery} AS d
WHERE d.log_id > :after AND d.log_id <= :upper AND d.status IN ('done', 'dead', 'quarantined')
  AND NOT EXISTS (SELECT FROM {outbox_message} AS m WHERE m.id = d.log_id)
RETURNING 1

-- name: prune_receipts
DELETE FROM {inbox_receipt} AS r
WHERE (r.consumer_id, r.message_id) IN (
    SELECT old.consumer_id, old.message_id FROM {inbox_receipt} AS old
    WHERE old.consumed_at < clock_timestamp() - CAST(:receipts_keep AS interval)
      AND NOT EXISTS (SELECT FROM {outbox_message} AS m WHERE m.message_id = old.message_id)
    LIMIT :limit)
RETURNING r.consumer_id, r.consumed_at

-- name: prune_inbox
DELETE FROM {inbox_delivery} AS i
WHERE i.id IN (
    SELECT old.id FROM {inbox_delivery} AS old
    WHERE old.status = 'done' AND old.done_at < clock_timestamp() - CAST(:receipts_keep AS interval)
      AND NOT EXISTS (SELECT FROM {outbox_message} AS m WHERE m.message_id = old.message_id)
    ORDER BY old.id LIMIT :limit)
RETURNING i.consumer_id, i.done_at

-- name: raise_receipts_from
UPDATE {inbox_consumer} SET receipts_from = greatest(receipts_from, CAST(:at AS timestamptz)) WHERE id = :consumer_id

-- name: prune_dead_inbox
DELETE FROM {inbox_delivery} AS i
WHERE i.id IN (
    SELECT old.id FROM {inbox_delivery} AS old
    WHERE old.status IN ('dead', 'quarantined') AND old.updated_at < clock_timestamp() - CAST(:dead_keep AS interval)
      AND NOT EXISTS (SELECT FROM {outbox_message} AS m WHERE m.message_id = old.message_id)
    ORDER BY old.id LIMIT :limit)
RETURNING 1

-- name: prune_journal
DELETE FROM {outbox_advance} AS a
WHERE (a.subscription_id, a.lane, a.seq) IN (
    SELECT old.subscription_id, old.lane, old.seq FROM {outbox_advance} AS old
    WHERE old.at < clock_timestamp() - CAST(:keep AS interval)
      AND EXISTS (
          SELECT FROM {outbox_advance} AS later
          WHERE later.subscription_id = old.subscription_id AND later.lane = old.lane AND later.seq > old.seq
            AND later.at <= clock_timestamp() - CAST(:keep AS interval))
    ORDER BY old.at LIMIT :limit)
RETURNING 1

-- name: prune_audit
DELETE FROM {outrider_audit} WHERE at < clock_timestamp() - CAST(:audit_keep AS interval) RETURNING 1

-- name: prune_processes
DELETE FROM {outrider_process} WHERE seen_at < clock_timestamp() - CAST('1 day' AS interval) RETURNING 1
