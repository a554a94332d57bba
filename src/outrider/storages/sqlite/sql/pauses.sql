-- name: read_pauses
SELECT kind, topic, subject, automatic FROM {outbox_pause}
WHERE broker IN ('', :broker) AND (until IS NULL OR until > :now)

-- name: insert_automatic_pause
INSERT INTO {outbox_pause} (kind, broker, topic, automatic, code, reason, actor, paused_at)
VALUES ('destination', :broker, :topic, true, :code, :reason, 'relay', :now)
ON CONFLICT DO NOTHING
RETURNING 1

-- name: delete_automatic_pause
DELETE FROM {outbox_pause} WHERE kind = 'destination' AND broker = :broker AND topic = :topic AND automatic
RETURNING 1
