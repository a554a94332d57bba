-- name: read_pauses
SELECT kind, topic, subject, automatic FROM {outbox_pause}
WHERE broker IN ('', :broker) AND (`until` IS NULL OR `until` > UTC_TIMESTAMP(6))

-- name: insert_automatic_pause
INSERT INTO {outbox_pause} (kind, broker, topic, automatic, code, reason, actor, paused_at)
VALUES ('destination', :broker, :topic, TRUE, :code, :reason, 'relay',
    UTC_TIMESTAMP(6) + INTERVAL 0 * LAST_INSERT_ID(1) MICROSECOND)
ON DUPLICATE KEY UPDATE automatic = automatic + 0 * LAST_INSERT_ID(2);
SELECT 1 FROM DUAL WHERE LAST_INSERT_ID() = 1

-- name: delete_automatic_pause
SELECT 1 FROM {outbox_pause}
WHERE kind = 'destination' AND broker = :broker AND topic = :topic AND automatic
FOR UPDATE;
DELETE FROM {outbox_pause}
WHERE kind = 'destination' AND broker = :broker AND topic = :topic AND automatic
