-- name: find_log_message
SELECT lower(substr(hex(message_id), 1, 8) || '-' || substr(hex(message_id), 9, 4) || '-'
    || substr(hex(message_id), 13, 4) || '-' || substr(hex(message_id), 17, 4) || '-'
    || substr(hex(message_id), 21)) FROM {outbox_message} WHERE id = :log_id

-- name: find_unfinished
SELECT log_id FROM {outbox_delivery}
WHERE subscription_id = :subscription_id AND log_id = :log_id AND generation = :generation
  AND status IN ('waiting', 'retrying', 'parked')
