-- name: find_log_message
SELECT LOWER(INSERT(INSERT(INSERT(INSERT(HEX(message_id), 9, 0, '-'), 14, 0, '-'), 19, 0, '-'), 24, 0, '-')) AS id_text
FROM {outbox_message} WHERE id = :log_id

-- name: find_unfinished
SELECT log_id FROM {outbox_delivery}
WHERE subscription_id = :subscription_id AND log_id = :log_id AND generation = :generation
  AND status IN ('waiting', 'retrying', 'parked')
